// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manual is the check that a person approved. What people approved of is an annotation of the ReadinessGate, which
// this package reads and writes. The check asks nobody.
package manual

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
)

// Checker passes pods that somebody approved of. Of others there is no answer: an approval that is taken back, or pruned
// while there was no pod, closes no gate.
type Checker struct {
	// Spec says what one approval is for, and what holds without one.
	Spec v1alpha1.ManualCheck
	// Approvals returns those that the gate has now.
	Approvals func() Approvals
}

var _ check.Checker = Checker{}

// Check implements check.Checker.
func (c Checker) Check(ctx context.Context, subjects []check.Subject) (map[types.UID]check.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	approved := c.Approvals()
	answers := make(map[types.UID]check.Answer, len(subjects))
	for _, pod := range subjects {
		answers[pod.UID] = c.answer(approved, pod)
	}
	return answers, nil
}

func (c Checker) answer(approved Approvals, pod check.Subject) check.Answer {
	if _, yes := approved[KeyOf(c.Spec.Scope, pod)]; yes {
		return check.Answer{Verdict: check.Pass, Word: check.Approved}
	}
	if c.Spec.Initially == v1alpha1.InitiallyOpen {
		return check.Answer{Verdict: check.Pass, Word: check.OpenInitially}
	}
	return check.Answer{Word: check.NotApproved}
}
