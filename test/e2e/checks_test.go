// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// TestChecks has ReadinessGates keep pods back, with a load balancer and without one. Time is scaled for the load balancer,
// and pods that nothing claims are released after the 30 s for which that must be so.
func TestChecks(t *testing.T) {
	o := scaled()
	o.podgate = []string{"--orphan-grace=5s"}
	w := start(t, o)
	t.Run("Together", func(t *testing.T) {
		for name, test := range map[string]func(*world){
			"BeforeLoadBalancers": checksFirst, "ByHand": gateByHand, "DryRun": dryRun, "AllFail": allFail,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(w.in(t))
			})
		}
	})

	t.Run("LeaderKilled", func(t *testing.T) { leaderOfWaitingKilled(w.in(t)) })
}

// warmUp is for how long a pod answers errors at first, while its health checks pass.
const warmUp = 12 * time.Second

// asks is a check of a path, and rest what else the ReadinessGate says.
func asks(path, rest string) string {
	return fmt.Sprintf("{selector: {matchLabels: {app.kubernetes.io/name: web}}, checks: [{name: asked, periodSeconds: 1, http: {port: http, path: %s}}]%s}", path, rest)
}

// checksFirst updates an application that warms up, under load: no pod is registered before it is warm, and no request meets
// one that is not.
func checksFirst(w *world) {
	app := quick()
	app.ReadinessPath, app.Env = "/healthz", map[string]string{"WARM_UP": strconv.Itoa(int(warmUp.Seconds()))}
	app.Checks = asks("/warm", "")
	s := w.deploy(app, targetGroup())
	s.assertChecksFirst(warmUp)

	sum := s.underLoad(s.update)
	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		s.t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}
	s.assertChecksFirst(warmUp)
	s.assertOpenStayedOpen()
}

// assertChecksFirst asserts of each pod that it has both gates and that it took its steps in their order: containers ready,
// checks passed, registered, healthy at the load balancer, Ready. None was registered sooner after its start than it could
// pass its check.
func (s *service) assertChecksFirst(warmUp time.Duration) {
	s.t.Helper()
	calls, err := s.sim.Calls(s.ctx, 0)
	s.must(err)

	for _, p := range s.alive() {
		pod := s.pod(p)
		if len(pod.Spec.ReadinessGates) != 2 {
			s.t.Errorf("pod %s has the gates %v, want two", p.Name, pod.Spec.ReadinessGates)
		}

		registered := s.called(calls, "RegisterTargets", p, p.Created)
		warm := pod.Status.ContainerStatuses[0].State.Running.StartedAt.Add(warmUp)
		check, lb := condition(pod, env.CheckGate), condition(pod, s.gateType())
		switch {
		case registered.IsZero():
			s.t.Errorf("pod %s was not registered", p.Name)
		case registered.Before(warm), registered.Before(check.LastTransitionTime.Time):
			s.t.Errorf("pod %s was registered at %s, could be warm at %s, and passed its check at %s", p.Name, registered.Format(clock), warm.Format(clock), check.LastTransitionTime.Format(clock))
		}

		if check.Status != corev1.ConditionTrue || check.Reason != v1alpha1.ReasonChecksPassed || lb.Status != corev1.ConditionTrue || lb.Reason != v1alpha1.ReasonHealthy {
			s.t.Errorf("the gates of pod %s are %s (%s) and %s (%s), want them open for what they wait for", p.Name, check.Status, check.Reason, lb.Status, lb.Reason)
		}

		road := []corev1.PodConditionType{corev1.ContainersReady, env.CheckGate, s.gateType(), corev1.PodReady}
		if !slices.IsSortedFunc(road, func(a, b corev1.PodConditionType) int {
			return condition(pod, a).LastTransitionTime.Compare(condition(pod, b).LastTransitionTime.Time)
		}) {
			s.t.Errorf("pod %s did not take its steps in the order %v: %+v", p.Name, road, pod.Status.Conditions)
		}
	}
}

// pod is a pod as it stands.
func (s *service) pod(p env.PodHistory) *corev1.Pod {
	s.t.Helper()
	var pod corev1.Pod
	s.must(s.cluster.Get(s.ctx, client.ObjectKey{Namespace: s.app.Namespace, Name: p.Name}, &pod))
	return &pod
}

// condition is a pod's; empty if it has none.
func condition(pod *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

// alone makes the namespace of an application that no load balancer is for, and its ReadinessGate.
func (w *world) alone(a env.App) *service {
	w.t.Helper()
	a.Name, a.Image, a.MaxSurge, a.MaxUnavailable = "web", imageV1, "1", "0"
	a.Namespace = "e2e-" + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(w.t.Name(), "Test"), "/", "-")) + "-" + strconv.FormatInt(time.Now().Unix(), 36)
	s := &service{world: w, app: a, lb: &env.LoadBalancer{}}
	w.t.Cleanup(s.remove)
	s.enter()
	return s
}

