// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package route is what a load balancer is to do with requests, as values:
// rules with hosts, paths and weighted backends, in the order in which they
// apply. It knows what a rule may consist of, and makes rules that fit.
//
// It refuses to know where rules come from and what becomes of them: it reads
// no object, calls nobody and has no clock.
package route

import (
	"slices"
	"strings"
)

// Rule says what becomes of requests that all of its parts match. Of several values one has to match.
type Rule struct {
	// Owner is whose rule it is, such as default/web. Rules of different owners are never merged.
	Owner string
	// Hosts are patterns of host names; none: every host.
	Hosts []string
	// Paths are patterns of paths; none: every path. In patterns * is any run of characters, and ? is one.
	Paths  []string
	Action Action
}

// Action is what becomes of a request: it goes to one of the backends, or if there are none it is answered.
type Action struct {
	Backends []Backend
	// Status and Body are the answer.
	Status int
	Body   string
}

// Backend is a port of a Service.
type Backend struct {
	Namespace, Service string
	// Port is as the Ingress writes it: a number of the Service's port, or its name.
	Port string
	// Weight is the backend's share, from 0 to 999.
	Weight int32
}

// same reports whether two actions do the same.
func (a Action) same(b Action) bool {
	return slices.Equal(a.Backends, b.Backends) && a.Status == b.Status && a.Body == b.Body
}

// Limits are what one rule may consist of.
type Limits struct {
	// Values counts hosts and paths together, Wildcards every * and ? in them.
	Values, Wildcards int
}

// ALB is what an application load balancer allows (Elastic Load Balancing, quotas). Accounts from before 2020 have six
// wildcards.
var ALB = Limits{Values: 5, Wildcards: 5}

// fits reports whether a rule is within the limits.
func (l Limits) fits(r Rule) bool {
	wildcards := 0
	for _, v := range append(slices.Clone(r.Hosts), r.Paths...) {
		wildcards += strings.Count(v, "*") + strings.Count(v, "?")
	}
	return len(r.Hosts)+len(r.Paths) <= l.Values && wildcards <= l.Wildcards
}

// Fit makes rules that are within the limits and mean the same: it divides those that are too large, and merges
// neighbours of one owner that differ only in their paths or only in their hosts, as far as the limits allow. Rules keep
// their order. It returns those that cannot be divided as well.
func Fit(rules []Rule, l Limits) (fitting, tooLarge []Rule) {
	for _, r := range rules {
		for _, part := range divide(r, l) {
			switch merged, ok := merge(fitting, part, l); {
			case !l.fits(part):
				tooLarge = append(tooLarge, part)
			case ok:
				fitting[len(fitting)-1] = merged
			default:
				fitting = append(fitting, part)
			}
		}
	}
	return fitting, tooLarge
}

// divide returns a rule, or if it is too large one for each of its paths, and where that is too large still for each of
// its hosts.
func divide(r Rule, l Limits) []Rule {
	if l.fits(r) {
		return []Rule{r}
	}

	var parts []Rule
	for _, path := range each(r.Paths) {
		part := r
		part.Paths = path
		if l.fits(part) {
			parts = append(parts, part)
			continue
		}
		for _, host := range each(r.Hosts) {
			part.Hosts = host
			parts = append(parts, part)
		}
	}
	return parts
}

// each is each of the values alone; without values it is once none.
func each(values []string) [][]string {
	if len(values) == 0 {
		return [][]string{nil}
	}
	var list [][]string
	for _, v := range values {
		list = append(list, []string{v})
	}
	return list
}

// merge makes the last of the rules and another one, if both mean the same but for their paths or but for their hosts.
func merge(rules []Rule, r Rule, l Limits) (Rule, bool) {
	if len(rules) == 0 {
		return Rule{}, false
	}

	last := rules[len(rules)-1]
	if last.Owner != r.Owner || !last.Action.same(r.Action) {
		return Rule{}, false
	}

	switch {
	case slices.Equal(last.Hosts, r.Hosts) && len(last.Paths) > 0 && len(r.Paths) > 0:
		last.Paths = slices.Concat(last.Paths, r.Paths)
	case slices.Equal(last.Paths, r.Paths) && len(last.Hosts) > 0 && len(r.Hosts) > 0:
		last.Hosts = slices.Concat(last.Hosts, r.Hosts)
	default:
		return Rule{}, false
	}
	return last, l.fits(last)
}
