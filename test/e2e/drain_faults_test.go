// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// TestDrainFaults takes pods away while something is wrong, or otherwise than podgate would
// have it, under load with long requests among it. The load balancers' clocks run four
// times faster than the wall, and so does what pods sleep.
func TestDrainFaults(t *testing.T) {
	o := scaled()
	o.profile = "auto"
	o.simulator = append(o.simulator, "--access-key="+busyKey+"="+busyAccount)
	w := start(t, o)
	for _, d := range []struct {
		name string
		test func(*world)
	}{
		{"OwnHook", ownHook},
		{"Throttled", throttledDrain},
		{"NLB", networkDrain},
		{"ShortGrace", shortGrace},
		{"LivenessKill", livenessKill},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			d.test(w.in(t))
		})
	}
}

// hookALB and hookNLB are the computed 55 s and 155 s on these clocks, in whole seconds.
const (
	hookALB = 14 * time.Second
	hookNLB = 39 * time.Second
)

// drained is an application that podgate gives hooks of a length.
func drained(hook time.Duration) env.App {
	a := application()
	a.Replicas, a.PrestopSeconds, a.GracePeriodSeconds, a.Drained = 3, 0, 0, true
	a.MaxSurge, a.MaxUnavailable = "100%", "0"
	a.Annotations = map[string]string{v1alpha1.DrainTimeAnnotation: hook.String()}
	return a
}

// drainedGroup cuts no long request.
func drainedGroup() env.TargetGroupOptions {
	o := targetGroup()
	o.DeregistrationDelay = 60
	return o
}

// drains wires an application, asserts how long its pods will sleep and creates them.
func (w *world) drains(a env.App, o env.TargetGroupOptions, hook time.Duration) *service {
	w.t.Helper()
	s := w.wire(a, o)
	seconds, err := env.WaitHook(s.ctx, s.cluster, s.app)
	s.must(err)
	if got := time.Duration(seconds) * time.Second; got != hook {
		s.t.Fatalf("podgate's hook sleeps %s, want %s", got, hook)
	}
	s.apply()
	s.waitComplete()
	return s
}

// assertDrainLosesNone asserts that no request is lost while change runs, no long one either.
func (s *service) assertDrainLosesNone(change func()) {
	s.t.Helper()
	long := s.withLong(func() { s.assertNoneLost(s.loaded(drainRate, func(*load.Generator) { change() })) })
	if long.Failed > 0 || long.Attempts != long.Requests {
		s.t.Errorf("%d of %d long requests failed in %d attempts, want none at the first", long.Failed, long.Requests, long.Attempts)
	}
}

// ownHook updates pods that have a hook of their own, which is as long as it must be.
func ownHook(w *world) {
	app := drained(hookALB)
	app.PrestopSeconds, app.GracePeriodSeconds = int(hookALB.Seconds()), 30
	s := w.drains(app, drainedGroup(), hookALB)
	s.assertHook(func(l *corev1.Lifecycle, grace int64) error {
		if l == nil || l.PreStop == nil || l.PreStop.Exec == nil || grace != 30 {
			return fmt.Errorf("the hook is %+v with a grace period of %d s, want the manifest's own", l, grace)
		}
		return nil
	})
	s.assertDrainLosesNone(s.update)
	s.assertDrained(hookALB)
}

// assertHook looks at the hooks and grace periods of all pods.
func (s *service) assertHook(check func(*corev1.Lifecycle, int64) error) {
	s.t.Helper()
	var pods corev1.PodList
	s.must(s.cluster.List(s.ctx, &pods, client.InNamespace(s.app.Namespace)))
	for _, p := range pods.Items {
		if err := check(p.Spec.Containers[0].Lifecycle, *p.Spec.TerminationGracePeriodSeconds); err != nil {
			s.t.Errorf("pod %s: %v", p.Name, err)
		}
	}
}

// throttledDrain deletes a pod while AWS throttles all calls about its group, for 5 s of the
// wall and until its deregistration was refused. The call is repeated until it is accepted,
// and that is in time for a longer hook.
func throttledDrain(w *world) {
	hook := hookALB + 11*time.Second
	app, group := drained(hook), drainedGroup()
	app.RoleARN, group.AccessKeyID = busyRole, busyKey
	s := w.drains(app, group, hook)
	s.assertDrainLosesNone(func() {
		id, err := s.sim.AddFault(s.ctx, awssim.Fault{TargetGroupARN: s.lb.TargetGroupARN, Error: &awssim.APIError{Code: "Throttling", Message: "Rate exceeded"}})
		s.must(err)
		pod := s.alive()[0]
		s.must(s.cluster.Delete(s.ctx, podOf(s, pod)))
		over := time.After(5 * time.Second)
		s.waitRefused("DeregisterTargets")
		<-over
		s.must(s.sim.RemoveFaults(s.ctx, id))
		s.waitGone(pod)
		s.waitComplete()
	})
	s.assertDrained(hook)
}

