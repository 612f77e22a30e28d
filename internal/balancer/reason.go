// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/podgate/podgate/internal/gate"
)

// ReasonNotRegistered is the reason of a target that is not in its group.
const ReasonNotRegistered = "Target.NotRegistered"

// Absent is what is said of a target that its group does not hold.
func Absent() gate.Health {
	return gate.Health{State: gate.Unused, Reason: ReasonNotRegistered, Description: "Target is not registered to the target group"}
}

// Advice says what to do about a gate that is closed for a reason of the load balancer's own.
type Advice struct{ Reason, Fix string }

// absent is the advice about a target that its group does not hold, whichever driver's.
var absent = Advice{ReasonNotRegistered, "look at the binding: registration is under way, or fails for the reason there"}

// reports reports whether a reason is one that the driver's Health passes on.
func (t Traits) reports(reason string) bool {
	return slices.ContainsFunc(t.Reasons, func(prefix string) bool { return strings.HasPrefix(reason, prefix) })
}

// Reported reports whether a condition's reason is what a load balancer said of a target.
func (d Drivers) Reported(reason string) bool {
	return reason == ReasonNotRegistered || slices.ContainsFunc(d, func(driver Driver) bool { return driver.reports(reason) })
}

// Advice returns what to do about a gate that is closed for a load balancer's reason; empty when
// no driver has that reason.
func (d Drivers) Advice(reason string) string {
	if reason == absent.Reason {
		return absent.Fix
	}

	for _, driver := range d {
		if !driver.reports(reason) {
			continue
		}
		for _, a := range driver.Advice {
			if a.Reason == reason {
				return a.Fix
			}
		}
		return cmp.Or(driver.OtherAdvice, "do what the load balancer's message says")
	}

	return ""
}

// EveryAdvice lists what there is to do about each reason that somebody knows in advance.
func (d Drivers) EveryAdvice() []Advice {
	all := []Advice{absent}
	for _, driver := range d {
		all = append(all, driver.Advice...)
	}
	return all
}
