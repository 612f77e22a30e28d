// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"strings"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// ahead is how far in the future an override may have been set: clocks differ.
const ahead = time.Minute

// Override is what a person ordered about a gate. Its zero value orders nothing.
type Override struct {
	// Status is what the gate is to be: StatusTrue or StatusFalse.
	Status Status
	// Reason and By are the person's own words for people; By may be empty.
	Reason, By string
	// Set is when it was ordered, Until when it ends.
	Set, Until time.Time
}

// holds reports whether the order counts. One that keeps a gate closed does not keep its
// binding from being deleted.
func (o Override) holds(now time.Time, releasing bool) bool {
	switch {
	case o.Status == StatusFalse && releasing:
		return false
	case o.Status != StatusTrue && o.Status != StatusFalse:
		return false
	}
	return now.Before(o.Until) && !now.Add(ahead).Before(o.Set)
}

// condition is the gate's while the override changes it.
func (o Override) condition() Condition {
	by := ""
	if o.By != "" {
		by = " by " + o.By
	}
	reason := strings.TrimSuffix(strings.TrimSpace(o.Reason), ".")
	return Condition{o.Status, v1alpha1.ReasonOverridden, fmt.Sprintf("Set to %s by hand until %s%s: %s.", o.Status, o.Until.UTC().Format(time.RFC3339), by, reason)}
}

// overridden applies an order to what would be decided without it. An order that says
// the same as that changes nothing, so that the gate's own reason can be seen.
func overridden(now time.Time, pod Pod, feeds []Feed, d Decision) Decision {
	releasing := all(feeds, func(f Feed) bool { return f.Claim == Releasing })

	begins := pod.Override.Set.Add(-ahead)
	if now.Before(begins) && pod.Override.holds(begins, releasing) {
		d.Recheck = sooner(d.Recheck, begins.Sub(now))
	}

	if !pod.Override.holds(now, releasing) {
		return d
	}

	d.Recheck = sooner(d.Recheck, pod.Override.Until.Sub(now))
	if d.Condition.Status != pod.Override.Status {
		d.Condition, d.TimedOut = pod.Override.condition(), false
	}

	return d
}

// withoutOverride is the condition as a gate has it whose override is not to be taken for
// what a load balancer or a check said.
func withoutOverride(current Condition, w words) Condition {
	if current.Reason != v1alpha1.ReasonOverridden {
		return current
	}
	return Condition{StatusUnknown, w.unobserved.Reason, "What was set by hand no longer counts; podgate asks " + w.asked + " again."}
}
