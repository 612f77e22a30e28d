// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// latticeOptions make the clocks of VPC Lattice run four times faster than the wall, as scaled does for others: targets
// drain for 15 s, and are sent requests for somewhat more than one of them. Page tokens last for a second.
func latticeOptions() options {
	return options{timeScale: 4, lattice: true, simulator: []string{"--lattice-registration-delay=8s", "--lattice-token-lifetime=4s"}}
}

// latticeGroup is the demo's target group at VPC Lattice.
func latticeGroup() env.TargetGroupOptions {
	o := targetGroup()
	o.Lattice = true
	return o
}

// behindLattice is the application with a hook that outlasts the time in which requests still come.
func behindLattice() env.App {
	a := application()
	a.PrestopSeconds, a.GracePeriodSeconds = 8, 16
	return a
}

// TestLattice puts services behind VPC Lattice, at the same time: pods in two groups, groups that are in no service or have
// no health checks, a rolling update while calls fail, and a list that takes too long to read. At last podgate's leader is
// killed in the middle of a rolling update.
func TestLattice(t *testing.T) {
	w := start(t, latticeOptions())
	t.Run("Together", func(t *testing.T) {
		for name, test := range map[string]func(*world){
			"TwoGroups": twoGroups, "Unused": unusedLattice, "ChecksOff": checksOff, "Faults": latticeFaults, "ExpiredToken": expiredToken,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(w.in(t))
			})
		}
	})

	t.Run("LeaderKilled", func(t *testing.T) { latticeLeaderKilled(w.in(t)) })
}

// twoGroups has pods in two groups, of which one calls them unhealthy: the gate that both share stays closed and names that
// group, until the other one is not alone any more.
func twoGroups(w *world) {
	app := behindLattice()
	app.Replicas = 2
	s := w.wire(app, latticeGroup())
	second := latticeGroup()
	second.Name = "e2e-second"
	other, err := s.sim.CreateLoadBalancer(s.ctx, second)
	s.must(err)
	s.must(s.sim.SetHealth(s.ctx, other.TargetGroupARN, nil, awssim.Script{State: "UNHEALTHY"}))
	s.bindLattice("second", other.TargetGroupARN)

	s.apply()
	s.waitAll("healthy", app.Replicas)
	s.waitGate("False", "Unhealthy", "second")
	s.explains(s.alive()[0].Name, "is not Ready", string(s.gateType()), "second")
	histories, err := s.gates.histories()
	s.must(err)
	for pod, steps := range histories {
		if slices.ContainsFunc(steps, func(g gateStep) bool { return g.Status == "True" || g.Printed != "0/1" }) {
			s.t.Errorf("the gate of pod %s opened although one group calls it unhealthy: %q", pod, steps)
		}
	}

	s.must(s.sim.ClearHealth(s.ctx, other.TargetGroupARN, nil))
	s.waitComplete()
	s.waitGate("True", "Healthy", "")
}

// bindLattice binds the application's Service to another group of VPC Lattice.
func (s *service) bindLattice(name, arn string) {
	s.t.Helper()
	b := s.ownBinding(s.app.Namespace, name)
	b.Object["spec"] = map[string]any{
		"serviceRef": map[string]any{"name": s.app.Name, "port": int64(80)}, "lattice": map[string]any{"targetGroupARN": arn},
	}
	s.must(s.cluster.Create(s.ctx, b))
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cleanupTimeout)
		defer cancel()
		if err := client.IgnoreNotFound(s.cluster.Delete(ctx, b)); err != nil {
			s.t.Errorf("clean up: %v", err)
		}
	})

	s.eventually("podgate to serve the binding "+name, func(ctx context.Context) (bool, error) {
		if err := s.cluster.Get(ctx, client.ObjectKeyFromObject(b), b); err != nil {
			return false, err
		}
		conditions, _, err := unstructured.NestedSlice(b.Object, "status", "conditions")
		return slices.ContainsFunc(conditions, func(c any) bool {
			fields, _ := c.(map[string]any)
			return fields["type"] == "Ready" && fields["status"] == "True"
		}), err
	})
}

