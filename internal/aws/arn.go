// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"cmp"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/podgate/podgate/internal/balancer"
)

// ARNs are how those of a service's target groups look.
type ARNs struct {
	// Service is the service's name in them.
	Service string
	// Group reports whether an ARN's resource is a target group, and Example is one.
	Group   func(resource string) bool
	Example string
	// Field is the field of a TargetBinding that names the region of such a group.
	Field string
}

// CheckARN returns an error unless ref has the ARN of a target group in the region where it is
// looked for. Asking the wrong region would answer "not found", which says the wrong thing.
func (s *Sessions[A]) CheckARN(op string, ref balancer.Ref, shape ARNs) error {
	invalid := func(format string, args ...any) error {
		return &balancer.CallError{Op: op, Subject: ref.Group, Kind: balancer.ErrInvalid, Text: fmt.Sprintf(format, args...)}
	}

	region := s.Region(ref)
	a, err := arn.Parse(ref.Group)
	if err != nil {
		return invalid("not an ARN; a target group's looks like arn:aws:%s:%s:123456789012:%s", shape.Service, cmp.Or(region, "eu-west-1"), shape.Example)
	}
	if a.Service != shape.Service {
		return invalid("the ARN is of service %q, not of %s", a.Service, shape.Service)
	}
	if !shape.Group(a.Resource) {
		return invalid("the ARN names %q, which is not a target group", a.Resource)
	}

	switch {
	case a.Region == region:
		return nil
	case ref.Region != "":
		return invalid("the group is in region %s and the binding says region %s: correct one of them", a.Region, ref.Region)
	}

	return invalid("the group is in region %s, this podgate serves %s; name a group in %s, or bind this one by a TargetBinding with %s %s",
		a.Region, region, region, shape.Field, a.Region)
}

// NoRegion is about a group that is only named, where nobody says in which region.
func NoRegion(op, name string, shape ARNs) error {
	return &balancer.CallError{Op: op, Subject: name, Kind: balancer.ErrInvalid,
		Text: "no AWS region is known: set podgate's --aws-region or AWS_REGION, name the group by its ARN, or bind it by a TargetBinding with " + shape.Field}
}
