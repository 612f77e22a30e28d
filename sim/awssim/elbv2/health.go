// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"net"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
)

// registration is a target in a group as the API shows it.
type registration struct {
	key      faults.Target
	seq      int64
	zone     *string
	shown    shown
	draining bool
	passes   int // in a row
	fails    int
	outcome  int  // next of a script's
	checked  bool // its registration is over
	life     int  // what was begun in an earlier one has been overtaken
}

// shown is what the API shows of a target.
type shown struct {
	health.Health
	zone *string
}

// healthAt is what the API said from a time on; an empty state is one that ended.
type healthAt struct {
	at  time.Time
	seq int64 // of the registration
	shown
}

// historyKept is how long ago a describe may lag.
const historyKept = 10 * time.Minute

// healthAt is what the API said of a target at a time; false: it was not registered.
func (g *targetGroup) healthAt(k faults.Target, at time.Time) (shown, bool) {
	list := g.history[k]
	for i := len(list) - 1; i >= 0; i-- {
		if !list[i].at.After(at) {
			return list[i].shown, list[i].State != ""
		}
	}
	return shown{}, false
}

// remember appends to the history of a target and forgets what is too old.
func (g *targetGroup) remember(r *registration, h shown) {
	now := time.Now()
	list := g.history[r.key]
	list = append(list, healthAt{at: now, seq: r.seq, shown: h})
	for len(list) > 1 && now.Sub(list[1].at) > historyKept {
		list = list[1:]
	}
	g.history[r.key] = list
}

// forget drops the histories of targets that are long gone.
func (g *targetGroup) forget() {
	for k, list := range g.history {
		if last := list[len(list)-1]; last.State == "" && time.Since(last.at) > historyKept {
			delete(g.history, k)
		}
	}
}

// add registers a target that is absent or draining.
func (s *Service) add(g *targetGroup, k faults.Target, zone *string) {
	r := &registration{key: k, seq: s.next(), zone: zone}
	if old := g.registrations[k]; old != nil {
		old.life++
		r.shown = old.shown
	}
	g.registrations[k] = r
	s.restart(g, r)
}

// restart begins a registration's life, or begins it again after its group came into
// use, or its checks were switched on, or its script went away.
func (s *Service) restart(g *targetGroup, r *registration) {
	if r.draining {
		return
	}

	r.life++
	life := r.life
	r.passes, r.fails, r.outcome = 0, 0, 0
	if script := g.scripts.For(r.key); script != nil && script.State != "" {
		s.setHealth(g, r, script.Health())
		return
	}

	if !g.inUse {
		s.setHealth(g, r, health.Of("unused", "Target.NotInUse"))
		return
	}

	if g.view.TargetType == types.TargetTypeEnumInstance && s.instances[r.key.ID] == "" {
		s.setHealth(g, r, health.Of("unused", "Target.InvalidState"))
		return
	}

	delay := time.Duration(0)
	if !r.checked {
		s.setHealth(g, r, health.Of("initial", "Elb.RegistrationInProgress"))
		delay = s.profile(g).RegistrationDelay
	}

	s.clock.After(delay, func() {
		if r.life != life {
			return
		}
		r.checked = true
		if !*g.view.HealthCheckEnabled {
			s.setHealth(g, r, health.Of("unavailable", "Target.HealthCheckDisabled"))
			return
		}
		s.setHealth(g, r, health.Of("initial", "Elb.InitialHealthChecking"))
		s.clock.Go(func() { s.check(g, r, life) })
	})
}

// check checks a target's health for as long as that life of its lasts.
func (s *Service) check(g *targetGroup, r *registration, life int) {
	next := func() (p datapath.Probe, interval time.Duration, goes bool) {
		if r.life != life {
			return p, 0, false
		}
		return s.probe(g, r), time.Duration(*g.view.HealthCheckIntervalSeconds) * time.Second, true
	}

	datapath.Check(s.clock, next, func(failure *health.Health) {
		if r.life == life {
			s.judge(g, r, failure)
		}
	})
}

// judge takes the outcome of one check, nil being a passed one, into account.
func (s *Service) judge(g *targetGroup, r *registration, failure *health.Health) {
	if failure == nil {
		r.passes, r.fails = r.passes+1, 0
		if r.passes >= s.passesWanted(g, r) {
			s.setHealth(g, r, health.Health{State: "healthy"})
		}
		return
	}

	r.passes, r.fails = 0, r.fails+1
	switch {
	case r.shown.State == "unhealthy":
		s.setHealth(g, r, *failure)
	case r.shown.State != "unhealthy.draining" && r.fails >= int(*g.view.UnhealthyThresholdCount):
		s.fail(g, r, *failure)
	}
}