// ownBinding is a TargetBinding without a spec.
func (*world) ownBinding(namespace, name string) *unstructured.Unstructured {
	b := &unstructured.Unstructured{Object: map[string]any{}}
	b.SetAPIVersion("podgate.dev/v1alpha1")
	b.SetKind("TargetBinding")
	b.SetNamespace(namespace)
	b.SetName(name)
	return b
}

// waitAll waits until the group has so many targets in a state, and no others.
func (s *service) waitAll(state string, n int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d targets to be %s", n, state), func(ctx context.Context) (bool, error) {
		states, err := s.states(ctx, awssim.ClockAPI)
		for _, other := range states {
			if other != state {
				return false, err
			}
		}
		return len(states) == n, err
	})
}

// waitGate waits until the gates of all pods say what is wanted; says is a part of the message.
func (s *service) waitGate(status, reason, says string) {
	s.t.Helper()
	var last []gateStep
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the gates say %q", last)
		}
	}()

	s.eventually(fmt.Sprintf("all gates to be %s with the reason %s and %q in their message", status, reason, says), func(context.Context) (bool, error) {
		histories, err := s.gates.histories()
		last = last[:0]
		for _, steps := range histories {
			last = append(last, steps[len(steps)-1])
		}
		return len(last) > 0 && !slices.ContainsFunc(last, func(g gateStep) bool {
			return g.Status != status || g.Reason != reason || !strings.Contains(g.Message, says)
		}), err
	})
}

// unusedLattice has pods in a group that no service forwards to: the reason says so, explain says what to do, and with the
// policy the gate opens.
func unusedLattice(w *world) {
	app, group := behindLattice(), latticeGroup()
	app.Replicas, group.Unused = 1, true
	s := w.wire(app, group)
	s.apply()
	s.waitGate("False", "Unused", "")
	s.explains(s.alive()[0].Name, "is not Ready", "False, Unused", "onUnused: Open")

	s.kubectl("-n", s.app.Namespace, "patch", "targetbinding", s.app.Name, "--type=merge", "-p", `{"spec":{"gate":{"onUnused":"Open"}}}`)
	s.must(s.cluster.WaitDeployment(s.ctx, s.app.Namespace, s.app.Name))
}

// checksOff has a group without health checks: the gate opens as soon as pods are registered, and says that nobody checks.
// Targets that drain go on getting requests until they are gone, so the hook outlasts the whole drain.
func checksOff(w *world) {
	app, group := behindLattice(), latticeGroup()
	app.Replicas, app.PrestopSeconds, app.GracePeriodSeconds, group.Unchecked = 2, 18, 26, true
	s := w.wire(app, group)
	s.apply()
	s.waitComplete()
	s.waitGate("True", "HealthCheckUnavailable", "")

	sum := s.loaded(drainRate, func(*load.Generator) { s.update() })
	s.assertNoneLost(sum)
}

