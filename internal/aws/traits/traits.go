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
	"sync/atomic"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// Account is Own.Account for who does not know where podgate is.
func Account(ref balancer.Ref) string { return new(Own).Account(ref) }

// Own is where podgate itself is at AWS. It is safe for concurrent use.
type Own struct {
	// Region is podgate's own; empty when it has none.
	Region  string
	account atomic.Pointer[string]
}

// Learn tells of a target group, by its ARN, that podgate reached without a role: it is in podgate's own account. What is no
// ARN says nothing.
func (o *Own) Learn(arn string) {
	if o.account.Load() != nil {
		return
	}
	if _, account := place(arn); account != "" {
		o.account.Store(&account)
	}
}

// Account is the key of the budget of calls that a ref draws on. AWS counts calls per account and region: the account is
// that of the role to assume, else podgate's own, which goes without a name; so does a role of that account once it
// is known. Whose the group is makes no difference, and whether its ARN is known yet: the search for a group is charged
// to the same budget as the reads of what was found.
func (o *Own) Account(ref balancer.Ref) string {
	_, account := place(ref.RoleARN)
	if own := o.account.Load(); own != nil && account == *own {
		account = ""
	}
	region, _ := place(ref.Group)
	return strings.Trim(account+"/"+cmp.Or(ref.Region, o.Region, region), "/")
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
