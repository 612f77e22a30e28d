// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/observe/checks"
)

const gateWarm corev1.PodConditionType = "checks.podgate.dev/warm"

// recorder keeps who was told of, beside what was said.
type recorder struct{ said []string }

// Eventf implements events.EventRecorder.
func (r *recorder) Eventf(regarding, related runtime.Object, kind, reason, _, note string, args ...any) {
	about := "Pod"
	if g, ofGate := regarding.(*v1alpha1.ReadinessGate); ofGate {
		about = fmt.Sprintf("ReadinessGate %s/%s %s%s", g.Namespace, g.Name, g.UID, g.ResourceVersion)
	}
	if related != nil {
		about += " and another"
	}
	r.said = append(r.said, fmt.Sprintf("%s: %s %s %s", about, kind, reason, fmt.Sprintf(note, args...)))
}

// reports returns what is said of a gate of checks that changes.
func reports(w *world, before, after corev1.PodCondition) []string {
	return reportsOf(w, key, before, after)
}

func reportsOf(w *world, of types.NamespacedName, before, after corev1.PodCondition) []string {
	w.t.Helper()
	told := &recorder{}
	w.recorder = told
	pod := &corev1.Pod{}
	if before.Status != "" {
		before.Type = gateWarm
		pod.Status.Conditions = []corev1.PodCondition{before}
	}
	after.Type = gateWarm
	g := checks.Gate{Namespace: "shop", Name: "warm", UID: "u-warm"}
	w.report(&evaluation{pod: pod, key: of, gates: map[corev1.PodConditionType]checks.Gate{gateWarm: g}}, after)
	return told.said
}

// TestChecksOpenAndClose: the pod and the ReadinessGate say when checks open a gate, and when they close it under Track.
func TestChecksOpenAndClose(t *testing.T) {
	open := corev1.PodCondition{Status: corev1.ConditionTrue, Reason: v1alpha1.ReasonChecksPassed}
	approved := corev1.PodCondition{Status: corev1.ConditionTrue, Reason: v1alpha1.ReasonApproved}
	failed := corev1.PodCondition{Status: corev1.ConditionFalse, Reason: v1alpha1.ReasonCheckFailed, Message: "warm: HTTP status 503"}
	restarted := corev1.PodCondition{Status: corev1.ConditionFalse, Reason: v1alpha1.ReasonContainersNotReady}
	released := corev1.PodCondition{Status: corev1.ConditionTrue, Reason: v1alpha1.ReasonDryRun}

	for name, tc := range map[string]struct {
		before, after corev1.PodCondition
		want          []string
	}{
		"Opens": {failed, open, []string{
			"Pod: Normal ChecksPassed Readiness gate checks.podgate.dev/warm: the checks pass, and it is open",
			"ReadinessGate shop/warm u-warm: Normal ChecksPassed The gate of a pod, such as web-0: the checks pass, and it is open"}},
		"FirstOpens": {corev1.PodCondition{}, open, []string{
			"Pod: Normal ChecksPassed Readiness gate checks.podgate.dev/warm: the checks pass, and it is open",
			"ReadinessGate shop/warm u-warm: Normal ChecksPassed The gate of a pod, such as web-0: the checks pass, and it is open"}},
		"Approved": {failed, approved, []string{
			"Pod: Normal Approved Readiness gate checks.podgate.dev/warm: it was approved, and is open",
			"ReadinessGate shop/warm u-warm: Normal Approved The gate of a pod, such as web-0: it was approved, and is open"}},
		"Closes": {open, failed, []string{
			"Pod: Warning Check.Failed Readiness gate checks.podgate.dev/warm: it was open, and is closed, since the checks fail: warm: HTTP status 503",
			"ReadinessGate shop/warm u-warm: Warning Check.Failed The gate of a pod, such as web-0: it was open, and is closed, since the checks fail: warm: HTTP status 503"}},
		"NeverOpen":   {corev1.PodCondition{}, failed, nil},
		"StaysClosed": {restarted, failed, nil},
		"StaysOpen":   {released, open, nil},
		"Restarts":    {open, restarted, nil},
		"Released":    {failed, released, nil},
	} {
		if diff := cmp.Diff(tc.want, reports(newWorld(t), tc.before, tc.after)); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}

// TestCheckEventsAreBounded: ten thousand gates that open at once make no ten thousand events, and other events go on.
func TestCheckEventsAreBounded(t *testing.T) {
	w := newWorld(t)
	open := corev1.PodCondition{Status: corev1.ConditionTrue, Reason: v1alpha1.ReasonChecksPassed}

	burst := 0
	for range 10_000 {
		burst += len(reports(w, corev1.PodCondition{}, open))
	}
	if burst != 50 {
		t.Errorf("%d events, want one on 25 pods and one on the gate for each", burst)
	}

	forbidden := corev1.PodCondition{Status: corev1.ConditionUnknown, Reason: v1alpha1.ReasonCheckNotAllowed}
	if said := reports(w, corev1.PodCondition{}, forbidden); len(said) != 1 || !strings.Contains(said[0], "Check.NotAllowed") {
		t.Errorf("what is not allowed: %q", said)
	}

	w.clock = w.clock.Add(5 * time.Second)
	later := 0
	for range 100 {
		later += len(reports(w, corev1.PodCondition{}, open))
	}
	if later != 10 {
		t.Errorf("%d events after five seconds, want those of 5 pods", later)
	}
}

// TestLaw7EventsOfANamespaceTakeNoOthers: neither do those of gates that open take those of gates that close.
func TestLaw7EventsOfANamespaceTakeNoOthers(t *testing.T) {
	w := newWorld(t)
	open := corev1.PodCondition{Status: corev1.ConditionTrue, Reason: v1alpha1.ReasonChecksPassed}
	failed := corev1.PodCondition{Status: corev1.ConditionFalse, Reason: v1alpha1.ReasonCheckFailed}

	for range 1000 {
		reports(w, failed, open)
	}
	if said := reports(w, open, failed); len(said) != 2 {
		t.Errorf("after many gates that open, of one that closes: %q", said)
	}

	for range 1000 {
		reports(w, open, failed)
	}
	if said := reportsOf(w, types.NamespacedName{Namespace: "pay", Name: "api-0"}, open, failed); len(said) != 2 {
		t.Errorf("after many gates that close, of one in another namespace: %q", said)
	}
}

// TestEventLimitsAreForgotten: namespaces come and go. One is remembered until it could have all of its events again.
func TestEventLimitsAreForgotten(t *testing.T) {
	var l eventLimits
	now := time.Now()
	for i := range 1000 {
		l.allow(fmt.Sprint("quiet-", i), corev1.EventTypeNormal, now)
	}

	const full = checkEventBurst * time.Second / checkEventsPerSecond
	now = now.Add(full)
	for range checkEventBurst {
		l.allow("flaps", corev1.EventTypeNormal, now)
	}
	if n := len(l.of); n != 1 {
		t.Errorf("%d are remembered", n)
	}

	for i, after := range []time.Duration{full - time.Second, full} {
		l.swept = time.Time{}
		if l.sweep(now.Add(after)); len(l.of) != 1-i {
			t.Errorf("%d are remembered after %s", len(l.of), after)
		}
	}
}
