// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/gate"
)

func killed(second int, container, message string) corev1.Event {
	return corev1.Event{
		InvolvedObject: corev1.ObjectReference{FieldPath: "spec.containers{" + container + "}"}, Reason: killing,
		Message: message, LastTimestamp: metav1.NewTime(at(second)),
	}
}

func running(container string, second int) corev1.ContainerStatus {
	started := &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at(second))}
	return corev1.ContainerStatus{Name: container, State: corev1.ContainerState{Running: started}}
}

// TestRestart: a container that the kubelet restarts does not sleep; anything that may be
// the pod's end does.
func TestRestart(t *testing.T) {
	const liveness, stopping = "Container app failed liveness probe, will be restarted", "Stopping container app"
	cases := map[string]struct {
		reason string
		events []corev1.Event
		change func(*world)
		want   bool
	}{
		"Liveness":   {reason: "The kubelet says so.", events: []corev1.Event{killed(0, "app", liveness)}, want: true},
		"Startup":    {reason: "So it does of a startup probe.", events: []corev1.Event{killed(0, "app", "Container app failed startup probe, will be restarted")}, want: true},
		"Slow":       {reason: "The hook of a busy node begins long after.", events: []corev1.Event{killed(-30, "app", liveness)}, want: true},
		"AtStart":    {reason: "It was the end of the one before, which was started again within the second.", events: []corev1.Event{killed(-40, "app", liveness)}},
		"AfterStart": {reason: "It was this one's.", events: []corev1.Event{killed(-39, "app", liveness)}, want: true},
		"LongAgo": {
			reason: "The kubelet restarted in between and left the container as it was.", events: []corev1.Event{killed(-120, "app", liveness)},
			change: func(w *world) { w.live.pod.Status.ContainerStatuses[1] = running("app", -500) },
		},
		"StoppedAtStart": {reason: "Whose end it was is not known.", events: []corev1.Event{killed(-40, "app", stopping), killed(-20, "app", liveness)}},
		"Nothing":        {reason: "A node that shuts down, and an eviction by the kubelet, show nothing in the API while the hook runs."},
		"Stopped":        {reason: "The whole pod is stopped, as when a node shuts down.", events: []corev1.Event{killed(0, "app", stopping)}},
		"Both":           {reason: "Its node shut down right after the probe failed.", events: []corev1.Event{killed(-1, "app", liveness), killed(0, "app", stopping)}},
		"Older":          {reason: "That was before the container started again.", events: []corev1.Event{killed(-41, "app", liveness)}},
		"OlderStop": {
			reason: "An earlier end of the container is not this one's.", events: []corev1.Event{killed(-60, "app", stopping), killed(0, "app", liveness)}, want: true,
		},
		"OtherContainer": {reason: "That is another container's.", events: []corev1.Event{killed(0, "sidecar", "Container sidecar failed liveness probe, will be restarted")}},
		"OtherWords":     {reason: "What podgate does not know keeps the pod.", events: []corev1.Event{killed(0, "app", "Container app definition changed, will be restarted")}},
		"ForGood":        {reason: "A container that is not started again leaves nobody to answer.", events: []corev1.Event{killed(0, "app", "Container app failed liveness probe")}},
		"NoEvents":       {reason: "The API server does not answer.", change: func(w *world) { w.live.err = errors.New("away") }},
		"Deleted": {
			reason: "The pod was deleted meanwhile, and the cache does not know.", events: []corev1.Event{killed(0, "app", liveness)},
			change: func(w *world) { w.live.pod.DeletionTimestamp = new(metav1.NewTime(at(85))) },
		},
		"MadeAnew": {
			reason: "This is another pod by now.", events: []corev1.Event{killed(0, "app", liveness)},
			change: func(w *world) { w.live.pod.UID = "u2" },
		},
		"NotRunning": {
			reason: "When it started is not known.", events: []corev1.Event{killed(0, "app", liveness)},
			change: func(w *world) { w.live.pod.Status.ContainerStatuses[1].State = corev1.ContainerState{} },
		},
		"Over": {
			reason: "It has ended.", events: []corev1.Event{killed(0, "app", liveness)},
			change: func(w *world) { w.live.pod.Status.Phase = corev1.PodFailed },
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, group, "HTTP")
			w.read(group, gate.Healthy)
			w.pod.DeletionTimestamp = nil
			w.live.pod, w.live.events = w.pod.DeepCopy(), tc.events
			w.live.pod.Status.ContainerStatuses = []corev1.ContainerStatus{running("sidecar", -90), running("app", -40)}
			if tc.change != nil {
				tc.change(w)
			}
			got, err := w.handler().answer(t.Context(), w.question("web"))
			if got.Restart != tc.want || got.Released || (err != nil) != (w.live.err != nil) {
				t.Errorf("%s\ngot %+v, error %v, want restart %t", tc.reason, got, err, tc.want)
			}
		})
	}
}

// TestRestartIsNotAskedForLeavers: of a pod that is being deleted the kubelet's events are not read.
func TestRestartIsNotAskedForLeavers(t *testing.T) {
	w := newWorld(t, group, "HTTP")
	w.live.events = []corev1.Event{killed(0, "app", "Container app failed liveness probe, will be restarted")}
	if a := w.ask(); a.Restart || w.live.asked != 0 {
		t.Errorf("got %+v after %d questions to the API server, want none", a, w.live.asked)
	}
}

// TestLiveQuestionsAreBounded: whoever knows a pod's UID cannot have the API server asked
// without end.
func TestLiveQuestionsAreBounded(t *testing.T) {
	w := newWorld(t, group, "HTTP")
	w.pod.DeletionTimestamp = nil
	w.live.pod = w.pod
	h, refused := w.handler(), 0
	for range 10 * liveBurst {
		a, err := h.answer(t.Context(), w.question("web"))
		if a.Restart || a.Released || err != nil && !errors.Is(err, errBusy) {
			t.Fatalf("got %+v, error %v, want to be kept", a, err)
		}
		if err != nil {
			refused++
		}
	}

	if w.live.asked > 2*liveBurst || w.live.asked+refused != 10*liveBurst {
		t.Errorf("%d questions, and %d pods are told that there are too many, want about %d", w.live.asked, refused, liveBurst)
	}
}
