// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// bindingObject is the binding as it stands.
func (s *service) bindingObject(ctx context.Context) (*unstructured.Unstructured, error) {
	kind := schema.GroupVersionKind{Group: "elbv2.k8s.aws", Version: "v1beta1", Kind: "TargetGroupBinding"}
	if s.app.LatticeARN != "" {
		kind = schema.GroupVersionKind{Group: "podgate.dev", Version: "v1alpha1", Kind: "TargetBinding"}
	}

	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	if err := s.cluster.Get(ctx, client.ObjectKey{Namespace: s.app.Namespace, Name: s.app.Name}, u); err != nil {
		return nil, fmt.Errorf("get %s %s: %w", kind.Kind, s.app.Name, err)
	}
	return u, nil
}

// waitReason waits until the binding's condition Ready has a reason.
func (s *service) waitReason(reason string) {
	s.t.Helper()
	s.eventually("the binding to say "+reason, func(ctx context.Context) (bool, error) {
		b, err := s.bindingObject(ctx)
		if err != nil {
			return false, err
		}
		conditions, _, err := unstructured.NestedSlice(b.Object, "status", "conditions")
		return slices.ContainsFunc(conditions, func(c any) bool {
			fields, _ := c.(map[string]any)
			return fields["type"] == "Ready" && fields["reason"] == reason
		}), err
	})
}

// waitEvent waits until an event about the binding has a reason.
func (s *service) waitEvent(reason string) {
	s.t.Helper()
	s.waitTold(s.app.Namespace, reason+" on the binding", func(e corev1.Event) bool {
		return strings.HasSuffix(e.InvolvedObject.Kind, "Binding") && e.InvolvedObject.Name == s.app.Name && e.Reason == reason
	})
}

// waitElected waits until an event says that a replica became leader.
func (w *world) waitElected(replica string) {
	w.t.Helper()
	w.waitTold(podgateNamespace, "that "+replica+" leads", func(e corev1.Event) bool {
		return e.Reason == "LeaderElection" && strings.HasPrefix(e.Message, replica+"_")
	})
}

// waitTold waits for an event; they are sent in the background.
func (w *world) waitTold(namespace, what string, wanted func(corev1.Event) bool) {
	w.t.Helper()
	w.eventually("an event "+what, func(ctx context.Context) (bool, error) {
		var list corev1.EventList
		err := w.cluster.List(ctx, &list, client.InNamespace(namespace))
		return slices.ContainsFunc(list.Items, wanted), err
	})
}

// waitMetric waits until the leader has a metric, with these labels (as label="value"),
// whose samples add up to more than 0.
func (w *world) waitMetric(name string, labels ...string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("metric %s %v", name, labels), func(ctx context.Context) (bool, error) {
		sum, err := w.metric(ctx, name, labels)
		return sum > 0, err
	})
}

// reader gives a token of somebody who may read the metrics.
func (w *world) reader(ctx context.Context) (string, error) {
	const name = "podgate-metrics-reader"
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "default"}},
	}
	if err := client.IgnoreAlreadyExists(w.cluster.Create(ctx, binding)); err != nil {
		return "", fmt.Errorf("bind %s: %w", name, err)
	}

	request, err := w.clientset.CoreV1().ServiceAccounts("default").CreateToken(ctx, "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}

	return request.Status.Token, nil
}

// metric is the sum of a metric's samples at the leader that have the labels.
func (w *world) metric(ctx context.Context, name string, labels []string) (float64, error) {
	leader, err := w.leader(ctx)
	if err != nil {
		return 0, err
	}

	page, err := w.metricsPage(ctx, *leader)
	if err != nil {
		return 0, err
	}
	defer func() { _ = page.Close() }()
	sum := 0.0
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		rest, found := strings.CutPrefix(lines.Text(), name+"{")
		set, value, whole := strings.Cut(rest, "} ")
		if !found || !whole || slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(set, l) }) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("read metrics of %s: %s: %w", leader.Name, lines.Text(), err)
		}
		sum += v
	}

	return sum, lines.Err()
}

// metricsPage is what a replica shows to Prometheus.
func (w *world) metricsPage(ctx context.Context, replica corev1.Pod) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(replica.Status.PodIP, "8080")+"/metrics", nil)
	if err != nil {
		return nil, err
	}

	token, err := w.reader(ctx)
	if err != nil {
		return nil, err
	}

	req.Header.Set("Authorization", "Bearer "+token)
	// Whom to trust is another test's business.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("read metrics of %s: %w", replica.Name, err)
	}

	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("read metrics of %s: %s", replica.Name, resp.Status)
	}

	return resp.Body, nil
}
