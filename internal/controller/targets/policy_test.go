// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/limit"
)

// policy is the binding's condition about its policies; nil when there is none.
func (w *world) policy() *metav1.Condition {
	return meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionPolicyAccepted)
}

// TestInvalidPolicy: what is wrong with a policy is told once, on the binding and as an
// event, while the binding works; a CRD that knows no conditions makes no hot loop of it.
func TestInvalidPolicy(t *testing.T) {
	for _, prunes := range []bool{false, true} {
		w := newWorld(t)
		w.prunes = prunes
		if prunes {
			w.bindings["web-tg"].Status = elbv2.TargetGroupBindingStatus{}
			w.restart()
		}

		w.pod(1)
		w.reconcile()
		drain := func() string {
			var all []string
			for len(w.events.Events) > 0 {
				all = append(all, <-w.events.Events)
			}
			return strings.Join(all, "\n")
		}

		drain()
		if c := w.policy(); c != nil {
			t.Errorf("prunes=%t: a binding without policies is told about them: %+v", prunes, c)
		}

		w.writes = 0
		w.bindings["web-tg"].Annotations[v1alpha1.TimeoutAnnotation] = "soon"
		for range 3 {
			w.reconcile()
		}

		if said := drain(); strings.Count(said, "InvalidPolicy") != 1 || !strings.Contains(said, `podgate.dev/timeout: "soon" is not a duration`) {
			t.Errorf("prunes=%t: want one event that says what is wrong, got %q", prunes, said)
		}

		if w.writes > 1 {
			t.Errorf("prunes=%t: the binding was written %d times", prunes, w.writes)
		}

		if !prunes {
			c := w.policy()
			if c == nil || c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonInvalidPolicy || !strings.Contains(c.Message, "at least 1s") {
				t.Fatalf("want the condition False with what is allowed, got %+v", c)
			}
			if w.ready("web-tg") != v1alpha1.ReasonSynced {
				t.Errorf("the binding does not work: %s", w.ready("web-tg"))
			}
			w.restart()
			w.reconcile()
			if said := drain(); said != "" {
				t.Errorf("told again after a restart: %q", said)
			}
		}

		w.bindings["web-tg"].Annotations[v1alpha1.TimeoutAnnotation] = "10m"
		w.clock = w.clock.Add(time.Second)
		w.reconcile()

		if c := w.policy(); !prunes && (c == nil || c.Status != metav1.ConditionTrue || c.Reason != v1alpha1.ReasonAccepted) {
			t.Errorf("corrected: want the condition True, got %+v", c)
		}

		if said := drain(); said != "" {
			t.Errorf("prunes=%t: corrected, and told %q", prunes, said)
		}
	}
}

// TestMessagesFit: whatever people wrote, the API server takes what podgate says about it, and the advice in it is not cut off.
func TestMessagesFit(t *testing.T) {
	w := newWorld(t)
	w.bindings["web-tg"].Annotations[v1alpha1.TimeoutAnnotation] = strings.Repeat("ü", 50_000)
	w.bindings["web-tg"].Annotations[v1alpha1.ModeAnnotation] = strings.Repeat("ü", 50_000)
	w.reconcile()
	if c := w.policy(); c == nil || len(c.Message) > 1000 || strings.Count(c.Message, "…") != 2 || !strings.Contains(c.Message, "is not a duration") || !utf8.ValidString(c.Message) {
		t.Errorf("PolicyAccepted: %+v", c)
	}

	// Nothing else bounds a list of ports.
	w.bindings["web-tg"].Spec.ServiceRef.Port = intstr.FromString("absent")
	svc := w.services["web"]
	for n := range 2000 {
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: fmt.Sprintf("port-with-a-long-name-%d", n), Port: int32(n + 1000)})
	}
	w.reconcile()
	c := meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionReady)
	if c.Reason != v1alpha1.ReasonPortNotFound || len(c.Message) > limit.Message || !strings.HasSuffix(c.Message, "…") {
		t.Errorf("Ready: %s with %d bytes", c.Reason, len(c.Message))
	}
}
