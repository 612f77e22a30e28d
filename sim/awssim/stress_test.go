// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"sync"
	"testing"
	"time"
)

// TestEverythingAtOnce is for the race detector: traffic, a rollout, faults and
// readers at the same time. Every request is still sent exactly once.
func TestEverythingAtOnce(t *testing.T) {
	cfg := instant()
	cfg.TimeScale = 100
	cfg.ALB.DrainRoutingDelay = 17 * time.Second
	e := start(t, cfg)
	backends := []*backend{serve(t, say("a")), serve(t, say("b")), serve(t, say("c"))}
	group, address := e.front(backends[0].Target)
	// 36 s at this scale: a request that a busy machine holds back is not cut off meanwhile.
	e.attribute(group, "deregistration_delay.timeout_seconds", "3600")

	if err := e.sim.ClearHealth(group, nil); err != nil {
		t.Fatal(err)
	}

	var all sync.WaitGroup
	const clients, requests = 4, 100
	bad := make(chan int, clients*requests)
	for range clients {
		all.Go(func() {
			for range requests {
				if status, _, _ := e.get(address, "/"); status != 200 {
					bad <- status
				}
			}
		})
	}

	all.Go(func() {
		for range 10 {
			for i := range backends {
				e.register(group, backends[i].Target)
				e.until("the new target is healthy", func() bool { return e.states(group)[backends[i].Target] == "healthy" })
				for j := range backends {
					if j != i {
						e.deregister(group, backends[j].Target)
					}
				}
			}
		}
	})

	all.Go(func() {
		for range 50 {
			e.fault(Fault{Operation: "GetCallerIdentity", Count: 1, Drop: true})
			e.sim.Calls(0)
			e.sim.Transitions(0)
			e.sim.Listeners()
			e.sim.Faults()
		}
		if err := e.sim.RemoveFaults(""); err != nil {
			t.Error(err)
		}
	})

	all.Wait()
	close(bad)

	for status := range bad {
		t.Errorf("a request answered %d", status)
	}

	arrived := int64(0)
	for _, b := range backends {
		arrived += b.requests.Load()
	}

	if arrived != clients*requests {
		t.Errorf("%d requests became %d at the targets' sockets", clients*requests, arrived)
	}
}
