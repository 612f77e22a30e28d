// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// faultRate is the load of a test that breaks something, in requests per second.
const faultRate = 100

// drainRouting is how long the load balancer sends requests to a target after its API
// said draining, unscaled.
func (s *service) drainRouting() time.Duration {
	if s.group.Lattice {
		return 5 * time.Second
	}
	return 17 * time.Second
}

// underFault sends requests while change breaks something and until everything is as it
// should be by itself, and asserts what holds whatever breaks: no request is lost but
// those that were sent to pods deleted while AWS refused to let go of them, and those no
// longer than the load balancer takes to notice; nothing is tried again, no running
// target was deregistered and no gate opened early.
func (s *service) underFault(change func(*load.Generator)) load.Summary {
	s.t.Helper()
	sum := s.loaded(faultRate, func(g *load.Generator) {
		change(g)
		s.waitConverged()
	})
	s.assertSound(sum)
	s.assertLosses(sum)
	s.assertOnlyLeaversDeregistered()
	s.assertNoneOpenedEarly()
	return sum
}

// waitConverged waits until nothing tells any more that something was broken: the
// Deployment is complete, the binding Ready, each gate open, and the group's targets are
// the pods, healthy, without a row left over.
func (s *service) waitConverged() {
	s.t.Helper()
	s.waitComplete()
	s.waitReason("Synced")
	s.eventually("all gates to be open", func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		err := s.cluster.List(ctx, &pods, client.InNamespace(s.app.Namespace))
		return err == nil && len(pods.Items) == s.app.Replicas && !slices.ContainsFunc(pods.Items, closed), err
	})

	s.eventually("the targets to be the pods", func(ctx context.Context) (bool, error) {
		states, err := s.states(ctx, awssim.ClockAPI)
		want := map[string]string{}
		for address := range addresses(s.alive()) {
			want[address] = "healthy"
		}
		return maps.Equal(states, want), err
	})
}

// closed reports whether one of a pod's gates is.
func closed(pod corev1.Pod) bool {
	open := map[corev1.PodConditionType]bool{}
	for _, c := range pod.Status.Conditions {
		open[c.Type] = c.Status == corev1.ConditionTrue
	}
	return slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return !open[g.ConditionType] })
}

// span is a time during which AWS refuses all calls about a group; to is zero as long as
// it does.
type span struct{ from, to time.Time }

// covers reports whether a time is in the span.
func (s span) covers(at time.Time) bool {
	return !s.from.IsZero() && at.After(s.from) && (s.to.IsZero() || at.Before(s.to))
}

// loss is what was lost of the requests that were sent to a pod.
type loss struct {
	pod env.PodHistory
	// count of requests, the first and the last of which arrived at these times.
	count       int
	first, last time.Time
	// accepted is when the pod's deregistration was; zero if it was not.
	accepted time.Time
}

// assertLosses counts the requests that were lost, by pod, and asserts that those pods
// could not be let go of in time and that the load balancer noticed as soon as it does.
func (s *service) assertLosses(sum load.Summary) {
	s.t.Helper()
	lost := s.losses()
	total := 0
	for _, l := range lost {
		total += l.count
		s.assertBounded(l)
	}
	if total != sum.Failed {
		s.t.Errorf("clients lost %d requests, of which %d were sent to pods", sum.Failed, total)
	}
	s.t.Logf("lost %d of %d requests (%.2f %%), to %d of %d pods", sum.Failed, sum.Requests, 100*float64(sum.Failed)/float64(sum.Requests), len(lost), len(s.pods.Pods()))
}

// assertBounded asserts that what was lost of a pod was lost with reason.
func (s *service) assertBounded(l loss) {
	s.t.Helper()
	limit, span := s.notice(l), l.last.Sub(l.first)
	s.t.Logf("pod %s: %d requests lost in %s (at most %s), from %s after its deletion; %s", l.pod.Name, l.count,
		span.Round(time.Millisecond), limit, l.first.Sub(l.pod.Terminating).Round(time.Millisecond), l.fate())

	switch {
	case l.pod.Terminating.IsZero() || l.first.Before(l.pod.Terminating):
		s.t.Errorf("pod %s lost %d requests while it ran", l.pod.Name, l.count)
	case !s.refused.covers(l.pod.Terminating):
		s.t.Errorf("pod %s lost %d requests although nothing kept podgate from deregistering it", l.pod.Name, l.count)
	case s.inTime(l.pod, l.accepted):
		s.t.Errorf("pod %s lost %d requests although its deregistration was accepted in time", l.pod.Name, l.count)
	case span > limit:
		s.t.Errorf("pod %s lost requests for %s, longer than the load balancer takes to notice (%s)", l.pod.Name, span, limit)
	}
}

func (l loss) fate() string {
	if l.accepted.IsZero() {
		return "its deregistration was never accepted"
	}
	return fmt.Sprintf("its deregistration was accepted %s after its deletion", l.accepted.Sub(l.pod.Terminating).Round(time.Millisecond))
}

