// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/internal/route/gatewayapi"
	"github.com/podgate/podgate/sim/awssim"
)

// newGatewayCluster makes a cluster whose podgate serves Gateways. Nobody has defined them yet, at least in the first test.
func newGatewayCluster(t *testing.T) *cluster {
	c := newIngressCluster(t, func(conf *awssim.Config) {
		conf.EphemeralPorts = true
		conf.ACM = awssim.ACM{Certificates: []awssim.Certificate{{ID: "tls", Domains: []string{"tls.example.com"}, KeyAlgorithm: "EC_prime256v1"}}}
	})
	ingresses := c.config
	c.config = func(cfg *manager.Config) {
		ingresses(cfg)
		cfg.Ingress.Enabled, cfg.Ingress.Gateways = false, true
	}
	return c
}

// gateway makes the Gateway gw with a listener at port 80, and its class.
func (c *cluster) gateway() (*gwv1.GatewayClass, *gwv1.Gateway) {
	c.Helper()
	class := &gwv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: c.ns}, Spec: gwv1.GatewayClassSpec{ControllerName: "podgate.dev/alb"}}
	c.create(class)
	c.Cleanup(func() { _ = c.kube.Delete(context.Background(), class) })
	g := &gwv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "gw", Annotations: map[string]string{"alb.ingress.kubernetes.io/target-type": "ip"}},
		Spec:       gwv1.GatewaySpec{GatewayClassName: gwv1.ObjectName(class.Name), Listeners: []gwv1.Listener{{Name: "http", Port: 80, Protocol: gwv1.HTTPProtocolType}}},
	}
	c.create(g)
	return class, g
}

// split makes a route to the Services a and b with these weights.
func split(a, b int32) []gwv1.HTTPRouteRule {
	ref := func(name string, weight int32) gwv1.HTTPBackendRef {
		return gwv1.HTTPBackendRef{BackendRef: gwv1.BackendRef{BackendObjectReference: gwv1.BackendObjectReference{Name: gwv1.ObjectName(name), Port: new(gwv1.PortNumber(80))}, Weight: &weight}}
	}
	return []gwv1.HTTPRouteRule{{BackendRefs: []gwv1.HTTPBackendRef{ref("a", a), ref("b", b)}}}
}

// reasonOf is the reason of a condition, which is True, or has "not " before it.
func reasonOf(conditions []metav1.Condition, kind string) string {
	switch of := meta.FindStatusCondition(conditions, kind); {
	case of == nil:
		return ""
	case of.Status == metav1.ConditionTrue:
		return of.Reason
	default:
		return "not " + of.Reason
	}
}

// parent is the reason of a condition of a route's only entry.
func (c *cluster) parent(r *gwv1.HTTPRoute, kind string) string {
	c.Helper()
	var now gwv1.HTTPRoute
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(r), &now); err != nil {
		c.Fatal(err)
	}
	if len(now.Status.Parents) != 1 {
		return ""
	}
	return reasonOf(now.Status.Parents[0].Conditions, kind)
}

// change patches an object.
func (c *cluster) change(r *gwv1.HTTPRoute, how func()) {
	c.Helper()
	before := r.DeepCopy()
	how()
	if err := c.kube.Patch(c.Context(), r, client.MergeFrom(before)); err != nil {
		c.Fatal(err)
	}
}

