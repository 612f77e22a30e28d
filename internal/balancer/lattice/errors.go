// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
)

// kinds maps the service's own error codes to the seam's errors. The source is the service's model.
var kinds = map[string]error{
	"ResourceNotFoundException": balancer.ErrNotFound,
	// It is being made or removed, or another change of it is under way.
	"ConflictException": balancer.ErrNotReady,

	codeQuota:       balancer.ErrQuota,
	codeInvalid:     balancer.ErrInvalid,
	codeUnsupported: balancer.ErrInvalid,
}

const (
	codeQuota   = "ServiceQuotaExceededException"
	codeInvalid = "ValidationException"
	// codeUnsupported is of single targets: the one such code that AWS documents.
	codeUnsupported = "UnsupportedTarget"
)

// isFull reports whether the API refused a call because the group has no room for all of its
// targets. It is taken to register all of them or none, which AWS does not say.
func isFull(err error) bool { return hasCode(err, codeQuota) }

// concernsOne reports whether the API may have refused a call for one target in it. AWS
// documents that it names such a target instead.
func concernsOne(err error) bool {
	return hasCode(err, codeInvalid) && errors.Is(err, balancer.ErrInvalid)
}

func hasCode(err error, code string) bool {
	var failed *balancer.CallError
	return errors.As(err, &failed) && failed.Code == code
}

// kindOf returns what the code of a single target's failure means.
func kindOf(code string) error { return podaws.KindOf(code, kinds) }

// nonsense is about an answer that cannot be one.
func nonsense(op, subject, format string, args ...any) error {
	return &balancer.CallError{Op: op, Subject: subject, Text: "the answer makes no sense: " + fmt.Sprintf(format, args...)}
}

// whose completes a refusal of access to a group, which its account may be the reason of. AWS's own
// words are long, so they come last.
func whose(err error, ref balancer.Ref) error {
	var failed *balancer.CallError
	if !errors.As(err, &failed) || !errors.Is(err, balancer.ErrDenied) || ref.RoleARN != "" {
		return err
	}

	group, parseErr := arn.Parse(ref.Group)
	if parseErr != nil {
		return err
	}

	told := *failed
	told.Text = fmt.Sprintf("the group is of account %s: if podgate's is another, name a role of that account in spec.lattice.roleARN. %s", group.AccountID, failed.Text)
	return &told
}
