// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import "github.com/podgate/podgate/api/v1alpha1"

// Status is the status of a pod condition. The zero value means that the pod has
// no such condition.
type Status string

// The statuses of a condition.
const (
	StatusTrue    Status = "True"
	StatusFalse   Status = "False"
	StatusUnknown Status = "Unknown"
)

// fromBalancer reports whether a reason is a load balancer's: it is none of podgate's own.
func fromBalancer(reason string) bool {
	return reason != "" && !v1alpha1.IsGateReason(reason)
}

// Condition is a pod condition without its times.
type Condition struct {
	Status  Status
	Reason  string
	Message string
}
