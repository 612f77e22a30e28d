// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/elb"
)

const (
	// rereading is how often all is read again of what is waited for, by podgate or by a person who has been told.
	rereading = 30 * time.Second
	// mostSteps bounds the steps of one pass.
	mostSteps = 2000
)

// act does the steps that can be done now, and says what is left. Where there is nothing to do, nothing is read again.
func (p *pass) act(ctx context.Context) (elb.Plan, error) {
	plan, err := p.plan(ctx)
	if err != nil {
		return elb.Plan{}, err
	}
	if len(plan.Steps) > 0 || p.deserted() || len(plan.Waits)+len(plan.Refusals) > 0 && p.stale() {
		return p.converge(ctx)
	}
	return plan, nil
}

// stale reports whether what is waited for, or refused, may have come about without a trace in what was read.
func (p *pass) stale() bool { return p.now().Sub(p.read.last(p.group)) >= rereading }

// converge does steps until none is left that can be done now. A step that fails holds up what needs it, and nothing else.
func (p *pass) converge(ctx context.Context) (elb.Plan, error) {
	if err := p.claim(ctx); err != nil {
		return elb.Plan{}, err
	}
	if err := p.prepare(ctx, true); err != nil {
		return elb.Plan{}, err
	}
	p.read.at(p.group, p.now())

	failed := map[string]bool{}
	for range mostSteps {
		// After a step the health of other target groups may matter.
		plan, err := p.plan(ctx)
		if err != nil {
			return elb.Plan{}, err
		}
		i := slices.IndexFunc(plan.Steps, func(s elb.Step) bool { return !failed[s.String()] })
		if i < 0 {
			plan.Waits = append(plan.Waits, p.unready...)
			return plan, nil
		}

		step := plan.Steps[i]
		err = p.perform(ctx, step)
		p.metrics.performed(kindOf(step), err)
		if err == nil {
			p.waiting.forget(p.group)
			p.log.Info("Did a step", "step", step.String())
			continue
		}

		if unknown(step, err) {
			p.doubted.at(p.group, p.now())
		}
		if ctx.Err() != nil || errors.Is(err, balancer.ErrThrottled) {
			return elb.Plan{}, fmt.Errorf("%s: %w", step, err) // Every other step would meet the same.
		}
		failed[step.String()] = true
		if errors.Is(err, balancer.ErrNotReady) {
			p.unready = append(p.unready, elb.Wait{Owner: ownerOf(step), Message: fmt.Sprintf("%s: %v", step, err)})
			continue
		}
		p.blamed(step, err)
	}
	return elb.Plan{}, fmt.Errorf("%s did not suffice", plural.Count(mostSteps, "step"))
}

// perform does a step.
func (p *pass) perform(ctx context.Context, step elb.Step) error {
	var err error
	switch s := step.(type) {
	case elb.CreateBinding:
		err = p.bindings.bind(ctx, s.TargetGroup, s.ARN)
	case elb.UpdateBinding:
		err = p.bindings.bind(ctx, s.TargetGroup, s.ARN)
	case elb.DeleteBinding:
		err = p.bindings.unbind(ctx, s.ARN)
	default:
		return p.cloud.Perform(ctx, p.stack.Identity, step, &p.seen)
	}
	p.bindings.note(&p.seen)
	return err
}

// unknown reports whether a step that failed may have made something all the same.
func unknown(step elb.Step, err error) bool {
	for _, told := range []error{balancer.ErrThrottled, balancer.ErrInvalid, balancer.ErrQuota, balancer.ErrDenied} {
		if errors.Is(err, told) {
			return false
		}
	}
	switch step.(type) {
	case elb.CreateSecurityGroup, elb.CreateLoadBalancer, elb.CreateTargetGroup:
		return true
	}
	return false
}

// blamed notes whose step failed; all of the group's, where it is nobody's alone.
func (p *pass) blamed(step elb.Step, err error) {
	if p.culprits == nil {
		p.culprits = map[string]error{}
	}
	err = fmt.Errorf("%s: %w", step, err)
	p.log.Error(err, "A step failed")
	p.culprits[ownerOf(step)] = errors.Join(p.culprits[ownerOf(step)], err)
}

// ownerOf is whose a step is; empty: the whole stack's.
func ownerOf(step elb.Step) string {
	switch s := step.(type) {
	case elb.CreateRule:
		return s.Rule.Owner
	case elb.ReplaceRule:
		return s.Rule.Owner
	case elb.CreateTargetGroup:
		return s.TargetGroup.Owner
	case elb.CreateBinding:
		return s.TargetGroup.Owner
	case elb.UpdateBinding:
		return s.TargetGroup.Owner
	}
	return ""
}

// kindOf is how the metric calls a step.
func kindOf(step elb.Step) string { return reflect.TypeOf(step).Name() }
