// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
)

// States of a target.
const (
	initial     = "INITIAL"
	healthy     = "HEALTHY"
	unhealthy   = "UNHEALTHY"
	unused      = "UNUSED"
	unavailable = "UNAVAILABLE"
	draining    = "DRAINING"
)

// checkFailed is the reason of an unhealthy target (AWS CLI reference, list-targets).
const checkFailed = "HealthCheckFailed"

// registration is a target in a group as the API shows it.
type registration struct {
	key      faults.Target
	seq      int64
	status   string
	reason   string
	draining bool
	passes   int // in a row
	fails    int
	outcome  int  // next of a script's
	checked  bool // its registration is over
	life     int  // what was begun in an earlier one has been overtaken
}

// add registers a target that is absent or draining.
func (s *Service) add(g *targetGroup, k faults.Target) {
	s.seq++
	r := &registration{key: k, seq: s.seq}
	if old := g.registrations[k]; old != nil {
		old.life++
		r.status, r.reason = old.status, old.reason
	}
	g.registrations[k] = r
	s.restart(g, r)
}

func (s *Service) restartAll(g *targetGroup) {
	for _, r := range g.registrations {
		s.restart(g, r)
	}
}

// restart begins a registration's life, or begins it again after its group came into or out of use, or its checks were
// switched, or its script went away.
func (s *Service) restart(g *targetGroup, r *registration) {
	if r.draining {
		return
	}

	r.life++
	life := r.life
	r.passes, r.fails, r.outcome = 0, 0, 0
	if script := g.scripts.For(r.key); script != nil && script.State != "" {
		s.set(g, r, strings.ToUpper(script.State), script.Reason)
		return
	}

	if !g.used {
		s.set(g, r, unused, "")
		return
	}

	delay := time.Duration(0)
	if !r.checked {
		s.set(g, r, initial, "")
		delay = s.cfg.Timing.RegistrationDelay
	}

	s.clock.After(delay, func() {
		if r.life != life {
			return
		}
		r.checked = true
		if !g.config.HealthCheck.on() {
			s.set(g, r, unavailable, "")
			return
		}
		s.set(g, r, initial, "")
		s.clock.Go(func() { s.check(g, r, life) })
	})
}

// check checks a target's health for as long as that life of its lasts.
func (s *Service) check(g *targetGroup, r *registration, life int) {
	next := func() (p datapath.Probe, interval time.Duration, goes bool) {
		if r.life != life {
			return p, 0, false
		}
		return s.probe(g, r), time.Duration(*g.config.HealthCheck.HealthCheckIntervalSeconds) * time.Second, true
	}

	datapath.Check(s.clock, next, func(failure *health.Health) {
		if r.life == life {
			s.judge(g, r, failure == nil)
		}
	})
}

// judge takes the outcome of one check into account. The healthy threshold is for a target that was unhealthy; a new
// one has its own number.
func (s *Service) judge(g *targetGroup, r *registration, passed bool) {
	if !passed {
		r.passes, r.fails = 0, r.fails+1
		if r.fails >= *g.config.HealthCheck.UnhealthyThresholdCount {
			s.set(g, r, unhealthy, checkFailed)
		}
		return
	}

	r.passes, r.fails = r.passes+1, 0
	wanted := *g.config.HealthCheck.HealthyThresholdCount
	if r.status == initial {
		wanted = cmp.Or(s.cfg.Timing.InitialHealthyChecks, wanted)
	}
	if r.passes >= wanted {
		s.set(g, r, healthy, "")
	}
}

// drain deregisters a target: it is shown until the drain is over, whatever is in flight. A target that nothing uses
// leaves at once.
func (s *Service) drain(g *targetGroup, r *registration) {
	r.life++
	life := r.life
	if !g.used || r.status == unused {
		s.remove(g, r, "")
		return
	}

	r.draining = true
	s.set(g, r, draining, "")
	s.clock.After(s.cfg.DrainDelay, func() {
		if r.life == life {
			s.remove(g, r, "")
		}
	})
}

// remove ends a registration.
func (s *Service) remove(g *targetGroup, r *registration, reason string) {
	r.life++
	delete(g.registrations, r.key)
	g.remember(r, "", "")
	g.forget()
	s.move(g, r.key, r.status, "absent", reason)
	g.routes.Follow(r.key, health.Health{})
	g.routes.Settle(r.key)
}

// set changes what the API says of a target, and lets the data path follow at its own pace.
func (s *Service) set(g *targetGroup, r *registration, status, reason string) {
	if r.status == status && r.reason == reason {
		return
	}
	s.move(g, r.key, cmp.Or(r.status, "absent"), status, reason)
	r.status, r.reason = status, reason
	g.remember(r, status, reason)
	g.routes.Follow(r.key, health.Health{State: strings.ToLower(status), Reason: reason})
}

func (s *Service) move(g *targetGroup, k faults.Target, from, to, reason string) {
	s.record.AddTransition(faults.Transition{Time: time.Now(), TargetGroupARN: g.arn, Target: k, Clock: faults.ClockAPI, From: from, To: to, Reason: reason})
}

// probe returns what the next check of r is.
func (s *Service) probe(g *targetGroup, r *registration) datapath.Probe {
	check := g.config.HealthCheck
	port := r.key.Port
	if check.Port != nil {
		port = *check.Port
	}

	p := datapath.Probe{
		Protocol: "HTTP",
		Address:  net.JoinHostPort(r.key.ID, strconv.Itoa(port)),
		Path:     *check.Path,
		Matcher:  *check.Matcher.HTTPCode,
		Timeout:  s.clock.SocketTimeout(time.Duration(*check.HealthCheckTimeoutSeconds) * time.Second),
	}
	if *check.Protocol == "HTTPS" {
		p.Protocol = "HTTPS"
	}

	p.Outcome, r.outcome = g.scripts.For(r.key).Next(r.outcome)
	return p
}
