// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

func (p performer) createSecurityGroup(ctx context.Context, s elb.CreateSecurityGroup) error {
	made := s.SecurityGroup
	made.Tags, made.Ingress = p.stack.All(made.Resource, made.Tags), nil
	id, err := p.network.CreateSecurityGroup(ctx, ec2.SecurityGroup{Name: made.Name, Description: made.Description, VPC: made.VPC, Tags: made.Tags})
	if ec2.NameTaken(err) {
		return p.findSecurityGroup(ctx, made, err)
	}
	if err != nil {
		return err
	}
	p.seen.SecurityGroups = append(p.seen.SecurityGroups, elb.ObservedSecurityGroup{SecurityGroup: made, ID: id})
	return nil
}

// findSecurityGroup finds the one that has the name of one that was to be made. It is the stack's where podgate made it before
// and EC2 did not list it yet; where that still does not it is waited for. One of somebody else is the error that there was.
func (p performer) findSecurityGroup(ctx context.Context, want elb.SecurityGroup, taken error) error {
	groups, err := p.network.SecurityGroups(ctx, ec2.In(want.VPC), ec2.Named(want.Name))
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Name != want.Name {
			continue // A filter takes * and ? for more than themselves.
		}
		if !carries(g.Tags, p.stack.Tags) {
			return taken
		}
		seen := securityGroupOf(g)
		seen.Resource = g.Tags[p.stack.ResourceTag]
		p.seen.SecurityGroups = append(p.seen.SecurityGroups, seen)
		return nil
	}
	return &balancer.CallError{
		Op: words("CreateSecurityGroup"), Subject: want.Name, Kind: balancer.ErrNotReady, Text: "there is one of that name, which EC2 does not list yet: it is looked for again",
	}
}

func (p performer) securityGroup(id string) *elb.ObservedSecurityGroup {
	for i := range p.seen.SecurityGroups {
		if p.seen.SecurityGroups[i].ID == id {
			return &p.seen.SecurityGroups[i]
		}
	}
	return nil
}

func (p performer) authorize(ctx context.Context, s elb.AuthorizeIngress) error {
	g := p.securityGroup(s.ID)
	if g == nil {
		return strange(s)
	}
	if err := p.network.AuthorizeIngress(ctx, s.ID, permissionsFor(s.Permissions)...); err != nil {
		return err
	}
	g.Ingress = slices.Concat(g.Ingress, s.Permissions)
	return nil
}

func (p performer) revoke(ctx context.Context, s elb.RevokeIngress) error {
	g := p.securityGroup(s.ID)
	if g == nil {
		return strange(s)
	}
	if err := p.network.RevokeIngress(ctx, s.ID, permissionsFor(s.Permissions)...); err != nil {
		return err
	}
	g.Ingress = slices.DeleteFunc(slices.Clone(g.Ingress), func(has elb.Permission) bool { return slices.Contains(s.Permissions, has) })
	return nil
}

func (p performer) deleteSecurityGroup(ctx context.Context, s elb.DeleteSecurityGroup) error {
	if p.securityGroup(s.ID) == nil {
		return strange(s)
	}
	if err := p.network.DeleteSecurityGroup(ctx, s.ID); err != nil && !errors.Is(err, balancer.ErrNotFound) {
		return err
	}
	p.seen.SecurityGroups = slices.DeleteFunc(p.seen.SecurityGroups, func(g elb.ObservedSecurityGroup) bool { return g.ID == s.ID })
	return nil
}

// tag adds tags to something of the stack's.
func (p performer) tag(ctx context.Context, arn string, tags map[string]string) error {
	if g := p.securityGroup(arn); g != nil {
		if err := p.network.CreateTags(ctx, arn, tags); err != nil {
			return err
		}
		g.Tags = with(g.Tags, tags)
		return nil
	}

	has := p.tagsOf(arn)
	if has == nil {
		return strange(elb.Tag{ARN: arn, Tags: tags})
	}
	_, err := call(ctx, p.Cloud, "AddTags", arn, (*elbv2.Client).AddTags, &elbv2.AddTagsInput{ResourceArns: []string{arn}, Tags: tagsFor(tags)})
	if err != nil {
		return err
	}
	p.retag(arn, has, with(*has, tags))
	return nil
}

// retag takes over new tags of something.
func (p performer) retag(arn string, has *map[string]string, tags map[string]string) {
	*has = tags
	if p.loadBalancer(arn) != nil || p.targetGroup(arn) != nil {
		p.note(arn, func(r *resource) { r.tags = tags })
	}
}

