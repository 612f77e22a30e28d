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
	"time"
)

// Rule says what becomes of requests that are like its match.
type Rule struct {
	// Owner is whose rule it is, such as shop/web. Rules of different owners are never merged.
	Owner  string
	Match  Match
	Action Action
}

// Action is what becomes of a request: it goes to one of the backends, is sent elsewhere, or is answered.
type Action struct {
	Backends []Backend
	Redirect *Redirect
	Answer   *Answer
	// Sticky is how long a client stays with its backend; 0: not at all.
	Sticky time.Duration
}

// GRPC is the version of the protocol that backends of gRPC speak.
const GRPC = "GRPC"

// Backend is a port of a Service, or a target group that somebody else made.
type Backend struct {
	Namespace, Service string
	// Port is as the Ingress writes it: a number of the Service's port, or its name.
	Port string
	// Version is GRPC where it has to speak gRPC; empty: its Service says what it speaks.
	Version string
	// Group is the ARN of somebody else's target group; then there is no Service.
	Group string
	// Weight is the backend's share, from 0 to 999.
	Weight int32
}

// same reports whether two actions do the same.
func (a Action) same(b Action) bool {
	return slices.Equal(a.Backends, b.Backends) && equal(a.Redirect, b.Redirect) && equal(a.Answer, b.Answer) && a.Sticky == b.Sticky
}

// equal reports whether both are nil, or have the same value.
func equal[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Limits are what one rule may consist of.
type Limits struct {
	// Values counts the values of all parts of a match together, Wildcards every * and ? in those that are patterns.
	Values, Wildcards int
}

// ALB is what an application load balancer allows (Elastic Load Balancing, quotas). Accounts from before 2020 have six
// wildcards.
var ALB = Limits{Values: 5, Wildcards: 5}

// fits reports whether a match is within the limits.
func (l Limits) fits(m Match) bool {
	values, patterns := m.count()
	wildcards := 0
	for _, p := range patterns {
		wildcards += strings.Count(p, "*") + strings.Count(p, "?")
	}
	return values <= l.Values && wildcards <= l.Wildcards
}

// Fit makes rules that are within the limits and mean the same: it divides those that are too large, and merges
// neighbours of one owner that differ only in their paths or only in their hosts, as far as the limits allow. Rules keep
// their order. It returns those that cannot be divided as well.
func Fit(rules []Rule, l Limits) (fitting, tooLarge []Rule) {
	for _, r := range rules {
		for _, part := range divide(r, l) {
			switch merged, ok := merge(fitting, part, l); {
			case !l.fits(part.Match):
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

// divide returns a rule, or if it is too large one for each of its paths, where that is too large still one for each of
// its hosts, and so on with the other parts of which one value has to match.
func divide(r Rule, l Limits) []Rule {
	parts := []Rule{r}
	for _, by := range []func(*Match) *[]string{
		func(m *Match) *[]string { return &m.Paths },
		func(m *Match) *[]string { return &m.Hosts },
		func(m *Match) *[]string { return &m.Sources },
		func(m *Match) *[]string { return &m.Methods },
	} {
		var smaller []Rule
		for _, part := range parts {
			if l.fits(part.Match) {
				smaller = append(smaller, part)
				continue
			}
			for _, values := range each(*by(&part.Match)) {
				*by(&part.Match) = values
				smaller = append(smaller, part)
			}
		}
		parts = smaller
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
	if last.Owner != r.Owner || !last.Action.same(r.Action) || !last.Match.sameBeyondHostsAndPaths(r.Match) {
		return Rule{}, false
	}

	a, b := &last.Match, r.Match
	switch {
	case slices.Equal(a.Hosts, b.Hosts) && len(a.Paths) > 0 && len(b.Paths) > 0:
		a.Paths = union(a.Paths, b.Paths)
	case slices.Equal(a.Paths, b.Paths) && len(a.Hosts) > 0 && len(b.Hosts) > 0:
		a.Hosts = union(a.Hosts, b.Hosts)
	default:
		return Rule{}, false
	}
	return last, l.fits(last.Match)
}

// union is a list with what it does not have of another one.
func union(list, more []string) []string {
	list = slices.Clone(list)
	for _, one := range more {
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}
