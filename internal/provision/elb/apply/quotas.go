// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
)

// doubtAge is how long quotas are believed where AWS said that something is too many, or did not answer.
const doubtAge = time.Minute

// quotas are what the account allows load balancers, and when they were asked for.
type quotas struct {
	asked                time.Time
	doubts               bool
	application, network elb.Quotas
}

// of are those of a kind.
func (q quotas) of(kind elb.Kind) elb.Quotas {
	if kind == elb.Network {
		return q.network
	}
	return q.application
}

// Quotas returns what the account allows a load balancer of a kind, by an answer of that age at most, and of less where AWS said
// that something is too many. The error says why AWS did not tell some of it, and comes once for each time that it was asked.
func (c *Cloud) Quotas(ctx context.Context, kind elb.Kind, age time.Duration) (elb.Quotas, error) {
	c.mu.Lock()
	q := c.quotas
	if q.doubts {
		age = min(age, doubtAge)
	}
	due := c.now().Sub(q.asked) >= age
	if due {
		c.quotas.asked = c.now() // Nobody else asks as well.
	}
	c.mu.Unlock()
	if !due {
		return q.of(kind), nil
	}

	told, err := c.askQuotas(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	told.asked, told.doubts = c.quotas.asked, err != nil && !errors.Is(err, balancer.ErrDenied)
	if told.doubts || c.quotas.doubts {
		told.application = either(told.application, c.quotas.application)
		told.network = either(told.network, c.quotas.network)
	}
	c.quotas = told
	return told.of(kind), err
}

// either is what was told, and where nothing was, what was known.
func either(told, known elb.Quotas) elb.Quotas {
	return elb.Quotas{
		Rules: cmp.Or(told.Rules, known.Rules), Listeners: cmp.Or(told.Listeners, known.Listeners), TargetGroups: cmp.Or(told.TargetGroups, known.TargetGroups),
		Certificates: cmp.Or(told.Certificates, known.Certificates), SecurityGroups: cmp.Or(told.SecurityGroups, known.SecurityGroups),
	}
}

// askQuotas asks both services. What one of them does not tell does not hold up the other.
func (c *Cloud) askQuotas(ctx context.Context) (quotas, error) {
	limits, err := c.accountLimits(ctx)
	groups, failed := c.network.GroupsPerInterface(ctx)
	return quotas{
		application: elb.Quotas{
			Rules:        limits["rules-per-application-load-balancer"],
			Listeners:    limits["listeners-per-application-load-balancer"],
			TargetGroups: limits["target-groups-per-application-load-balancer"],
			Certificates: limits["certificates-per-application-load-balancer"], SecurityGroups: groups,
		},
		network: elb.Quotas{
			Listeners:    limits["listeners-per-network-load-balancer"],
			Certificates: limits["certificates-per-network-load-balancer"], SecurityGroups: groups,
		},
	}, errors.Join(err, failed)
}

// accountLimits are the quotas of Elastic Load Balancing by AWS's names.
func (c *Cloud) accountLimits(ctx context.Context) (map[string]int, error) {
	limits, in := map[string]int{}, &elbv2.DescribeAccountLimitsInput{}
	for {
		page, err := call(ctx, c, "DescribeAccountLimits", c.place(), (*elbv2.Client).DescribeAccountLimits, in)
		if err != nil {
			return nil, err
		}
		for _, l := range page.Limits {
			limits[value(l.Name)], _ = strconv.Atoi(value(l.Max)) // What is no number is not known.
		}
		if value(page.NextMarker) == "" {
			return limits, nil
		}
		in.Marker = page.NextMarker
	}
}

// exceeded has the quotas asked for again after a step that failed since something is too many. As many rules as there are then
// is the quota of those, until AWS tells.
func (c *Cloud) exceeded(step elb.Step, seen *elb.Observed, err error) {
	if !errors.Is(err, balancer.ErrQuota) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quotas.doubts = true

	var failed *balancer.CallError
	create, is := step.(elb.CreateRule)
	if !is || !errors.As(err, &failed) || failed.Code != tooManyRules {
		return
	}
	for _, lb := range seen.LoadBalancers {
		if !slices.ContainsFunc(lb.Listeners, func(l elb.ObservedListener) bool { return l.ARN == create.Listener }) {
			continue
		}
		c.quotas.application.Rules = 0
		for _, l := range lb.Listeners {
			c.quotas.application.Rules += len(l.Has)
		}
	}
}