// tagsOf are the tags of something that carries the stack's; nil: it does not.
func (p performer) tagsOf(arn string) *map[string]string {
	if lb := p.loadBalancer(arn); lb != nil {
		return &lb.Tags
	}
	if g := p.targetGroup(arn); g != nil {
		return &g.Tags
	}
	if l := p.listener(arn); l != nil {
		return &l.Tags
	}
	if _, r := p.rule(arn); r != nil {
		return &r.Tags
	}
	return nil
}

// verify reads the tags of what a creation answered, which may be somebody else's.
func (p performer) verify(ctx context.Context, arn string) (tags map[string]string, err error) {
	err = p.describeTagsOf(ctx, []string{arn}, func(_ string, t map[string]string) { tags = t })
	return tags, err
}

// refused notes that somebody else has a name.
func (p performer) refused(name string, r resource) {
	p.seen.Foreign = with(p.seen.Foreign, map[string]string{name: whose(r.tags, r.vpc())})
}

// noAnswer is the error of a creation that answered nothing.
func noAnswer(operation, subject string) error {
	return &balancer.CallError{Op: words(operation), Subject: subject, Text: "the answer makes no sense: there is nothing in it"}
}

func (p performer) createLoadBalancer(ctx context.Context, s elb.CreateLoadBalancer) error {
	want := s.LoadBalancer
	want.Tags = p.stack.All(want.Resource, want.Tags)
	out, err := call(ctx, p.Cloud, "CreateLoadBalancer", want.Name, (*elbv2.Client).CreateLoadBalancer, createLoadBalancer(want))
	if err != nil {
		return err
	}
	if len(out.LoadBalancers) == 0 {
		return noAnswer("CreateLoadBalancer", want.Name)
	}

	made := loadBalancerOf(out.LoadBalancers[0])
	// It is known from now on, also where its tags cannot be read yet.
	p.note(made.ARN, func(r *resource) {
		r.name, r.loadBalancer, r.tags, r.read, r.made = made.Name, &made, want.Tags, time.Time{}, p.now()
	})
	tags, err := p.verify(ctx, made.ARN)
	if err != nil {
		return err
	}
	p.note(made.ARN, func(r *resource) { r.tags, r.read = tags, p.now() })
	r := resource{loadBalancer: &made, tags: tags}
	if !r.belongs(p.stack) {
		p.refused(want.Name, r)
		return nil
	}

	seen := r.asLoadBalancer(p.stack)
	p.seen.LoadBalancers = append(slices.DeleteFunc(p.seen.LoadBalancers, func(lb elb.ObservedLoadBalancer) bool { return lb.ARN == seen.ARN }), seen)
	return nil
}

func (p performer) loadBalancer(arn string) *elb.ObservedLoadBalancer {
	for i := range p.seen.LoadBalancers {
		if p.seen.LoadBalancers[i].ARN == arn {
			return &p.seen.LoadBalancers[i]
		}
	}
	return nil
}

