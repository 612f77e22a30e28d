// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/podgate/podgate/sim/awssim/datapath"
)

// class is what the data path does with a target.
type class string

const (
	classNone     class = "none"     // nothing new goes there
	classStandby  class = "standby"  // used only when the group fails open
	classRoutable class = "routable" // takes its turn
)

// route is a target as the data path sees it. It follows the API's state with
// the delays of the profile, and may outlive the row.
type route struct {
	seq     int64
	target  Target
	address string
	class   class
	next    class // where a change in progress leads
	change  int   // number of that change
	pool    *datapath.Pool
}

// follow makes the data path follow what the API now says.
func (s *Sim) follow(g *targetGroup, k Target, h Health) {
	to, delay := s.wanted(g, h)
	r := g.routes[k]
	if r == nil {
		if to == classNone {
			return
		}
		r = &route{
			seq: s.next(), target: k, address: net.JoinHostPort(s.hostOf(g, k), strconv.Itoa(k.Port)),
			class: classNone, next: classNone, pool: &datapath.Pool{},
		}
		g.routes[k] = r
	}

	if to == r.next {
		return // it is there, or on its way
	}

	r.next = to
	r.change++
	change := r.change

	if to == r.class {
		return
	}

	s.after(delay, func() {
		if r.change != change {
			return // overtaken by a later one
		}
		s.move(g, k, ClockRouting, string(r.class), string(to), h.Reason)
		r.class = to
		s.terminate(g, r, h)
		s.settle(g, k)
	})
}

// terminate resets the connections to a target that turned unhealthy behind a
// network load balancer, unless the group fails open or says otherwise (NLB
// guide, "Health checks for Network Load Balancer target groups").
func (s *Sim) terminate(g *targetGroup, r *route, h Health) {
	if g.http() || h.State != "unhealthy" || g.attributes[attrUnhealthyTermination] != "true" {
		return
	}
	for _, other := range g.routes {
		if other.class == classRoutable {
			r.pool.Cut()
			return
		}
	}
}

// wanted is the class that a state leads to, and how long that takes.
func (s *Sim) wanted(g *targetGroup, h Health) (class, time.Duration) {
	p := s.profile(g)
	if h.NoTraffic {
		return classNone, p.UnhealthyRoutingDelay
	}

	switch h.State {
	case "healthy", "unavailable":
		return classRoutable, p.RoutableDelay
	case "initial":
		return classStandby, 0
	case "unhealthy", "unhealthy.draining":
		return classStandby, p.UnhealthyRoutingDelay
	case "draining":
		return classNone, p.DrainRoutingDelay
	}

	return classNone, 0 // unused, or lost
}

// settle ends a route once nothing goes there any more and its row is gone:
// an application load balancer then closes what is still in flight, a network
// load balancer only if its group says so.
func (s *Sim) settle(g *targetGroup, k Target) {
	r := g.routes[k]
	if r == nil || g.rows[k] != nil || r.class != classNone || r.next != classNone {
		return
	}
	r.change++
	delete(g.routes, k)
	r.pool.Close()
	if g.http() || g.attributes[attrTerminateAtDelay] == "true" {
		r.pool.End()
	}
}

// pick is the target whose turn it is; nil means that there is none. With too
// few healthy targets the group fails open: all registered targets take turns.
// Behind a network load balancer a group that is empty fails open too.
func (g *targetGroup) pick() *route {
	var routable, open []*route
	for _, r := range g.routes {
		switch r.class {
		case classRoutable:
			routable = append(routable, r)
			open = append(open, r)
		case classStandby:
			open = append(open, r)
		}
	}

	minimum, err := strconv.Atoi(g.attributes[attrMinimumHealthy])
	if err != nil {
		minimum = 1
	}

	candidates := routable
	if len(routable) < minimum {
		candidates = open
	}

	if len(candidates) == 0 && !g.http() {
		candidates = slices.Collect(maps.Values(g.routes)) // draining ones, if any are left
	}

	if len(candidates) == 0 {
		return nil
	}

	slices.SortFunc(candidates, func(a, b *route) int { return cmp.Compare(a.seq, b.seq) })
	g.turn++
	return candidates[g.turn%len(candidates)]
}
