// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Health is what the API says of one target.
type Health struct {
	// State is one of the service's: initial, healthy, unhealthy,
	// unhealthy.draining, unused, draining, unavailable.
	State string `json:"state"`
	// Reason and Description are empty only for a healthy target.
	Reason      string `json:"reason,omitempty"`
	Description string `json:"description,omitempty"`
	// NoTraffic is a zonal shift: the API says it in AdministrativeOverride
	// and the data path routes nothing there.
	NoTraffic bool `json:"noTraffic,omitempty"`

	zone *string
}

// row is a target in a group as the API shows it.
type row struct {
	key      Target
	seq      int64
	zone     *string
	health   Health
	draining bool
	passes   int // in a row
	fails    int
	outcome  int  // next of a script's
	checked  bool // its registration is over
	life     int  // what was begun in an earlier one has been overtaken
}

// healthAt is what the API said from a time on; an empty state is a row gone.
type healthAt struct {
	at     time.Time
	seq    int64 // of the row's registration
	health Health
}

// historyKept is how long ago a describe may lag.
const historyKept = 10 * time.Minute

// healthAt is what the API said of a target at a time; false: it had no row.
func (g *targetGroup) healthAt(k Target, at time.Time) (Health, bool) {
	list := g.history[k]
	for i := len(list) - 1; i >= 0; i-- {
		if !list[i].at.After(at) {
			return list[i].health, list[i].health.State != ""
		}
	}
	return Health{}, false
}

// remember appends to the history of a target and forgets what is too old.
func (g *targetGroup) remember(r *row, h Health) {
	now := time.Now()
	list := g.history[r.key]
	list = append(list, healthAt{at: now, seq: r.seq, health: h})
	for len(list) > 1 && now.Sub(list[1].at) > historyKept {
		list = list[1:]
	}
	g.history[r.key] = list
}

// forget drops the histories of targets that are long gone.
func (g *targetGroup) forget() {
	for k, list := range g.history {
		if last := list[len(list)-1]; last.health.State == "" && time.Since(last.at) > historyKept {
			delete(g.history, k)
		}
	}
}

// add registers a target that is absent or draining.
func (s *Sim) add(g *targetGroup, k Target, zone *string) {
	r := &row{key: k, seq: s.next(), zone: zone}
	if old := g.rows[k]; old != nil {
		old.life++
		r.health = old.health
	}
	g.rows[k] = r
	s.restart(g, r)
}

// restart begins a row's life, or begins it again after its group came into
// use, or its checks were switched on, or its script went away.
func (s *Sim) restart(g *targetGroup, r *row) {
	if r.draining {
		return
	}

	r.life++
	life := r.life
	r.passes, r.fails, r.outcome = 0, 0, 0
	if script := g.scriptFor(r.key); script != nil && script.State != "" {
		s.setHealth(g, r, script.health())
		return
	}

	if !g.inUse {
		s.setHealth(g, r, defaultHealth("unused", "Target.NotInUse"))
		return
	}

	if g.view.TargetType == types.TargetTypeEnumInstance && s.instances[r.key.ID] == "" {
		s.setHealth(g, r, defaultHealth("unused", "Target.InvalidState"))
		return
	}

	delay := time.Duration(0)
	if !r.checked {
		s.setHealth(g, r, defaultHealth("initial", "Elb.RegistrationInProgress"))
		delay = s.profile(g).RegistrationDelay
	}

	s.after(delay, func() {
		if r.life != life {
			return
		}
		r.checked = true
		if !*g.view.HealthCheckEnabled {
			s.setHealth(g, r, defaultHealth("unavailable", "Target.HealthCheckDisabled"))
			return
		}
		s.setHealth(g, r, defaultHealth("initial", "Elb.InitialHealthChecking"))
		s.spawn(func() { s.check(g, r, life) })
	})
}