func (p performer) changeLoadBalancer(ctx context.Context, step elb.Step) error {
	var arn string
	var change func(*elb.ObservedLoadBalancer) error
	switch s := step.(type) {
	case elb.SetSubnets:
		arn, change = s.LoadBalancer, func(lb *elb.ObservedLoadBalancer) error {
			out, err := call(ctx, p.Cloud, "SetSubnets", arn, (*elbv2.Client).SetSubnets, &elbv2.SetSubnetsInput{LoadBalancerArn: &arn, Subnets: s.Subnets})
			if err == nil {
				lb.Subnets = subnetsOf(out.AvailabilityZones)
			}
			return err
		}
	case elb.SetSecurityGroups:
		arn, change = s.LoadBalancer, func(lb *elb.ObservedLoadBalancer) error {
			out, err := call(ctx, p.Cloud, "SetSecurityGroups", arn, (*elbv2.Client).SetSecurityGroups, &elbv2.SetSecurityGroupsInput{LoadBalancerArn: &arn, SecurityGroups: s.SecurityGroups})
			if err == nil {
				lb.SecurityGroups = out.SecurityGroupIds
			}
			return err
		}
	case elb.SetAddressType:
		arn, change = s.LoadBalancer, func(lb *elb.ObservedLoadBalancer) error {
			out, err := call(ctx, p.Cloud, "SetIpAddressType", arn, (*elbv2.Client).SetIpAddressType, &elbv2.SetIpAddressTypeInput{LoadBalancerArn: &arn, IpAddressType: types.IpAddressType(s.AddressType)})
			if err == nil {
				lb.AddressType = string(out.IpAddressType)
			}
			return err
		}
	case elb.SetLoadBalancerAttributes:
		arn, change = s.LoadBalancer, func(lb *elb.ObservedLoadBalancer) error { return p.setLoadBalancerAttributes(ctx, lb, s.Attributes) }
	case elb.Retire:
		arn, change = s.LoadBalancer, func(lb *elb.ObservedLoadBalancer) error {
			since := s.Since.UTC().Truncate(time.Second)
			lb.Retired = since
			return p.tag(ctx, arn, map[string]string{elb.RetiredTag: since.Format(time.RFC3339)})
		}
	case elb.Unretire:
		arn, change = s.LoadBalancer, func(lb *elb.ObservedLoadBalancer) error { return p.unretire(ctx, lb) }
	case elb.DeleteLoadBalancer:
		arn, change = s.LoadBalancer, func(lb *elb.ObservedLoadBalancer) error { return p.deleteLoadBalancer(ctx, lb) }
	}

	lb := p.loadBalancer(arn)
	if lb == nil {
		return strange(step)
	}
	changed := *lb
	if err := change(&changed); err != nil {
		return err
	}
	if lb := p.loadBalancer(arn); lb != nil {
		tags := lb.Tags
		*lb = changed
		lb.Tags = tags
		p.note(arn, func(r *resource) {
			bare := changed
			bare.Listeners, bare.Attributes = nil, nil
			r.loadBalancer = &bare
		})
	}
	return nil
}

// maxAttributes is how many attributes of a load balancer one call may change.
const maxAttributes = 20

func (p performer) setLoadBalancerAttributes(ctx context.Context, lb *elb.ObservedLoadBalancer, attributes map[string]string) error {
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(attributes)), maxAttributes) {
		in := &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &lb.ARN}
		for _, key := range keys {
			in.Attributes = append(in.Attributes, types.LoadBalancerAttribute{Key: aws.String(key), Value: aws.String(attributes[key])})
		}
		if _, err := call(ctx, p.Cloud, "ModifyLoadBalancerAttributes", lb.ARN, (*elbv2.Client).ModifyLoadBalancerAttributes, in); err != nil {
			return err
		}
	}
	lb.Attributes = with(lb.Attributes, attributes)
	lb.Protected = lb.Attributes[protection] == "true"
	return nil
}

func (p performer) unretire(ctx context.Context, lb *elb.ObservedLoadBalancer) error {
	_, err := call(ctx, p.Cloud, "RemoveTags", lb.ARN, (*elbv2.Client).RemoveTags, &elbv2.RemoveTagsInput{ResourceArns: []string{lb.ARN}, TagKeys: []string{elb.RetiredTag}})
	if err != nil {
		return err
	}
	tags := maps.Clone(lb.Tags)
	delete(tags, elb.RetiredTag)
	p.retag(lb.ARN, &p.loadBalancer(lb.ARN).Tags, tags)
	lb.Retired = time.Time{}
	return nil
}

func (p performer) deleteLoadBalancer(ctx context.Context, lb *elb.ObservedLoadBalancer) error {
	_, err := call(ctx, p.Cloud, "DeleteLoadBalancer", lb.ARN, (*elbv2.Client).DeleteLoadBalancer, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &lb.ARN})
	if err != nil && !errors.Is(err, balancer.ErrNotFound) {
		return err
	}
	p.note(lb.ARN, func(r *resource) { r.gone = p.now() })
	for i := range p.seen.TargetGroups {
		if g := &p.seen.TargetGroups[i]; g.LoadBalancer == lb.ARN {
			g.LoadBalancer = ""
		}
	}
	p.seen.LoadBalancers = slices.DeleteFunc(p.seen.LoadBalancers, func(other elb.ObservedLoadBalancer) bool { return other.ARN == lb.ARN })
	return nil
}

