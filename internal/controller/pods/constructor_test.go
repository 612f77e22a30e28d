// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/index/indextest"
)

func TestBindingChanged(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*elbv2.TargetGroupBinding)
		want   bool
	}{
		"Nothing":      {reason: "A resync is no news.", change: func(*elbv2.TargetGroupBinding) {}},
		"Spec":         {reason: "Another Service may claim other pods.", change: func(b *elbv2.TargetGroupBinding) { b.Generation++ }, want: true},
		"Deletion":     {reason: "A binding that goes releases its gates.", change: func(b *elbv2.TargetGroupBinding) { b.DeletionTimestamp = new(metav1.Now()) }, want: true},
		"Setting":      {reason: "People set policies by annotations.", change: func(b *elbv2.TargetGroupBinding) { b.Annotations["podgate.dev/other"] = "x" }, want: true},
		"Label":        {reason: "Labels say of which Ingress a binding is.", change: func(b *elbv2.TargetGroupBinding) { b.Labels = map[string]string{elbv2.IngressNameLabel: "shop"} }, want: true},
		"FirstPublish": {reason: "podgate's own news come from the registry.", change: func(b *elbv2.TargetGroupBinding) { b.Annotations[v1alpha1.PublishedAnnotation] = "{}" }},
		"Finalizer":    {reason: "The finalizer is podgate's own writing.", change: func(b *elbv2.TargetGroupBinding) { b.Finalizers = []string{v1alpha1.Finalizer} }},
		"Status":       {reason: "So is the status.", change: func(b *elbv2.TargetGroupBinding) { b.Status.ObservedGeneration = new(int64(1)) }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Generation: 1, Annotations: map[string]string{"example.com/note": "here"}}}
			after := before.DeepCopy()
			tc.change(after)
			if got := bindingChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("%s\nwant the event heard: %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

// TestServiceWakesItsBindingsPods: and no others of its namespace.
func TestServiceWakesItsBindingsPods(t *testing.T) {
	bound := func(name, service string) *elbv2.TargetGroupBinding {
		b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		b.Spec.ServiceRef.Name = service
		return b
	}

	gated := func(name, gate string, status corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(elbv2.GateType(gate))}}},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodConditionType(elbv2.GateType(gate)), Status: status}}},
		}
	}

	objects := []client.Object{
		bound("web-alb", "web"), bound("web-nlb", "web"), bound("other-alb", "other"),
		gated("a", "web-alb", corev1.ConditionFalse), gated("b", "web-nlb", corev1.ConditionFalse),
		gated("open", "web-alb", corev1.ConditionTrue), gated("stranger", "other-alb", corev1.ConditionFalse),
	}

	cache, err := indextest.New(t.Context(), objects...)
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	for _, req := range (wakeups{client: cache, kinds: gates.All()}).service(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}) {
		got = append(got, req.Name)
	}

	slices.Sort(got)
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("pods that a change of the Service wakes: want %v, got %v", want, got)
	}
}