// passesWanted is how many checks in a row make r healthy. The healthy
// threshold is for a target that was unhealthy; a new one has its own number.
func (s *Service) passesWanted(g *targetGroup, r *registration) int {
	if first := s.profile(g).InitialHealthyChecks; r.shown.State == "initial" && first > 0 {
		return first
	}
	return int(*g.view.HealthyThresholdCount)
}

// fail turns a target unhealthy; behind a network load balancer that lets
// connections live on, by way of unhealthy.draining.
func (s *Service) fail(g *targetGroup, r *registration, failure health.Health) {
	interval := seconds(g.attributes, attrUnhealthyDraining)
	if g.http() || g.attributes[attrUnhealthyTermination] != "false" || interval == 0 {
		s.setHealth(g, r, failure)
		return
	}

	draining := failure
	draining.State = "unhealthy.draining"
	s.setHealth(g, r, draining)
	life := r.life
	s.clock.After(interval, func() {
		if r.life == life && r.shown.State == "unhealthy.draining" {
			s.setHealth(g, r, failure)
		}
	})
}

// drain deregisters a target: it is shown until the deregistration delay is
// over, whatever is in flight. A group that no load balancer uses has nothing
// to drain, and the registration ends at once.
func (s *Service) drain(g *targetGroup, r *registration) {
	r.life++
	life := r.life
	delay := seconds(g.attributes, attrDeregistrationDelay)
	draining := health.Of("draining", "Target.DeregistrationInProgress")
	if g.inUse {
		g.routes.Follow(r.key, draining) // at its own pace, also when the registration ends at once
	}

	if !g.inUse || delay == 0 {
		s.remove(g, r, "Target.NotRegistered")
		return
	}

	r.draining = true
	s.setHealth(g, r, draining)
	s.clock.After(delay, func() {
		if r.life == life {
			s.remove(g, r, "Target.NotRegistered")
		}
	})
}

// remove ends a registration.
func (s *Service) remove(g *targetGroup, r *registration, reason string) {
	r.life++
	delete(g.registrations, r.key)
	g.remember(r, shown{})
	g.forget()
	s.move(g, r.key, r.shown.State, "absent", reason)
	g.routes.Follow(r.key, health.Health{})
	g.routes.Settle(r.key)
}

// setHealth changes what the API says of a target, and lets the data path
// follow at its own pace.
func (s *Service) setHealth(g *targetGroup, r *registration, h health.Health) {
	now := shown{Health: h, zone: r.zone}
	if r.shown == now {
		return
	}

	from := r.shown.State
	if from == "" {
		from = "absent"
	}

	if r.shown.State != h.State || r.shown.Reason != h.Reason {
		s.move(g, r.key, from, h.State, h.Reason)
	}

	r.shown = now
	g.remember(r, now)
	g.routes.Follow(r.key, h)
}

func (s *Service) move(g *targetGroup, k faults.Target, from, to, reason string) {
	s.record.AddTransition(faults.Transition{Time: time.Now(), TargetGroupARN: g.arn(), Target: k, Clock: faults.ClockAPI, From: from, To: to, Reason: reason})
}

// probe returns what the next check of r is. It needs the lock.
func (s *Service) probe(g *targetGroup, r *registration) datapath.Probe {
	p := datapath.Probe{
		Protocol: g.view.HealthCheckProtocol,
		Timeout:  s.clock.SocketTimeout(time.Duration(*g.view.HealthCheckTimeoutSeconds) * time.Second),
		Network:  !g.http(),
	}
	if g.view.HealthCheckPath != nil {
		p.Path = *g.view.HealthCheckPath
	}

	if g.view.Matcher != nil {
		p.Matcher = *g.view.Matcher.HttpCode
	}

	port := strconv.Itoa(r.key.Port)
	if own := g.view.HealthCheckPort; own != nil && *own != "traffic-port" {
		port = *own
	}

	p.Address = net.JoinHostPort(s.hostOf(g, r.key), port)
	p.Outcome, r.outcome = g.scripts.For(r.key).Next(r.outcome)
	return p
}
