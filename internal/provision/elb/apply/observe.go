// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
)

// detailAge is how long listeners, rules, attributes and security groups are believed to be as they were, where nobody is
// about to change anything. A load balancer or target group that is gone is noticed with the list of all.
const detailAge = 2 * time.Hour

// detail is what was seen of a stack, and when.
type detail struct {
	at   time.Time
	seen elb.Observed
}

// Observe returns what there is of a stack at AWS. Its bindings, whether the cluster names a load balancer, and health are
// left to the caller. Attributes are read of what the stack names some for, of what they were read for before, and of load
// balancers that may have to be deleted.
//
// fresh has all read that is the stack's, and is for who is about to change something. Otherwise what was seen within two
// hours is believed as long as the list of all load balancers and target groups shows no change, and steady state costs next
// to no call.
func (c *Cloud) Observe(ctx context.Context, stack elb.Stack, fresh bool) (elb.Observed, error) {
	age := c.changeAge(stack.Identity)
	if !fresh {
		seen, ok, err := c.recall(ctx, stack)
		if ok || err != nil {
			return seen, err
		}
		age = c.restAge()
	}

	seen, err := c.inspect(ctx, stack, age)
	if errors.Is(err, balancer.ErrNotReady) {
		seen, err = c.inspect(ctx, stack, age) // Something that the list has is gone, so all is listed again.
	}
	return seen, err
}

// inspect reads all that is a stack's, by a list of that age at most.
func (c *Cloud) inspect(ctx context.Context, stack elb.Stack, age time.Duration) (elb.Observed, error) {
	if err := c.list(ctx, age); err != nil {
		return elb.Observed{}, err
	}
	begun := c.now()
	seen, err := c.read(ctx, c.reader(stack))
	if err = c.gone(err); err != nil {
		return elb.Observed{}, err
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.details[keyOf(stack.Identity)] = detail{begun, seen}
	return copyOf(seen), nil
}

// keyOf tells stacks apart.
func keyOf(of elb.Identity) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(of.Tags)) {
		parts = append(parts, key+"="+of.Tags[key])
	}
	return strings.Join(parts, "\n")
}

// recall is what was seen of a stack before, if it still is so as far as the list of all tells.
func (c *Cloud) recall(ctx context.Context, stack elb.Stack) (elb.Observed, bool, error) {
	c.mu.Lock()
	last, known := c.details[keyOf(stack.Identity)]
	c.mu.Unlock()
	if !known || c.now().Sub(last.at) >= detailAge {
		return elb.Observed{}, false, nil
	}

	if err := c.list(ctx, c.restAge()); err != nil {
		return elb.Observed{}, false, err
	}

	seen := copyOf(last.seen)
	seen.Foreign = c.foreign(stack)
	own := c.of(stack.Identity)
	if len(own) != len(seen.LoadBalancers)+len(seen.TargetGroups) {
		return elb.Observed{}, false, nil
	}
	for _, r := range own {
		if !takeOver(&seen, r) {
			return elb.Observed{}, false, nil
		}
	}
	use(&seen) // What podgate changed since the list.

	err := c.awaitActive(ctx, &seen)
	if err == nil {
		err = c.awaitFree(ctx, &seen)
	}
	err = c.gone(err)
	return seen, err == nil, err
}

// gone has the list asked for again if the error says that something went since.
func (c *Cloud) gone(err error) error {
	if errors.Is(err, balancer.ErrNotFound) {
		c.forget()
		return lost(err)
	}
	return err
}