// check checks a target's health for as long as that life of its lasts.
func (s *Sim) check(g *targetGroup, r *row, life int) {
	for {
		s.mu.Lock()
		if r.life != life {
			s.mu.Unlock()
			return
		}

		p := s.probe(g, r)
		interval := time.Duration(*g.view.HealthCheckIntervalSeconds) * time.Second
		s.mu.Unlock()

		began := time.Now()
		failure := p.run(s.base)

		s.mu.Lock()

		if r.life == life && s.base.Err() == nil {
			s.judge(g, r, failure)
		}

		s.mu.Unlock()

		// How long a target takes to answer does not move the next check.
		if !s.sleep(s.base, s.scaled(interval)-time.Since(began)) {
			return
		}
	}
}

// judge takes the outcome of one check, nil being a passed one, into account.
func (s *Sim) judge(g *targetGroup, r *row, failure *Health) {
	if failure == nil {
		r.passes, r.fails = r.passes+1, 0
		if r.passes >= s.passesWanted(g, r) {
			s.setHealth(g, r, Health{State: "healthy"})
		}
		return
	}

	r.passes, r.fails = 0, r.fails+1
	switch {
	case r.health.State == "unhealthy":
		s.setHealth(g, r, *failure)
	case r.health.State != "unhealthy.draining" && r.fails >= int(*g.view.UnhealthyThresholdCount):
		s.fail(g, r, *failure)
	}
}

// passesWanted is how many checks in a row make r healthy. The healthy
// threshold is for a target that was unhealthy; a new one has its own number.
func (s *Sim) passesWanted(g *targetGroup, r *row) int {
	if first := s.profile(g).InitialHealthyChecks; r.health.State == "initial" && first > 0 {
		return first
	}
	return int(*g.view.HealthyThresholdCount)
}

// fail turns a target unhealthy; behind a network load balancer that lets
// connections live on, by way of unhealthy.draining.
func (s *Sim) fail(g *targetGroup, r *row, failure Health) {
	interval := seconds(g.attributes, attrUnhealthyDraining)
	if g.http() || g.attributes[attrUnhealthyTermination] != "false" || interval == 0 {
		s.setHealth(g, r, failure)
		return
	}

	draining := failure
	draining.State = "unhealthy.draining"
	s.setHealth(g, r, draining)
	life := r.life
	s.after(interval, func() {
		if r.life == life && r.health.State == "unhealthy.draining" {
			s.setHealth(g, r, failure)
		}
	})
}

// drain deregisters a target: the row stays until the deregistration delay is
// over, whatever is in flight. A group that no load balancer uses has nothing
// to drain, and the row goes at once.
func (s *Sim) drain(g *targetGroup, r *row) {
	r.life++
	life := r.life
	delay := seconds(g.attributes, attrDeregistrationDelay)
	draining := defaultHealth("draining", "Target.DeregistrationInProgress")
	if g.inUse {
		s.follow(g, r.key, draining) // at its own pace, also when the row goes at once
	}

	if !g.inUse || delay == 0 {
		s.remove(g, r, "Target.NotRegistered")
		return
	}

	r.draining = true
	s.setHealth(g, r, draining)
	s.after(delay, func() {
		if r.life == life {
			s.remove(g, r, "Target.NotRegistered")
		}
	})
}

// remove takes a row away.
func (s *Sim) remove(g *targetGroup, r *row, reason string) {
	r.life++
	delete(g.rows, r.key)
	g.remember(r, Health{})
	g.forget()
	s.move(g, r.key, ClockAPI, r.health.State, "absent", reason)
	s.follow(g, r.key, Health{})
	s.settle(g, r.key)
}

// setHealth changes what the API says of a target, and lets the data path
// follow at its own pace.
func (s *Sim) setHealth(g *targetGroup, r *row, h Health) {
	h.zone = r.zone
	if r.health == h {
		return
	}

	from := r.health.State
	if from == "" {
		from = "absent"
	}

	if r.health.State != h.State || r.health.Reason != h.Reason {
		s.move(g, r.key, ClockAPI, from, h.State, h.Reason)
	}

	r.health = h
	g.remember(r, h)
	s.follow(g, r.key, h)
}

func (s *Sim) move(g *targetGroup, k Target, clock, from, to, reason string) {
	s.record.AddTransition(Transition{Time: time.Now(), TargetGroupARN: g.arn(), Target: k, Clock: clock, From: from, To: to, Reason: reason})
}
