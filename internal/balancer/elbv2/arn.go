// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/podgate/podgate/internal/balancer"
)

// regionOf is where a group is: as its ref says, else podgate's own region, else as its
// ARN says; empty when none does.
func (p *Provider) regionOf(ref balancer.Ref) string {
	a, _ := arn.Parse(ref.Group)
	return cmp.Or(ref.Region, p.region, a.Region)
}

// checkARN reports whether ref has the ARN of a target group in the region where it is
// looked for. Asking the wrong region would answer "not found", which says the wrong thing.
func (p *Provider) checkARN(op string, ref balancer.Ref) error {
	invalid := func(format string, args ...any) error {
		return &balancer.CallError{Op: op, Subject: ref.Group, Kind: balancer.ErrInvalid, Text: fmt.Sprintf(format, args...)}
	}

	region := p.regionOf(ref)
	a, err := arn.Parse(ref.Group)
	if err != nil {
		return invalid("not an ARN; a target group's looks like arn:aws:elasticloadbalancing:%s:123456789012:targetgroup/name/0123456789abcdef", cmp.Or(region, "eu-west-1"))
	}
	if a.Service != "elasticloadbalancing" {
		return invalid("the ARN is of service %q, not of elasticloadbalancing", a.Service)
	}

	parts := strings.Split(a.Resource, "/")
	if len(parts) != 3 || parts[0] != "targetgroup" || parts[1] == "" || parts[2] == "" {
		return invalid("the ARN names %q, which is not a target group", a.Resource)
	}

	switch {
	case a.Region == region:
		return nil
	case ref.Region != "":
		return invalid("the group is in region %s and the binding says region %s: correct one of them", a.Region, ref.Region)
	}

	return invalid("the group is in region %s, this podgate serves %s; name a group in %s, or bind this one by a TargetBinding with spec.elbv2.region %s",
		a.Region, region, region, a.Region)
}
