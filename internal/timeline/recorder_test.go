// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	gate   = "target-health.elbv2.k8s.aws/web"
	checks = "checks.podgate.dev/warm"
)

var zero = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

// at is some seconds after zero.
func at(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }

func stamp(seconds float64) metav1.Time { return metav1.NewTime(at(seconds).Truncate(time.Second)) }

// pod is one of revision hash, created at some second.
func pod(name, hash string, created float64, gates ...corev1.PodConditionType) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), CreationTimestamp: stamp(created), Labels: map[string]string{"pod-template-hash": hash}}}
	for _, g := range gates {
		p.Spec.ReadinessGates = append(p.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: g})
	}
	return p
}

// says sets a condition of a pod as it is from some second on.
func says(p *corev1.Pod, t corev1.PodConditionType, status corev1.ConditionStatus, reason string, since float64) {
	c := corev1.PodCondition{Type: t, Status: status, Reason: reason, Message: "m", LastTransitionTime: stamp(since)}
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == t {
			p.Status.Conditions[i] = c
			return
		}
	}
	p.Status.Conditions = append(p.Status.Conditions, c)
}

func exact(seconds float64) Moment { return Moment{Known: Exact, At: at(seconds)} }

var pending = Moment{Known: Pending}

// TestSnapshot: one look gives what the cluster remembers, and says what it does not.
func TestSnapshot(t *testing.T) {
	p := pod("web-6c-a", "6c", 0, gate, checks)
	says(p, corev1.PodScheduled, "True", "", 1)
	says(p, corev1.ContainersReady, "True", "", 5)
	says(p, checks, "True", "ChecksPassed", 8)
	says(p, gate, "False", "Elb.InitialHealthChecking", 6)

	r := NewRecorder("Deployment", "shop", "web")
	r.Pod(p, at(20))
	got := r.Timeline(at(-60), at(20))
	if len(got.Lanes) != 1 {
		t.Fatalf("%d lanes", len(got.Lanes))
	}

	want := Lane{
		Pod: "web-6c-a", UID: "uid-web-6c-a", Revision: "6c",
		Stages: map[Stage]Moment{
			Created: exact(0), Scheduled: exact(1), ContainersReady: exact(5), Ready: pending,
			Registered: {Known: Bounded, After: at(0), At: at(6)}, Healthy: pending,
			Terminating: pending, Drained: pending, Stopped: pending, Gone: pending,
		},
		Conditions: []Track{
			{Type: "ContainersReady", Spans: []Span{{From: at(0), To: at(5)}, {From: at(5), Status: "True", Message: "m", Known: Bounded}}},
			{Type: "Ready", Spans: []Span{{From: at(0), Known: Exact}}},
		},
		Gates: []Track{
			{Type: gate, Kind: ByLoadBalancer, Spans: []Span{{From: at(0), To: at(6)}, {From: at(6), Status: "False", Reason: "Elb.InitialHealthChecking", Message: "m", Known: Bounded}}},
			{Type: checks, Kind: ByChecks, Spans: []Span{{From: at(0), To: at(8)}, {From: at(8), Status: "True", Reason: "ChecksPassed", Message: "m", Known: Bounded}}},
		},
		Targets: []Track{{Type: gate, Spans: []Span{{From: at(0), To: at(6)}, {From: at(6), Status: TargetInitial, Reason: "Elb.InitialHealthChecking", Message: "m", Known: Bounded}}}},
	}
	if diff := cmp.Diff(want, got.Lanes[0]); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}

	phases := []Phase{{at(0), at(1), IsPending, Exact}, {at(1), at(5), IsStarting, Unknown}, {at(5), at(20), IsWaiting, Exact}}
	if diff := cmp.Diff(phases, got.Lanes[0].Phases(at(20))); diff != "" {
		t.Errorf("phases: -want, +got:\n%s", diff)
	}
}