// takeOver brings what was seen of a load balancer or target group in step with the list of all; false: it was not seen.
func takeOver(seen *elb.Observed, r resource) bool {
	if r.loadBalancer != nil {
		at := slices.IndexFunc(seen.LoadBalancers, func(lb elb.ObservedLoadBalancer) bool { return lb.ARN == r.arn })
		if at < 0 {
			return false
		}
		old := seen.LoadBalancers[at]
		seen.LoadBalancers[at] = r.asLoadBalancer(elb.Identity{})
		now := &seen.LoadBalancers[at]
		now.Resource, now.Attributes, now.Protected, now.Listeners = old.Resource, old.Attributes, old.Protected, old.Listeners
		return true
	}

	at := slices.IndexFunc(seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.ARN == r.arn })
	if at < 0 {
		return false
	}
	old := seen.TargetGroups[at]
	seen.TargetGroups[at] = r.asTargetGroup(elb.Identity{})
	now := &seen.TargetGroups[at]
	now.Resource, now.Attributes = old.Resource, old.Attributes
	return true
}

// asLoadBalancer is a load balancer of a stack without its attributes and listeners.
func (r resource) asLoadBalancer(of elb.Identity) elb.ObservedLoadBalancer {
	lb := *r.loadBalancer
	lb.Resource, lb.Tags = r.tags[of.ResourceTag], r.tags
	lb.Retired, _ = time.Parse(time.RFC3339, r.tags[elb.RetiredTag]) // what is no time is as none
	return lb
}

// asTargetGroup is a target group of a stack without its attributes.
func (r resource) asTargetGroup(of elb.Identity) elb.ObservedTargetGroup {
	g := *r.targetGroup
	g.Resource, g.Owner, g.Tags = r.tags[of.ResourceTag], r.tags[elb.OwnerTag], r.tags
	return g
}

// awaitActive asks for load balancers that AWS was still making when they were seen.
func (c *Cloud) awaitActive(ctx context.Context, seen *elb.Observed) error {
	for i := range seen.LoadBalancers {
		lb := &seen.LoadBalancers[i]
		if lb.State != string(types.LoadBalancerStateEnumProvisioning) {
			continue
		}
		out, err := call(ctx, c, "DescribeLoadBalancers", lb.ARN, (*elbv2.Client).DescribeLoadBalancers,
			&elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb.ARN}})
		if errors.Is(err, balancer.ErrNotFound) && c.young(lb.ARN) {
			continue
		}
		if err != nil {
			return err
		}
		for _, now := range out.LoadBalancers {
			lb.State = loadBalancerOf(now).State
			c.note(lb.ARN, func(r *resource) {
				changed := *r.loadBalancer
				changed.State = lb.State
				r.loadBalancer = &changed
			})
		}
	}
	return nil
}

// awaitFree asks for target groups that a load balancer used which is not among the stack's: as a rule it was deleted a moment
// before the list, and nothing but AWS tells when it has let them go.
func (c *Cloud) awaitFree(ctx context.Context, seen *elb.Observed) error {
	for i := range seen.TargetGroups {
		g := &seen.TargetGroups[i]
		if g.LoadBalancer == "" || slices.ContainsFunc(seen.LoadBalancers, func(lb elb.ObservedLoadBalancer) bool { return lb.ARN == g.LoadBalancer }) {
			continue
		}
		out, err := call(ctx, c, "DescribeTargetGroups", g.ARN, (*elbv2.Client).DescribeTargetGroups,
			&elbv2.DescribeTargetGroupsInput{TargetGroupArns: []string{g.ARN}})
		if err != nil {
			return err
		}
		for _, now := range out.TargetGroups {
			g.LoadBalancer = targetGroupOf(now).LoadBalancer
			c.note(g.ARN, func(r *resource) {
				changed := *r.targetGroup
				changed.LoadBalancer = g.LoadBalancer
				r.targetGroup = &changed
			})
		}
	}
	return nil
}

// reader is what to read of a stack.
type reader struct {
	elb.Stack
	// attributes are the ARNs of what had its attributes read before.
	attributes map[string]bool
}

