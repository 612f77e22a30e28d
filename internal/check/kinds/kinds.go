// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kinds makes checks of what ReadinessGates say of them. It has the one list of the kinds of checks that podgate asks.
package kinds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/allow"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/prometheus"
	"github.com/podgate/podgate/internal/check/resource"
	"github.com/podgate/podgate/internal/observe/checks"
)

// Maker makes checks. The zero value of each field works, but for Dial.
type Maker struct {
	// Dial connects to what is asked over the network.
	Dial network.Dial
	// Allowed says what checks may ask apart from the pod itself, by the labels of their namespace, which Labels returns. Nothing is
	// allowed without rules.
	Allowed allow.List
	Labels  func(ctx context.Context, namespace string) (map[string]string, error)
	// Prometheus are the servers that checks may name.
	Prometheus *prometheus.Servers
	// Objects are those that checks may look at; none when it is nil.
	Objects resource.Reader
}

// made is a check, and what asking it takes.
type made struct {
	check.Checker
	cost checks.Cost
}

// maker makes the check of one kind. An error means that it can never work as it is; network.ErrNotAllowed, that it would if it
// were allowed.
type maker func(ctx context.Context, m Maker, g *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error)

// kinds are those of which checks are made, by what Check.Kind says. Another kind is a line here.
var kinds = map[string]maker{
	"http":       httpCheck,
	"tcp":        tcpCheck,
	"grpc":       grpcCheck,
	"prometheus": prometheusCheck,
	"resource":   resourceCheck,
	"pod":        podCheck,
	"manual":     manualCheck,
}

// errNoSuchKind means that this podgate does not know the kind.
var errNoSuchKind = errors.New("this version of podgate does not have checks of the kind")

// errUnknown means that nobody can tell now whether a check can be asked.
var errUnknown = errors.New("it is not known what is allowed")

// Check makes a check of a ReadinessGate. An error says why it cannot be asked.
func (m Maker) Check(ctx context.Context, g *v1alpha1.ReadinessGate, c *v1alpha1.Check) (checks.Check, error) {
	of := checks.Check{
		Name: c.Name, Kind: c.Kind(), Spec: part(c),
		Rules: check.Rules{
			Period: c.Period(), InitialDelay: time.Duration(c.InitialDelaySeconds) * time.Second, SuccessThreshold: int(c.SuccessThreshold),
		},
	}

	make, known := kinds[c.Kind()]
	if !known {
		return checks.Check{}, fmt.Errorf("check %s: %w %q", c.Name, errNoSuchKind, c.Kind())
	}

	made, err := make(ctx, m, g, c)
	if err != nil {
		return checks.Check{}, fmt.Errorf("check %s: %w", c.Name, err)
	}

	of.Checker, of.Cost = made.Checker, made.cost
	return of, nil
}

// attempt is a check that was made, or why it was not.
type attempt struct {
	checks.Check
	err error
}

// try makes all checks of a ReadinessGate that can be made.
func (m Maker) try(ctx context.Context, g *v1alpha1.ReadinessGate) []attempt {
	all := make([]attempt, len(g.Spec.Checks))
	for i := range g.Spec.Checks {
		all[i].Check, all[i].err = m.Check(ctx, g, &g.Spec.Checks[i])
	}
	return all
}

// Definition makes all checks of a ReadinessGate. One that cannot be made has no answer, so that the others are asked still, and
// the gate's time-out counts.
func (m Maker) Definition(ctx context.Context, g *v1alpha1.ReadinessGate) *checks.Definition {
	return define(g, m.try(ctx, g))
}

// define is the same of checks that were tried to make.
func define(g *v1alpha1.ReadinessGate, all []attempt) *checks.Definition {
	def := &checks.Definition{Match: check.All}
	if g.Spec.Match == v1alpha1.MatchAny {
		def.Match = check.Any
	}

	for i, made := range all {
		if made.err != nil {
			made.Check = unusable(&g.Spec.Checks[i], made.err)
		}
		def.Checks = append(def.Checks, made.Check)
	}
	return def
}

// part is what of a check decides what its answers are about. When it is asked, and how often it has to pass, is not.
func part(c *v1alpha1.Check) v1alpha1.Check {
	p := *c.DeepCopy()
	p.PeriodSeconds, p.TimeoutSeconds, p.InitialDelaySeconds, p.SuccessThreshold = 0, 0, 0, 0
	return p
}

// retry is how often it is tried to make a check that cannot be made: what is allowed may change.
const retry = time.Minute

// unusable is in the place of a check that cannot be made.
func unusable(c *v1alpha1.Check, err error) checks.Check {
	word := check.Unusable
	if errors.Is(err, network.ErrNotAllowed) {
		word = check.NotAllowed
	}
	return checks.Check{
		Name: c.Name, Kind: c.Kind(), Spec: word, Cost: checks.Local,
		Rules: check.Rules{Period: retry}, Checker: always{check.Answer{Word: word}},
	}
}
