// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package balancertest is the conformance suite of the provider seam: what podgate
// relies on, whatever load balancer is behind it. A provider passes it against
// something that behaves like its load balancer (a simulator or the real thing),
// never against a mock of itself. README.md says how to use it.
package balancertest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// Fault is a way in which a load balancer's API fails.
type Fault int

const (
	// Throttled means that the API asks for fewer calls.
	Throttled Fault = iota + 1
	// Denied means that the API refuses the credentials.
	Denied
	// Down means that nothing answers, or that every answer says that the server failed.
	Down
	// CutOff means that answers end in the middle.
	CutOff
	// Hanging means that calls are taken and not answered.
	Hanging
)

// String names the fault.
func (f Fault) String() string {
	names := map[Fault]string{Throttled: "throttled", Denied: "denied", Down: "down", CutOff: "cut off", Hanging: "hanging"}
	return names[f]
}

// Harness is a provider with something to talk to.
type Harness struct {
	// Provider is what is tested.
	Provider balancer.Provider
	// NewGroup makes an empty group that a load balancer uses and whose targets it
	// checks. It has its Ref, the Name that it is found by, and the Settings for calls.
	NewGroup func(t *testing.T) balancer.Group
	// Missing is the same, but there is no such group.
	Missing balancer.Group
	// NewTarget makes a target that every group takes and whose checks fail until
	// SetHealthy says otherwise. It is not registered.
	NewTarget func(t *testing.T) gate.Target
	// SetHealthy makes the load balancer's checks of a target pass or fail.
	SetHealthy func(t *testing.T, target gate.Target, healthy bool)
	// Refused is a target that no group takes. The zero value says that this load
	// balancer takes them all.
	Refused gate.Target
	// Lose removes a registered target at the load balancer, by other hands than the
	// provider's.
	Lose func(t *testing.T, group balancer.Group, target gate.Target)
	// State is what was set at the load balancer of a group's targets, in any words, read by other means than the
	// provider's. What the load balancer finds out or does by itself, such as health and the end of a drain, is not in it.
	State func(t *testing.T, group balancer.Group) string
	// Break makes every call fail like fault until mend is called.
	Break func(t *testing.T, fault Fault) (mend func())
	// NoFault are the faults that this load balancer's API has no way to tell.
	NoFault []Fault
}

// Patience is how long the suite waits for what a load balancer does in its own time.
const Patience = 30 * time.Second

// untouched is for how long the suite only reads a group: what could be done about a target that has drained is due by
// then.
const untouched = 4 * time.Second

// Run holds a provider to the seam's contract. Every test gets a harness of its own.
func Run(t *testing.T, start func(t *testing.T) Harness) {
	t.Helper()
	tests := map[string]func(*testing.T, Harness){
		"EmptyGroup":            emptyGroup,
		"HealthFollowsTarget":   healthFollowsTarget,
		"PortsAreTargets":       portsAreTargets,
		"StrangerIsAbsent":      strangerIsAbsent,
		"RegisterTwice":         registerTwice,
		"DeregisterStranger":    deregisterStranger,
		"DeregisterLeaves":      deregisterLeaves,
		"HealthOnlyReads":       healthOnlyReads,
		"TendFinishesDrains":    tendFinishesDrains,
		"NoTargetsNoCall":       noTargetsNoCall,
		"RegisterAgain":         registerAgain,
		"AddressReuse":          addressReuse,
		"LostTarget":            lostTarget,
		"RefusedBlocksNobody":   refusedBlocksNobody,
		"Resolve":               resolve,
		"MissingGroup":          missingGroup,
		"Faults":                faults,
		"CancelledCallReturns":  cancelledCallReturns,
		"ConcurrentUse":         concurrentUse,
		"AnswersAreTheCallers":  answersAreTheCallers,
		"GroupsDoNotShareState": groupsDoNotShareState,
	}

	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) { tests[name](t, start(t)) })
	}
}

func emptyGroup(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	if healths := h.health(t, group); len(healths) != 0 {
		t.Errorf("a new group has targets: %v", healths)
	}
}

