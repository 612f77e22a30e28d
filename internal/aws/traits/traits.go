// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traits is what is true of all of AWS's load balancers, and what people are told of it. It
// calls nobody and knows no SDK.
package traits

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// Account is AccountIn for who does not know podgate's own region.
func Account(ref balancer.Ref) string { return AccountIn("")(ref) }

// AccountIn returns the key of the budget of calls that a ref draws on, for a podgate in a region, which is empty when it has
// none. AWS counts calls per account and region: the account is that of the role to assume, else podgate's own, which goes
// without a name. Whose the group is makes no difference, and whether its ARN is known yet: the search for a group is
// charged to the same budget as the reads of what was found.
func AccountIn(own string) func(balancer.Ref) string {
	return func(ref balancer.Ref) string {
		_, account := place(ref.RoleARN)
		region, _ := place(ref.Group)
		return strings.Trim(account+"/"+cmp.Or(ref.Region, own, region), "/")
	}
}

// place returns the region and the account in an ARN, arn:partition:service:region:account:resource;
// nothing when it is none.
func place(arn string) (region, account string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return "", ""
	}
	return parts[3], parts[4]
}

// Fixes are what to do about bindings that are not Ready.
var Fixes = []balancer.Advice{
	{Reason: v1alpha1.ReasonAccessDenied, Fix: "correct podgate's credentials, its IAM policy or the role to assume"},
	{Reason: v1alpha1.ReasonTooManyTargets, Fix: "raise the quota of targets per group, or run fewer pods"},
}

// Explain says what is AWS's own about an error: who grants access, whose budget is used up, and
// which quota there is. The subject is what the call was about, such as target group "web".
func Explain(subject string, err error) string {
	switch {
	case errors.Is(err, balancer.ErrDenied):
		return fmt.Sprintf("AWS refuses access to %s: check podgate's credentials, its IAM policy and the role to assume. %s", subject, balancer.Message(err))
	case errors.Is(err, balancer.ErrThrottled):
		return fmt.Sprintf("AWS throttles calls about %s; they are repeated more slowly. If it lasts, find who else uses the account's API budget.", subject)
	case errors.Is(err, balancer.ErrQuota):
		return fmt.Sprintf("AWS takes no more targets for %s: raise the quota of targets per group, or run fewer pods.", subject)
	}
	return ""
}