// waitRefused waits until a call of an operation about the group was refused.
func (s *service) waitRefused(operation string) {
	s.t.Helper()
	s.eventually(operation+" to be refused", func(ctx context.Context) (bool, error) {
		calls, err := s.sim.Calls(ctx, 0)
		return slices.ContainsFunc(calls, func(c awssim.Call) bool {
			return c.Operation == operation && c.TargetGroupARN == s.lb.TargetGroupARN && c.HTTPStatus != http.StatusOK
		}), err
	})
}

// networkDrain updates pods behind a Network Load Balancer, whose data path goes on for
// two minutes. It balances connections, so each request makes one.
func networkDrain(w *world) {
	group := drainedGroup()
	group.NLB = true
	s := w.drains(drained(hookNLB), group, hookNLB)
	sum := s.loadedBy(load.Config{URL: s.lb.URL, Rate: drainRate, IdleTimeout: time.Nanosecond}, func(*load.Generator) { s.update() })
	if sum.Failed > 0 || sum.Attempts != sum.Requests || sum.Reused > 0 {
		s.t.Errorf("%d of %d requests failed, %d on reused connections; want none, on new ones only", sum.Failed, sum.Requests, sum.Reused)
	}
	s.assertDrained(hookNLB)
}

// shortGrace deletes a pod with less time than its hook sleeps: the kubelet cuts it, and
// nothing that podgate does holds the pod.
func shortGrace(w *world) {
	s := w.drains(drained(time.Minute), drainedGroup(), time.Minute)
	pod := s.alive()[0]
	s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: pod.Name}}, client.GracePeriodSeconds(5)))
	s.waitGone(pod)
	s.assertGoneWithin(pod, 30*time.Second)
}

// assertGoneWithin asserts that a pod did not live longer after its deletion.
func (s *service) assertGoneWithin(p env.PodHistory, limit time.Duration) {
	s.t.Helper()
	for _, now := range s.pods.Pods() {
		if lived := now.Lived(); now.UID == p.UID && lived > limit {
			s.t.Errorf("pod %s was gone %s after its deletion, want %s at most", p.Name, lived, limit)
		}
	}
}

// livenessKill lets the liveness probe of a pod fail: the container is restarted only when
// the injected hook has ended, which is what docs/drain.md says it costs.
func livenessKill(w *world) {
	app := drained(hookALB)
	app.LivenessPath = "/healthz"
	s := w.drains(app, drainedGroup(), hookALB)
	pod := s.alive()[0]
	failing := time.Now()
	s.order(pod, "fail")
	s.eventually("the container's restart", func(ctx context.Context) (bool, error) {
		var p corev1.Pod
		err := s.cluster.Get(ctx, client.ObjectKey{Namespace: s.app.Namespace, Name: pod.Name}, &p)
		return err == nil && p.Status.ContainerStatuses[0].RestartCount == 1 && p.Status.ContainerStatuses[0].State.Running != nil, err
	})

	if took := time.Since(failing); took < hookALB {
		s.t.Errorf("the container was restarted %s after its probe failed, before its hook of %s could end", took, hookALB)
	}
}

// TestDrainWithoutPodgate takes podgate away, both replicas, in the middle of a pod's drain,
// and deletes another pod while it is away. The drain goes on as it began, no deletion is
// held, and podgate takes up what is left when it is back.
func TestDrainWithoutPodgate(t *testing.T) {
	w := start(t, scaled())
	s := w.drains(drained(hookALB), drainedGroup(), hookALB)
	first := s.alive()[0]
	s.assertDrainLosesNone(func() {
		s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: first.Name}}))
		s.eventually("its target to be draining", func(ctx context.Context) (bool, error) {
			states, err := s.states(ctx, awssim.ClockAPI)
			return states[first.Address] == "draining", err
		})
		s.scalePodgate(0)
		s.waitGone(first)
	})

	second := s.alive()[0]
	s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: second.Name}}))
	s.waitGone(second)
	s.assertDrained(hookALB)
	s.scalePodgate(2)
	s.waitPodgateAlone()
	s.waitComplete()
	s.assertOpenStayedOpen()
}
