// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const gateType = "target-health.elbv2.k8s.aws/web"

// seen is a pod as a watch delivers it.
func seen(change func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Name, pod.UID = "web-1", "u1"
	pod.Spec.Containers = []corev1.Container{{Image: "podgate.dev/app:v2"}}
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gateType}}
	change(pod)
	return pod
}

func conditions(types ...corev1.PodConditionType) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.PodIP = "10.0.0.1"
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		for _, t := range types {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: t, Status: corev1.ConditionTrue})
		}
	}
}

func TestHistoryKeepsTheFirstTimeOfEverything(t *testing.T) {
	now := metav1.Now()
	full := conditions(corev1.ContainersReady, gateType, corev1.PodReady)
	steps := []*corev1.Pod{
		seen(func(*corev1.Pod) {}),
		seen(conditions(corev1.ContainersReady)),
		seen(conditions(corev1.ContainersReady, gateType)),
		seen(full),
		seen(full),
		seen(func(p *corev1.Pod) { full(p); p.DeletionTimestamp = &now }),
		seen(func(p *corev1.Pod) {
			full(p)
			p.DeletionTimestamp = &now
			p.Status.ContainerStatuses, p.Status.PodIP = nil, ""
		}),
	}

	start := time.Unix(0, 0)
	second := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	var h PodHistory
	for i, pod := range steps {
		h.observe(pod, second(i))
	}

	h.end(second(len(steps)))
	want := PodHistory{
		Name: "web-1", Version: "v2", Address: "10.0.0.1", Gates: 1,
		Created: second(0), ContainersReady: second(1), GatesOpen: second(2), Ready: second(3),
		Terminating: second(5), Stopped: second(6), Gone: second(7),
	}
	if diff := cmp.Diff(want, h, cmpopts.IgnoreUnexported(PodHistory{})); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// TestLived: a pod lived until its last container ended, whenever the watch saw it.
func TestLived(t *testing.T) {
	deleted, grace := time.Unix(1000, 0), int64(85)
	end := func(after int) corev1.ContainerStatus {
		at := metav1.NewTime(deleted.Add(time.Duration(after) * time.Second))
		return corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: at}}}
	}
	deleting := func(of ...corev1.ContainerStatus) *corev1.Pod {
		return seen(func(p *corev1.Pod) {
			at := metav1.NewTime(deleted.Add(85 * time.Second))
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds, p.Status.ContainerStatuses = &at, &grace, of
		})
	}

	var h PodHistory
	h.observe(deleting(end(3), corev1.ContainerStatus{}), deleted.Add(4*time.Second))
	h.observe(deleting(end(23), end(21)), deleted.Add(30*time.Second))
	grace = 0
	h.observe(seen(func(p *corev1.Pod) {
		*p = *deleting(end(3), end(22))
		p.DeletionTimestamp = &metav1.Time{Time: deleted}
	}), deleted.Add(31*time.Second))
	h.end(deleted.Add(32 * time.Second))
	if got := h.Lived(); got != 23*time.Second {
		t.Errorf("it lived for %s, want 23s", got)
	}

	var missed PodHistory
	missed.observe(deleting(), deleted.Add(time.Second))
	missed.end(deleted.Add(9 * time.Second))
	if got := missed.Lived(); got != 8*time.Second {
		t.Errorf("a pod of whose containers nothing is known lived for %s, want 8s", got)
	}
}

func TestAPodWithoutGatesNeverOpensThem(t *testing.T) {
	var h PodHistory
	h.observe(seen(func(p *corev1.Pod) { conditions(corev1.PodReady)(p); p.Spec.ReadinessGates = nil }), time.Unix(1, 0))
	if !h.GatesOpen.IsZero() || h.Ready.IsZero() {
		t.Errorf("gates open %s, ready %s; want never, and at once", h.GatesOpen, h.Ready)
	}
}

func TestAMissedDeletionStillEndsAPod(t *testing.T) {
	w := newPodWatch()
	store := podStore{w}
	for _, list := range [][]any{{seen(conditions(corev1.PodReady))}, {}} {
		if err := store.Replace(list, ""); err != nil {
			t.Fatal(err)
		}
	}
	pods := w.Pods()
	if len(pods) != 1 || pods[0].Gone.IsZero() || pods[0].Stopped.IsZero() {
		t.Errorf("got %+v, want one pod that is gone", pods)
	}
}