func (p performer) createTargetGroup(ctx context.Context, s elb.CreateTargetGroup) error {
	want := s.TargetGroup
	want.Tags = p.stack.All(want.Resource, want.Tags)
	out, err := call(ctx, p.Cloud, "CreateTargetGroup", want.Name, (*elbv2.Client).CreateTargetGroup, createTargetGroup(want))
	if err != nil {
		return err
	}
	if len(out.TargetGroups) == 0 {
		return noAnswer("CreateTargetGroup", want.Name)
	}

	made := targetGroupOf(out.TargetGroups[0])
	// It is known from now on, also where its tags cannot be read yet.
	p.note(made.ARN, func(r *resource) {
		r.name, r.targetGroup, r.tags, r.read, r.made = made.Name, &made, want.Tags, time.Time{}, p.now()
	})
	tags, err := p.verify(ctx, made.ARN)
	if err != nil {
		return err
	}
	p.note(made.ARN, func(r *resource) { r.tags, r.read = tags, p.now() })
	r := resource{targetGroup: &made, tags: tags}
	if !r.belongs(p.stack) {
		p.refused(want.Name, r)
		return nil
	}

	seen := r.asTargetGroup(p.stack)
	p.seen.TargetGroups = append(slices.DeleteFunc(p.seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.ARN == seen.ARN }), seen)
	return nil
}

func (p performer) targetGroup(arn string) *elb.ObservedTargetGroup {
	for i := range p.seen.TargetGroups {
		if p.seen.TargetGroups[i].ARN == arn {
			return &p.seen.TargetGroups[i]
		}
	}
	return nil
}

func (p performer) changeTargetGroup(ctx context.Context, step elb.Step) error {
	switch s := step.(type) {
	case elb.ModifyTargetGroup:
		g := p.targetGroup(s.TargetGroup)
		if g == nil {
			return strange(step)
		}
		out, err := call(ctx, p.Cloud, "ModifyTargetGroup", g.ARN, (*elbv2.Client).ModifyTargetGroup, modifyTargetGroup(g.ARN, g.Version, s.HealthCheck))
		if err != nil {
			return err
		}
		for _, now := range out.TargetGroups {
			g.HealthCheck = targetGroupOf(now).HealthCheck
		}
		p.note(g.ARN, func(r *resource) {
			changed := *r.targetGroup
			changed.HealthCheck = g.HealthCheck
			r.targetGroup = &changed
		})

	case elb.SetTargetGroupAttributes:
		g := p.targetGroup(s.TargetGroup)
		if g == nil {
			return strange(step)
		}
		in := &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &g.ARN}
		for _, key := range slices.Sorted(maps.Keys(s.Attributes)) {
			in.Attributes = append(in.Attributes, types.TargetGroupAttribute{Key: aws.String(key), Value: aws.String(s.Attributes[key])})
		}
		if _, err := call(ctx, p.Cloud, "ModifyTargetGroupAttributes", g.ARN, (*elbv2.Client).ModifyTargetGroupAttributes, in); err != nil {
			return err
		}
		g.Attributes = with(g.Attributes, s.Attributes)

	case elb.DeleteTargetGroup:
		if p.targetGroup(s.TargetGroup) == nil {
			return strange(step)
		}
		_, err := call(ctx, p.Cloud, "DeleteTargetGroup", s.TargetGroup, (*elbv2.Client).DeleteTargetGroup, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &s.TargetGroup})
		if err != nil && !errors.Is(err, balancer.ErrNotFound) {
			return err
		}
		p.note(s.TargetGroup, func(r *resource) { r.gone = p.now() })
		p.seen.TargetGroups = slices.DeleteFunc(p.seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.ARN == s.TargetGroup })
	}
	return nil
}

func (p performer) createListener(ctx context.Context, s elb.CreateListener) error {
	lb := p.loadBalancer(s.LoadBalancer)
	if lb == nil {
		return strange(s)
	}
	want := s.Listener
	want.Tags = p.stack.All(want.Resource, want.Tags)
	out, err := call(ctx, p.Cloud, "CreateListener", lb.ARN, (*elbv2.Client).CreateListener, createListener(lb.ARN, want))
	if err != nil {
		return err
	}
	if len(out.Listeners) == 0 {
		return noAnswer("CreateListener", lb.ARN)
	}

	made := listenerOf(out.Listeners[0])
	if made.Tags, err = p.verify(ctx, made.ARN); err != nil {
		return err
	}
	made.Own = carries(made.Tags, p.stack.Tags)
	made.Resource = made.Tags[p.stack.ResourceTag]
	lb.Listeners = append(slices.DeleteFunc(slices.Clone(lb.Listeners), func(l elb.ObservedListener) bool { return l.ARN == made.ARN }), made)
	return nil
}

