// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"net/http"
	"time"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// logLatencies logs how long podgate took for each of its three jobs. Nothing is
// asserted: the machine may be busy.
func (s *service) logLatencies() {
	s.t.Helper()
	calls, err := s.sim.Calls(s.ctx, 0)
	s.must(err)
	transitions, err := s.transitions(s.ctx)
	s.must(err)

	var register, deregister, open []time.Duration
	measure := func(all *[]time.Duration, from, to time.Time) {
		if !from.IsZero() && !to.IsZero() {
			*all = append(*all, to.Sub(from))
		}
	}

	for _, p := range s.pods.Pods() {
		registered := s.called(calls, "RegisterTargets", p, p.Created)
		if registered.IsZero() {
			s.t.Logf("pod %s at %q: no RegisterTargets for it on record", p.Name, p.Address)
		}
		measure(&register, p.ContainersReady, registered)
		measure(&deregister, p.Terminating, s.called(calls, "DeregisterTargets", p, p.Terminating))
		measure(&open, turnedHealthy(transitions, p), p.GatesOpen)
	}

	for _, each := range []struct {
		what string
		all  []time.Duration
	}{
		{"containers ready to RegisterTargets", register},
		{"deletion to DeregisterTargets", deregister},
		{"healthy at the load balancer to gates open", open},
	} {
		s.t.Logf("%s: %d pods, median %s, slowest %s", each.what, len(each.all),
			load.Quantile(each.all, 0.5).Round(time.Millisecond), load.Quantile(each.all, 1).Round(time.Millisecond))
	}
}

// slack forgives that a watch tells of a pod a little later than podgate's own does.
const slack = time.Second

// called is when a call of an operation for a pod was first accepted after a time; zero if
// none was.
func (s *service) called(calls []awssim.Call, operation string, p env.PodHistory, after time.Time) time.Time {
	for _, c := range calls {
		if c.Operation != operation || c.HTTPStatus != http.StatusOK || c.TargetGroupARN != s.lb.TargetGroupARN || c.Time.Before(after.Add(-slack)) {
			continue
		}
		for _, t := range c.Targets {
			if t.ID == p.Address {
				return c.Time
			}
		}
	}
	return time.Time{}
}

// turnedHealthy is when a pod's target first did; zero if it did not.
func turnedHealthy(transitions []awssim.Transition, p env.PodHistory) time.Time {
	for _, t := range transitions {
		if t.Clock == awssim.ClockAPI && t.Target.ID == p.Address && t.To == "healthy" && t.Time.After(p.Created) {
			return t.Time
		}
	}
	return time.Time{}
}
