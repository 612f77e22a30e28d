// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/timeline"
)

const (
	gate  = "target-health.elbv2.k8s.aws/web"
	check = "checks.podgate.dev/warm"
)

var zero = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }

func stamp(seconds float64) metav1.Time { return metav1.NewTime(at(seconds)) }

// watched is a pod that is looked at as it changes.
type watched struct {
	*corev1.Pod
	r *timeline.Recorder
}

func create(r *timeline.Recorder, name, hash string, created float64) watched {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), CreationTimestamp: stamp(created), Labels: map[string]string{"pod-template-hash": hash}}}
	p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}, {ConditionType: check}}
	return watched{p, r}
}

func (w watched) says(t corev1.PodConditionType, status corev1.ConditionStatus, reason, message string, since float64) {
	c := corev1.PodCondition{Type: t, Status: status, Reason: reason, Message: message, LastTransitionTime: stamp(since)}
	found := false
	for i := range w.Status.Conditions {
		if w.Status.Conditions[i].Type == t {
			w.Status.Conditions[i], found = c, true
		}
	}
	if !found {
		w.Status.Conditions = append(w.Status.Conditions, c)
	}
	w.r.Pod(w.Pod, at(since))
}

// rises lets a pod become Ready, wait seconds after its creation at least.
func (w watched) rises(created float64, bad bool) {
	w.r.Pod(w.Pod, at(created))
	w.says(corev1.PodScheduled, "True", "", "", created+0.5)
	w.says(corev1.ContainersReady, "True", "", "", created+4)
	w.says(check, "False", "Check.Waiting", "check slo waits for its first answers", created+4.2)
	w.says(gate, "False", "OtherGateClosed", "gate checks.podgate.dev/warm is closed", created+4.3)
	w.says(check, "True", "ChecksPassed", "", created+9)
	w.says(gate, "False", "Target.NotRegistered", "Target is not registered to the target group", created+9.2)
	w.says(gate, "False", "Elb.InitialHealthChecking", "Initial health checks in progress", created+10)
	if bad {
		w.says(gate, "False", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]", created+18)
		return
	}
	w.says(gate, "True", "Healthy", "", created+16)
	w.says(corev1.PodReady, "True", "", "", created+16.3)
}

func (w watched) falls(deleted, stopped, gone float64) {
	at60, grace := stamp(deleted+60), int64(60)
	w.DeletionTimestamp, w.DeletionGracePeriodSeconds = &at60, &grace
	w.r.Pod(w.Pod, at(deleted+0.1))
	if stopped == 0 {
		return
	}
	w.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: stamp(stopped)}}}}
	w.says(corev1.PodReady, "False", "PodFailed", "", stopped)
	w.r.Deleted(w.UID, at(gone))
}

// rollout replaces four pods of which the third new one never gets healthy, seen live; one of the old ones is known by a
// snapshot only, and a pod by events only.
func rollout() timeline.Timeline {
	r := timeline.NewRecorder("Deployment", "shop", "web")
	r.Workload(timeline.Workload{Counted: true, Desired: 4, Updated: 3, ReadyPods: 4})
	r.Revision(timeline.Revision{Hash: "7c9b", Object: "ReplicaSet web-7c9b", Number: 1, Created: at(-4000)}, "web-7c9b")
	r.Revision(timeline.Revision{Hash: "5d4f", Object: "ReplicaSet web-5d4f", Number: 2, Created: at(1)}, "web-5d4f")

	for i := range 4 {
		old := create(r, fmt.Sprintf("web-7c9b-old0%d", i), "7c9b", -3600)
		old.says(corev1.PodScheduled, "True", "", "", -3599)
		old.says(corev1.ContainersReady, "True", "", "", -3590)
		old.says(check, "True", "ChecksPassed", "", -3585)
		old.says(gate, "True", "Healthy", "", -3570)
		old.says(corev1.PodReady, "True", "", "", -3570)
		if i < 2 {
			old.falls(18+20*float64(i), 58+20*float64(i), 59.5+20*float64(i))
		}
	}
	for i := range 3 {
		create(r, fmt.Sprintf("web-5d4f-new0%d", i), "5d4f", 1+20*float64(i)).rises(1+20*float64(i), i == 2)
	}

	event := func(name, kind, object, reason, message, of string, seconds float64, count int32) {
		r.Event(&corev1.Event{
			ObjectMeta: metav1.ObjectMeta{UID: types.UID(name)}, InvolvedObject: corev1.ObjectReference{Kind: kind, Name: object, UID: types.UID("uid-" + object)},
			Type: of, Reason: reason, Message: message, FirstTimestamp: stamp(seconds), LastTimestamp: stamp(seconds + float64(count-1)*10), Count: count,
		})
	}
	event("e1", "Deployment", "web", "ScalingReplicaSet", "Scaled up replica set web-5d4f from 0 to 1", "Normal", 1, 1)
	event("e2", "Pod", "web-5d4f-new02", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500", "Warning", 44, 2)
	event("e3", "ReplicaSet", "web-7c9b", "KilledUndrained", "Pod web-7c9b-old00 stopped 12 s before target group web finished draining", "Warning", 59, 1)
	event("e4", "Pod", "web-5d4f-lost1", "Scheduled", "Successfully assigned", "Normal", 2, 1)
	event("e5", "Pod", "web-5d4f-lost1", "Killing", "Stopping container app", "Normal", 12, 1)
	return r.Timeline(at(-600), at(110))
}

// crowded is a rollout of many pods.
func crowded(n int) timeline.Timeline {
	r := timeline.NewRecorder("Deployment", "shop", "web")
	r.Workload(timeline.Workload{Counted: true, Desired: int32(n), Updated: int32(n), ReadyPods: int32(n)})
	r.Revision(timeline.Revision{Hash: "7c9b", Number: 1, Created: at(-4000)}, "web-7c9b")
	r.Revision(timeline.Revision{Hash: "5d4f", Number: 2, Created: at(0)}, "web-5d4f")
	for i := range n {
		old := create(r, fmt.Sprintf("web-7c9b-o%04d", i), "7c9b", -3600)
		old.says(corev1.ContainersReady, "True", "", "", -3590)
		old.says(corev1.PodReady, "True", "", "", -3570)
		begin := 200 * float64(i) / float64(n)
		create(r, fmt.Sprintf("web-5d4f-n%04d", i), "5d4f", begin).rises(begin, i%97 == 5)
		if begin+20 < 240 {
			old.falls(begin+20, map[bool]float64{true: begin + 60}[begin+61 < 240], begin+61)
		}
	}
	return r.Timeline(at(-600), at(240))
}
