// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

func TestMakePatch(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.7")
	recorded := `{"uid":"uid-1","gates":{"` + gateWeb + `":"10.0.0.7"}}`
	quoted := `"{\"uid\":\"uid-1\",\"gates\":{\"` + gateWeb + `\":\"10.0.0.7\"}}"`
	condition := corev1.PodCondition{Type: gateWeb, Status: corev1.ConditionTrue, Reason: "Healthy", LastTransitionTime: metav1.NewTime(noon)}
	cases := map[string]struct {
		reason     string
		annotation string
		conditions []corev1.PodCondition
		proven     map[string]netip.Addr
		want       string
	}{
		"Nothing": {reason: "There is nothing to write."},
		"NothingNew": {reason: "Nor is there when the record says the same.",
			annotation: recorded, proven: map[string]netip.Addr{gateWeb: addr}},
		"Condition": {reason: "A condition alone; its empty fields are written too, or old ones would stay.",
			conditions: []corev1.PodCondition{condition},
			want:       `{"metadata":{"uid":"uid-1"},"status":{"conditions":[{"type":"` + gateWeb + `","status":"True","reason":"Healthy","message":"","lastTransitionTime":"2026-03-01T12:00:00Z"}]}}`},
		"Record": {reason: "The record alone.",
			proven: map[string]netip.Addr{gateWeb: addr},
			want:   `{"metadata":{"uid":"uid-1","annotations":{"podgate.dev/proven":` + quoted + `}}}`},
		"RecordGone": {reason: "A record that says nothing any more is removed.",
			annotation: recorded, want: `{"metadata":{"uid":"uid-1","annotations":{"podgate.dev/proven":null}}}`},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "uid-1"}}
			if tc.annotation != "" {
				pod.Annotations = map[string]string{v1alpha1.ProvenAnnotation: tc.annotation}
			}
			got, err := makePatch(pod, tc.conditions, proven{UID: "uid-1", Gates: tc.proven})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("%s\nmakePatch: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestNoStaleMessage: the message of a condition that has none any more does not survive its patch.
func TestNoStaleMessage(t *testing.T) {
	w := newWorld(t)
	s := sighting(gate.Initial, "Elb.InitialHealthChecking", true)
	s.Health.Description = "Initial health checks in progress"
	w.see(s)
	w.reconcile()

	if c := w.condition(); c.Message != s.Health.Description {
		t.Fatalf("message: want the load balancer's, got %q", c.Message)
	}

	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionTrue || c.Message != "" {
		t.Errorf("want True without a message, got %s with %q", c.Status, c.Message)
	}
}

func TestReadProven(t *testing.T) {
	cases := map[string]struct {
		reason     string
		annotation string
		want       bool
	}{
		"Own":       {reason: "The pod's own record counts.", annotation: `{"uid":"uid-1","gates":{"g":"10.0.0.7"}}`, want: true},
		"Another's": {reason: "A copy on another pod does not.", annotation: `{"uid":"uid-0","gates":{"g":"10.0.0.7"}}`},
		"Nobody's":  {reason: "Nor one that names no pod.", annotation: `{"gates":{"g":"10.0.0.7"}}`},
		"None":      {reason: "Most pods have none."},
		"Nonsense":  {reason: "What cannot be read says nothing.", annotation: `{"uid":`},
		"NotAnAddr": {reason: "Nor does an address that is none.", annotation: `{"uid":"uid-1","gates":{"g":"here"}}`},
		"NoGates":   {reason: "A record may be empty.", annotation: `{"uid":"uid-1","gates":null}`},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "uid-1", Annotations: map[string]string{v1alpha1.ProvenAnnotation: tc.annotation}}}
			p := readProven(pod)
			if got := p.Gates["g"].IsValid(); got != tc.want {
				t.Errorf("%s\nproven: want %t, got %t", tc.reason, tc.want, got)
			}
			p.set("h", "", netip.MustParseAddr("10.0.0.8"))
			p.set("g", "", netip.Addr{})
			if got, err := p.encode(); err != nil || got != `{"uid":"uid-1","gates":{"h":"10.0.0.8"}}` {
				t.Errorf("%s\nencoded: %s, %v", tc.reason, got, err)
			}
		})
	}
}
