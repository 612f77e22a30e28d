// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
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

// TestLatticeEverythingAtOnce is the same behind VPC Lattice: rules change, targets come and go, and no request is lost.
func TestLatticeEverythingAtOnce(t *testing.T) {
	cfg := instantLattice()
	cfg.TimeScale = 100
	cfg.Lattice.Timing = DefaultLattice()
	cfg.Lattice.DrainDelay = time.Hour // at this scale 36 s: a busy machine holds requests back
	e := start(t, cfg)
	backends := []*backend{serve(t, say("a")), serve(t, say("b")), serve(t, say("c"))}
	group := e.latticeGroup("web")
	service, listener := e.latticeServed(toGroups(weigh(group.Id, 1)))
	name, address := *service.DnsEntry.DomainName, e.latticeAddress(80)
	routable := func(target Target) bool {
		for _, move := range e.sim.Transitions(0) {
			if move.Target == target && move.To == "routable" {
				return true
			}
		}
		return false
	}
	e.latticeRegister(group.Id, backends[0].Target)
	e.until("the first target takes requests", func() bool { return routable(backends[0].Target) })

	var all sync.WaitGroup
	const clients, requests = 4, 100
	bad := make(chan int, clients*requests)
	for range clients {
		all.Go(func() {
			for range requests {
				if status, _, _ := e.get(address, "/", host(name)); status != 200 {
					bad <- status
				}
			}
		})
	}

	all.Go(func() {
		for i := 1; i < len(backends); i++ {
			e.latticeRegister(group.Id, backends[i].Target)
			e.until("the new target takes requests", func() bool { return routable(backends[i].Target) })
			e.latticeDeregister(group.Id, backends[i-1].Target)
		}
	})

	all.Go(func() {
		for range 20 {
			rule := does(e, e.lattice.CreateRule)(&vpclattice.CreateRuleInput{
				ServiceIdentifier: service.Id, ListenerIdentifier: listener, Name: aws.String("other"), Priority: aws.Int32(1), Match: pathPrefix("/other"), Action: answerWith(404),
			})
			e.sim.ServiceNetworks()
			does(e, e.lattice.ListTargets)(&vpclattice.ListTargetsInput{TargetGroupIdentifier: group.Id})
			does(e, e.lattice.DeleteRule)(&vpclattice.DeleteRuleInput{ServiceIdentifier: service.Id, ListenerIdentifier: listener, RuleIdentifier: rule.Id})
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