// latticeFaults has calls about a group fail in every way that VPC Lattice has, during a rolling update under load: in
// progress (409), throttled with a time to wait (429), over the quota (402), refused for some of the targets only.
func latticeFaults(w *world) {
	app := behindLattice()
	app.MaxUnavailable, app.PrestopSeconds, app.GracePeriodSeconds = "0", 20, 28
	s := w.deploy(app, latticeGroup())
	conflict := &awssim.APIError{Code: "ConflictException", Message: "Target group is in status: CREATE_IN_PROGRESS."}
	throttled := &awssim.APIError{Code: "ThrottlingException", RetryAfterSeconds: 1}
	quota := &awssim.APIError{Code: "ServiceQuotaExceededException", Members: map[string]any{"quotaCode": "L-DAD8B24F", "resourceType": "TARGET_GROUP", "serviceCode": "vpc-lattice"}}

	sum := s.underFault(func(*load.Generator) {
		for _, f := range []awssim.Fault{
			{Operation: "RegisterTargets", Count: 1, Error: conflict},
			{Operation: "RegisterTargets", Count: 1, Error: throttled},
			{Operation: "RegisterTargets", Count: 1, Error: quota},
			{Operation: "RegisterTargets", Count: 1, FailTargets: everySecond()},
			{Operation: "DeregisterTargets", Count: 1, Error: conflict},
			{Operation: "DeregisterTargets", Count: 1, Error: throttled},
			{Operation: "DeregisterTargets", Count: 1, FailTargets: everySecond()},
			{Operation: "ListTargets", Count: 2, Error: throttled},
		} {
			s.fault(f)
		}
		s.update()
	})
	s.assertNoneLost(sum)
	s.assertOpenStayedOpen()
	if faults, err := s.sim.Faults(s.ctx); err != nil || slices.ContainsFunc(faults, func(f awssim.Fault) bool { return f.TargetGroupARN == s.lb.TargetGroupARN }) {
		s.t.Errorf("faults that met no call: %+v, %v", faults, err)
	}
}

// everySecond is every second pod that the cluster may have, as a target.
func everySecond() []awssim.Target {
	var all []awssim.Target
	for i := 2; i < 255; i += 2 {
		all = append(all, awssim.Target{ID: fmt.Sprintf("10.244.0.%d", i), Port: 8080})
	}
	return all
}

// expiredToken reads a group of more than one page so slowly that the token of the second page expires: no gate opens by
// half a list, and the next reading that is fast enough opens it.
func expiredToken(w *world) {
	app := behindLattice()
	app.Replicas = 1
	s := w.wire(app, latticeGroup())
	s.fillPage()
	s.fault(awssim.Fault{Operation: "ListTargets", LatencySeconds: 6, Count: 6})
	s.apply()
	s.must(s.cluster.WaitDeployment(s.ctx, s.app.Namespace, s.app.Name))
	s.assertNoneOpenedEarly()
	s.waitReason("Synced")

	calls, err := s.sim.Calls(s.ctx, 0)
	s.must(err)
	if !slices.ContainsFunc(calls, func(c awssim.Call) bool {
		return c.Operation == "ListTargets" && c.TargetGroupARN == s.lb.TargetGroupARN && c.HTTPStatus == http.StatusBadRequest
	}) {
		s.t.Error("no page token expired: the fault showed nothing")
	}
}

// fillPage registers somebody else's targets, as many as a page of a list has.
func (s *service) fillPage() {
	s.t.Helper()
	var targets []types.Target
	for port := range int32(100) {
		targets = append(targets, types.Target{Id: aws.String(node), Port: aws.Int32(20001 + port)})
	}
	_, err := s.sim.Lattice().RegisterTargets(s.ctx, &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: &s.lb.TargetGroupARN, Targets: targets})
	s.must(err)
}

// latticeLeaderKilled kills podgate's leader in the middle of a rolling update behind VPC Lattice.
func latticeLeaderKilled(w *world) {
	app := behindLattice()
	app.MaxUnavailable, app.PrestopSeconds, app.GracePeriodSeconds = "0", 25, 35
	s := w.deploy(app, latticeGroup())

	var killed corev1.Pod
	sum := s.underFault(func(*load.Generator) {
		s.app.Image = imageV2
		s.apply()
		s.waitMiddle()
		leader, err := s.leader(s.ctx)
		s.must(err)
		killed = *leader
		s.kill([]corev1.Pod{killed})
		s.assertUnderWay()
	})

	s.assertNoneLost(sum)
	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		s.t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}
	leader, err := s.leader(s.ctx)
	s.must(err)
	if leader.Name == killed.Name {
		s.t.Errorf("pod %s leads, which was killed", leader.Name)
	}
	s.waitPodgateAlone()
	s.assertOpenStayedOpen()
	s.logUngated()
	s.logLatencies()
}
