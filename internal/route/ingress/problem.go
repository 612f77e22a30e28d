// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"slices"
)

// Severity is how much of an Ingress a problem concerns.
type Severity int

// Severities, from the least to the most.
const (
	_ Severity = iota
	// Notice: the Ingress is served, but something in it has no effect.
	Notice
	// Partial: a path, a host or a port is not served as it is asked for; all else is.
	Partial
	// Refused: the Ingress is not served as it is now. Rules that it has stay.
	Refused
)

// Problem is why something of an Ingress is not served as it is asked for.
type Problem struct {
	// Owner is the Ingress, as namespace/name.
	Owner    string
	Severity Severity
	// Reason is one of v1alpha1's for events on Ingresses.
	Reason string
	// Message is for people, and says what to do.
	Message string
}

// problems are collected for one Ingress.
type problems struct {
	owner string
	list  []Problem
}

// add adds a problem once.
func (p *problems) add(severity Severity, reason, format string, args ...any) {
	problem := Problem{p.owner, severity, reason, fmt.Sprintf(format, args...)}
	if !slices.Contains(p.list, problem) {
		p.list = append(p.list, problem)
	}
}

func (p *problems) notice(reason, format string, args ...any) {
	p.add(Notice, reason, format, args...)
}

func (p *problems) partial(reason, format string, args ...any) {
	p.add(Partial, reason, format, args...)
}

func (p *problems) refuse(reason, format string, args ...any) {
	p.add(Refused, reason, format, args...)
}

// refused reports whether the Ingress cannot be served as it is now.
func (p *problems) refused() bool {
	return slices.ContainsFunc(p.list, func(problem Problem) bool { return problem.Severity == Refused })
}