// TestWatch: further looks give the course of a pod, to its end.
func TestWatch(t *testing.T) {
	r := NewRecorder("Deployment", "shop", "web")
	p := pod("web-6c-a", "6c", 0, gate)
	for _, step := range []struct {
		at     float64
		change func()
	}{
		{0.2, func() {}},
		{1.4, func() { says(p, corev1.PodScheduled, "True", "", 1) }},
		{5.3, func() { says(p, corev1.ContainersReady, "True", "", 5) }},
		{5.5, func() { says(p, gate, "False", "Target.NotRegistered", 5) }},
		{6.5, func() { says(p, gate, "False", "Elb.InitialHealthChecking", 5) }},
		{9.1, func() { says(p, gate, "True", "Healthy", 9) }},
		{9.2, func() { says(p, corev1.PodReady, "True", "", 9) }},
		{30.6, func() {
			deleted, grace := stamp(60), int64(30)
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &deleted, &grace
		}},
		{40.5, func() {
			says(p, corev1.ContainersReady, "False", "PodFailed", 40)
			says(p, corev1.PodReady, "False", "PodFailed", 40)
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: stamp(40)}}}}
		}},
	} {
		step.change()
		r.Pod(p, at(step.at))
	}
	r.Deleted(p.UID, at(41))

	l := r.Timeline(at(-60), at(50)).Lanes[0]
	stages := map[Stage]Moment{
		Created: exact(0), Scheduled: exact(1.4), ContainersReady: exact(5.3), Registered: exact(6.5), Healthy: exact(9.1), Ready: exact(9.2),
		Terminating: exact(30.6), Drained: {}, Stopped: exact(40), Gone: exact(41),
	}
	if diff := cmp.Diff(stages, l.Stages); diff != "" {
		t.Errorf("stages: -want, +got:\n%s", diff)
	}

	phases := []Phase{
		{at(0), at(1.4), IsPending, Exact}, {at(1.4), at(5.3), IsStarting, Exact}, {at(5.3), at(9.2), IsWaiting, Exact},
		{at(9.2), at(30.6), IsReady, Exact}, {at(30.6), at(40), IsTerminating, Exact}, {at(40), at(41), IsStopped, Exact},
	}
	if diff := cmp.Diff(phases, l.Phases(at(50))); diff != "" {
		t.Errorf("phases: -want, +got:\n%s", diff)
	}

	spans := []Span{
		{From: at(0), To: at(5.5), Known: Exact},
		{From: at(5.5), To: at(6.5), Status: "False", Reason: "Target.NotRegistered", Message: "m", Known: Exact},
		{From: at(6.5), To: at(9.1), Status: "False", Reason: "Elb.InitialHealthChecking", Message: "m", Known: Exact},
		{From: at(9.1), To: at(41), Status: "True", Reason: "Healthy", Message: "m", Known: Exact},
	}
	if diff := cmp.Diff(spans, l.Gates[0].Spans); diff != "" {
		t.Errorf("gate: -want, +got:\n%s", diff)
	}

	target := []Span{
		{From: at(0), To: at(5.5), Known: Unknown},
		{From: at(5.5), To: at(6.5), Reason: "Target.NotRegistered", Message: "m", Known: Exact},
		{From: at(6.5), To: at(9.1), Status: TargetInitial, Reason: "Elb.InitialHealthChecking", Message: "m", Known: Exact},
		{From: at(9.1), To: at(30.6), Status: TargetHealthy, Reason: "Healthy", Message: "m", Known: Bounded},
		{From: at(30.6), To: at(40), Status: TargetDraining},
	}
	if diff := cmp.Diff(target, l.Targets[0].Spans); diff != "" {
		t.Errorf("target: -want, +got:\n%s", diff)
	}
}

// TestGap: what happened while nobody looked is not made up.
func TestGap(t *testing.T) {
	r := NewRecorder("Deployment", "shop", "web")
	flapped, left, same := pod("web-6c-a", "6c", 0, gate), pod("web-6c-b", "6c", 0), pod("web-6c-c", "6c", 0, gate)
	for _, p := range []*corev1.Pod{flapped, left, same} {
		says(p, corev1.ContainersReady, "True", "", 2)
		says(p, corev1.PodReady, "True", "", 3)
		says(p, gate, "False", "Target.Timeout", 3)
		r.Pod(p, at(3.5))
		r.Pod(p, at(5))
	}

	r.Interrupted(at(5))
	says(flapped, corev1.PodReady, "True", "", 40)
	says(flapped, gate, "False", "Target.ResponseCodeMismatch", 3)
	r.Pod(flapped, at(60))
	r.Pod(same, at(60))
	r.Resumed(at(60))

	lanes := r.Timeline(at(-60), at(70)).Lanes
	ready := []Span{
		{From: at(0), To: at(3.5)},
		{From: at(3.5), To: at(5), Status: "True", Message: "m", Known: Exact},
		{From: at(5), To: at(40)},
		{From: at(40), Status: "True", Message: "m", Known: Bounded},
	}
	if diff := cmp.Diff(ready, lanes[0].Condition("Ready").Spans); diff != "" {
		t.Errorf("it flapped: -want, +got:\n%s", diff)
	}

	said := lanes[0].Gates[0].Spans
	if last := said[len(said)-2]; last.Reason != "Target.Timeout" || last.Known != Bounded || !last.To.Equal(at(60)) {
		t.Errorf("the reason changed at some time that nobody knows: %+v", last)
	}

	if want := (Moment{Known: Bounded, After: at(5), At: at(60)}); lanes[1].Stages[Gone] != want {
		t.Errorf("gone: %+v, want %+v", lanes[1].Stages[Gone], want)
	}
	if spans := lanes[2].Condition("Ready").Spans; len(spans) != 2 {
		t.Errorf("nothing changed: %+v", spans)
	}

	r.Pod(same, at(71))
	says(same, corev1.PodReady, "False", "", 72)
	r.Pod(same, at(72.5))
	if s := r.Timeline(at(-60), at(80)).Lanes[2].Condition("Ready").Spans; s[len(s)-2].Known != Exact || !s[len(s)-1].From.Equal(at(72.5)) {
		t.Errorf("after the gap changes are exact again: %+v", s)
	}
}

// TestRevisions: the latest is the one with the highest number, or the one that the workload names.
func TestRevisions(t *testing.T) {
	for name, c := range map[string]struct {
		update string
		want   []string
	}{
		"by number":            {"", []string{"web-7c-a old", "web-6c-a", "web-6c-b"}},
		"as the workload says": {"7c", []string{"web-6c-a old", "web-6c-b old", "web-7c-a"}},
	} {
		r := NewRecorder("StatefulSet", "shop", "web")
		r.Workload(Workload{UpdateRevision: c.update})
		r.Revision(Revision{Hash: "6c", Number: 4}, "web-6c")
		r.Revision(Revision{Hash: "7c", Number: 3}, "web-7c")
		r.Pod(pod("web-6c-b", "6c", 12), at(13))
		r.Pod(pod("web-7c-a", "7c", 0), at(13))
		r.Pod(pod("web-6c-a", "6c", 10), at(13))

		var got []string
		for _, l := range r.Timeline(at(0), at(20)).Lanes {
			got = append(got, l.Pod+map[bool]string{true: " old"}[l.Old])
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}
