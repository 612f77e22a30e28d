// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// TestAskedOneself: podgate, asked by itself as an API server asks, reports whether a pod would get its gates.
func TestAskedOneself(t *testing.T) {
	h := newHandler(t, webWorld(), Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "u", Labels: map[string]string{"app": "web"}}}
	const web = "target-health.elbv2.k8s.aws/web-tg"
	for name, tc := range map[string]struct {
		reason string
		path   string
		pod    *corev1.Pod
		gates  []string
		want   string
	}{
		"Gated":     {reason: "It would.", path: profile.AllGatesPath, pod: pod, gates: []string{web}},
		"Another":   {reason: "Nobody asks for that one.", path: profile.AllGatesPath, pod: pod, gates: []string{web, "target-health.elbv2.k8s.aws/other"}, want: "would not add the gate target-health.elbv2.k8s.aws/other"},
		"Unlabeled": {reason: "No Service selects it.", path: profile.AllGatesPath, pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", UID: "u"}}, gates: []string{web}, want: "would not add"},
		"NotThere":  {reason: "Somebody else answers.", path: "/elsewhere", pod: pod, gates: []string{web}, want: "answers 404"},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle(profile.AllGatesPath, h)
			server := httptest.NewServer(mux)
			defer server.Close()
			body, err := created(tc.pod)
			if err != nil {
				t.Fatal(err)
			}

			err = answers(t.Context(), server.Client(), server.URL+tc.path, body, tc.gates)
			server.Client().CloseIdleConnections()

			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s\nwant %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

// TestAskedAsConfigured: whom the API server could not ask podgate cannot either.
func TestAskedAsConfigured(t *testing.T) {
	services := fake.NewClientBuilder().Build()
	entry := admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "podgate-system", Name: "podgate-webhook", Path: new(profile.GatesPath)}}
	for name, tc := range map[string]struct {
		reason string
		config admissionv1.WebhookClientConfig
		want   string
	}{
		"NoEntry":  {reason: "It is not podgate's.", want: "has no entry that asks for gates"},
		"NoBundle": {reason: "Nobody signed anything yet.", config: entry, want: "no usable caBundle"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{{ClientConfig: tc.config}}}
			err := Ask(t.Context(), services, c, &corev1.Pod{}, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nwant %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}
