// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"slices"
	"strings"
)

// ReasonNotRegistered is the reason of a target that is not in its group, where the driver has
// no word of its own.
const ReasonNotRegistered = "Target.NotRegistered"

// Advice says what to do about a gate that is closed for a reason of the load balancer's own.
type Advice struct{ Reason, Fix string }

// Words are what people are told of a kind of load balancer. The zero value is one that has no
// words of its own.
type Words struct {
	// Reasons are what the reasons of the driver's Health begin with, and no other reason does.
	Reasons []string
	// Advice lists what to do about gates that are closed for one of them, and OtherAdvice says
	// it of those that are not listed; to do what the message says when it is empty.
	Advice      []Advice
	OtherAdvice string
	// NotRegistered is the reason of a target that its group does not hold, and one of
	// Reasons; ReasonNotRegistered when it is empty.
	NotRegistered string
	// Fixes say what to do about a binding that is not Ready for one of podgate's reasons, where the driver knows better
	// than what is true of every load balancer.
	Fixes []Advice
	// NotFound is the reason of the condition on a binding whose group does not exist;
	// empty for that of target groups.
	NotFound string
	// Naming returns what people call the group, or the groups, of a name: in a sentence, and in a table that has the
	// binding's Service beside it. Target groups go by their name where it is nil.
	Naming func(group string) (sentence, cell string)
	// Explain says in a sentence what an error about a group means, which people know by that
	// name, and what to do about it; empty for an error of which the driver knows no more than
	// is true of every load balancer. It is nil where that is always so.
	Explain func(group string, err error) string
	// Overlap says in a sentence that another, older binding has the same claim, which is
	// a part of the group. Groups are claimed as a whole when it is nil.
	Overlap func(other, claim string) string
}

// absent is the advice about a target that its group does not hold, unless the driver has a word
// of its own for that.
var absent = Advice{ReasonNotRegistered, "look at the binding: registration is under way, or fails for the reason there"}

// reports reports whether a reason is one that the driver's Health passes on.
func (w Words) reports(reason string) bool {
	return slices.ContainsFunc(w.Reasons, func(prefix string) bool { return strings.HasPrefix(reason, prefix) })
}

// InSentence returns what people call the group of a name in a sentence.
func (w Words) InSentence(group string) string {
	sentence, _ := w.called(group)
	return sentence
}

// InTable returns what people call the group of a name in a table that has the binding's Service beside it.
func (w Words) InTable(group string) string {
	_, cell := w.called(group)
	return cell
}

func (w Words) called(group string) (sentence, cell string) {
	if w.Naming == nil {
		return "target group " + group, group
	}
	return w.Naming(group)
}

// Fix returns what to do about a binding that is not Ready for a reason; empty where the driver knows no more than podgate.
func (w Words) Fix(reason string) string {
	for _, f := range w.Fixes {
		if f.Reason == reason {
			return f.Fix
		}
	}
	return ""
}

// Reported reports whether a condition's reason is what a load balancer said of a target.
func (d Drivers) Reported(reason string) bool {
	return reason == ReasonNotRegistered || slices.ContainsFunc(d, func(driver Driver) bool { return driver.reports(reason) })
}

// Unregistered reports whether a condition's reason is that the target is not in its group.
func (d Drivers) Unregistered(reason string) bool {
	return reason == ReasonNotRegistered || slices.ContainsFunc(d, func(driver Driver) bool {
		return reason != "" && driver.NotRegistered == reason
	})
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
