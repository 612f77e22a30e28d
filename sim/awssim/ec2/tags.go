// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"maps"
	"slices"
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// tagSet is the tags of a resource, as answers show them.
func (st *state) tagSet(id string) []tagOf {
	list := []tagOf{}
	for _, key := range slices.Sorted(maps.Keys(st.tags[id])) {
		list = append(list, tagOf{&key, new(st.tags[id][key])})
	}
	return list
}

// exists reports whether there is a resource, and what kind it is; if not, what a call about it answers.
func (st *state) exists(id string) (string, error) {
	switch {
	case st.groups[id] != nil:
		return "security-group", nil
	case st.subnets[id] != nil:
		return "subnet", nil
	case st.vpcs[id] != nil:
		return "vpc", nil
	case st.tables[id] != nil:
		return "route-table", nil
	case st.instances[id] != nil:
		return "instance", nil
	case st.interfaces[id] != nil:
		return "network-interface", nil
	case strings.HasPrefix(id, "sg-"):
		return "", groupNotFound(id)
	case strings.HasPrefix(id, "subnet-"):
		return "", subnetNotFound(id)
	case strings.HasPrefix(id, "i-"):
		return "", instanceNotFound(id)
	}
	return "", wire.Failed("InvalidID", "The ID '%s' is not valid", id)
}

// tagged is what the tags of a resource would be with tags added.
func (s *Service) tagged(before map[string]string, tags []tagOf) (map[string]string, error) {
	after := maps.Clone(before)
	if after == nil {
		after = map[string]string{}
	}

	for _, t := range tags {
		switch {
		case t.Key == nil || *t.Key == "" || len(*t.Key) > 128:
			return nil, wire.Failed("InvalidParameterValue", "Tag keys must have 1 to 128 characters")
		case strings.HasPrefix(strings.ToLower(*t.Key), "aws:"):
			return nil, wire.Failed("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case t.Value != nil && len(*t.Value) > 256:
			return nil, wire.Failed("InvalidParameterValue", "The value of tag '%s' exceeds the maximum of 256 characters", *t.Key)
		}
		after[*t.Key] = ""
		if t.Value != nil {
			after[*t.Key] = *t.Value
		}
	}

	if len(after) > s.cfg.Quotas.TagsPerResource {
		return nil, wire.Failed("TagLimitExceeded", "You have reached the maximum number of tags for this resource")
	}
	return after, nil
}

type tagsInput struct {
	DryRun     *bool
	ResourceId []string
	Tag        []tagOf
}

func (s *Service) createTags(c *Call, in *tagsInput) (*done, error) {
	changed := map[string]map[string]string{}
	for _, id := range in.ResourceId {
		if _, err := s.seen(c).exists(id); err != nil {
			return nil, err
		}
		after, err := s.tagged(s.now().tags[id], in.Tag)
		if err != nil {
			return nil, err
		}
		changed[id] = after
	}

	s.change(func(st *state) { maps.Copy(st.tags, changed) })
	return &done{true}, nil
}

// deleteTags takes away tags of these keys, or if a value is given of that value alone. Without tags all go.
func (s *Service) deleteTags(c *Call, in *tagsInput) (*done, error) {
	changed := map[string]map[string]string{}
	for _, id := range in.ResourceId {
		if _, err := s.seen(c).exists(id); err != nil {
			return nil, err
		}
		changed[id] = maps.Clone(s.now().tags[id])
		maps.DeleteFunc(changed[id], func(key, value string) bool {
			return len(in.Tag) == 0 || slices.ContainsFunc(in.Tag, func(t tagOf) bool {
				return t.Key != nil && *t.Key == key && (t.Value == nil || *t.Value == value)
			})
		})
	}

	s.change(func(st *state) { maps.Copy(st.tags, changed) })
	return &done{true}, nil
}

type describeTagsInput struct {
	DryRun     *bool
	Filter     []filter
	MaxResults *int32
	NextToken  *string
}

type tagView struct {
	ResourceId   string
	ResourceType string
	Key          string
	Value        string
}

type describeTagsOutput struct {
	TagSet    []tagView
	NextToken *string
}

func (s *Service) describeTags(c *Call, in *describeTagsInput) (*describeTagsOutput, error) {
	st := s.seen(c)
	all := map[string]tagView{}
	for id, tags := range st.tags {
		kind, err := st.exists(id)
		if err != nil {
			continue // it is gone
		}
		for key, value := range tags {
			all[id+"/"+key] = tagView{id, kind, key, value}
		}
	}

	found, next, err := find(st, all, question{filters: in.Filter, size: in.MaxResults, token: in.NextToken}, wanted[tagView]{
		id: func(t tagView) string { return t.ResourceId + "/" + t.Key },
		attributes: func(t tagView) attributes {
			return attributes{"resource-id": {t.ResourceId}, "resource-type": {t.ResourceType}, "key": {t.Key}, "value": {t.Value}}
		},
	})
	return &describeTagsOutput{found, next}, err
}
