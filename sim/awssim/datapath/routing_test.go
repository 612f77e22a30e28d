// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
)

// group is a target group as a test wants it.
type group struct {
	routing    Routing
	registered map[faults.Target]bool
}

func (*group) ARN() string                       { return "arn" }
func (g *group) Routing() Routing                { return g.routing }
func (*group) Host(t faults.Target) string       { return t.ID }
func (g *group) Registered(t faults.Target) bool { return g.registered[t] }

// world is the data path of one group, in a bubble of fake time.
type world struct {
	*testing.T
	*group
	*Routes
	clock *clock.Clock
}

var one, two = faults.Target{ID: "10.0.0.1", Port: 80}, faults.Target{ID: "10.0.0.2", Port: 80}

func inBubble(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(1)
		p := New(Config{NoDataPath: true}, c, &faults.Record{}, logr.Discard())
		g := &group{registered: map[faults.Target]bool{one: true, two: true}, routing: Routing{
			HTTP: true, MinimumHealthy: 1, Delays: &health.Profile{RoutableDelay: time.Second, UnhealthyRoutingDelay: 2 * time.Second, DrainRoutingDelay: 17 * time.Second},
		}}

		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, p.End) }()
		synctest.Wait()
		test(&world{T: t, group: g, Routes: p.Add(g), clock: c})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// say has the API say something of a target.
func (w *world) say(k faults.Target, state string) {
	w.clock.Lock()
	defer w.clock.Unlock()
	w.Follow(k, health.Health{State: state})
}

// deregistered takes a target's registration away.
func (w *world) deregistered(k faults.Target) {
	w.clock.Lock()
	defer w.clock.Unlock()
	delete(w.registered, k)
	w.Follow(k, health.Health{})
	w.Settle(k)
}

// wait lets time pass; a little more, so that what is due has happened.
func (w *world) wait(d time.Duration) {
	time.Sleep(d + time.Millisecond)
	synctest.Wait()
}

// want compares the targets that four connections in a row go to, each named once.
func (w *world) want(reason string, want ...string) {
	w.Helper()
	w.clock.Lock()
	defer w.clock.Unlock()

	got := map[string]bool{}
	for range 4 {
		if r := w.pick(); r != nil {
			got[r.target.ID] = true
		}
	}

	all := map[string]bool{}
	for _, id := range want {
		all[id] = true
	}

	if diff := cmp.Diff(all, got); diff != "" {
		w.Errorf("%s: -want, +got:\n%s", reason, diff)
	}
}

// TestRoutingFollows: the data path follows what the API says, with the delays of the group's load balancer.
func TestRoutingFollows(t *testing.T) {
	inBubble(t, func(w *world) {
		w.want("nothing is registered")

		w.say(one, "healthy")
		w.say(two, "healthy")
		w.want("the API says healthy, and the data path has not followed yet")
		w.wait(time.Second)
		w.want("both are routable", one.ID, two.ID)

		w.say(two, "unhealthy")
		w.want("requests still go to a target that just turned unhealthy", one.ID, two.ID)
		w.wait(2 * time.Second)
		w.want("they do not any more", one.ID)

		w.say(two, "healthy")
		w.wait(time.Second)
		w.say(one, "draining")
		w.wait(16 * time.Second)
		w.want("requests go on to a draining target", one.ID, two.ID)
		w.wait(time.Second)
		w.want("until the data path has followed", two.ID)
	})
}

// TestRoutingOfWhatIsOvertaken: a change that is still on its way does not come when the API says otherwise.
func TestRoutingOfWhatIsOvertaken(t *testing.T) {
	inBubble(t, func(w *world) {
		w.say(one, "healthy")
		w.wait(time.Second)
		w.say(one, "draining")
		w.wait(10 * time.Second)
		w.say(one, "healthy")
		w.wait(time.Minute)
		w.want("it was registered again while it drained", one.ID)
	})
}

// TestFailsOpen: with too few healthy targets all registered ones take their turns.
func TestFailsOpen(t *testing.T) {
	inBubble(t, func(w *world) {
		w.say(one, "healthy")
		w.say(two, "unhealthy")
		w.wait(2 * time.Second)
		w.want("one healthy target is enough", one.ID)

		w.routing.MinimumHealthy = 2
		w.want("one is too few", one.ID, two.ID)
	})
}

// TestRoutesOutliveRegistrations: behind a network load balancer, whose deregistration can be over long before its
// data path has followed, new connections still go to a target that the API no longer shows.
func TestRoutesOutliveRegistrations(t *testing.T) {
	inBubble(t, func(w *world) {
		w.routing.HTTP = false
		w.say(one, "healthy")
		w.wait(time.Second)
		w.say(one, "draining")
		w.deregistered(one)
		w.wait(16 * time.Second)
		w.want("the API no longer shows it", one.ID)
		w.wait(time.Second)
		w.want("the data path has followed")

		w.clock.Lock()
		defer w.clock.Unlock()
		if len(w.routes) != 0 {
			t.Errorf("%d routes are kept of targets that are gone", len(w.routes))
		}
	})
}