// gateByHand has a gate in a pod template, in a namespace without a label, and a ReadinessGate without a selector. It is
// waited for by kubectl, deleted and made again, and deleted for good while a pod waits.
func gateByHand(w *world) {
	s := w.alone(env.App{
		Replicas: 2, Gates: []string{env.CheckGate}, Env: map[string]string{"UNHEALTHY": "true"},
		Checks: "{checks: [{name: asked, periodSeconds: 1, http: {port: http, path: /healthz}}]}",
	})
	s.apply()
	s.waitCheck(2, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)
	s.waitColumns("warm", "True", "0", "2", "Latch", "Serving")

	wait := []string{"-n", s.app.Namespace, "wait", "--for=condition=" + env.CheckGate, "pods", "-l", "app.kubernetes.io/name=" + s.app.Name}
	if out, err := exec.CommandContext(s.ctx, "kubectl", append(wait, "--timeout=1s")...).CombinedOutput(); err == nil {
		s.t.Errorf("kubectl wait does not wait for pods that fail their check: %s", out)
	}
	for _, p := range s.alive() {
		s.order(p, "heal")
	}
	s.kubectl(append(wait, "--timeout=2m")...)
	s.waitColumns("warm", "True", "2", "2", "Latch", "Serving")

	// One more pod, which waits.
	s.app.Replicas = 3
	s.apply()
	s.waitCheck(1, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)
	s.deleteCheck()
	s.waitCheck(1, corev1.ConditionFalse, v1alpha1.ReasonNoBinding)
	s.must(s.app.ApplyWiring(s.ctx, s.cluster))
	s.waitCheck(1, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)
	s.pass(releaseAfter + 5*time.Second)
	s.waitCheck(1, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)
	s.assertOpenStayedOpen()

	deleted := time.Now().Truncate(time.Second)
	s.deleteCheck()
	s.waitCheck(1, corev1.ConditionTrue, v1alpha1.ReasonNoBinding)
	for _, p := range s.alive() {
		if c := condition(s.pod(p), env.CheckGate); c.Reason == v1alpha1.ReasonNoBinding && c.LastTransitionTime.Sub(deleted) < releaseAfter {
			s.t.Errorf("the gate of pod %s was released %s after the deletion, want %s at least", p.Name, c.LastTransitionTime.Sub(deleted), releaseAfter)
		}
	}
	s.assertOpenStayedOpen()
}

// releaseAfter is for how long nothing must have claimed a gate before it is released.
const releaseAfter = 30 * time.Second

// waitCheck waits until so many of the application's pods have a check gate with a status and a reason.
func (s *service) waitCheck(n int, status corev1.ConditionStatus, reason string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d check gates that are %s, %s", n, status, reason), func(ctx context.Context) (bool, error) {
		count, err := s.countChecks(ctx, status, reason)
		return count == n, err
	})
}

func (s *service) countChecks(ctx context.Context, status corev1.ConditionStatus, reason string) (int, error) {
	var pods corev1.PodList
	err := s.cluster.List(ctx, &pods, client.InNamespace(s.app.Namespace))
	n := 0
	for i := range pods.Items {
		if c := condition(&pods.Items[i], env.CheckGate); c.Status == status && c.Reason == reason {
			n++
		}
	}
	return n, err
}

// waitColumns waits until kubectl prints the ReadinessGate so, under the documented heads and before its age.
func (s *service) waitColumns(columns ...string) {
	s.t.Helper()
	want := regexp.MustCompile(`^NAME +READY +OPEN +GATED +MODE +REASON +AGE\n` + strings.Join(columns, " +") + ` +\S+\n$`)
	said := ""
	defer func() {
		if s.t.Failed() {
			s.t.Logf("kubectl get rgate says\n%s", said)
		}
	}()
	s.eventually("kubectl get rgate to print what is documented", func(context.Context) (bool, error) {
		said = s.kubectlSays("-n", s.app.Namespace, "get", "rgate")
		return want.MatchString(said), nil
	})
}

// check is the application's ReadinessGate, without a spec.
func (s *service) check() *unstructured.Unstructured {
	g := &unstructured.Unstructured{Object: map[string]any{}}
	g.SetAPIVersion(v1alpha1.GroupVersion.String())
	g.SetKind("ReadinessGate")
	g.SetNamespace(s.app.Namespace)
	g.SetName("warm")
	return g
}

func (s *service) deleteCheck() {
	s.t.Helper()
	s.must(s.cluster.Delete(s.ctx, s.check()))
}

