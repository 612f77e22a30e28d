// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// An account of its own, for the group whose calls are throttled: podgate slows down for
// all groups of an account.
const (
	busyAccount = "210987654321"
	busyKey     = "AKIAEXAMPLEEXAMPLE99"
	busyRole    = "arn:aws:iam::" + busyAccount + ":role/podgate"
)

// TestFaults breaks one thing for each of five services at the same time, each of them
// under load. Nothing is scaled.
func TestFaults(t *testing.T) {
	w := start(t, options{simulator: []string{"--access-key=" + busyKey + "=" + busyAccount}})
	for _, f := range []struct {
		name string
		test func(*world)
	}{
		{"Throttled", throttled},
		{"Outage", outage},
		{"Lag", lag},
		{"ServiceRecreated", serviceRecreated},
		{"ProbesFail", probesFail},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.test(w.in(t))
		})
	}
}

// steadfast is an application whose rolling update may not lose a pod. It drains for less
// time than the others, so that the faults outlast it.
func steadfast() env.App {
	a := application()
	a.MaxUnavailable, a.PrestopSeconds, a.GracePeriodSeconds = "0", 25, 45
	return a
}

// steadfastGroup is the target group for it.
func steadfastGroup() env.TargetGroupOptions {
	o := targetGroup()
	o.DeregistrationDelay = 20
	return o
}

// throttled refuses all calls about a group for a minute, between two waves of a rolling
// update, and takes a pod away meanwhile.
func throttled(w *world) {
	app, group := steadfast(), steadfastGroup()
	app.RoleARN, group.AccessKeyID = busyRole, busyKey
	s := w.deploy(app, group)
	s.underFault(func(*load.Generator) {
		s.updateHalfway()
		s.refuse(func() string {
			s.fault(awssim.Fault{DurationSeconds: 60, Error: &awssim.APIError{Code: "Throttling", Message: "Rate exceeded"}})
			return "Throttled"
		})
	})

	s.waitEvent("Throttled")
	s.waitMetric("podgate_provider_calls_total", `operation="deregister"`, `outcome="throttled"`)
	s.assertOpenStayedOpen()
}

// outage lets no call about a group through for two minutes, between two waves of a
// rolling update, and takes a pod away meanwhile: for a minute connections are closed,
// then the answer is a 503.
func outage(w *world) {
	s := w.deploy(steadfast(), steadfastGroup())
	s.underFault(func(*load.Generator) {
		s.updateHalfway()
		s.refuse(func() string {
			s.fault(awssim.Fault{DurationSeconds: 120, Error: &awssim.APIError{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable}})
			s.fault(awssim.Fault{DurationSeconds: 60, Drop: true})
			return "LoadBalancerUnavailable"
		})
	})
	s.waitEvent("LoadBalancerUnavailable")
	s.waitMetric("podgate_provider_calls_total", `operation="deregister"`, `outcome="transient"`)
	s.assertOpenStayedOpen()
}

// lag makes DescribeTargetHealth answer from 10 s ago during a whole rolling update.
func lag(w *world) {
	s := w.deploy(steadfast(), steadfastGroup())
	s.fault(awssim.Fault{Operation: "DescribeTargetHealth", LagSeconds: 10})
	sum := s.underFault(func(*load.Generator) { s.update() })
	s.assertNoneLost(sum)
	s.assertOpenStayedOpen()
	s.assertRegisteredOnce()
}

// serviceRecreated deletes the Service in the middle of a rolling update and makes it
// again some seconds later, as a manifest does that is replaced.
func serviceRecreated(w *world) {
	s := w.deploy(steadfast(), steadfastGroup())
	sum := s.underFault(func(g *load.Generator) {
		s.updateHalfway()
		s.must(s.cluster.Delete(s.ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: s.app.Name}}))
		s.waitReason("ServiceNotFound")
		s.answeredMore(g, 6*faultRate)
		s.must(s.app.ApplyWiring(s.ctx, s.cluster))
	})
	s.assertNoneLost(sum)
	s.waitEvent("ServiceNotFound")
	s.assertOpenStayedOpen()
	s.logUngated()
}

// probesFail lets the health check of one pod after the other fail, and then that of all
// for 20 s, that of the kubelet and that of the load balancer, while they go on answering.
// Then there is a rolling update.
func probesFail(w *world) {
	app := steadfast()
	app.ReadinessPath = "/healthz"
	s := w.deploy(app, steadfastGroup())
	sum := s.loaded(faultRate, func(g *load.Generator) {
		begun := time.Now()
		for i, p := range s.alive() {
			s.order(p, "fail")
			s.waitReady(app.Replicas - 1 - i)
		}

		s.answeredMore(g, 20*faultRate)
		least := s.app.Replicas - s.app.Replicas/2 // at most half goes within a minute
		if time.Since(begun) > time.Minute {
			least = 1 // the machine is too busy to tell
		}

		s.assertRegistered(least)
		s.assertHeld()

		for _, p := range s.alive() {
			s.order(p, "heal")
		}

		s.waitConverged()
		s.update()
		s.waitConverged()
	})

	s.assertNoneLost(sum)
	s.assertLosses(sum)
	s.assertNoneOpenedEarly()
	s.waitEvent("HeldAtFloor")
	s.waitEvent("NothingHeld")
}