func healthFollowsTarget(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	target := h.NewTarget(t)
	h.register(t, group, target)

	var before gate.Health
	h.eventually(t, group, "the target is listed", func(healths map[gate.Target]gate.Health) bool {
		var listed bool
		before, listed = healths[target]
		return listed
	})

	if before.State == gate.Healthy {
		t.Fatalf("healthy although its checks fail: %+v", before)
	}

	if before.Reason == "" {
		t.Errorf("no reason for %s", before.State)
	}

	h.SetHealthy(t, target, true)
	h.eventuallyState(t, group, target, gate.Healthy)

	if diff := cmp.Diff(gate.Health{State: gate.Healthy}, h.health(t, group)[target]); diff != "" {
		t.Errorf("a healthy target carries something of an earlier state (-want +got):\n%s", diff)
	}

	h.SetHealthy(t, target, false)
	h.eventuallyState(t, group, target, gate.Unhealthy)

	if h.health(t, group)[target].Reason == "" {
		t.Error("no reason for unhealthy")
	}
}

func portsAreTargets(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	one := h.NewTarget(t)
	other := gate.Target{Addr: one.Addr, Port: one.Port%65535 + 1}
	h.register(t, group, one, other)
	h.eventuallyListed(t, group, one, other)
	h.deregister(t, group, other)
	h.eventuallyGone(t, group, other)
	if got, listed := h.health(t, group)[one]; !listed || got.Leaving() {
		t.Errorf("deregistering port %d took port %d along: %+v", other.Port, one.Port, got)
	}
}

func strangerIsAbsent(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	member, stranger := h.NewTarget(t), h.NewTarget(t)
	h.SetHealthy(t, member, true)
	h.SetHealthy(t, stranger, true)
	h.register(t, group, member)
	h.eventually(t, group, "the member is healthy", func(healths map[gate.Target]gate.Health) bool {
		if got, listed := healths[stranger]; listed {
			t.Fatalf("a target that was never registered is listed: %+v", got)
		}
		return healths[member].State == gate.Healthy
	})
}

func registerTwice(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	target := h.NewTarget(t)
	h.SetHealthy(t, target, true)
	h.register(t, group, target)
	h.eventuallyState(t, group, target, gate.Healthy)
	h.register(t, group, target)
	if got := h.health(t, group)[target]; got.State != gate.Healthy {
		t.Errorf("registering a healthy member again made it %s", got.State)
	}
}

func deregisterStranger(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	member := h.NewTarget(t)
	h.register(t, group, member)
	h.deregister(t, group, h.NewTarget(t))
	h.eventuallyListed(t, group, member)
}

func deregisterLeaves(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	leaver, stayer := h.NewTarget(t), h.NewTarget(t)
	h.SetHealthy(t, leaver, true)
	h.SetHealthy(t, stayer, true)
	h.register(t, group, leaver, stayer)
	h.eventuallyState(t, group, leaver, gate.Healthy)
	h.eventuallyState(t, group, stayer, gate.Healthy)
	h.deregister(t, group, leaver)
	h.eventuallyGone(t, group, leaver)
	h.deregister(t, group, leaver)

	if got := h.health(t, group)[stayer]; got.State != gate.Healthy {
		t.Errorf("the target that stays is %s", got.State)
	}
}

func registerAgain(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	target := h.NewTarget(t)
	h.SetHealthy(t, target, true)
	h.register(t, group, target)
	h.eventuallyState(t, group, target, gate.Healthy)
	h.deregister(t, group, target)
	h.eventuallyGone(t, group, target)
	h.register(t, group, target)
	h.eventuallyState(t, group, target, gate.Healthy)
}

func addressReuse(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	target := h.NewTarget(t)
	h.SetHealthy(t, target, true)
	h.registerFor(t, group, target, balancer.Pod{Namespace: "shop", Name: "web-1", UID: "1"})
	h.eventuallyState(t, group, target, gate.Healthy)
	h.deregister(t, group, target)
	h.eventuallyGone(t, group, target)
	h.SetHealthy(t, target, false)
	h.registerFor(t, group, target, balancer.Pod{Namespace: "shop", Name: "web-2", UID: "2"})
	h.eventually(t, group, "the new pod's target fails its checks", func(healths map[gate.Target]gate.Health) bool {
		if healths[target].State == gate.Healthy {
			t.Fatal("a pod inherits the health of the one that had its address")
		}
		return healths[target].State == gate.Unhealthy
	})

	h.SetHealthy(t, target, true)
	h.eventuallyState(t, group, target, gate.Healthy)
}

