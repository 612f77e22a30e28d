// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
)

// Perform performs a step of a stack's plan with one call that changes something, and takes the answer over into what was
// seen, which must be fresh. What it makes carries the stack's tags. It changes and deletes nothing that does not carry them
// as far as was seen (law 13): that is an error.
//
// A creation that AWS answers with something that somebody else has, which it does where the settings are the same, becomes
// Foreign or not Own in what was seen, and is no error: it has to be planned again. Steps of bindings are not performed here.
//
// An error that wraps balancer.ErrNotReady ends by itself: AWS still has to notice what was done before.
func (c *Cloud) Perform(ctx context.Context, of elb.Identity, step elb.Step, seen *elb.Observed) error {
	p := performer{c, of, seen}
	err := c.gone(p.perform(ctx, step))
	c.exceeded(step, seen, err)
	use(seen)
	c.remember(of, *seen, err)
	return err
}

// remember takes what a step changed over into what is believed of a stack, so that its next look costs no more than if nothing
// had changed. What AWS may have done without an answer is read again. When all was read last stays as it was: what others
// change is found as soon as ever.
func (c *Cloud) remember(of elb.Identity, seen elb.Observed, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, known := c.details[keyOf(of)]
	if !known {
		return
	}
	last.seen = copyOf(seen)
	if err != nil && !declined(err) {
		last.at = time.Time{}
	}
	c.details[keyOf(of)] = last
}

// declined reports whether AWS answered that it did nothing.
func declined(err error) bool {
	for _, kind := range []error{balancer.ErrThrottled, balancer.ErrInvalid, balancer.ErrQuota, balancer.ErrDenied} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// lost is the error of a call about something that was seen and that AWS does not find.
func lost(err error) error {
	var failed *balancer.CallError
	if errors.As(err, &failed) {
		failed.Kind = balancer.ErrNotReady
		failed.Text = strings.TrimRight(failed.Text, ". ") + ". It was made a moment ago, or has gone: it is looked for again"
	}
	return err
}

// performer performs a step.
type performer struct {
	*Cloud
	stack elb.Identity
	seen  *elb.Observed
}

func (p performer) perform(ctx context.Context, step elb.Step) error {
	switch s := step.(type) {
	case elb.CreateSecurityGroup:
		return p.createSecurityGroup(ctx, s)
	case elb.AuthorizeIngress:
		return p.authorize(ctx, s)
	case elb.RevokeIngress:
		return p.revoke(ctx, s)
	case elb.DeleteSecurityGroup:
		return p.deleteSecurityGroup(ctx, s)
	case elb.Tag:
		return p.tag(ctx, s.ARN, s.Tags)
	case elb.CreateLoadBalancer:
		return p.createLoadBalancer(ctx, s)
	case elb.SetSubnets, elb.SetSecurityGroups, elb.SetAddressType, elb.SetLoadBalancerAttributes, elb.Retire, elb.Unretire, elb.DeleteLoadBalancer:
		return p.changeLoadBalancer(ctx, s)
	case elb.CreateTargetGroup:
		return p.createTargetGroup(ctx, s)
	case elb.ModifyTargetGroup, elb.SetTargetGroupAttributes, elb.DeleteTargetGroup:
		return p.changeTargetGroup(ctx, s)
	case elb.CreateListener:
		return p.createListener(ctx, s)
	case elb.ModifyListener, elb.SetListenerAttributes, elb.AddCertificates, elb.RemoveCertificates, elb.DeleteListener:
		return p.changeListener(ctx, s)
	case elb.CreateRule, elb.ModifyRule, elb.ReplaceRule, elb.SetPriorities, elb.DeleteRule:
		return p.changeRule(ctx, s)
	}
	return fmt.Errorf("%s: it is not a step at AWS", step)
}

// strange is the error of a step about something that does not carry the stack's tags.
func strange(step elb.Step) error {
	return &balancer.CallError{Op: "perform a step", Subject: step.String(), Kind: balancer.ErrInvalid, Text: "it does not carry the stack's tags, so it is not changed"}
}

// with is a map with changes, which leaves the one that it was made of as it was.
func with(m, changes map[string]string) map[string]string {
	all := maps.Clone(m)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, changes)
	return all
}

// noAnswer is the error of a creation that answered nothing.
func noAnswer(operation, subject string) error {
	return &balancer.CallError{Op: words(operation), Subject: subject, Text: "the answer makes no sense: there is nothing in it"}
}

// use says of each target group which load balancer uses it, by what was seen of listeners and rules. What lists say of it
// may be older. It does not know the listeners of load balancers that are not the stack's: of those it believes the lists.
func use(seen *elb.Observed) {
	by := map[string]string{}
	for _, lb := range seen.LoadBalancers {
		for _, l := range lb.Listeners {
			for _, f := range l.Default.Forward {
				by[f.Group] = lb.ARN
			}
			for _, r := range l.Has {
				for _, f := range r.Action.Forward {
					by[f.Group] = lb.ARN
				}
			}
		}
	}

	for i := range seen.TargetGroups {
		g := &seen.TargetGroups[i]
		own := slices.ContainsFunc(seen.LoadBalancers, func(lb elb.ObservedLoadBalancer) bool { return lb.ARN == g.LoadBalancer })
		if now := by[g.ARN]; now != "" || own {
			g.LoadBalancer = now
		}
		// The targets of a group that nothing names are not checked any more.
		if g.LoadBalancer == "" {
			g.Health = nil
		}
	}
}