// listener returns a listener that carries the stack's tags.
func (p performer) listener(arn string) *elb.ObservedListener {
	for i := range p.seen.LoadBalancers {
		lb := &p.seen.LoadBalancers[i]
		for j := range lb.Listeners {
			if l := &lb.Listeners[j]; l.ARN == arn && l.Own {
				return l
			}
		}
	}
	return nil
}

func (p performer) changeListener(ctx context.Context, step elb.Step) error {
	switch s := step.(type) {
	case elb.ModifyListener:
		l := p.listener(s.ARN)
		if l == nil {
			return strange(step)
		}
		out, err := call(ctx, p.Cloud, "ModifyListener", s.ARN, (*elbv2.Client).ModifyListener, modifyListener(s.ARN, s.Listener))
		if err != nil {
			return err
		}
		for _, answer := range out.Listeners {
			now := listenerOf(answer)
			if len(now.Certificates) > 0 && len(l.Certificates) > 1 {
				now.Certificates = append(now.Certificates[:1], l.Certificates[1:]...)
			}
			l.Port, l.Protocol, l.Certificates, l.SSLPolicy, l.ALPN, l.Default = now.Port, now.Protocol, now.Certificates, now.SSLPolicy, now.ALPN, now.Default
		}

	case elb.SetListenerAttributes:
		l := p.listener(s.Listener)
		if l == nil {
			return strange(step)
		}
		in := &elbv2.ModifyListenerAttributesInput{ListenerArn: &s.Listener}
		for _, key := range slices.Sorted(maps.Keys(s.Attributes)) {
			in.Attributes = append(in.Attributes, types.ListenerAttribute{Key: aws.String(key), Value: aws.String(s.Attributes[key])})
		}
		if _, err := call(ctx, p.Cloud, "ModifyListenerAttributes", s.Listener, (*elbv2.Client).ModifyListenerAttributes, in); err != nil {
			return err
		}
		l.Attributes = with(l.Attributes, s.Attributes)

	case elb.AddCertificates:
		l := p.listener(s.Listener)
		if l == nil {
			return strange(step)
		}
		in := &elbv2.AddListenerCertificatesInput{ListenerArn: &s.Listener, Certificates: certificatesFor(s.Certificates)}
		if _, err := call(ctx, p.Cloud, "AddListenerCertificates", s.Listener, (*elbv2.Client).AddListenerCertificates, in); err != nil {
			return err
		}
		l.Certificates = slices.Concat(l.Certificates, s.Certificates)

	case elb.RemoveCertificates:
		l := p.listener(s.Listener)
		if l == nil {
			return strange(step)
		}
		in := &elbv2.RemoveListenerCertificatesInput{ListenerArn: &s.Listener, Certificates: certificatesFor(s.Certificates)}
		if _, err := call(ctx, p.Cloud, "RemoveListenerCertificates", s.Listener, (*elbv2.Client).RemoveListenerCertificates, in); err != nil {
			return err
		}
		if len(l.Certificates) > 0 {
			others := slices.DeleteFunc(slices.Clone(l.Certificates[1:]), func(arn string) bool { return slices.Contains(s.Certificates, arn) })
			l.Certificates = append([]string{l.Certificates[0]}, others...)
		}

	case elb.DeleteListener:
		if p.listener(s.ARN) == nil {
			return strange(step)
		}
		_, err := call(ctx, p.Cloud, "DeleteListener", s.ARN, (*elbv2.Client).DeleteListener, &elbv2.DeleteListenerInput{ListenerArn: &s.ARN})
		if err != nil && !errors.Is(err, balancer.ErrNotFound) {
			return err
		}
		for i := range p.seen.LoadBalancers {
			lb := &p.seen.LoadBalancers[i]
			lb.Listeners = slices.DeleteFunc(slices.Clone(lb.Listeners), func(l elb.ObservedListener) bool { return l.ARN == s.ARN })
		}
	}
	return nil
}

// rule returns a rule that carries the stack's tags, and its listener.
func (p performer) rule(arn string) (*elb.ObservedListener, *elb.ObservedRule) {
	for i := range p.seen.LoadBalancers {
		lb := &p.seen.LoadBalancers[i]
		for j := range lb.Listeners {
			l := &lb.Listeners[j]
			for k := range l.Has {
				if r := &l.Has[k]; r.ARN == arn && r.Own {
					return l, r
				}
			}
		}
	}
	return nil, nil
}

