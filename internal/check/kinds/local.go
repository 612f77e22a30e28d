// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/manual"
	"github.com/podgate/podgate/internal/check/pod"
	"github.com/podgate/podgate/internal/observe/checks"
)

func podCheck(_ context.Context, _ Maker, _ *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error) {
	checker, err := pod.New(c.Pod.Expression)
	if err != nil {
		return made{}, fmt.Errorf("expression: %w", err)
	}
	return made{checker, checks.Local}, nil
}

// manualCheck has the approvals that the gate had when it was made: it is made again when they change.
func manualCheck(_ context.Context, _ Maker, g *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error) {
	approvals, _ := manual.Parse(g.Annotations[v1alpha1.ApprovalsAnnotation]) // What cannot be read approves of nothing.
	return made{manual.Checker{Spec: *c.Manual, Approvals: func() manual.Approvals { return approvals }}, checks.Local}, nil
}

// always is a check that answers the same about every pod, and asks nobody.
type always struct{ check.Answer }

// Check implements check.Checker.
func (a always) Check(ctx context.Context, subjects []check.Subject) (map[types.UID]check.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	answers := make(map[types.UID]check.Answer, len(subjects))
	for _, pod := range subjects {
		answers[pod.UID] = a.Answer
	}
	return answers, nil
}
