// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"maps"
	"slices"
	"strings"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// taggable returns an error unless arn names something that exists. An ARN of elsewhere is
// answered in words of its own (aws/aws-cli #3475).
func (s *Service) taggable(c *Call, arn string) error {
	for _, k := range []kind{kindGroup, kindBalancer, kindListener, kindRule} {
		if s.checkARN(c, k, arn) != nil {
			continue
		}

		exists := map[kind]bool{
			kindGroup:    s.groups[arn] != nil,
			kindBalancer: s.balancers[arn] != nil && !s.unseen(c, *s.balancers[arn].view.CreatedTime),
			kindListener: s.listeners[arn] != nil && !s.unseen(c, s.listeners[arn].made),
			kindRule:     s.rules[arn] != nil && !s.unseen(c, s.rules[arn].made),
		}
		if !exists[k] {
			return k.notFound()
		}

		return nil
	}

	return wire.Invalid("'%s' must be in ARN format", arn)
}

// tagNew tags a resource that is about to be created.
func (s *Service) tagNew(arn string, tags []types.Tag) error {
	changed, err := s.tagged(arn, tags)
	if err != nil {
		return err
	}
	s.tags[arn] = changed
	return nil
}

// tagged is what the tags of a resource would be with tags added.
func (s *Service) tagged(arn string, tags []types.Tag) (map[string]string, error) {
	changed := map[string]string{}
	maps.Copy(changed, s.tags[arn])
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == nil || *t.Key == "" || len(*t.Key) > 128:
			return nil, wire.Invalid("A tag key must have 1 to 128 characters")
		case strings.HasPrefix(*t.Key, "aws:"):
			return nil, wire.Invalid("Tag keys cannot begin with 'aws:': '%s'", *t.Key)
		case seen[*t.Key]:
			return nil, wire.Failed("DuplicateTagKeys", "Tag key '%s' was specified more than once", *t.Key)
		case t.Value != nil && len(*t.Value) > 256:
			return nil, wire.Invalid("The value of tag '%s' is longer than 256 characters", *t.Key)
		}

		seen[*t.Key] = true
		changed[*t.Key] = ""
		if t.Value != nil {
			changed[*t.Key] = *t.Value
		}
	}

	if len(changed) > s.cfg.Quotas.TagsPerResource {
		return nil, wire.Failed("TooManyTags", "The maximum number of tags has been reached for '%s'", arn)
	}

	return changed, nil
}

func (s *Service) addTags(c *Call, in *api.AddTagsInput) (*api.AddTagsOutput, error) {
	changed := map[string]map[string]string{}
	for _, arn := range in.ResourceArns {
		if err := s.taggable(c, arn); err != nil {
			return nil, err
		}
		tags, err := s.tagged(arn, in.Tags)
		if err != nil {
			return nil, err
		}
		changed[arn] = tags
	}

	maps.Copy(s.tags, changed)
	return &api.AddTagsOutput{}, nil
}

func (s *Service) removeTags(c *Call, in *api.RemoveTagsInput) (*api.RemoveTagsOutput, error) {
	for _, arn := range in.ResourceArns {
		if err := s.taggable(c, arn); err != nil {
			return nil, err
		}
	}
	for _, arn := range in.ResourceArns {
		for _, key := range in.TagKeys {
			delete(s.tags[arn], key)
		}
	}
	return &api.RemoveTagsOutput{}, nil
}

func (s *Service) describeTags(c *Call, in *api.DescribeTagsInput) (*api.DescribeTagsOutput, error) {
	if len(in.ResourceArns) > 20 {
		return nil, wire.Invalid("Up to 20 resource ARNs can be described in one call")
	}

	found := []types.TagDescription{}
	for _, arn := range in.ResourceArns {
		if err := s.taggable(c, arn); err != nil {
			return nil, err
		}
		tags := []types.Tag{}
		for _, key := range slices.Sorted(maps.Keys(s.tags[arn])) {
			tags = append(tags, types.Tag{Key: &key, Value: new(s.tags[arn][key])})
		}
		found = append(found, types.TagDescription{ResourceArn: &arn, Tags: tags})
	}

	return &api.DescribeTagsOutput{TagDescriptions: found}, nil
}
