// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
)

// TargetGroup is what the data path reads of a target group. Its methods are called with the clock's lock.
type TargetGroup interface {
	ARN() string
	// Routing returns how the group is routed to now.
	Routing() Routing
	// Host returns the address of a target, without its port.
	Host(faults.Target) string
	// Registered reports whether the API still shows a target.
	Registered(faults.Target) bool
}

// Routing is how a target group is routed to.
type Routing struct {
	// HTTP is true of groups that belong behind an application load balancer, TLS of those whose targets are spoken
	// to in TLS, and Lambda of those whose targets are functions.
	HTTP, TLS, Lambda bool
	// Delays are those of the group's load balancer.
	Delays *health.Profile
	// MinimumHealthy is how few routable targets make the group fail open.
	MinimumHealthy int
	// TerminateUnhealthy resets connections to targets that turn unhealthy, TerminateDeregistered those to targets
	// whose deregistration is over.
	TerminateUnhealthy, TerminateDeregistered bool
	// Finish lets requests under way end by themselves once the target is gone.
	Finish bool
}

// class is what the data path does with a target.
type class string

const (
	classNone     class = "none"     // nothing new goes there
	classStandby  class = "standby"  // used only when the group fails open
	classRoutable class = "routable" // takes its turn
)

// Routes are the targets of a group as the data path sees them.
type Routes struct {
	path   *Path
	group  TargetGroup
	routes map[faults.Target]*route
	turn   int // round robin
}

// route is one of them. It follows the API's state with the delays of the
// profile, and may outlive the target's registration.
type route struct {
	seq     int64
	target  faults.Target
	address string
	class   class
	next    class // where a change in progress leads
	change  int   // number of that change
	pool    *pool
}

// Add makes a target group known to the data path.
func (p *Path) Add(g TargetGroup) *Routes {
	r := &Routes{path: p, group: g, routes: map[faults.Target]*route{}}
	p.groups[g.ARN()] = r
	return r
}

// Remove ends the routing to a group.
func (p *Path) Remove(arn string) { delete(p.groups, arn) }

// Follow makes the data path follow what the API now says of a target, at its own pace.
func (g *Routes) Follow(k faults.Target, h health.Health) {
	to, delay := wanted(g.group.Routing().Delays, h)
	r := g.routes[k]
	if r == nil {
		if to == classNone {
			return
		}
		r = g.begin(k)
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

	g.path.clock.After(delay, func() {
		if r.change != change {
			return // overtaken by a later one
		}

		g.path.record.AddTransition(faults.Transition{
			Time: time.Now(), TargetGroupARN: g.group.ARN(), Target: k, Clock: faults.ClockRouting, From: string(r.class), To: string(to), Reason: h.Reason,
		})
		r.class = to
		g.terminate(r, h)
		g.Settle(k)
	})
}

// begin adds a route to which nothing goes yet.
func (g *Routes) begin(k faults.Target) *route {
	g.path.seq++
	r := &route{
		seq: g.path.seq, target: k, address: net.JoinHostPort(g.group.Host(k), strconv.Itoa(k.Port)),
		class: classNone, next: classNone, pool: &pool{},
	}
	g.routes[k] = r
	return r
}

// terminate resets the connections to a target that turned unhealthy behind a
// network load balancer, unless the group fails open or says otherwise (NLB
// guide, "Health checks for Network Load Balancer target groups").
func (g *Routes) terminate(r *route, h health.Health) {
	routing := g.group.Routing()
	if routing.HTTP || h.State != "unhealthy" || !routing.TerminateUnhealthy {
		return
	}

	for _, other := range g.routes {
		if other.class == classRoutable {
			r.pool.cut()
			return
		}
	}
}

// wanted is the class that a state leads to, and how long that takes.
func wanted(p *health.Profile, h health.Health) (class, time.Duration) {
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

// Settle ends a route once nothing goes there any more and the target is no longer registered:
// an application load balancer then closes what is still in flight, a network
// load balancer only if its group says so.
func (g *Routes) Settle(k faults.Target) {
	r := g.routes[k]
	if r == nil || g.group.Registered(k) || r.class != classNone || r.next != classNone {
		return
	}

	r.change++
	delete(g.routes, k)
	r.pool.close()
	if routing := g.group.Routing(); !routing.Finish && (routing.HTTP || routing.TerminateDeregistered) {
		r.pool.end()
	}
}

// Kept is how many connections to a target lie idle, and how many of them its other end has closed.
func (g *Routes) Kept(k faults.Target) (idle, closed int) {
	if r := g.routes[k]; r != nil {
		return r.pool.idling()
	}
	return 0, 0
}

// pick is the target whose turn it is; nil means that there is none. With too
// few healthy targets the group fails open: all registered targets take turns.
// Behind a network load balancer a group that is empty fails open too.
func (g *Routes) pick() *route {
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

	routing := g.group.Routing()
	candidates := routable
	if len(routable) < routing.MinimumHealthy {
		candidates = open
	}

	if len(candidates) == 0 && !routing.HTTP {
		candidates = slices.Collect(maps.Values(g.routes)) // draining ones, if any are left
	}

	if len(candidates) == 0 {
		return nil
	}

	slices.SortFunc(candidates, func(a, b *route) int { return cmp.Compare(a.seq, b.seq) })
	g.turn++
	return candidates[g.turn%len(candidates)]
}
