// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
)

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