// reader has the attributes read that were read before, too: who looks whether all is as it was may not know yet what the
// stack names.
func (c *Cloud) reader(stack elb.Stack) reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := reader{stack, map[string]bool{}}
	last := c.details[keyOf(stack.Identity)].seen
	for _, lb := range last.LoadBalancers {
		r.attributes[lb.ARN] = lb.Attributes != nil
		for _, l := range lb.Listeners {
			r.attributes[l.ARN] = l.Attributes != nil
		}
	}
	for _, g := range last.TargetGroups {
		r.attributes[g.ARN] = g.Attributes != nil
	}
	return r
}

// read reads all that belongs to a stack.
func (c *Cloud) read(ctx context.Context, stack reader) (elb.Observed, error) {
	var arns []string
	for _, r := range c.of(stack.Identity) {
		arns = append(arns, r.arn)
	}
	if err := c.readTags(ctx, arns); err != nil {
		return elb.Observed{}, err
	}

	seen := elb.Observed{Foreign: c.foreign(stack.Stack)}
	for _, r := range c.of(stack.Identity) {
		if r.read.IsZero() {
			return elb.Observed{}, untold(r.arn) // podgate made it a moment ago
		}
		if r.loadBalancer != nil {
			seen.LoadBalancers = append(seen.LoadBalancers, r.asLoadBalancer(stack.Identity))
		} else {
			seen.TargetGroups = append(seen.TargetGroups, r.asTargetGroup(stack.Identity))
		}
	}
	if err := c.awaitActive(ctx, &seen); err != nil {
		return elb.Observed{}, err
	}

	for i := range seen.LoadBalancers {
		lb := &seen.LoadBalancers[i]
		if len(seen.LoadBalancers) > 1 || len(stack.Listeners) == 0 || len(stack.LoadBalancer.Attributes) > 0 || lb.Name != stack.LoadBalancer.Name || stack.attributes[lb.ARN] {
			if err := c.readAttributes(ctx, lb); err != nil {
				return elb.Observed{}, err
			}
		}
		if err := c.readListeners(ctx, stack, lb); err != nil {
			return elb.Observed{}, err
		}
	}
	use(&seen)
	if err := c.awaitFree(ctx, &seen); err != nil {
		return elb.Observed{}, err
	}
	for i := range seen.TargetGroups {
		if err := c.readTargetGroup(ctx, stack, &seen.TargetGroups[i]); err != nil {
			return elb.Observed{}, err
		}
	}

	err := c.readSecurityGroups(ctx, stack.Identity, &seen)
	return seen, err
}

// protection is the attribute of load balancers that must not be deleted.
const protection = "deletion_protection.enabled"

// readAttributes reads a load balancer's attributes. They matter where the stack names some, and where it may have to be
// deleted, which a person may not want.
func (c *Cloud) readAttributes(ctx context.Context, lb *elb.ObservedLoadBalancer) error {
	out, err := call(ctx, c, "DescribeLoadBalancerAttributes", lb.ARN, (*elbv2.Client).DescribeLoadBalancerAttributes,
		&elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &lb.ARN})
	if err != nil {
		return err
	}
	lb.Attributes = map[string]string{}
	for _, a := range out.Attributes {
		lb.Attributes[value(a.Key)] = value(a.Value)
	}
	lb.Protected = lb.Attributes[protection] == "true"
	return nil
}

// readListeners reads a load balancer's listeners with their rules.
func (c *Cloud) readListeners(ctx context.Context, stack reader, lb *elb.ObservedLoadBalancer) error {
	listeners := &elbv2.DescribeListenersInput{LoadBalancerArn: &lb.ARN, PageSize: aws.Int32(pageSize)}
	for {
		page, err := call(ctx, c, "DescribeListeners", lb.ARN, (*elbv2.Client).DescribeListeners, listeners)
		if err != nil {
			return err
		}
		for _, l := range page.Listeners {
			lb.Listeners = append(lb.Listeners, listenerOf(l))
		}
		if value(page.NextMarker) == "" {
			break
		}
		listeners.Marker = page.NextMarker
	}

	for i := range lb.Listeners {
		if err := c.readListener(ctx, stack, lb.Kind, &lb.Listeners[i]); err != nil {
			return err
		}
	}
	return c.own(ctx, stack.Identity, lb.Listeners)
}

