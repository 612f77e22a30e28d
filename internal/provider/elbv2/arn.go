// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/podgate/podgate/internal/provider"
)

// Account is the key of the budget of calls that ref draws on: AWS counts calls per
// account and region. It is the account in the group's ARN, else that in the
// role's; empty when neither tells, which means podgate's own.
func Account(ref provider.Ref) string {
	for _, s := range []string{ref.Group, ref.RoleARN} {
		if a, err := arn.Parse(s); err == nil {
			return a.AccountID
		}
	}
	return ""
}

// checkARN tells whether s is the ARN of a target group in this region. Asking the
// wrong region would answer "not found", which says the wrong thing.
func (p *Provider) checkARN(op, s string) error {
	invalid := func(format string, args ...any) error {
		return &provider.CallError{Op: op, Subject: s, Kind: provider.ErrInvalid, Text: fmt.Sprintf(format, args...)}
	}
	a, err := arn.Parse(s)
	if err != nil {
		return invalid("not an ARN; a target group's looks like arn:aws:elasticloadbalancing:%s:123456789012:targetgroup/name/0123456789abcdef", p.region)
	}
	if a.Service != "elasticloadbalancing" {
		return invalid("the ARN is of service %q, not of elasticloadbalancing", a.Service)
	}
	parts := strings.Split(a.Resource, "/")
	if len(parts) != 3 || parts[0] != "targetgroup" || parts[1] == "" || parts[2] == "" {
		return invalid("the ARN names %q, which is no target group", a.Resource)
	}
	if a.Region != p.region {
		return invalid("the group is in region %s, this podgate serves %s; name a group in %s, or run a podgate for %s",
			a.Region, p.region, p.region, a.Region)
	}
	return nil
}