func lostTarget(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	lost, kept := h.NewTarget(t), h.NewTarget(t)
	h.SetHealthy(t, lost, true)
	h.SetHealthy(t, kept, true)
	h.register(t, group, lost, kept)
	h.eventuallyState(t, group, lost, gate.Healthy)
	h.eventuallyState(t, group, kept, gate.Healthy)
	h.Lose(t, group, lost)
	h.eventuallyGone(t, group, lost)
	h.register(t, group, lost, kept)

	if got := h.health(t, group)[kept]; got.State != gate.Healthy {
		t.Errorf("bringing a target back made another one %s", got.State)
	}

	h.eventuallyState(t, group, lost, gate.Healthy)
}

// healthOnlyReads has one target to look after, and nobody who does.
func healthOnlyReads(t *testing.T, h Harness) {
	group, stays, leaves := h.oneLeaves(t)
	before := h.State(t, group)
	if !strings.Contains(before, stays.Addr.String()) {
		t.Fatalf("the group's state does not hold %s:\n%s", stays, before)
	}

	for end := time.Now().Add(untouched); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		h.health(t, group)
		if diff := cmp.Diff(before, h.State(t, group)); diff != "" {
			t.Fatalf("reading the group changed it while %s drains (-before +after):\n%s", leaves, diff)
		}
	}
}

// tendFinishesDrains is for load balancers whose drains somebody has to look after.
func tendFinishesDrains(t *testing.T, h Harness) {
	tender, is := h.Provider.(balancer.Tender)
	if !is {
		t.Skip("this load balancer finishes drains by itself")
	}

	group, stays, leaves := h.oneLeaves(t)
	h.eventually(t, group, leaves.String()+" is not listed", func(healths map[gate.Target]gate.Health) bool {
		if healths[stays].State != gate.Healthy {
			t.Fatalf("looking after a drain made another target %s", healths[stays].State)
		}
		_, listed := healths[leaves]
		return !listed
	})

	before := h.State(t, group)
	for range 3 {
		if err := tender.Tend(t.Context(), group); err != nil {
			t.Errorf("tend a group that needs nothing: %v", err)
		}
	}
	if diff := cmp.Diff(before, h.State(t, group)); diff != "" {
		t.Errorf("with nothing left to do the group changed (-before +after):\n%s", diff)
	}

	if h.health(t, group); tender.Due(group) {
		t.Error("with nothing left to do something is due")
	}
}

// oneLeaves makes a group of two healthy targets, one of which was deregistered.
func (h Harness) oneLeaves(t *testing.T) (group balancer.Group, stays, leaves gate.Target) {
	t.Helper()
	group = h.NewGroup(t)
	stays, leaves = h.NewTarget(t), h.NewTarget(t)
	h.SetHealthy(t, stays, true)
	h.SetHealthy(t, leaves, true)
	h.register(t, group, stays, leaves)
	h.eventuallyState(t, group, stays, gate.Healthy)
	h.eventuallyState(t, group, leaves, gate.Healthy)
	h.deregister(t, group, leaves)
	return group, stays, leaves
}

func noTargetsNoCall(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	defer h.Break(t, Down)()
	if err := h.Provider.Register(t.Context(), group, nil, nil); err != nil {
		t.Errorf("register nothing: %v", err)
	}
	if err := h.Provider.Deregister(t.Context(), group, nil); err != nil {
		t.Errorf("deregister nothing: %v", err)
	}
}

func refusedBlocksNobody(t *testing.T, h Harness) {
	if h.Refused == (gate.Target{}) {
		t.Skip("this load balancer refuses no target")
	}

	group := h.NewGroup(t)
	good := []gate.Target{h.NewTarget(t), h.NewTarget(t), h.NewTarget(t)}
	err := h.Provider.Register(t.Context(), group, slices.Insert(slices.Clone(good), 1, h.Refused), nil)
	var partial *balancer.PartialError
	if !errors.As(err, &partial) {
		t.Fatalf("register with one refused target: got %v, want a *provider.PartialError", err)
	}

	if diff := cmp.Diff([]gate.Target{h.Refused}, partial.Failed, compareTargets); diff != "" {
		t.Errorf("wrong targets failed (-want +got):\n%s", diff)
	}

	if !errors.Is(err, balancer.ErrInvalid) {
		t.Errorf("got %v, want provider.ErrInvalid", err)
	}

	h.eventuallyListed(t, group, good...)
}