// TestGateway: a Gateway whose kind is defined while podgate runs gets a load balancer that serves its route behind gates. A canary goes
// from 0 to 100 and no request fails. What cannot be served changes nothing, and whatever goes first, nothing is left.
func TestGateway(t *testing.T) {
	c := newGatewayCluster(t)
	c.nodePortService("a", 18050)
	c.nodePortService("b", 18050)
	c.serve("127.0.50.1:18050", "a")
	c.serve("127.0.50.2:18050", "b")
	c.start()

	kubetest.DefineGateways(t, c.kube)
	class, g := c.gateway()
	r := &gwv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "web"}, Spec: gwv1.HTTPRouteSpec{
		CommonRouteSpec: gwv1.CommonRouteSpec{ParentRefs: []gwv1.ParentReference{{Name: "gw"}}}, Rules: split(100, 0),
	}}
	c.create(r)

	c.eventually("each Service has a binding", func() bool { return len(c.bindings()) == 2 })
	for _, b := range c.bindings() {
		name := b.Spec.ServiceRef.Name
		pod := c.pod(name, name, map[string]string{"a": "127.0.50.1", "b": "127.0.50.2"}[name], b.Name)
		c.eventually("its pod's gate opens", func() bool { return c.gate(pod.Name, b.Name).Status == corev1.ConditionTrue })
	}
	c.eventually("requests are answered", func() bool { return c.ask("/any") == "200 a" })

	c.eventually("the statuses say so", func() bool {
		var now gwv1.Gateway
		var of gwv1.GatewayClass
		if err := c.kube.Get(t.Context(), client.ObjectKeyFromObject(g), &now); err != nil {
			t.Fatal(err)
		}
		if err := c.kube.Get(t.Context(), client.ObjectKeyFromObject(class), &of); err != nil {
			t.Fatal(err)
		}
		return reasonOf(now.Status.Conditions, "Accepted") == "Accepted" && reasonOf(now.Status.Conditions, "Programmed") == "Programmed" &&
			len(now.Status.Addresses) == 1 && strings.HasPrefix(now.Status.Addresses[0].Value, "internal-k8s-") &&
			len(now.Status.Listeners) == 1 && now.Status.Listeners[0].AttachedRoutes == 1 && reasonOf(now.Status.Listeners[0].Conditions, "Programmed") == "Programmed" &&
			c.parent(r, "Accepted") == "Accepted" && c.parent(r, "ResolvedRefs") == "ResolvedRefs" && reasonOf(of.Status.Conditions, "Accepted") == "Accepted" && len(of.Status.SupportedFeatures) > 0
	})

	// A client asks all the while.
	var failed atomic.Value
	stop, asking := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(asking)
		for !closed(stop) {
			if answer := c.ask("/any"); answer != "200 a" && answer != "200 b" {
				failed.CompareAndSwap(nil, answer)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	c.change(r, func() { r.Spec.Rules = split(50, 50) })
	c.eventually("the canary gets requests", func() bool { return c.ask("/any") == "200 b" })
	c.change(r, func() { r.Spec.Rules = split(0, 100) })
	c.eventually("the canary gets all requests", func() bool {
		for range 20 {
			if c.ask("/any") != "200 b" {
				return false
			}
		}
		return true
	})
	close(stop)
	<-asking
	if answer := failed.Load(); answer != nil {
		t.Errorf("a request was answered with %v", answer)
	}

	// What an ALB does not have is refused, and nothing changes.
	c.change(r, func() {
		r.Spec.Rules = split(100, 0)
		r.Spec.Rules[0].Filters = []gwv1.HTTPRouteFilter{{Type: gwv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: &gwv1.HTTPHeaderFilter{Remove: []string{"x"}}}}
	})
	c.eventually("the route is told", func() bool { return c.parent(r, "Accepted") == "not UnsupportedValue" })
	if answer := c.ask("/any"); answer != "200 b" {
		t.Errorf("a route that is refused answers %s", answer)
	}
	c.change(r, func() { r.Spec.Rules = split(0, 100) })
	c.eventually("the route is accepted again", func() bool { return c.parent(r, "Accepted") == "Accepted" })

	c.listensWithTLS(g, r)

	// The class may go first.
	for _, o := range []client.Object{class, g} {
		if err := c.kube.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	c.eventually("the Gateway goes", func() bool { return c.gone(g) })
	if left := c.made(); len(left) > 0 || len(c.bindings()) > 0 {
		t.Errorf("left are %q and %d bindings", left, len(c.bindings()))
	}
	c.eventually("the route has no entry", func() bool {
		var now gwv1.HTTPRoute
		return c.kube.Get(t.Context(), client.ObjectKeyFromObject(r), &now) == nil && len(now.Status.Parents) == 0
	})
}

// listensWithTLS gives a Gateway listeners that end TLS, with a certificate that ACM has and with one that only a Secret has, and has
// its route be served there.
func (c *cluster) listensWithTLS(g *gwv1.Gateway, r *gwv1.HTTPRoute) {
	c.Helper()
	listener := func(name string, port int32, host string, of gwv1.ListenerTLSConfig) gwv1.Listener {
		return gwv1.Listener{Name: gwv1.SectionName(name), Port: port, Protocol: gwv1.HTTPSProtocolType, Hostname: new(gwv1.Hostname(host)), TLS: &of}
	}
	found := gwv1.ListenerTLSConfig{Options: map[gwv1.AnnotationKey]gwv1.AnnotationValue{gatewayapi.CertificateOption: gatewayapi.FindCertificate}}
	c.change(r, func() {
		r.Spec.ParentRefs = []gwv1.ParentReference{{Name: "gw", SectionName: new(gwv1.SectionName("http"))}, {Name: "gw", SectionName: new(gwv1.SectionName("tls"))}}
	})
	var now gwv1.Gateway
	get := func() gwv1.Gateway {
		if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(g), &now); err != nil {
			c.Fatal(err)
		}
		return now
	}
	before := get()
	now.Spec.Listeners = append(now.Spec.Listeners, listener("tls", 443, "tls.example.com", found),
		listener("secret", 8443, "secret.example.com", gwv1.ListenerTLSConfig{CertificateRefs: []gwv1.SecretObjectReference{{Name: "secret"}}}))
	if err := c.kube.Patch(c.Context(), &now, client.MergeFrom(&before)); err != nil {
		c.Fatal(err)
	}

	ca, err := c.sim.CA()
	if err != nil {
		c.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)
	by := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "tls.example.com", RootCAs: trusted}}
	c.Cleanup(by.CloseIdleConnections)
	c.eventually("requests are answered with TLS", func() bool {
		for _, l := range c.sim.Listeners() {
			r, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "https://"+l.Address+"/", nil)
			if err != nil {
				c.Fatal(err)
			}
			r.Host = "tls.example.com"
			if answer(by, r) == "200 b" {
				return true
			}
		}
		return false
	})
	c.eventually("the listeners' statuses say so", func() bool {
		reasons := map[string]string{}
		for _, l := range get().Status.Listeners {
			reasons[string(l.Name)] = fmt.Sprintf("%d %s %s", l.AttachedRoutes, reasonOf(l.Conditions, "ResolvedRefs"), reasonOf(l.Conditions, "Programmed"))
		}
		return reasons["tls"] == "1 ResolvedRefs Programmed" && reasons["secret"] == "0 not InvalidCertificateRef not Invalid"
	})
}

// closed reports whether a channel is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
