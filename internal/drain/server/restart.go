// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/drain/hook"
)

// killing is the reason of the kubelet's event on a container that it is about to
// stop, which it writes before it runs the hook.
const killing = "Killing"

// recently is how long ago the kubelet may have said that a container failed a probe. The hook begins after that,
// on a busy node many seconds later. A kubelet that restarts in between may leave the container as it is.
const recently = 2 * time.Minute

// restarts reports whether the kubelet stops one container to start it again. That a pod is
// not being deleted does not say so: of a node that shuts down, and of an eviction by the
// kubelet, nothing is in the API until the containers have ended (mergePodStatus in
// pkg/kubelet/status of Kubernetes 1.37 holds DisruptionTarget back). The kubelet's own
// word does, which is its event.
func (h *Handler) restarts(ctx context.Context, cached *corev1.Pod, q hook.Question) (bool, error) {
	if !h.live.Allow() {
		return false, errBusy
	}

	var events corev1.EventList
	err := h.o.Live.List(ctx, &events, client.InNamespace(cached.Namespace), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{"involvedObject.uid": string(cached.UID), "reason": killing}),
	})
	if err != nil {
		return false, fmt.Errorf("list events: %w", err)
	}

	// Most hooks run because of no probe, and need no more than this one question.
	if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return failedProbe(e.Message, q.Container) }) {
		return false, nil
	}

	// Its deletion may have come since, and the cache not know.
	var pod corev1.Pod
	if err := h.o.Live.Get(ctx, client.ObjectKeyFromObject(cached), &pod); err != nil {
		return false, client.IgnoreNotFound(err)
	}

	stays := pod.UID == cached.UID && pod.DeletionTimestamp.IsZero() && pod.Status.Phase == corev1.PodRunning
	return stays && restarting(events.Items, &pod, q.Container, h.now()), nil
}

// restarting reports whether the kubelet said, recently and since the container started, that it
// failed a probe, and did not say that it stops it for good. Times have whole seconds: a probe that failed in the second in
// which the container started was its predecessor's, whose end it was.
func restarting(events []corev1.Event, pod *corev1.Pod, container string, now time.Time) bool {
	started, running := startOf(pod, container)
	if !running {
		return false
	}

	restart := false
	for _, e := range events {
		if e.InvolvedObject.FieldPath != "spec.containers{"+container+"}" || seen(e).Before(started) {
			continue
		}
		if !failedProbe(e.Message, container) {
			return false
		}
		restart = restart || seen(e).After(started) && now.Sub(seen(e)) < recently
	}

	return restart
}

// startOf is when a container started that runs. Like an event's, its time is the node's, in whole seconds.
func startOf(pod *corev1.Pod, container string) (time.Time, bool) {
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == container && s.State.Running != nil {
			return s.State.Running.StartedAt.Time, true
		}
	}
	return time.Time{}, false
}

// failedProbe reads the kubelet's words (computePodActions in pkg/kubelet/kuberuntime). Of a
// container that is not started again it says only the first half.
func failedProbe(message, container string) bool {
	why, ok := strings.CutPrefix(message, "Container "+container+" failed ")
	return ok && (why == "liveness probe, will be restarted" || why == "startup probe, will be restarted")
}

// seen is when an event was last seen to happen.
func seen(e corev1.Event) time.Time {
	if e.Series != nil {
		return e.Series.LastObservedTime.Time
	}
	if !e.LastTimestamp.IsZero() {
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}
