// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
)

// Driver is one kind of load balancer: who makes the calls, and what is true of it.
// Code outside a driver's folder asks for a trait, never for a name.
type Driver struct {
	Kind     Kind
	Provider Provider
	Traits
}

// Traits are what podgate has to know of a kind of load balancer. The zero value is
// the careful assumption about one of which nothing is known.
type Traits struct {
	// Immediate: a read that begins after a change shows it. Otherwise it may be up to
	// gate.Lag behind.
	Immediate bool
	// Audit is the time between two reads of a group where nothing is expected; 0 for
	// the observer's own.
	Audit time.Duration
	// Limits is the budget of calls of each account; carefulLimits where it is not stated.
	Limits Limits
	// Account returns on whose budget the calls about a group are made. All groups of
	// the kind share one when it is nil.
	Account func(Ref) string

	// Manifest reads what an object says of its group; false when the group is another
	// driver's.
	Manifest func(object any) (Manifest, bool)
	// Only returns a copy of an object that names only some of its group's parts; nil where
	// Manifest returns none.
	Only func(object any, parts []string) any
	// ManifestDecides: a group's settings are those of the binding's manifest, which may
	// be younger than what was published on the binding.
	ManifestDecides bool
	// EmptyUntilReached: where no answer ever came, nothing can be registered.
	EmptyUntilReached bool
	// Nodes: groups whose targets are nodes are served, too.
	Nodes bool
	// Called reports whether a manifest may give a group by a name that is not its Name; none
	// may when it is nil.
	Called func(g Group, name string) bool
	// Identifiers lists the groups that a Ref of several stands for; it is the Ref's own group
	// alone when it is nil.
	Identifiers func(Ref) []string
	// Need returns what a group's targets need after their deregistration; drain.Slowest
	// when it is nil. DeregistrationDelay is drain.MaxInFlight where nobody knows it yet.
	Need func(Group) drain.Need
	// GoneIsDone: a target that is listed no more gets no request.
	GoneIsDone bool
	// Quiet reports whether all of a group's traffic shows in the table of TCP sockets,
	// so that a pod without connections has none under way; never when it is nil.
	Quiet func(Group) bool
	// TakesTurns reports whether one request at a time is on each connection of a group, in the clear: then an idle
	// connection is one at which the pod owes no answer; no group's do when it is nil.
	TakesTurns func(Group) bool

	// Gate is the condition type of the one gate that a pod has for all of its groups of the
	// kind; empty where each binding has a gate of its own.
	Gate string

	// ResolveAgain is how long what Resolve found of a group counts, in seconds or minutes where a
	// binding's groups come and go; 0, or nil, where that is no matter of time.
	ResolveAgain func(Group) time.Duration

	// OpensWithin estimates how long a gate of the group may take to open once its target is
	// registered, of a group that was not resolved when it is zero; nobody is warned of it
	// when it is nil.
	OpensWithin func(Group) time.Duration

	// Words are what people are told of it.
	Words
}

// Lag is how far what is read of a group may be behind what was done to it.
func (t Traits) Lag() time.Duration {
	if t.Immediate {
		return 0
	}
	return gate.Lag
}

// DrainNeed returns what a group's targets need after their deregistration.
func (t Traits) DrainNeed(g Group) drain.Need {
	if t.Need == nil {
		return drain.Slowest
	}
	return t.Need(g)
}

// GoesBy reports whether a group is the one that a manifest gives by a name.
func (t Traits) GoesBy(g Group, name string) bool {
	return g.Name == name || t.Called != nil && t.Called(g, name)
}

// GroupsOf lists the identifiers of the groups that a ref stands for; none while it has none.
func (t Traits) GroupsOf(ref Ref) []string {
	switch {
	case ref.Group == "":
		return nil
	case t.Identifiers == nil:
		return []string{ref.Group}
	}
	return t.Identifiers(ref)
}

// Absent is what is said of a target that its group does not hold.
func (t Traits) Absent() gate.Health {
	return gate.Health{State: gate.Unused, Reason: cmp.Or(t.NotRegistered, ReasonNotRegistered), Description: "Target is not registered to the target group"}
}

// Drivers are all kinds of load balancers that podgate has.
type Drivers []Driver

// Of returns what is true of a kind of load balancer.
func (d Drivers) Of(kind Kind) Traits {
	for _, driver := range d {
		if driver.Kind == kind {
			return driver.Traits
		}
	}
	return Traits{}
}

// Gates lists the condition types of the gates that all groups of a kind share.
func (d Drivers) Gates() []string {
	var shared []string
	for _, driver := range d {
		if driver.Gate != "" {
			shared = append(shared, driver.Gate)
		}
	}
	return shared
}

// Tends reports whether a group's driver is a Tender, so that its targets drain only as
// the group is looked after.
func (d Drivers) Tends(ref Ref) bool {
	for _, driver := range d {
		if driver.Kind == ref.Provider {
			_, tends := driver.Provider.(Tender)
			return tends
		}
	}
	return false
}

// Audit is the time between two reads of a group where nothing is expected.
func (d Drivers) Audit(ref Ref) time.Duration { return d.Of(ref.Provider).Audit }

// Lag is how far what is read of a group may be behind what was done to it.
func (d Drivers) Lag(ref Ref) time.Duration { return d.Of(ref.Provider).Lag() }

// carefulLimits are those of a driver that states none. Without any no call would ever be made.
var carefulLimits = Limits{DescribeRate: 1, DescribeBurst: 1, ChangeRate: 1, ChangeBurst: 1}

// Limits is the budget of calls that a group's account has.
func (d Drivers) Limits(ref Ref) Limits {
	limits := d.Of(ref.Provider).Limits
	if limits == (Limits{}) {
		return carefulLimits
	}
	return limits
}

// Account is on whose budget of calls, and in whose share of the workers, calls about
// a group are made. Two kinds have nothing in common, though their accounts have one name.
func (d Drivers) Account(ref Ref) string {
	if account := d.Of(ref.Provider).Account; account != nil {
		return strings.TrimSuffix(string(ref.Provider)+" "+account(ref), " ")
	}
	return string(ref.Provider)
}

// Router hands each call to the driver of its group.
func (d Drivers) Router() Router {
	r := Router{}
	for _, driver := range d {
		r[driver.Kind] = driver.Provider
	}
	return r
}
