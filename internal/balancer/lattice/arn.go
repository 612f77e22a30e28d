// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
)

// arns are how those of this service's target groups look.
var arns = podaws.ARNs{
	Service: "vpc-lattice", Example: "targetgroup/tg-0123456789abcdef0", Field: "spec.lattice.region",
	Group: func(resource string) bool {
		id, is := strings.CutPrefix(resource, "targetgroup/")
		return is && traits.IsID(id) && !strings.Contains(id, "/")
	},
}

// refs returns the target groups that a ref means, each with a ref of its own.
func refs(ref balancer.Ref) []balancer.Ref {
	var all []balancer.Ref
	for _, group := range traits.ARNs(ref.Group) {
		one := ref
		one.Group = group
		all = append(all, one)
	}
	return all
}

// id is what a target group's ARN ends with, for people.
func id(ref balancer.Ref) string { return ref.Group[strings.LastIndex(ref.Group, "/")+1:] }

// check returns an error unless ref names a target group that can be asked for.
func (p *Provider) check(op string, ref balancer.Ref) error {
	if traits.IsID(ref.Group) {
		if p.sessions.Region(ref) == "" {
			return podaws.NoRegion(op, ref.Group, arns)
		}
		return nil
	}
	if err := p.sessions.CheckARN(op, ref, arns); err != nil {
		return err
	}

	// Target groups cannot be shared, so another account's role can do nothing here.
	group, _ := arn.Parse(ref.Group)
	if role, err := arn.Parse(ref.RoleARN); err == nil && role.AccountID != group.AccountID {
		return &balancer.CallError{Op: op, Subject: ref.Group, Kind: balancer.ErrInvalid, Text: fmt.Sprintf(
			"the group is of account %s, and the binding's role %s is of account %s: name a role of the group's account", group.AccountID, ref.RoleARN, role.AccountID)}
	}
	return nil
}
