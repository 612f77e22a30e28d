// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

var errOutage = errors.New("the load balancer's API does not answer")

// row is one target as the load balancer has it.
type row struct {
	state   gate.State
	since   time.Time
	passed  int
	failed  int
	checked types.UID // the pod that answered the latest check that was answered
	until   time.Time // when a draining row goes
}

// group is a target group.
type group struct {
	rows map[gate.Target]row
	past []moment
	read time.Time // how new the latest answer was: answers do not go back in time
}

// moment is what a group was from a time on.
type moment struct {
	at   time.Time
	rows map[gate.Target]row
}

// loadBalancer checks targets by itself and answers late, wrongly or not at all while
// a fault lasts.
type loadBalancer struct {
	w      *world
	groups map[string]*group
	// What it is like.
	interval, drain, provision time.Duration
	// What is wrong with it: shares of calls, how old answers may be, how many rows a group may have.
	throttled, down, partial float64
	stale                    time.Duration
	quota                    int
}

func newLoadBalancer(w *world) *loadBalancer {
	l := &loadBalancer{
		w: w, groups: map[string]*group{},
		interval: time.Duration(2+w.rng.IntN(5)) * time.Second, drain: time.Duration(5+w.rng.IntN(26)) * time.Second,
		provision: w.between(0, 2*time.Second),
	}
	for _, name := range []string{"arn:web", "arn:alt"} {
		l.groups[name] = &group{rows: map[gate.Target]row{}}
		if w.shared() {
			l.groups[name].rows[elsewhere] = row{state: gate.Healthy, since: time.Now(), passed: threshold}
		}
		l.groups[name].keep()
	}
	return l
}

// elsewhere is a target that another cluster registered, whose pod always serves.
var elsewhere = gate.Target{Addr: netip.AddrFrom4([4]byte{10, 9, 9, 9}), Port: port}

// shared reports whether another cluster has a target in each group, as in every fourth schedule. It takes nothing from the
// schedule's random numbers.
func (w *world) shared() bool { return w.seed%4 == 3 }

const threshold = 2

func byAddress(a, b gate.Target) int { return a.Addr.Compare(b.Addr) }

// check is the load balancer's own clock.
func (l *loadBalancer) check() {
	for _, name := range []string{"arn:web", "arn:alt"} {
		g := l.groups[name]
		targets := slices.SortedFunc(maps.Keys(g.rows), byAddress)
		for _, t := range targets {
			l.checkRow(g, t)
		}
		g.keep()
	}
	l.w.after(l.interval, l.check)
}

func (l *loadBalancer) checkRow(g *group, t gate.Target) {
	r := g.rows[t]
	if r.state == gate.Draining || time.Since(r.since) < l.provision && r.passed+r.failed == 0 {
		return
	}

	if who := l.w.answers(t); who != "" || t == elsewhere {
		r.passed, r.failed, r.checked = min(r.passed+1, threshold), 0, who
	} else {
		r.passed, r.failed = 0, min(r.failed+1, threshold)
	}

	switch {
	case r.state != gate.Healthy && r.passed >= threshold:
		r.state = gate.Healthy
		l.w.note("%s healthy", t)
	case r.state != gate.Unhealthy && r.failed >= threshold:
		r.state = gate.Unhealthy
		l.w.note("%s unhealthy", t)
	}

	g.rows[t] = r
}

// keep remembers what the group is now, for answers that lag.
func (g *group) keep() {
	if n := len(g.past); n > 0 && maps.Equal(g.past[n-1].rows, g.rows) {
		return
	}
	g.past = append(g.past, moment{time.Now(), maps.Clone(g.rows)})
	if len(g.past) > 60 {
		g.past = slices.Clone(g.past[len(g.past)-30:])
	}
}

// at gives the group as it was.
func (g *group) at(t time.Time) moment {
	for _, m := range slices.Backward(g.past) {
		if !m.at.After(t) {
			return m
		}
	}
	return g.past[0]
}

func (l *loadBalancer) register(name string, targets []gate.Target) []gate.Target {
	g := l.groups[name]
	var full []gate.Target
	for _, t := range targets {
		r, there := g.rows[t]
		if there && r.state != gate.Draining {
			continue
		}
		if l.quota > 0 && len(g.registered()) >= l.quota {
			full = append(full, t)
			continue
		}
		g.rows[t] = row{state: gate.Initial, since: time.Now()}
	}

	g.keep()
	return full
}

func (l *loadBalancer) deregister(name string, targets []gate.Target) {
	g := l.groups[name]
	for _, t := range targets {
		if r, there := g.rows[t]; there && r.state != gate.Draining {
			until := time.Now().Add(l.drain)
			g.rows[t] = row{state: gate.Draining, since: time.Now(), until: until}
			l.w.after(l.drain, func() {
				if g.rows[t].state == gate.Draining && g.rows[t].until.Equal(until) {
					delete(g.rows, t)
					g.keep()
				}
			})
		}
	}

	g.keep()
}

// registered lists the targets that are not on their way out.
func (g *group) registered() []gate.Target {
	var ts []gate.Target
	for t, r := range g.rows {
		if r.state != gate.Draining {
			ts = append(ts, t)
		}
	}
	return ts
}

// balancerAPI is the load balancer as a provider: each call takes its time and may fail.
type balancerAPI struct{ w *world }