// readListener reads a listener's certificates, attributes and rules, without tags.
func (c *Cloud) readListener(ctx context.Context, stack reader, kind elb.Kind, l *elb.ObservedListener) error {
	if len(l.Certificates) > 0 {
		if err := c.readCertificates(ctx, l); err != nil {
			return err
		}
	}

	named := slices.ContainsFunc(stack.Listeners, func(want elb.Listener) bool { return want.Port == l.Port && len(want.Attributes) > 0 })
	if named || stack.attributes[l.ARN] {
		out, err := call(ctx, c, "DescribeListenerAttributes", l.ARN, (*elbv2.Client).DescribeListenerAttributes,
			&elbv2.DescribeListenerAttributesInput{ListenerArn: &l.ARN})
		if err != nil {
			return err
		}
		l.Attributes = map[string]string{}
		for _, a := range out.Attributes {
			l.Attributes[value(a.Key)] = value(a.Value)
		}
	}

	if kind == elb.Network {
		return nil // its listeners have no rules
	}
	rules := &elbv2.DescribeRulesInput{ListenerArn: &l.ARN, PageSize: aws.Int32(pageSize)}
	for {
		page, err := call(ctx, c, "DescribeRules", l.ARN, (*elbv2.Client).DescribeRules, rules)
		if err != nil {
			return err
		}
		for _, r := range page.Rules {
			if !aws.ToBool(r.IsDefault) {
				l.Has = append(l.Has, ruleOf(r))
			}
		}
		if value(page.NextMarker) == "" {
			l.Has = inOrder(l.Has)
			return nil
		}
		rules.Marker = page.NextMarker
	}
}

// readCertificates reads the certificates of a listener that has at least one.
func (c *Cloud) readCertificates(ctx context.Context, l *elb.ObservedListener) error {
	l.Certificates = l.Certificates[:1]
	in := &elbv2.DescribeListenerCertificatesInput{ListenerArn: &l.ARN, PageSize: aws.Int32(pageSize)}
	for {
		page, err := call(ctx, c, "DescribeListenerCertificates", l.ARN, (*elbv2.Client).DescribeListenerCertificates, in)
		if err != nil {
			return err
		}
		for _, cert := range page.Certificates {
			if !aws.ToBool(cert.IsDefault) {
				l.Certificates = append(l.Certificates, value(cert.CertificateArn))
			}
		}
		if value(page.NextMarker) == "" {
			return nil
		}
		in.Marker = page.NextMarker
	}
}

// own reads the tags of listeners and their rules, which say whose they are.
func (c *Cloud) own(ctx context.Context, of elb.Identity, listeners []elb.ObservedListener) error {
	var arns []string
	for _, l := range listeners {
		arns = append(arns, l.ARN)
		for _, r := range l.Has {
			arns = append(arns, r.ARN)
		}
	}

	tags := map[string]map[string]string{}
	if err := c.describeTags(ctx, arns, func(arn string, of map[string]string) { tags[arn] = of }); err != nil {
		return err
	}

	// What AWS lists and does not know the tags of is too young or gone. It must not pass for somebody else's.
	for _, arn := range arns {
		if _, told := tags[arn]; !told {
			return untold(arn)
		}
	}

	for i := range listeners {
		l := &listeners[i]
		l.Tags = tags[l.ARN]
		l.Own, l.Resource = carries(l.Tags, of.Tags), l.Tags[of.ResourceTag]
		for j := range l.Has {
			r := &l.Has[j]
			r.Tags = tags[r.ARN]
			r.Own, r.Owner = carries(r.Tags, of.Tags), r.Tags[of.ResourceTag]
		}
	}
	return nil
}

