// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"maps"
	"time"
)

// world is all that was created, by ARN.
type world struct {
	groups    map[string]*targetGroup
	balancers map[string]*loadBalancer
	listeners map[string]*listener
	rules     map[string]*rule
	tags      map[string]map[string]string
}

// past is a world and until when it held.
type past struct {
	until time.Time
	world world
}

// So many worlds are remembered, for as long as a call may lag.
const pastsKept = 500

// Remember begins to remember what calls that lag behind are going to see. Without it they see what is true.
func (s *Service) Remember() {
	s.clock.Lock()
	defer s.clock.Unlock()
	s.remembers = true
}

// changing returns an operation that changes the world, which is remembered as it was before.
func changing[I, O any](s *Service, op func(*Call, *I) (*O, error)) func(*Call, *I) (*O, error) {
	return func(c *Call, in *I) (*O, error) {
		if s.remembers || s.cfg.ChangeLag > 0 {
			for len(s.pasts) > 0 && (len(s.pasts) >= pastsKept || time.Since(s.pasts[0].until) > historyKept) {
				s.pasts = s.pasts[1:]
			}
			s.pasts = append(s.pasts, past{time.Now(), s.copied()})
		}
		return op(c, in)
	}
}

// describing returns an operation on the world as its call sees it, which may be that of some time ago.
func describing[I, O any](s *Service, op func(*Service, *Call, *I) (*O, error)) func(*Call, *I) (*O, error) {
	return func(c *Call, in *I) (*O, error) { return op(s.seenBy(c), c, in) }
}

// seenBy is the service as a call sees it.
func (s *Service) seenBy(c *Call) *Service {
	lag := s.clock.Scaled(max(s.cfg.ChangeLag, c.Effect.Lag))
	at := time.Now().Add(-lag)
	for _, p := range s.pasts {
		if p.until.After(at) {
			then := *s
			then.world = p.world
			return &then
		}
	}
	return s
}

// copied returns a copy of the world that no later change touches.
func (w world) copied() world {
	next := world{
		groups: map[string]*targetGroup{}, balancers: map[string]*loadBalancer{}, listeners: map[string]*listener{},
		rules: map[string]*rule{}, tags: map[string]map[string]string{},
	}

	for arn, g := range w.groups {
		twin := *g
		next.groups[arn] = &twin
	}
	for arn, b := range w.balancers {
		twin := *b
		next.balancers[arn] = &twin
	}
	for arn, l := range w.listeners {
		twin := *l
		twin.balancer = next.balancers[l.balancer.arn()]
		next.listeners[arn] = &twin
	}
	for arn, r := range w.rules {
		twin := *r
		twin.listener = next.listeners[r.listener.arn()]
		next.rules[arn] = &twin
	}
	for arn, tags := range w.tags {
		next.tags[arn] = maps.Clone(tags)
	}

	return next
}