// dryRun makes a ReadinessGate a dry run while pods wait: they are released, and its status goes on telling what would be.
func dryRun(w *world) {
	s := w.alone(env.App{Gated: true, Replicas: 2, Env: map[string]string{"UNHEALTHY": "true"}, Checks: asks("/healthz", "")})
	s.must(env.WaitInjected(s.ctx, s.cluster, s.app))
	s.apply()
	s.waitCheck(2, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)

	s.app.Checks = asks("/healthz", ", dryRun: true")
	s.must(s.app.ApplyWiring(s.ctx, s.cluster))
	s.waitCheck(2, corev1.ConditionTrue, v1alpha1.ReasonDryRun)
	s.must(s.cluster.WaitDeployment(s.ctx, s.app.Namespace, s.app.Name))
	s.waitDryRun(2, 0, 2)

	s.order(s.alive()[0], "heal")
	s.waitDryRun(2, 1, 1)
}

// waitDryRun waits until the status of the ReadinessGate counts so many pods that it selects, would let in and would hold.
func (s *service) waitDryRun(selected, open, wait int64) {
	s.t.Helper()
	want := map[string]int64{"selected": selected, "wouldOpen": open, "wouldWait": wait}
	var last map[string]any
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the status of the dry run says %v", last)
		}
	}()
	s.eventually(fmt.Sprintf("the dry run to count %v", want), func(ctx context.Context) (bool, error) {
		g := s.check()
		if err := s.cluster.Get(ctx, client.ObjectKeyFromObject(g), g); err != nil {
			return false, err
		}
		var err error
		last, _, err = unstructured.NestedMap(g.Object, "status", "dryRun")
		for name, n := range want {
			if last[name] != n {
				return false, err
			}
		}
		return true, err
	})
}

// allFail has the checks of all pods fail at once under Track, under load: half the gates close, whose pods leave the group,
// and the others stay open for as long as it lasts. Nobody notices, since the pods answer all the time.
func allFail(w *world) {
	app, group := quick(), targetGroup()
	app.Replicas, app.Checks = 4, asks("/healthz", ", gate: {mode: Track, trackAfterSeconds: 5}")
	group.HealthCheck.Path = "/"
	s := w.deploy(app, group)

	s.assertNoneLost(s.loaded(drainRate, func(g *load.Generator) {
		for _, p := range s.alive() {
			s.order(p, "fail")
		}
		s.waitCheck(2, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)
		s.waitCheck(2, corev1.ConditionTrue, v1alpha1.ReasonTrackFloor)
		s.waitAll("healthy", 2)
		s.answeredMore(g, 20*drainRate)
		s.waitCheck(2, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)
		s.waitCheck(2, corev1.ConditionTrue, v1alpha1.ReasonTrackFloor)
		s.waitAll("healthy", 2)

		for _, p := range s.alive() {
			s.order(p, "heal")
		}
		s.waitCheck(4, corev1.ConditionTrue, v1alpha1.ReasonChecksPassed)
		s.waitComplete()
	}))
}

// leaderOfWaitingKilled kills podgate's leader while pods wait for their checks: they go on waiting, nothing of them is
// registered, and the next leader lets them in when they pass.
func leaderOfWaitingKilled(w *world) {
	app, group := quick(), targetGroup()
	app.Replicas, app.Env, app.Checks = 3, map[string]string{"UNHEALTHY": "true"}, asks("/healthz", "")
	group.HealthCheck.Path = "/"
	s := w.wire(app, group)
	s.apply()
	s.waitCheck(3, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)
	s.explains(s.alive()[0].Name, "is not Ready", env.CheckGate+": False, Check.Failed")

	killed, err := s.leader(s.ctx)
	s.must(err)
	s.kill([]corev1.Pod{*killed})
	s.eventually("another leader", func(ctx context.Context) (bool, error) {
		leader, err := s.leader(ctx)
		return err == nil && leader.Name != killed.Name, nil
	})

	s.waitPodgateAlone()
	s.waitCheck(3, corev1.ConditionFalse, v1alpha1.ReasonCheckFailed)
	states, err := s.states(s.ctx, awssim.ClockAPI)
	s.must(err)
	if len(states) > 0 {
		s.t.Errorf("no pod has passed its check, and there are targets: %v", states)
	}

	healed := time.Now().Truncate(time.Second)
	for _, p := range s.alive() {
		s.order(p, "heal")
	}
	s.waitComplete()
	s.assertChecksFirst(0)
	for _, p := range s.alive() {
		if c := condition(s.pod(p), env.CheckGate); c.LastTransitionTime.Before(&metav1.Time{Time: healed}) {
			s.t.Errorf("the check gate of pod %s opened at %s, before the pod could pass at %s", p.Name, c.LastTransitionTime.Format(clock), healed.Format(clock))
		}
	}
}