func (p performer) changeRule(ctx context.Context, step elb.Step) error {
	switch s := step.(type) {
	case elb.CreateRule:
		return p.createRule(ctx, s)

	case elb.ModifyRule:
		l, r := p.rule(s.ARN)
		if r == nil {
			return strange(step)
		}
		in := &elbv2.ModifyRuleInput{RuleArn: &s.ARN, Actions: actionsFor(s.Action, l.Protocol)}
		out, err := call(ctx, p.Cloud, "ModifyRule", s.ARN, (*elbv2.Client).ModifyRule, in)
		if err != nil {
			return err
		}
		for _, now := range out.Rules {
			r.Action = actionOf(now.Actions)
		}

	case elb.ReplaceRule:
		l, r := p.rule(s.ARN)
		if r == nil {
			return strange(step)
		}
		in := &elbv2.ModifyRuleInput{RuleArn: &s.ARN, Conditions: conditionsFor(s.Rule.Match), Actions: actionsFor(s.Rule.Action, l.Protocol)}
		out, err := call(ctx, p.Cloud, "ModifyRule", s.ARN, (*elbv2.Client).ModifyRule, in)
		if err != nil {
			return err
		}
		for _, answer := range out.Rules {
			now := ruleOf(answer)
			r.Match, r.Action = now.Match, now.Action
		}

	case elb.SetPriorities:
		return p.setPriorities(ctx, s)

	case elb.DeleteRule:
		l, r := p.rule(s.ARN)
		if r == nil {
			return strange(step)
		}
		_, err := call(ctx, p.Cloud, "DeleteRule", s.ARN, (*elbv2.Client).DeleteRule, &elbv2.DeleteRuleInput{RuleArn: &s.ARN})
		if err != nil && !errors.Is(err, balancer.ErrNotFound) {
			return err
		}
		l.Has = slices.DeleteFunc(slices.Clone(l.Has), func(r elb.ObservedRule) bool { return r.ARN == s.ARN })
	}
	return nil
}

func (p performer) createRule(ctx context.Context, s elb.CreateRule) error {
	l := p.listener(s.Listener)
	if l == nil {
		return strange(s)
	}

	tags := p.stack.All(s.Rule.Owner, s.Rule.Tags)
	out, err := call(ctx, p.Cloud, "CreateRule", s.Listener, (*elbv2.Client).CreateRule, &elbv2.CreateRuleInput{
		ListenerArn: &s.Listener, Priority: aws.Int32(int32(s.Priority)), Conditions: conditionsFor(s.Rule.Match),
		Actions: actionsFor(s.Rule.Action, l.Protocol), Tags: tagsFor(tags),
	})
	if err != nil {
		return err
	}
	if len(out.Rules) == 0 {
		return noAnswer("CreateRule", s.Listener)
	}

	// Nobody else's rule is answered: a priority has one rule, and AWS refuses another one.
	made := ruleOf(out.Rules[0])
	made.Own, made.Owner, made.Tags = true, s.Rule.Owner, tags
	l.Has = inOrder(append(slices.Clone(l.Has), made))
	return nil
}

func (p performer) setPriorities(ctx context.Context, s elb.SetPriorities) error {
	in := &elbv2.SetRulePrioritiesInput{}
	var listener *elb.ObservedListener
	for _, arn := range slices.Sorted(maps.Keys(s.Priorities)) {
		l, r := p.rule(arn)
		if r == nil {
			return strange(s)
		}
		listener = l
		in.RulePriorities = append(in.RulePriorities, types.RulePriorityPair{RuleArn: aws.String(arn), Priority: aws.Int32(int32(s.Priorities[arn]))})
	}
	if listener == nil {
		return nil
	}
	if _, err := call(ctx, p.Cloud, "SetRulePriorities", s.Listener, (*elbv2.Client).SetRulePriorities, in); err != nil {
		return err
	}

	moved := slices.Clone(listener.Has)
	for i := range moved {
		if to, ok := s.Priorities[moved[i].ARN]; ok {
			moved[i].Priority = to
		}
	}
	listener.Has = inOrder(moved)
	return nil
}

// inOrder sorts rules by their priorities.
func inOrder(rules []elb.ObservedRule) []elb.ObservedRule {
	slices.SortStableFunc(rules, func(a, b elb.ObservedRule) int { return cmp.Compare(a.Priority, b.Priority) })
	return rules
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
