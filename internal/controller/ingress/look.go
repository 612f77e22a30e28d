// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

const (
	// lag is for how long what AWS lists may lack what was made.
	lag = time.Minute
	// quotas is how long the account's quotas are believed, and exceeded how long where an Ingress would exceed one: a person may
	// have had AWS raise it.
	quotas   = 12 * time.Hour
	exceeded = 10 * time.Minute
)

// look reads what there is of the group, and has its stack made.
func (p *pass) look(ctx context.Context) error {
	p.doubt()
	p.stack.Identity = p.kind.identity(p.settings, p.group)
	return p.prepare(ctx, false)
}

// prepare reads what there is, and makes the stack. fresh is for who is about to change something.
func (p *pass) prepare(ctx context.Context, fresh bool) error {
	var err error
	if p.seen, err = p.cloud.Observe(ctx, p.stack, fresh); err != nil {
		return fmt.Errorf("read what there is: %w", err)
	}
	p.verify()

	if p.bindings, err = p.bindingsOf(ctx, p.group); err != nil {
		return err
	}
	p.bindings.note(&p.seen)
	p.notePublished()
	return p.build(ctx, fresh)
}

// verify keeps only those without a usable class that the stack really has something of. Anybody may write on an Ingress that a
// group's stack has.
func (p *pass) verify() {
	for i := range p.members {
		m := &p.members[i]
		if m.class.Refused == "" || m.standing != kept && m.standing != refused || !holds(p.group, m.Object) {
			continue
		}
		m.standing = refused
		if p.has(m.owner()) {
			m.standing = kept
		}
	}
}

// has reports whether the stack has rules or target groups of an owner.
func (p *pass) has(owner string) bool {
	var owners []string
	for _, m := range p.members {
		owners = append(owners, m.owner())
	}
	if slices.ContainsFunc(p.seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.OwnerAmong(owners) == owner }) {
		return true
	}
	return p.hasRules(owner)
}

// hasRules reports whether the stack has rules of an owner.
func (p *pass) hasRules(owner string) bool {
	for _, b := range p.seen.LoadBalancers {
		for _, l := range b.Listeners {
			if slices.ContainsFunc(l.Has, func(r elb.ObservedRule) bool { return r.Own && r.Owner == owner }) {
				return true
			}
		}
	}
	return false
}

// build makes the stack of the members, and reports what of them is not served as they ask. Who is about to change something,
// and who lacks something, has it made by fresh answers.
func (p *pass) build(ctx context.Context, changes bool) error {
	look := &lookups{shared: p.shared, ctx: ctx, reader: p.client, stack: p.stack.Identity, observed: p.seen, age: settledFor(p.metrics.served())}
	if changes {
		look.age = fresh
	}

	settings := p.limited(ctx, quotas)
	settings.BackendSecurityGroup = look.backendGroup(settings)
	made, err := p.kind.build(ctx, p.group, p.members, p.seen, settings, look.all())
	// What is lacking may have come about since.
	if look.lacks && !changes {
		look.age, look.failed, look.missed = fresh, nil, nil
		settings.BackendSecurityGroup = look.backendGroup(p.settings)
		made, err = p.kind.build(ctx, p.group, p.members, p.seen, settings, look.all())
	}
	if slices.ContainsFunc(made.problems, exceeds) {
		settings.Limits = p.limited(ctx, exceeded).Limits
		made, err = p.kind.build(ctx, p.group, p.members, p.seen, settings, look.all())
	}
	if err := errors.Join(err, look.failed); err != nil {
		return err
	}
	p.made, p.stack = made, made.stack

	if p.missed == nil && look.missed != nil {
		p.log.Error(look.missed, "Something could not be looked for")
	}
	p.missed = look.missed
	p.uncertified = slices.ContainsFunc(made.problems, func(of routes.Problem) bool { return of.Reason == v1alpha1.ReasonNoCertificate })
	p.report(made.problems)
	return nil
}

// limited are the settings with what the account allowed a load balancer that long ago at most. Where AWS does not tell it is
// AWS's default.
func (p *pass) limited(ctx context.Context, age time.Duration) routes.Settings {
	kind, assumed := p.kind.limits(p.settings)
	told, err := p.cloud.Quotas(ctx, kind, age)
	if err != nil {
		p.log.Error(err, "The account's quotas could not be read")
	}
	settings := p.settings
	settings.Limits = assumed.With(told)
	return settings
}

// exceeds reports whether somebody is refused who would exceed a quota.
func exceeds(of routes.Problem) bool {
	return of.Reason == v1alpha1.ReasonLimitExceeded && of.Severity == routes.Refused
}

// report notes what of the members is not served as they ask, and that those which are refused get no more than they have.
func (p *pass) report(problems []routes.Problem) {
	for _, problem := range problems {
		if noted := (note{corev1.EventTypeWarning, problem.Reason, problem.Message}); slices.Contains(p.notes[problem.Owner], noted) {
			continue // It was there before it was read again.
		}
		p.note(problem.Owner, corev1.EventTypeWarning, problem.Reason, problem.Message)
		if m := p.member(problem.Owner); problem.Severity == routes.Refused && m != nil && m.standing == active {
			p.refused++
			m.standing = refused
			if holds(p.group, m.Object) {
				m.standing = kept
			}
		}
	}
}

// plan says what is to do now.
func (p *pass) plan(ctx context.Context) (elb.Plan, error) {
	for {
		needs := elb.NeedsHealth(p.stack, p.seen)
		if len(needs) == 0 {
			break
		}
		if err := p.cloud.Health(ctx, &p.seen, needs); err != nil {
			return elb.Plan{}, fmt.Errorf("read the health of targets: %w", err)
		}
	}
	return elb.Make(p.stack, p.seen, p.now()), nil
}

// doubt notes at the first look at a group whether another process may have made something just before: one of podgate's before
// this one began, and AWS Load Balancer Controller until now.
func (p *pass) doubt() {
	since := p.begun()
	if !p.doubted.last(p.group).IsZero() {
		return
	}
	switch {
	case slices.ContainsFunc(p.members, func(m member) bool { return m.abandoned }):
		since = p.now()
	case !slices.ContainsFunc(p.members, func(m member) bool { return holds(p.group, m.Object) }):
		since = p.now().Add(-lag)
	}
	p.doubted.at(p.group, since)
}

// doubtful is for how long AWS may still have more of the group than it lists.
func (p *pass) doubtful() time.Duration { return lag - p.now().Sub(p.doubted.last(p.group)) }