// inTime reports whether a deregistration was accepted so long before the end of a pod's
// drain that the load balancer sent nothing after it.
func (s *service) inTime(p env.PodHistory, accepted time.Time) bool {
	if accepted.IsZero() {
		return false
	}
	drained := p.Terminating.Add(time.Duration(s.app.PrestopSeconds) * time.Second)
	return !accepted.Add(s.scaled(s.drainRouting())).After(drained)
}

// notice is how long the load balancer goes on sending requests to a dead pod, by its
// health check and, since a draining target is checked no more, by the drain, and one
// interval for a machine that is busy.
func (s *service) notice(l loss) time.Duration {
	h := s.group.HealthCheck
	limit := time.Duration((h.Unhealthy+1)*h.Interval+h.Timeout) * time.Second
	if !l.accepted.IsZero() && l.accepted.Before(l.last) {
		limit += s.drainRouting()
	}
	return s.scaled(limit)
}

// scaled is a time of the load balancer by the wall.
func (w *world) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / w.timeScale)
}

// losses are those of each pod that lost requests. A request that was sent to no pod is
// an error.
func (s *service) losses() []loss {
	s.t.Helper()
	failures, err := s.sim.Failures(s.ctx, 0)
	s.must(err)
	calls, err := s.sim.Calls(s.ctx, 0)
	s.must(err)
	byPod := map[string]*loss{}
	for _, f := range failures {
		if f.TargetGroupARN != s.lb.TargetGroupARN {
			continue
		}

		p, ok := s.owner(f.Target.ID, f.Time)
		if !ok {
			s.t.Errorf("at %s a request for target %q was answered with %d: no pod had that address", f.Time.Format(clock), f.Target.ID, f.HTTPStatus)
			continue
		}

		l := byPod[p.UID]
		if l == nil {
			l = &loss{pod: p, first: f.Time, last: f.Time, accepted: s.called(calls, "DeregisterTargets", p, p.Terminating)}
			byPod[p.UID] = l
		}

		l.count++

		// They are in the order in which they ended.
		if f.Time.Before(l.first) {
			l.first = f.Time
		}

		if f.Time.After(l.last) {
			l.last = f.Time
		}
	}

	var all []loss
	for _, l := range byPod {
		all = append(all, *l)
	}

	slices.SortFunc(all, func(a, b loss) int { return a.first.Compare(b.first) })
	return all
}

// clock is the layout of times in messages.
const clock = "15:04:05.000"

// owner is the pod that had an address last at a time.
func (s *service) owner(address string, at time.Time) (env.PodHistory, bool) {
	all := pick(s.pods.Pods(), func(p env.PodHistory) bool { return p.Address == address && p.Created.Before(at) })
	if address == "" || len(all) == 0 {
		return env.PodHistory{}, false
	}
	return all[len(all)-1], true // the youngest
}

// assertOnlyLeaversDeregistered asserts that each target that was deregistered was that
// of a pod that had been deleted.
func (s *service) assertOnlyLeaversDeregistered() {
	s.t.Helper()
	calls, err := s.sim.Calls(s.ctx, 0)
	s.must(err)

	for _, c := range calls {
		if c.Operation != "DeregisterTargets" || c.TargetGroupARN != s.lb.TargetGroupARN || c.HTTPStatus != http.StatusOK {
			continue
		}
		for _, t := range c.Targets {
			p, ok := s.owner(t.ID, c.Time)
			if ok && (p.Terminating.IsZero() || p.Terminating.After(c.Time.Add(slack))) {
				s.t.Errorf("pod %s was deregistered at %s, while it ran", p.Name, c.Time.Format(clock))
			}
		}
	}
}

// assertNoneOpenedEarly asserts that no gate opened before the load balancer called the
// pod's target healthy.
func (s *service) assertNoneOpenedEarly() {
	s.t.Helper()
	transitions, err := s.transitions(s.ctx)
	s.must(err)
	for _, p := range s.pods.Pods() {
		healthy := turnedHealthy(transitions, p)
		if !p.GatesOpen.IsZero() && (healthy.IsZero() || healthy.After(p.GatesOpen)) {
			s.t.Errorf("the gate of pod %s opened at %s, its target was healthy at %s", p.Name, p.GatesOpen.Format(clock), healthy.Format(clock))
		}
	}
}

// assertOpenStayedOpen asserts that no gate closed once it was open.
func (s *service) assertOpenStayedOpen() {
	s.t.Helper()
	histories, err := s.gates.histories()
	s.must(err)
	for pod, steps := range histories {
		open := slices.IndexFunc(steps, func(g gateStep) bool { return g.Status == "True" })
		if open >= 0 && slices.ContainsFunc(steps[open:], func(g gateStep) bool { return g.Status != "True" }) {
			s.t.Errorf("the gate of pod %s closed again: %q", pod, steps)
		}
	}
}

// logUngated logs how many pods were created while the webhook could not be asked, or
// did not know their binding.
func (s *service) logUngated() {
	s.t.Helper()
	all := s.pods.Pods()
	var names []string
	for _, p := range pick(all, func(p env.PodHistory) bool { return p.Gates == 0 }) {
		names = append(names, p.Name)
	}
	s.t.Logf("%d of %d pods were created without a gate: %s", len(names), len(all), strings.Join(names, " "))
}
