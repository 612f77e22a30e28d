// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drivers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
	"github.com/podgate/podgate/internal/balancer/meter"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/gate"
)

// toyKind names a load balancer that nothing else in podgate has heard of.
const toyKind balancer.Kind = "toy"

// toy is the smallest load balancer: groups in memory, whose targets are healthy as soon as they answer.
type toy struct {
	mu sync.Mutex
	// groups holds the targets of each group, by its name.
	groups  map[string]map[gate.Target]bool
	answers map[gate.Target]bool
	fault   balancertest.Fault
}

func newToy() *toy {
	return &toy{groups: map[string]map[gate.Target]bool{}, answers: map[gate.Target]bool{}}
}

// driver is what a driver's folder has: who makes the calls, and the traits.
func (y *toy) driver() balancer.Driver {
	return balancer.Driver{Kind: toyKind, Provider: y, Traits: balancer.Traits{
		Immediate: true,
		Limits:    balancer.Limits{DescribeRate: 1000, DescribeBurst: 1000, ChangeRate: 1000, ChangeBurst: 1000},
		Account:   func(balancer.Ref) string { return "toy" },
	}}
}

// call makes a call of the load balancer's API, with its group; mu is held while do runs.
func (y *toy) call(ctx context.Context, ref balancer.Ref, do func(map[gate.Target]bool) error) error {
	y.mu.Lock()
	fault := y.fault
	y.mu.Unlock()

	switch fault {
	case balancertest.Throttled:
		return fmt.Errorf("%w: later", balancer.ErrThrottled)
	case balancertest.Denied:
		return fmt.Errorf("%w: not you", balancer.ErrDenied)
	case balancertest.Down, balancertest.CutOff:
		return errors.New("no whole answer")
	case balancertest.Hanging:
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}

	y.mu.Lock()
	defer y.mu.Unlock()
	group, found := y.groups[ref.Group]
	if !found {
		return fmt.Errorf("%w: %s", balancer.ErrNotFound, ref.Group)
	}
	return do(group)
}

// Health implements balancer.Reporter.
func (y *toy) Health(ctx context.Context, of balancer.Group) (map[gate.Target]gate.Health, error) {
	var all map[gate.Target]gate.Health
	err := y.call(ctx, of.Ref, func(group map[gate.Target]bool) error {
		all = map[gate.Target]gate.Health{}
		for t := range group {
			all[t] = gate.Health{State: gate.Unhealthy, Reason: "Toy.NoAnswer", Description: "The target does not answer."}
			if y.answers[t] {
				all[t] = gate.Health{State: gate.Healthy}
			}
		}
		return nil
	})
	return all, err
}

// Register implements balancer.Registrar.
func (y *toy) Register(ctx context.Context, of balancer.Group, targets []gate.Target, _ balancer.Pods) error {
	if len(targets) == 0 {
		return nil
	}
	return y.call(ctx, of.Ref, func(group map[gate.Target]bool) error {
		for _, t := range targets {
			group[t] = true
		}
		return nil
	})
}

// Deregister implements balancer.Registrar.
func (y *toy) Deregister(ctx context.Context, of balancer.Group, targets []gate.Target) error {
	if len(targets) == 0 {
		return nil
	}
	return y.call(ctx, of.Ref, func(group map[gate.Target]bool) error {
		for _, t := range targets {
			delete(group, t)
		}
		return nil
	})
}

// Resolve implements balancer.Resolver; a toy's groups are identified by their names.
func (y *toy) Resolve(ctx context.Context, wanted balancer.Group) (balancer.Group, error) {
	ref := wanted.Ref
	if ref.Group == "" {
		ref.Group = wanted.Name
	}
	var g balancer.Group
	err := y.call(ctx, ref, func(map[gate.Target]bool) error {
		g = balancer.Group{
			Ref: ref, Name: ref.Group, TargetType: "ip", IPAddressType: "ipv4", Protocol: "HTTP",
			HealthCheckEnabled: true, HealthCheckInterval: time.Second, HealthyThreshold: 1, UnhealthyThreshold: 1, DeregistrationDelay: time.Second,
		}
		return nil
	})
	return g, err
}

// TestToyDriver: a driver is one folder and one line in the list. One that nothing else has heard of passes the suite behind
// the router and the metrics of the others, and is found by its kind alone.
func TestToyDriver(t *testing.T) {
	balancertest.Run(t, func(t *testing.T) balancertest.Harness {
		y, made := newToy(), 0
		all := append(traits.All(), y.driver())
		metered, err := meter.New(all.Router(), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}

		return balancertest.Harness{
			Provider: metered,
			NewGroup: func(*testing.T) balancer.Group {
				y.mu.Lock()
				defer y.mu.Unlock()
				name := fmt.Sprintf("group-%d", len(y.groups))
				y.groups[name] = map[gate.Target]bool{}
				return balancer.Group{Ref: balancer.Ref{Provider: toyKind, Group: name}, Name: name}
			},
			Missing: balancer.Group{Ref: balancer.Ref{Provider: toyKind, Group: "missing"}, Name: "missing"},
			NewTarget: func(*testing.T) gate.Target {
				made++
				return gate.Target{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(made)}), Port: 8080}
			},
			SetHealthy: func(_ *testing.T, target gate.Target, healthy bool) {
				y.mu.Lock()
				defer y.mu.Unlock()
				y.answers[target] = healthy
			},
			Lose: func(_ *testing.T, group balancer.Group, target gate.Target) {
				y.mu.Lock()
				defer y.mu.Unlock()
				maps.DeleteFunc(y.groups[group.Ref.Group], func(t gate.Target, _ bool) bool { return t == target })
			},
			State: func(_ *testing.T, group balancer.Group) string {
				y.mu.Lock()
				defer y.mu.Unlock()
				return fmt.Sprint(y.groups[group.Ref.Group])
			},
			Break: func(_ *testing.T, fault balancertest.Fault) func() {
				y.mu.Lock()
				defer y.mu.Unlock()
				y.fault = fault
				return func() {
					y.mu.Lock()
					defer y.mu.Unlock()
					y.fault = 0
				}
			},
		}
	})
}
