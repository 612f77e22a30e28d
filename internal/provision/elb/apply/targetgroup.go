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
