// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// inService is the gate of a controller that takes pods out of traffic before it touches them.
const inService = "example.com/in-service"

// gatekeeper is that controller: it lets in every pod but those that it was told to take out.
type gatekeeper struct {
	s *service

	mu sync.Mutex
	// shut: it lets nobody in yet.
	shut bool
	out  map[types.UID]bool
}

// keep starts one, which lets nobody in at first.
func (s *service) keep() *gatekeeper {
	k := &gatekeeper{s: s, shut: true, out: map[types.UID]bool{}}
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(s.ctx)
	done.Go(func() { wait.UntilWithContext(ctx, k.look, lookInterval) })
	s.t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return k
}

// look sets the condition of every pod whose gate is not as it should be.
func (k *gatekeeper) look(ctx context.Context) {
	var pods corev1.PodList
	if k.s.cluster.List(ctx, &pods, client.InNamespace(k.s.app.Namespace)) != nil {
		return // The next look may fare better.
	}

	for i := range pods.Items {
		pod := &pods.Items[i]
		at := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == inService })
		if want := k.wants(pod); at < 0 || pod.Status.Conditions[at].Status != want {
			_ = k.set(ctx, pod, want) // The pod may be gone; if not, the next look sets it.
		}
	}
}

func (k *gatekeeper) wants(pod *corev1.Pod) corev1.ConditionStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shut || k.out[pod.UID] {
		return corev1.ConditionFalse
	}
	return corev1.ConditionTrue
}

func (k *gatekeeper) set(ctx context.Context, pod *corev1.Pod, status corev1.ConditionStatus) error {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status":   map[string]any{"conditions": []corev1.PodCondition{{Type: inService, Status: status, LastTransitionTime: metav1.Now()}}},
	})
	if err != nil {
		return err
	}
	_, err = k.s.clientset.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	return err
}

// open lets all pods in, those to come as well.
func (k *gatekeeper) open() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shut = false
}

// takeOut closes the gate of a pod, or opens it again.
func (k *gatekeeper) takeOut(pod env.PodHistory, out bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.out[types.UID(pod.UID)] = out
}

// TestOtherGate has another controller keep new pods out, and take pods out of traffic under load, with long requests
// among it: nothing is lost, neither when it lets them in again nor when they are deleted then, as after an update in
// place, with an adaptive hook.
func TestOtherGate(t *testing.T) {
	w := start(t, options{})
	s := w.wireAdaptive(func(a *env.App) { a.Gates = []string{inService} }, adaptiveDelay)
	k := s.keep()
	s.apply()

	s.waitGates(func(pod *corev1.Pod) bool { return reasonOf(pod, s.app.Name) == "OtherGateClosed" })
	states, err := s.states(s.ctx, awssim.ClockAPI)
	s.must(err)
	if len(states) > 0 {
		t.Errorf("nobody is let in, and there are targets: %v", states)
	}

	k.open()
	s.waitComplete()

	s.assertNoneLost(s.withLong(func() {
		s.assertNoneLost(s.loaded(drainRate, func(*load.Generator) {
			pod := s.alive()[0]
			k.takeOut(pod, true)
			s.waitStates([]env.PodHistory{pod}, "draining")
			s.waitUnrouted([]env.PodHistory{pod})
			s.waitStates([]env.PodHistory{pod}, "")
			k.takeOut(pod, false)
			s.waitComplete()

			k.takeOut(pod, true)
			s.waitStates([]env.PodHistory{pod}, "")
			s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: pod.Name}}))
			s.waitGone(pod)
			s.waitComplete()
		}))
	}))

	s.assertLeft(func(lived time.Duration) bool { return lived < adaptiveDelay }, "less than a target takes to drain: its own had drained before")
}

// waitGates waits until all pods of the application are as they should be.
func (s *service) waitGates(as func(*corev1.Pod) bool) {
	s.t.Helper()
	s.eventually("the pods' gates", func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		if err := s.cluster.List(ctx, &pods, client.InNamespace(s.app.Namespace)); err != nil {
			return false, err
		}
		for i := range pods.Items {
			if !as(&pods.Items[i]) {
				return false, nil
			}
		}
		return len(pods.Items) == s.app.Replicas, nil
	})
}

// reasonOf is the reason of a pod's gate of a TargetGroupBinding.
func reasonOf(pod *corev1.Pod, binding string) string {
	for _, c := range pod.Status.Conditions {
		if string(c.Type) == "target-health.elbv2.k8s.aws/"+binding {
			return c.Reason
		}
	}
	return ""
}
