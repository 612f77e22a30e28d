// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"strings"
)

// resources are all resources, of every kind.
func (s *Service) resources() []resource {
	var list []resource
	list = appendAll(list, s.groups)
	list = appendAll(list, s.services)
	list = appendAll(list, s.listeners)
	list = appendAll(list, s.rules)
	list = appendAll(list, s.networks)
	list = appendAll(list, s.serviceAssociations)
	list = appendAll(list, s.vpcAssociations)
	return list
}

func appendAll[T resource](list []resource, all map[string]T) []resource {
	for _, r := range all {
		list = append(list, r)
	}
	return list
}

// tagged finds a resource by its ARN.
func (s *Service) tagged(c *Call, arn string) (*object, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return nil, invalid("resourceArn", "'%s' is not an ARN", arn)
	}
	if err := s.checkARN(c, arn); err != nil {
		return nil, err
	}

	for _, r := range s.resources() {
		if o := r.self(); o.arn == arn {
			return o, nil
		}
	}
	return nil, notFound("RESOURCE", arn)
}

// checkTags validates the tags of one resource.
func (s *Service) checkTags(tags map[string]string) error {
	if len(tags) > s.cfg.Quotas.TagsPerResource {
		return invalid("tags", "a resource can have at most %d tags", s.cfg.Quotas.TagsPerResource)
	}
	for key := range tags {
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return invalid("tags", "keys cannot begin with aws: '%s'", key)
		}
	}
	return nil
}

type empty struct{}

type tagIn struct {
	ResourceArn string            `json:"resourceArn"`
	Tags        map[string]string `json:"tags"`
	TagKeys     []string          `json:"tagKeys"`
}

type tagsOut struct {
	Tags map[string]string `json:"tags"`
}

func (s *Service) tagResource(c *Call, in *tagIn) (*empty, error) {
	o, err := s.tagged(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}

	changed := map[string]string{}
	for _, tags := range []map[string]string{o.tags, in.Tags} {
		for key, value := range tags {
			changed[key] = value
		}
	}
	if err := s.checkTags(changed); err != nil {
		return nil, err
	}

	o.tags = changed
	return &empty{}, nil
}

func (s *Service) untagResource(c *Call, in *tagIn) (*empty, error) {
	o, err := s.tagged(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(o.tags, key)
	}
	return &empty{}, nil
}

func (s *Service) listTagsForResource(c *Call, in *tagIn) (*tagsOut, error) {
	o, err := s.tagged(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for key, value := range o.tags {
		tags[key] = value
	}
	return &tagsOut{tags}, nil
}
