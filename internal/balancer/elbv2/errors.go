// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"errors"

	"github.com/podgate/podgate/internal/balancer"
)

// kinds maps the service's own error codes to the seam's errors. The source is the service's model.
var kinds = map[string]error{
	"TargetGroupNotFound": balancer.ErrNotFound,

	codeTooManyRegistrations: balancer.ErrQuota,
	codeTooManyTargets:       balancer.ErrQuota,

	codeInvalidTarget:   balancer.ErrInvalid,
	codeValidationError: balancer.ErrInvalid,
}

// Codes that may be about one target among many.
const (
	codeInvalidTarget        = "InvalidTarget"
	codeValidationError      = "ValidationError"
	codeTooManyRegistrations = "TooManyRegistrationsForTargetId"
	codeTooManyTargets       = "TooManyTargets"
)

// isFull reports whether the API refused a batch because the group has no room for all of
// it. It registers all of a batch or nothing.
func isFull(err error) bool {
	var failed *balancer.CallError
	return errors.As(err, &failed) && failed.Code == codeTooManyTargets
}

// concernsOne reports whether the API may have refused a batch for one target in it.
func concernsOne(err error) bool {
	var failed *balancer.CallError
	if !errors.As(err, &failed) || errors.Is(err, balancer.ErrDenied) {
		return false // such as STS refusing a role with one of these codes
	}
	return failed.Code == codeInvalidTarget || failed.Code == codeValidationError || failed.Code == codeTooManyRegistrations
}

// mayLackZone reports whether the API may have refused targets because they are
// outside the group's VPC and name no zone. Trying again with one is cheaper than
// knowing the VPC, which takes permissions of another service.
func mayLackZone(err error) bool {
	var failed *balancer.CallError
	return errors.As(err, &failed) && errors.Is(err, balancer.ErrInvalid) && failed.Code == codeValidationError
}