// untold is the error of something that there is and that AWS does not tell the tags of.
func untold(arn string) error {
	return &balancer.CallError{Op: words("DescribeTags"), Subject: arn, Kind: balancer.ErrNotFound, Text: "AWS lists it and does not find it"}
}

// readTargetGroup reads a target group's attributes, if the stack names some.
func (c *Cloud) readTargetGroup(ctx context.Context, stack reader, g *elb.ObservedTargetGroup) error {
	named := slices.ContainsFunc(stack.TargetGroups, func(want elb.TargetGroup) bool {
		return want.Resource == g.Resource && len(want.Attributes) > 0
	})
	if !named && !stack.attributes[g.ARN] {
		return nil
	}

	out, err := call(ctx, c, "DescribeTargetGroupAttributes", g.ARN, (*elbv2.Client).DescribeTargetGroupAttributes,
		&elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &g.ARN})
	if err != nil {
		return err
	}
	g.Attributes = map[string]string{}
	for _, a := range out.Attributes {
		g.Attributes[value(a.Key)] = value(a.Value)
	}
	return nil
}

// readSecurityGroups reads the security groups that carry a stack's tags, in its VPC.
func (c *Cloud) readSecurityGroups(ctx context.Context, of elb.Identity, seen *elb.Observed) error {
	if len(of.Tags) == 0 {
		return nil
	}
	var filters []ec2.Filter
	for _, key := range slices.Sorted(maps.Keys(of.Tags)) {
		filters = append(filters, ec2.Tagged(key, of.Tags[key]))
	}

	groups, err := c.network.SecurityGroups(ctx, filters...)
	if err != nil {
		return err
	}
	for _, g := range groups {
		// A filter takes * and ? for more than themselves.
		if g.VPC == of.VPC && carries(g.Tags, of.Tags) {
			group := securityGroupOf(g)
			group.Resource = g.Tags[of.ResourceTag]
			seen.SecurityGroups = append(seen.SecurityGroups, group)
		}
	}
	return nil
}

// Health reads what the load balancer says of the targets of these target groups, by their ARNs, into what was seen.
func (c *Cloud) Health(ctx context.Context, seen *elb.Observed, arns []string) error {
	for i := range seen.TargetGroups {
		g := &seen.TargetGroups[i]
		if !slices.Contains(arns, g.ARN) {
			continue
		}
		out, err := call(ctx, c, "DescribeTargetHealth", g.ARN, (*elbv2.Client).DescribeTargetHealth, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &g.ARN})
		if err != nil {
			return c.gone(err)
		}
		g.Health = healthOf(out.TargetHealthDescriptions)
	}
	return nil
}

// healthOf counts targets. One that AWS does not check gets requests, too.
func healthOf(rows []types.TargetHealthDescription) *elb.Health {
	var h elb.Health
	for _, row := range rows {
		if row.TargetHealth == nil {
			continue
		}
		switch row.TargetHealth.State {
		case types.TargetHealthStateEnumDraining, types.TargetHealthStateEnumUnhealthyDraining:
			h.Draining++
			continue
		case types.TargetHealthStateEnumHealthy, types.TargetHealthStateEnumUnavailable:
			h.Healthy++
		}
		h.Registered++
	}
	return &h
}

// copyOf is a copy that can be changed without changing what it was made of. Maps are shared: they are replaced, never changed.
func copyOf(seen elb.Observed) elb.Observed {
	seen.Foreign = maps.Clone(seen.Foreign)
	seen.LoadBalancers = slices.Clone(seen.LoadBalancers)
	for i := range seen.LoadBalancers {
		lb := &seen.LoadBalancers[i]
		lb.Listeners = slices.Clone(lb.Listeners)
		for j := range lb.Listeners {
			lb.Listeners[j].Has = slices.Clone(lb.Listeners[j].Has)
		}
	}
	seen.SecurityGroups = slices.Clone(seen.SecurityGroups)
	seen.TargetGroups = slices.Clone(seen.TargetGroups)
	return seen
}
