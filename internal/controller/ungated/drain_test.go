// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/ungated/ungatedtest"
	"github.com/podgate/podgate/internal/drain"
)

// drained makes a namespace with drain only, and a binding of a group that needs 55 s.
func drained(t *testing.T) *world {
	w := newWorld(t)
	w.Objects["namespace"].SetLabels(map[string]string{v1alpha1.DrainLabel: v1alpha1.DrainEnabled})
	w.Bind()
	w.Objects["binding"].SetAnnotations(map[string]string{v1alpha1.DrainTimeAnnotation: "55s"})
	return w
}

// sleeping makes a pod whose hook sleeps for seconds.
func (w *world) sleeping(name string, seconds, grace int64) *corev1.Pod {
	pod := w.Pod(name)
	drain.Keep(pod, drain.Manifest{Grace: grace, Containers: []drain.Container{{Name: "web", Hook: seconds}}})
	return pod
}

// counted is the gauge's value of what is too short.
func (w *world) counted(what string) float64 {
	return testutil.ToFloat64(w.short.Gauge.WithLabelValues("shop", what))
}

// TestShortHookIsTold: once on a pod and its owner, by how many seconds, and what to set.
func TestShortHookIsTold(t *testing.T) {
	w := drained(t)
	w.sleeping("web-1", 5, 30)
	said := w.judge("web-1", "web-1")
	if len(said) != 2 || !strings.HasPrefix(said[0], "Warning DrainTooShort The preStop hook of container \"web\" sleeps 5 s, which is 50 s too short") ||
		!strings.Contains(said[0], "terminationGracePeriodSeconds is 30, which is 25 s too short") ||
		!strings.HasPrefix(said[1], "Warning DrainTooShort Pods of this ReplicaSet: The preStop hook") {
		t.Fatalf("want it told once to the pod and the owner, got %q", said)
	}
	w.Objects["binding"].SetAnnotations(map[string]string{v1alpha1.DrainTimeAnnotation: "4s"})
	if said := w.judge("web-1"); len(said) != 0 || w.counted("hook") != 0 || len(w.undrained.pods)+len(w.undrained.owners) != 0 {
		t.Errorf("nothing is too short any more: told %q, counted %v, remembered %v", said, w.counted("hook"), w.undrained)
	}
}

// TestLaw10ShortHooksMakeFewEvents: what one template says is told once, however many pods
// come from it; the gauge counts them all.
func TestLaw10ShortHooksMakeFewEvents(t *testing.T) {
	w := drained(t)
	var names []string
	for n := range 200 {
		names = append(names, fmt.Sprintf("web-%d", n))
		w.sleeping(names[n], 5, 30)
	}
	if said := w.judge(names...); len(said) != 2 {
		t.Errorf("two hundred pods of one template: want one told, and the owner, got %d events", len(said))
	}
	if hooks, graces := w.counted("hook"), w.counted("grace_period"); hooks != 200 || graces != 200 {
		t.Errorf("want 200 pods counted, got %v and %v", hooks, graces)
	}
}

// TestWhoIsTold: those who asked for drain, and whose load balancer needs it.
func TestWhoIsTold(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(w *world, pod *corev1.Pod)
		told   int
	}{
		"Short": {reason: "By the namespace's label.", change: func(*world, *corev1.Pod) {}, told: 2},
		"PodsLabel": {reason: "By the pod's.", change: func(w *world, pod *corev1.Pod) {
			w.Objects["namespace"].SetLabels(nil)
			pod.Labels[v1alpha1.DrainLabel] = v1alpha1.DrainEnabled
		}, told: 2},
		"NotAsked": {reason: "Nobody asked.", change: func(w *world, _ *corev1.Pod) { w.Objects["namespace"].SetLabels(nil) }},
		"OptedOut": {reason: "Its owner knows.", change: func(_ *world, pod *corev1.Pod) { pod.Labels[v1alpha1.DrainLabel] = v1alpha1.DrainDisabled }},
		"Job": {reason: "A Job's pods end by themselves.", change: func(_ *world, pod *corev1.Pod) {
			pod.OwnerReferences[0].APIVersion, pod.OwnerReferences[0].Kind = "batch/v1", "Job"
		}},
		"NoTarget": {reason: "Nobody sends it anything.", change: func(w *world, _ *corev1.Pod) { delete(w.Objects, "binding") }},
		"LongEnough": {reason: "As podgate injects it.", change: func(_ *world, pod *corev1.Pod) {
			drain.Keep(pod, drain.Manifest{Grace: 85, Containers: []drain.Container{{Name: "web", Hook: 55}}})
		}},
		"Unread": {reason: "A script may last long enough.", change: func(_ *world, pod *corev1.Pod) {
			drain.Keep(pod, drain.Manifest{Grace: 85, Containers: []drain.Container{{Hook: drain.Unread}}})
		}},
		"Configured": {reason: "The webhook's manifest asks by the same labels.", change: func(w *world, _ *corev1.Pod) { w.Configure() }, told: 2},
		"Orphan":     {reason: "A pod without an owner is one of its own.", change: func(_ *world, pod *corev1.Pod) { pod.OwnerReferences = nil }, told: 1},
		"Deleted": {reason: "It is too late.", change: func(_ *world, pod *corev1.Pod) {
			pod.DeletionTimestamp = &metav1.Time{Time: ungatedtest.Noon}
			pod.Finalizers = []string{"x/y"}
		}},
		"LongSince": {reason: "A process that has just started takes it for told.", change: func(_ *world, pod *corev1.Pod) {
			pod.CreationTimestamp = metav1.NewTime(ungatedtest.Noon.Add(-time.Hour))
		}},
		"GatedAsWell": {reason: "A gate is another matter.", change: func(_ *world, pod *corev1.Pod) {
			pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(binding.GateType("web-tg"))}}
		}, told: 2},
		"SeveralHooks": {reason: "Grace alone is told, too.", change: func(_ *world, pod *corev1.Pod) {
			drain.Keep(pod, drain.Manifest{Grace: 30, Containers: []drain.Container{{Name: "web", Hook: 55}}})
		}, told: 2},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := drained(t)
			tc.change(w, w.sleeping("web-1", 5, 85))
			if said := w.judge("web-1"); len(said) != tc.told {
				t.Errorf("%s\nwant %d events, got %q", tc.reason, tc.told, said)
			}
		})
	}
}