// fault puts a fault in force for calls about the service's group.
func (s *service) fault(f awssim.Fault) {
	s.t.Helper()
	f.TargetGroupARN = s.lb.TargetGroupARN
	_, err := s.sim.AddFault(s.ctx, f)
	s.must(err)
}

// refuse begins to have all calls about the group refused, takes a pod away, waits until
// the binding gives the reason that begin returns, and then until calls are accepted.
func (s *service) refuse(begin func() string) {
	s.t.Helper()
	s.refused.from = time.Now()
	reason := begin()
	victim := s.takeAway()
	s.waitReason(reason)
	s.eventually("the fault to pass", func(ctx context.Context) (bool, error) {
		faults, err := s.sim.Faults(ctx)
		return err == nil && !slices.ContainsFunc(faults, func(f awssim.Fault) bool { return f.TargetGroupARN == s.lb.TargetGroupARN }), err
	})
	s.refused.to = time.Now()
	s.assertNotLetGo(victim)
}

// updateHalfway begins a rolling update and returns between two waves: new pods are
// Ready, old ones deregistered, others still to be replaced.
func (s *service) updateHalfway() {
	s.t.Helper()
	s.app.Image = imageV2
	s.apply()
	s.waitMiddle()
	s.eventually("the first replaced pods to be draining", func(ctx context.Context) (bool, error) {
		states, err := s.states(ctx, awssim.ClockAPI)
		leaving := pick(s.alive(), func(p env.PodHistory) bool { return !p.Terminating.IsZero() })
		return err == nil && !slices.ContainsFunc(leaving, func(p env.PodHistory) bool { return states[p.Address] != "draining" }), err
	})
	if len(s.remaining()) == 0 {
		s.t.Fatal("no old pod is left to be replaced: nothing would be shown")
	}
}

// remaining are the old pods that serve.
func (s *service) remaining() []env.PodHistory {
	return pick(s.alive(), func(p env.PodHistory) bool { return p.Version == "v1" && p.Terminating.IsZero() && !p.Ready.IsZero() })
}

// takeAway deletes a pod that serves, as the drain of a node does, and returns its UID.
func (s *service) takeAway() string {
	s.t.Helper()
	p := s.remaining()[0]
	s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: p.Name}}))
	return p.UID
}

// assertNotLetGo asserts that the fault kept podgate from deregistering a pod in time.
func (s *service) assertNotLetGo(uid string) {
	s.t.Helper()
	calls, err := s.sim.Calls(s.ctx, 0)
	s.must(err)
	for _, p := range s.pods.Pods() {
		if p.UID == uid && s.inTime(p, s.called(calls, "DeregisterTargets", p, p.Terminating)) {
			s.t.Errorf("pod %s was deregistered in time: the fault showed nothing", p.Name)
		}
	}
}

// order tells a pod to fail or to heal.
func (s *service) order(p env.PodHistory, what string) {
	s.t.Helper()
	s.orderAt(p.Address, what)
}

// orderAt tells the application at an address to fail or to heal.
func (w *world) orderAt(address, what string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, "http://"+net.JoinHostPort(address, "8080")+"/healthz/"+what, nil)
	w.must(err)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	w.must(resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("pod at %s: %s: %s", address, what, resp.Status)
	}
}

// waitReady waits until so many pods are Ready.
func (s *service) waitReady(n int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d pods to be Ready", n), func(ctx context.Context) (bool, error) {
		d, err := s.deployment(ctx)
		return err == nil && int(d.Status.ReadyReplicas) == n, err
	})
}

// assertRegistered asserts that so many pods at least are registered.
func (s *service) assertRegistered(least int) {
	s.t.Helper()
	states, err := s.states(s.ctx, awssim.ClockAPI)
	s.must(err)
	registered := 0
	for _, state := range states {
		if state != "draining" {
			registered++
		}
	}

	s.t.Logf("%d of %d running pods stayed registered", registered, s.app.Replicas)
	if registered < least {
		s.t.Errorf("%d of %d running pods are registered, want %d at least: %v", registered, s.app.Replicas, least, states)
	}
}

// assertHeld asserts that podgate says how many targets it keeps that should go.
func (s *service) assertHeld() {
	s.t.Helper()
	held, err := s.metric(s.ctx, "podgate_targets_held", []string{`namespace="` + s.app.Namespace + `"`})
	s.must(err)
	if held == 0 {
		s.t.Error("metric podgate_targets_held: no target is kept, although no pod is Ready")
	}
}

// assertRegisteredOnce asserts that podgate remembered each registration until the load
// balancer's answers showed it.
func (s *service) assertRegisteredOnce() {
	s.t.Helper()
	calls, err := s.sim.Calls(s.ctx, 0)
	s.must(err)
	times := map[string]int{}
	for _, c := range calls {
		if c.Operation != "RegisterTargets" || c.TargetGroupARN != s.lb.TargetGroupARN || c.HTTPStatus != http.StatusOK {
			continue
		}
		for _, t := range c.Targets {
			p, _ := s.owner(t.ID, c.Time)
			times[p.Name]++
		}
	}

	for pod, n := range times {
		if n > 1 {
			s.t.Errorf("pod %s was registered %d times, want once", pod, n)
		}
	}
}
