// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"strings"

	"github.com/podgate/podgate/internal/gate"
)

// ReasonNotRegistered is the reason of a target that is not in its group.
const ReasonNotRegistered = "Target.NotRegistered"

// Absent is what is said of a target that its group does not hold.
func Absent() gate.Health {
	return gate.Health{State: gate.Unused, Reason: ReasonNotRegistered, Description: "Target is not registered to the target group"}
}

// Reported reports whether a condition's reason is one that drivers pass on. All of theirs
// have a prefix and a dot, which no reason of podgate's or of a person has.
func Reported(reason string) bool { return strings.Contains(reason, ".") }
