// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
)

// registrar makes the calls that change groups. What they did is remembered until reads show it, and measured.
type registrar struct {
	provider balancer.Provider
	observer Observer
	pending  *pendingCalls
	drains   *record.Reports
	metrics  *callMetrics
	now      func() time.Time
	tends    tends
	resting  resting
}

// apply makes the plan's calls: what is urgent at once, removals of running targets
// only after the registrations, unless the group is full: then they make room first.
func (r *registrar) apply(ctx context.Context, group balancer.Group, plan membership.Plan, who population, known *history) error {
	urgent := press(r.deregister(ctx, group, plan.Urgent, who))

	known.registering(plan.Register)
	registered := r.register(ctx, group, plan.Register, who)

	// Targets that were refused one by one hold no removal, while a call that failed as a whole may be repeated
	// before running targets go.
	full := errors.Is(registered, balancer.ErrQuota)
	var partial *balancer.PartialError
	if registered != nil && !full && !errors.As(registered, &partial) {
		return together(urgent, registered)
	}

	leaving := plan.Deregister
	if full && len(plan.Urgent)+len(leaving) == 0 {
		leaving = plan.Yield
	}

	if !plan.Deliberate {
		known.removing(leaving, r.now()) // before the call, which may succeed and seem to fail
	}

	removed := r.deregister(ctx, group, leaving, who)
	if full && len(plan.Urgent)+len(leaving) > 0 {
		registered = r.register(ctx, group, failed(registered, plan.Register), who)
	}

	return together(urgent, registered, removed)
}

// together joins the errors of several calls. What only has to be waited for is left out where another call failed: it ends
// by itself, and would hide what does not. It stays pressing all the same.
func together(errs ...error) error {
	var waits, failed []error
	for _, err := range errs {
		if errors.Is(err, balancer.ErrNotReady) {
			waits = append(waits, err)
		} else if err != nil {
			failed = append(failed, err)
		}
	}

	switch waiting, err := errors.Join(waits...), errors.Join(failed...); {
	case err == nil:
		return waiting
	case isPressing(waiting):
		return press(err)
	default:
		return err
	}
}

// errUnmade says that a call was not made, or of fewer targets, since what it was decided upon changed while it waited.
var errUnmade = errors.New("the call waited for its turn and was decided anew")

// awaiting has a call that waits for its turn be made of those targets only that a plan has which is made anew by then. still
// are those that it was made of in the end.
func (p population) awaiting(ctx context.Context, targets []gate.Target, in func(membership.Plan) []gate.Target) (waits context.Context, still *[]gate.Target) {
	still = &targets
	if p.anew == nil {
		return ctx, still
	}

	return balancer.WithStands(ctx, func(ctx context.Context) ([]gate.Target, error) {
		plan, err := p.anew(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUnmade, err)
		}

		wanted := in(plan)
		*still = slices.DeleteFunc(slices.Clone(targets), func(t gate.Target) bool { return !slices.Contains(wanted, t) })
		return *still, nil
	}), still
}

// comes and leaves are the targets that a plan may have registered, and deregistered.
func comes(p membership.Plan) []gate.Target  { return p.Register }
func leaves(p membership.Plan) []gate.Target { return slices.Concat(p.Urgent, p.Deregister, p.Yield) }

// register registers targets, whose record has to be written first.
func (r *registrar) register(ctx context.Context, group balancer.Group, targets []gate.Target, who population) error {
	if len(targets) == 0 {
		return nil
	}

	if err := r.resting.of(group.Ref, r.now()); err != nil {
		return err
	}
	if err := who.record.Add(ctx, targets); err != nil {
		return err
	}

	waits, still := who.awaiting(ctx, targets, comes)
	err := r.provider.Register(waits, group, targets, who.owners(targets))
	if errors.Is(err, errUnmade) || len(*still) == 0 {
		return made(err, true)
	}

	unmade := len(*still) < len(targets)
	targets = *still
	r.resting.note(group.Ref, err, r.now())
	done := except(targets, err)
	var placed []observe.Placement
	for _, t := range done {
		r.drains.Registered(group.Ref, t)

		// Where nothing was before, what the load balancer says from now on is about this pod.
		if pod := who.pods[t]; pod != nil && who.vacant(t) {
			placed = append(placed, observe.Placement{Target: t, Pod: pod.UID})
		}
	}

	r.remember(group.Ref, targets, err, true)
	r.observer.Changed(group.Ref, placed...)
	r.metrics.registered(group.Ref, done, who, r.now())
	log.FromContext(ctx).Info("Registered targets", "group", group.Ref.Group, "targets", len(done), "failed", len(targets)-len(done))

	return made(err, unmade)
}

// made is the error of a call, some of whose targets it may not have been made of.
func made(err error, unmade bool) error {
	if err == nil && unmade {
		return errUnmade
	}
	return err
}

// deregister deregisters targets.
func (r *registrar) deregister(ctx context.Context, group balancer.Group, targets []gate.Target, who population) error {
	if len(targets) == 0 {
		return nil
	}

	waits, still := who.awaiting(ctx, targets, leaves)
	err := r.provider.Deregister(waits, group, targets)
	if errors.Is(err, errUnmade) || len(*still) == 0 {
		return made(err, true)
	}

	unmade := len(*still) < len(targets)
	targets = *still
	r.remember(group.Ref, targets, err, false)

	done, left := except(targets, err), targets
	if err != nil && !doubtful(err) {
		left = done
	}

	removed := make([]observe.Placement, len(left))
	for i, t := range left {
		removed[i].Target = t
	}

	r.observer.Changed(group.Ref, removed...)
	r.metrics.deregistered(done, who, r.now())
	r.drains.Accepted(group.Ref, done, who.pods)
	log.FromContext(ctx).Info("Deregistered targets", "group", group.Ref.Group, "targets", len(done), "failed", len(targets)-len(done))

	return made(err, unmade)
}

// remember remembers what a call did, and what it may have done though it failed.
func (r *registrar) remember(ref balancer.Ref, targets []gate.Target, err error, registered bool) {
	r.pending.record(ref, except(targets, err), registered)
	if doubtful(err) {
		r.pending.doubt(ref, failed(err, targets), registered)
	}
}

// doubtful reports whether an error leaves open whether the call was done, as that of an
// answer that was lost; a refusal does not.
func doubtful(err error) bool {
	return err != nil && transient(err) && !errors.Is(err, balancer.ErrThrottled) && !errors.Is(err, balancer.ErrQuota) && !errors.Is(err, balancer.ErrNotReady)
}

// failed returns the targets that a call did not handle.
func failed(err error, all []gate.Target) []gate.Target {
	var partial *balancer.PartialError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &partial):
		return partial.Failed
	}
	return all
}

// except returns the targets that a call did handle.
func except(all []gate.Target, err error) []gate.Target {
	bad := map[gate.Target]bool{}
	for _, t := range failed(err, all) {
		bad[t] = true
	}

	var done []gate.Target
	for _, t := range all {
		if !bad[t] {
			done = append(done, t)
		}
	}

	return done
}
