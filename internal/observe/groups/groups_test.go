// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package groups

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// limited keeps the last call that it was asked for.
type limited struct {
	group    balancer.Group
	priority budget.Priority
	raise    <-chan struct{}
}

var (
	began   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	held    = map[gate.Target]gate.Health{{Port: 80}: {State: gate.Draining}}
	errDown = errors.New("down")
)

// Read implements Limited.
func (l *limited) Read(_ context.Context, g balancer.Group, p budget.Priority, raise <-chan struct{}) (map[gate.Target]gate.Health, time.Time, error) {
	l.group, l.priority, l.raise = g, p, raise
	return held, began, errDown
}

func TestReader(t *testing.T) {
	web := balancer.Group{Ref: balancer.Ref{Group: "web"}, Name: "shop-web", Settings: "{}"}
	raise := make(chan struct{})

	for _, tc := range []struct {
		reason   string
		req      observe.Request
		group    balancer.Group
		priority budget.Priority
	}{
		{"a described group is asked about as it is described", observe.Request{Subject: web.Ref, Settings: web, Urgent: true, Raise: raise}, web, budget.Urgent},
		{"one that nobody described by its name", observe.Request{Subject: web.Ref, Raise: raise}, balancer.Group{Ref: web.Ref}, budget.Audit},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			l := &limited{}
			snap, err := Reader{l}.Read(t.Context(), tc.req)
			if l.group != tc.group || l.priority != tc.priority || l.raise != tc.req.Raise {
				t.Errorf("asked about %+v, %s", l.group, l.priority)
			}
			if !snap.Started.Equal(began) || len(snap.Targets) != 1 || !errors.Is(err, errDown) {
				t.Errorf("got %+v, %v: want what the load balancer says", snap, err)
			}
		})
	}
}

func TestWhatIsNotATargetGroup(t *testing.T) {
	l := &limited{}
	if _, err := (Reader{l}).Read(t.Context(), observe.Request{Subject: other{}}); !errors.Is(err, balancer.ErrInvalid) || l.raise != nil {
		t.Errorf("read: %v", err)
	}

	tend := Tend(func(context.Context, balancer.Group) error { return errDown })
	if err := tend(t.Context(), other{}, nil); !errors.Is(err, balancer.ErrInvalid) {
		t.Errorf("looked after: %v", err)
	}
	if err := tend(t.Context(), balancer.Ref{}, nil); !errors.Is(err, errDown) {
		t.Errorf("a target group is looked after: %v", err)
	}
}

type other struct{}

func (other) String() string { return "other" }

func TestDescribe(t *testing.T) {
	drivers := balancer.Drivers{{Kind: "slow"}, {Kind: "quick", Traits: balancer.Traits{Immediate: true, Audit: time.Second}}}
	checked := balancer.Group{Ref: balancer.Ref{Provider: "slow"}, HealthyThreshold: 3, HealthCheckInterval: 10 * time.Second}
	quick := balancer.Group{Ref: balancer.Ref{Provider: "quick"}}

	if got, want := Describe(checked, drivers, false), (observe.Description{Lag: gate.Lag, Account: "slow", Recovery: 30 * time.Second, Settings: checked}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if account := Describe(checked, drivers, true).Account; account != "" {
		t.Errorf("targets that others take out are drift of %q", account)
	}
	if got, want := Describe(quick, drivers, false), (observe.Description{Audit: time.Second, Account: "quick", Settings: quick}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestLaw11TargetsThatOthersRegister: where somebody else registers, an answer without any delay may still be about the
// pod that had the address before.
func TestLaw11TargetsThatOthersRegister(t *testing.T) {
	drivers := balancer.Drivers{{Kind: "quick", Traits: balancer.Traits{Immediate: true}}}
	if got := Describe(balancer.Group{Ref: balancer.Ref{Provider: "quick"}}, drivers, true).Lag; got != gate.Lag {
		t.Errorf("lag %s, want %s", got, gate.Lag)
	}
}
