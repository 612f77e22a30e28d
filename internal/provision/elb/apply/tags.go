// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/podgate/podgate/internal/provision/elb"
)

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
