// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/check/grpc"
	"github.com/podgate/podgate/internal/check/http"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/tcp"
	"github.com/podgate/podgate/internal/observe/checks"
)

func tcpCheck(ctx context.Context, m Maker, g *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error) {
	place, cost, err := m.place(ctx, g.Namespace, c.TCP.Port, c.TCP.IPFamily, c.TCP.Address)
	if err != nil {
		return made{}, err
	}
	return made{tcp.New(place, c.Timeout(), m.Dial), cost}, nil
}

func grpcCheck(ctx context.Context, m Maker, g *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error) {
	place, cost, err := m.place(ctx, g.Namespace, c.GRPC.Port, c.GRPC.IPFamily, c.GRPC.Address)
	if err != nil {
		return made{}, err
	}
	checker, err := grpc.New(place, grpc.Settings{Service: c.GRPC.Service, TLS: verification(c.GRPC.TLS)}, c.Timeout(), m.Dial)
	return made{checker, cost}, err
}

// variable reports whether texts of a request are to be filled in for each pod.
func variable(h *v1alpha1.HTTPCheck) bool {
	texts := []string{h.URL, h.Path, h.Host}
	for _, header := range h.Headers {
		texts = append(texts, header.Value)
	}
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "$(pod.") })
}

func httpCheck(ctx context.Context, m Maker, g *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error) {
	h := c.HTTP
	settings := http.Settings{Method: string(h.Method), Path: h.Path, Host: h.Host, TLS: verification(h.TLS)}
	for _, header := range h.Headers {
		settings.Headers = append(settings.Headers, http.Header{Name: header.Name, Value: header.Value})
	}

	var place network.Place
	cost, secure := checks.PerPod, h.Scheme == corev1.URISchemeHTTPS
	sees := []expr.Variable{expr.Response, expr.Pod}
	if h.URL != "" {
		var target *url.URL
		var err error
		if place, target, err = m.allowedURL(ctx, g.Namespace, h.URL); err != nil {
			return made{}, err
		}
		settings.Path, settings.Host, secure = target.RequestURI(), target.Host, target.Scheme == "https"

		// An answer that all pods share is about none of them.
		if !variable(h) {
			cost, sees = checks.Shared, sees[:1]
		}
	} else {
		place = atPod(*h.Port, h.IPFamily)
	}

	if h.Expression != "" {
		expression, err := expr.Compile(h.Expression, sees...)
		if err != nil {
			return made{}, fmt.Errorf("expression: %w", err)
		}
		settings.Expression = expression
	}

	if secure && settings.TLS == nil {
		settings.TLS = &network.TLS{}
	}

	checker, err := http.New(place, settings, c.Timeout(), m.Dial)
	return made{checker, cost}, err
}

// place is where a check of a port asks: at the pod itself, or at an address that is allowed, once for all pods.
func (m Maker) place(ctx context.Context, namespace string, port *intstr.IntOrString, family v1alpha1.IPFamily, address string) (network.Place, checks.Cost, error) {
	if port != nil {
		return atPod(*port, family), checks.PerPod, nil
	}

	labels, err := m.labels(ctx, namespace)
	if err != nil {
		return network.Place{}, 0, err
	}
	place, err := network.Allowed(m.Allowed, labels, address)
	return place, checks.Shared, err
}

func (m Maker) allowedURL(ctx context.Context, namespace, text string) (network.Place, *url.URL, error) {
	labels, err := m.labels(ctx, namespace)
	if err != nil {
		return network.Place{}, nil, err
	}
	return network.AllowedURL(m.Allowed, labels, text)
}

// labels are those of a namespace, for which nobody is asked where nothing is allowed anyway.
func (m Maker) labels(ctx context.Context, namespace string) (map[string]string, error) {
	if len(m.Allowed) == 0 {
		return nil, network.ErrNotAllowed
	}
	labels, err := m.Labels(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("%w: read the labels of namespace %s: %w", errUnknown, namespace, err)
	}
	return labels, nil
}

// families are how Kubernetes calls the families of addresses.
var families = map[v1alpha1.IPFamily]corev1.IPFamily{"ipv4": corev1.IPv4Protocol, "ipv6": corev1.IPv6Protocol}

func atPod(port intstr.IntOrString, family v1alpha1.IPFamily) network.Place {
	return network.AtPod(port, families[family])
}

// verification is how TLS is spoken, as far as the check says it.
func verification(tls *v1alpha1.TLSVerification) *network.TLS {
	if tls == nil {
		return nil
	}
	return &network.TLS{ServerName: tls.ServerName, CABundle: tls.CABundle, SkipVerify: tls.Verify == v1alpha1.VerifyNone}
}
