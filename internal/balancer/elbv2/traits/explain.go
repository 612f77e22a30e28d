// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"errors"
	"fmt"

	"github.com/podgate/podgate/internal/balancer"
)

// explain says what is AWS's own about an error: who grants access, whose budget is used up, and which quota there is.
func explain(group string, err error) string {
	switch {
	case errors.Is(err, balancer.ErrDenied):
		return fmt.Sprintf("AWS refuses access to target group %q: check podgate's credentials, its IAM policy and the role to assume. %s", group, balancer.Message(err))
	case errors.Is(err, balancer.ErrThrottled):
		return fmt.Sprintf("AWS throttles calls about target group %q; they are repeated more slowly. If it lasts, find who else uses the account's API budget.", group)
	case errors.Is(err, balancer.ErrQuota):
		return fmt.Sprintf("Target group %q is full: raise the quota of targets per group, or run fewer pods.", group)
	}
	return ""
}