var _ balancer.Provider = balancerAPI{}

// call lives through a call's way there, and reports whether it takes effect; the error is a fault.
func (b balancerAPI) call(ctx context.Context, what string) (applied bool, fault error) {
	b.w.mu.Lock()
	there := b.w.noisy(5*time.Millisecond, 100*time.Millisecond, what)
	dice := b.w.draw("dice", what).Float64()
	throttled, down := dice < b.w.throttled, dice < b.w.throttled+b.w.down
	hang, late := b.w.chance(0.3, "hang", what), b.w.chance(0.3, "late", what)
	b.w.mu.Unlock()

	if err := sleep(ctx, there); err != nil {
		return false, err
	}

	switch {
	case throttled:
		return false, &balancer.CallError{Op: "call", Kind: balancer.ErrThrottled}
	case down && hang:
		if err := sleep(ctx, 10*time.Second); err != nil {
			return late, err
		}
		return late, errOutage
	case down:
		return late, errOutage
	}

	return true, nil
}

func (b balancerAPI) back(ctx context.Context, what string) error {
	b.w.mu.Lock()
	d := b.w.noisy(5*time.Millisecond, 50*time.Millisecond, "back", what)
	b.w.mu.Unlock()
	return sleep(ctx, d)
}

// Health implements provider.Reporter.
func (b balancerAPI) Health(ctx context.Context, of balancer.Group) (map[gate.Target]gate.Health, error) {
	ref := of.Ref
	begun, what := time.Now(), "health "+ref.Group
	if _, fault := b.call(ctx, what); fault != nil {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		b.w.unheard, b.w.failed[ref.Group] = time.Now(), time.Now()
		return nil, fault
	}

	b.w.mu.Lock()
	g := b.w.groups[ref.Group]
	asOf := time.Now()
	if b.w.stale > 0 {
		asOf = asOf.Add(-b.w.noisy(0, b.w.stale, "stale", ref.Group))
	}

	if asOf.Before(g.read) {
		asOf = g.read
	}

	g.read = asOf
	m := g.at(asOf)
	b.w.mu.Unlock()

	if err := b.back(ctx, what); err != nil {
		return nil, err
	}

	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.w.told(ref.Group, answer{begun: begun, asOf: asOf, done: time.Now(), rows: m.rows})
	seen := map[gate.Target]gate.Health{}
	for t, r := range m.rows {
		seen[t] = gate.Health{State: r.state}
		if r.state != gate.Healthy {
			seen[t] = gate.Health{State: r.state, Reason: "Target." + strings.ToUpper(r.state.String()), Description: "as modelled"}
		}
	}

	return seen, nil
}

// Register implements provider.Registrar.
func (b balancerAPI) Register(ctx context.Context, g balancer.Group, targets []gate.Target, _ balancer.Pods) error {
	return b.change(ctx, g.Ref, targets, true)
}

// Deregister implements provider.Registrar.
func (b balancerAPI) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) error {
	return b.change(ctx, g.Ref, targets, false)
}

func (b balancerAPI) change(ctx context.Context, ref balancer.Ref, targets []gate.Target, in bool) error {
	targets = slices.SortedFunc(slices.Values(targets), byAddress)
	what := fmt.Sprint(ref.Group, in, targets)
	b.w.mu.Lock()
	b.w.changing(ctx, ref.Group, targets, in)
	b.w.mu.Unlock()
	applied, fault := b.call(ctx, what)
	b.w.mu.Lock()
	var failed []gate.Target
	var cause error
	if fault == nil {
		for i, t := range targets {
			if b.w.chance(b.w.partial, "refused", t.String()) {
				failed, cause = append(failed, t), errOutage
				targets = append(targets[:i:i], targets[i+1:]...)
				break
			}
		}
	}

	if applied {
		if in {
			if full := b.w.register(ref.Group, targets); len(full) > 0 {
				failed, cause = append(failed, full...), balancer.ErrQuota
				b.w.full(ref.Group)
			}
		} else {
			b.w.deregister(ref.Group, targets)
		}
	}

	if applied || ctx.Err() == nil {
		b.w.note("%s register=%v %v fault=%v failed=%v", ref.Group, in, targets, fault, failed)
	}

	b.w.changed(ref.Group, in)
	b.w.mu.Unlock()

	if fault != nil {
		return fault
	}

	if err := b.back(ctx, what); err != nil {
		return err
	}

	if len(failed) > 0 {
		return &balancer.PartialError{Failed: failed, Err: cause}
	}

	return nil
}

// Resolve implements provider.Resolver.
func (b balancerAPI) Resolve(ctx context.Context, wanted balancer.Group) (balancer.Group, error) {
	ref, name := wanted.Ref, wanted.Name
	if _, fault := b.call(ctx, "resolve "+ref.Group+name); fault != nil {
		return balancer.Group{}, fault
	}
	if ref.Group == "" {
		ref.Group = "arn:" + name
	}
	return balancer.Group{
		Ref: ref, Name: strings.TrimPrefix(ref.Group, "arn:"), TargetType: "ip", Protocol: "HTTP", IPAddressType: "ipv4",
		HealthCheckEnabled: true, HealthCheckInterval: b.w.interval, HealthyThreshold: threshold, UnhealthyThreshold: threshold,
		DeregistrationDelay: b.w.drain,
	}, nil
}