func resolve(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	byID, err := h.Provider.Resolve(t.Context(), group)
	if err != nil {
		t.Fatalf("resolve by identifier: %v", err)
	}

	byName, err := h.Provider.Resolve(t.Context(), unidentified(group))
	if err != nil {
		t.Fatalf("resolve by name: %v", err)
	}

	if diff := cmp.Diff(byID, byName); diff != "" {
		t.Errorf("the group differs by the way it is found (-identifier +name):\n%s", diff)
	}

	if byID.Ref != group.Ref || byID.Name != group.Name {
		t.Errorf("got %+v, want the group %+v named %q", byID, group.Ref, group.Name)
	}

	if byID.TargetType != "ip" || !byID.HealthCheckEnabled || byID.HealthCheckInterval <= 0 || byID.UnhealthyThreshold <= 0 {
		t.Errorf("the group's settings are not told: %+v", byID)
	}
}

func missingGroup(t *testing.T, h Harness) {
	for operation, err := range h.errors(t.Context(), h.Missing, h.NewTarget(t)) {
		if !errors.Is(err, balancer.ErrNotFound) {
			t.Errorf("%s: got %v, want provider.ErrNotFound", operation, err)
		}
	}
}

func faults(t *testing.T, h Harness) {
	kinds := []error{balancer.ErrNotFound, balancer.ErrDenied, balancer.ErrThrottled, balancer.ErrQuota, balancer.ErrInvalid}
	tests := []struct {
		reason string
		fault  Fault
		want   error // nil: none of the kinds
	}{
		{"the caller must slow down", Throttled, balancer.ErrThrottled},
		{"a person must act", Denied, balancer.ErrDenied},
		{"an outage is transient", Down, nil},
		{"half an answer is no answer", CutOff, nil},
	}

	group := h.NewGroup(t)
	member := h.NewTarget(t)
	h.register(t, group, member)
	h.eventuallyListed(t, group, member)

	for _, tc := range tests {
		if slices.Contains(h.NoFault, tc.fault) {
			continue
		}

		t.Run(tc.fault.String(), func(t *testing.T) {
			mend := h.Break(t, tc.fault)
			for operation, err := range h.errors(t.Context(), group, member) {
				if tc.fault == CutOff && (operation == "register" || operation == "deregister") {
					continue // what was done is known by what health says next
				}
				if err == nil {
					t.Errorf("%s: no error (%s)", operation, tc.reason)
				}
				for _, kind := range kinds {
					if got := errors.Is(err, kind); got != errors.Is(tc.want, kind) {
						t.Errorf("%s: %v: is %q: %t (%s)", operation, err, kind, got, tc.reason)
					}
				}
			}

			mend()
			h.register(t, group, member)
			h.eventuallyListed(t, group, member)
		})
	}
}

func cancelledCallReturns(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	target := h.NewTarget(t)
	defer h.Break(t, Hanging)()
	// The time-out is only there to let the calls get under way.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	done := make(chan map[string]error, 1)
	go func() { done <- h.errors(ctx, group, target) }()

	select {
	case errs := <-done:
		for operation, err := range errs {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v, want the context's error", operation, err)
			}
		}
	case <-time.After(Patience):
		t.Fatal("a call outlives its context")
	}
}

func concurrentUse(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	var stay, leave []gate.Target
	for range 4 {
		stay, leave = append(stay, h.NewTarget(t)), append(leave, h.NewTarget(t))
	}

	var wg sync.WaitGroup
	for i := range stay {
		wg.Go(func() {
			for _, err := range []error{
				h.Provider.Register(t.Context(), group, []gate.Target{stay[i], leave[i]}, nil),
				second(h.Provider.Health(t.Context(), group)),
				h.Provider.Deregister(t.Context(), group, []gate.Target{leave[i]}),
				second(h.Provider.Resolve(t.Context(), group)),
			} {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}

	wg.Wait()
	h.eventuallyListed(t, group, stay...)

	for _, target := range leave {
		h.eventuallyGone(t, group, target)
	}
}

func answersAreTheCallers(t *testing.T, h Harness) {
	group := h.NewGroup(t)
	target := h.NewTarget(t)
	h.register(t, group, target)
	h.eventuallyListed(t, group, target)
	clear(h.health(t, group))
	if _, listed := h.health(t, group)[target]; !listed {
		t.Error("a caller that changes an answer changes the next one")
	}
}

func groupsDoNotShareState(t *testing.T, h Harness) {
	one := h.NewGroup(t)
	other := h.NewGroup(t)
	target := h.NewTarget(t)
	h.register(t, one, target)
	h.eventuallyListed(t, one, target)
	if got, listed := h.health(t, other)[target]; listed {
		t.Errorf("a group lists another group's target: %+v", got)
	}
}
