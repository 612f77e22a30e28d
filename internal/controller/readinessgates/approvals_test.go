// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package readinessgates

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
)

// waiting is a pod of a revision that waits for an approval.
func waiting(name, revision string) corev1.Pod {
	p := pod(name, time.Minute, "False", v1alpha1.ReasonCheckNotApproved)
	p.UID = types.UID("u-" + name)
	if revision != "" {
		p.Labels = map[string]string{"pod-template-hash": revision}
	}
	return p
}

// TestApprovalNeeded: one event for each revision that waits, whatever the number of its pods, and however often it is counted.
func TestApprovalNeeded(t *testing.T) {
	revision := func(name string) string {
		return fmt.Sprintf("Normal Check.NotApproved Revision %s waits for an approval: kubectl podgate approve -n shop warm --revision %s --reason '...'", name, name)
	}
	const single = "Normal Check.NotApproved A pod, such as a, waits for an approval: kubectl podgate approve -n shop warm --pod a --reason '...'"

	for name, tc := range map[string]struct {
		manual    v1alpha1.ManualCheck
		pods      []corev1.Pod
		approvals string
		want      []string
	}{
		"Revisions": {pods: []corev1.Pod{waiting("a", "5d8f"), waiting("b", "5d8f"), waiting("c", "7c6b")}, want: []string{revision("5d8f"), revision("7c6b")}},
		"Approved": {pods: []corev1.Pod{waiting("a", "5d8f"), waiting("c", "7c6b")}, approvals: "revision/5d8f | jane | 2026-01-01T12:00:00Z | ok",
			want: []string{revision("7c6b")}},
		"Pods":       {manual: v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalPod}, pods: []corev1.Pod{waiting("a", "5d8f"), waiting("b", "5d8f")}, want: []string{single}},
		"NoRevision": {pods: []corev1.Pod{waiting("a", ""), waiting("b", "")}, want: []string{single}},
		"Gate": {manual: v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalGate}, pods: []corev1.Pod{waiting("a", "5d8f"), waiting("b", "7c6b")},
			want: []string{"Normal Check.NotApproved The gate waits for an approval: kubectl podgate approve -n shop warm --reason '...'"}},
		"Open":   {manual: v1alpha1.ManualCheck{Initially: v1alpha1.InitiallyOpen}, pods: []corev1.Pod{waiting("a", "5d8f")}},
		"Failed": {pods: []corev1.Pod{pod("a", time.Minute, "False", v1alpha1.ReasonCheckFailed)}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.pods...)
			w.edit(func(g *v1alpha1.ReadinessGate) {
				g.Spec.Checks = []v1alpha1.Check{{Name: "warm", Pod: &v1alpha1.PodCheck{}}, {Name: "release", Manual: &tc.manual}}
				g.Annotations = map[string]string{v1alpha1.ApprovalsAnnotation: tc.approvals}
			})
			for range 3 {
				w.reconcile()
			}
			if diff := cmp.Diff(append([]string{"Normal Serving all is well"}, tc.want...), w.told()); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}

			// What no longer waits is forgotten, so that it is told of again when it waits again.
			for i := range tc.pods {
				if err := w.Delete(t.Context(), &tc.pods[i]); err != nil {
					t.Fatal(err)
				}
			}
			w.reconcile()
			if len(w.awaited) > 0 {
				t.Errorf("it remembers %v", w.awaited)
			}
		})
	}
}

// TestLaw7RevisionsAreAskedForByAndBy: thousands of them take no events of other gates, and each has its own at last.
func TestLaw7RevisionsAreAskedForByAndBy(t *testing.T) {
	var pods []corev1.Pod
	for i := range 25 {
		pods = append(pods, waiting(fmt.Sprint("web-", i), fmt.Sprint("r", i)))
	}
	w := newWorld(t, pods...)
	w.edit(func(g *v1alpha1.ReadinessGate) {
		g.Spec.Checks = []v1alpha1.Check{{Name: "release", Manual: &v1alpha1.ManualCheck{}}}
	})

	told := map[string]bool{}
	for _, want := range []int{1 + 10, 10, 5, 0} { // The first one says that the gate is served.
		_, again := w.reconcile()
		all := w.told()
		for _, event := range all {
			told[event] = true
		}
		if len(all) != want || again == 0 {
			t.Errorf("%d events in a pass, want %d; the next one after %s", len(all), want, again)
		}
	}
	if len(told) != 26 {
		t.Errorf("%d different events", len(told))
	}
}

// TestPodsAreAskedForOneAfterTheOther: while some pod waits always, as during a rollout, the event names one that waits.
func TestPodsAreAskedForOneAfterTheOther(t *testing.T) {
	a, b, c := waiting("a", "5d8f"), waiting("b", "5d8f"), waiting("c", "5d8f")
	w := newWorld(t, a, b)
	w.edit(func(g *v1alpha1.ReadinessGate) {
		g.Spec.Checks = []v1alpha1.Check{{Name: "release", Manual: &v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalPod}}}
	})
	w.reconcile()
	w.told()

	if err := w.Create(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	if w.reconcile(); len(w.told()) != 0 {
		t.Error("another event, while the pod that was named waits")
	}
	for _, step := range []struct {
		gone  *corev1.Pod
		names string
	}{{&a, "b"}, {&b, "c"}} {
		if err := w.Delete(t.Context(), step.gone); err != nil {
			t.Fatal(err)
		}
		w.reconcile()
		w.reconcile()
		want := "Normal Check.NotApproved A pod, such as " + step.names + ", waits for an approval: kubectl podgate approve -n shop warm --pod " + step.names + " --reason '...'"
		if diff := cmp.Diff([]string{want}, w.told()); diff != "" {
			t.Errorf("after %s: -want, +got:\n%s", step.gone.Name, diff)
		}
	}
}
