// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity is how much of an object a problem concerns.
type Severity int

// Severities, from the least to the most.
const (
	_ Severity = iota
	// Notice: the object is served, but something in it has no effect.
	Notice
	// Partial: a path, a host or a port is not served as it is asked for; all else is.
	Partial
	// Refused: the object is not served as it is now. What it has of a load balancer stays.
	Refused
)

// Problem is why something of an Ingress or a Service is not served as it is asked for.
type Problem struct {
	// Owner is the object, as namespace/name.
	Owner    string
	Severity Severity
	// Reason is one of v1alpha1's for events on Ingresses and Services.
	Reason string
	// Message is for people, and says what to do.
	Message string
}

// Problems are collected for one object.
type Problems struct {
	// Owner is the object, as namespace/name.
	Owner string
	// Kind is what kind of object it is; an Ingress when empty.
	Kind string
	List []Problem
}

// Noun is what messages call the object.
func (p *Problems) Noun() string { return cmp.Or(p.Kind, "Ingress") }

// add adds a problem once.
func (p *Problems) add(severity Severity, reason, format string, args ...any) {
	problem := Problem{p.Owner, severity, reason, fmt.Sprintf(format, args...)}
	if !slices.Contains(p.List, problem) {
		p.List = append(p.List, problem)
	}
}

// Notice adds a problem of that severity.
func (p *Problems) Notice(reason, format string, args ...any) {
	p.add(Notice, reason, format, args...)
}

// Partial adds a problem of that severity.
func (p *Problems) Partial(reason, format string, args ...any) {
	p.add(Partial, reason, format, args...)
}

// Refuse adds a problem because of which the object is refused.
func (p *Problems) Refuse(reason, format string, args ...any) {
	p.add(Refused, reason, format, args...)
}

// Refused reports whether the object cannot be served as it is now.
func (p *Problems) Refused() bool {
	return slices.ContainsFunc(p.List, func(problem Problem) bool { return problem.Severity == Refused })
}
