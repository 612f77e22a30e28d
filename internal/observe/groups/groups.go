// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package groups has target groups observed. It is the one place where the observer's
// words and those of load balancers meet: the subject is a balancer.Ref, its settings are
// a balancer.Group. It remembers nothing and makes no call of its own.
package groups

import (
	"context"
	"fmt"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

var _ observe.Subject = balancer.Ref{}

// Describe returns what is said of a group to the observer, by the group's settings and by
// what is true of its load balancer. The targets of an external group are registered by
// somebody else.
func Describe(g balancer.Group, drivers balancer.Drivers, external bool) observe.Description {
	lag := drivers.Lag(g.Ref)
	if external {
		// Nobody says that a target belongs to the pod that has its address now. Until whoever registers
		// targets has noticed, even an answer of this moment may be about the pod before.
		lag = max(lag, gate.Lag)
	}

	// Nor is it drift when that somebody takes targets out.
	account := ""
	if !external {
		account = drivers.Account(g.Ref)
	}

	return observe.Description{
		Lag: lag, Audit: drivers.Audit(g.Ref), Account: account,
		// So many checks have to pass in a row.
		Recovery: time.Duration(g.HealthyThreshold) * g.HealthCheckInterval,
		Settings: g,
	}
}

// Limited reads a group within the budget of its account; budget.Limited does. The time is
// when the call began.
type Limited interface {
	Read(ctx context.Context, g balancer.Group, p budget.Priority, raise <-chan struct{}) (map[gate.Target]gate.Health, time.Time, error)
}

// Reader is an observe.Reader of target groups. Which targets are wanted makes no
// difference: a load balancer reports all that a group holds.
type Reader struct{ Limited Limited }

// Read implements observe.Reader.
func (r Reader) Read(ctx context.Context, req observe.Request) (observe.Snapshot, error) {
	g, err := group(req.Subject, req.Settings)
	if err != nil {
		return observe.Snapshot{Started: time.Now()}, err
	}

	priority := budget.Audit
	if req.Urgent {
		priority = budget.Urgent
	}

	targets, began, err := r.Limited.Read(ctx, g, priority, req.Raise)
	return observe.Snapshot{Started: began, Targets: targets}, err
}

// Tend makes of how a load balancer's drains are looked after what observe.Options.Tend asks for.
func Tend(tend func(context.Context, balancer.Group) error) func(context.Context, observe.Subject, any) error {
	return func(ctx context.Context, of observe.Subject, settings any) error {
		g, err := group(of, settings)
		if err != nil {
			return err
		}
		return tend(ctx, g)
	}
}

// group is the group that a subject is, with as much as was said of it.
func group(of observe.Subject, settings any) (balancer.Group, error) {
	ref, is := of.(balancer.Ref)
	if !is {
		return balancer.Group{}, fmt.Errorf("%w: %s is not a target group", balancer.ErrInvalid, of)
	}
	if g, described := settings.(balancer.Group); described {
		return g, nil
	}
	return balancer.Group{Ref: ref}, nil
}
