// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/manual"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/pod"
	"github.com/podgate/podgate/internal/check/resource"
	"github.com/podgate/podgate/internal/observe/checks"
)

func podCheck(_ context.Context, _ Maker, _ *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error) {
	checker, err := pod.New(c.Pod.Expression)
	if err != nil {
		return made{}, fmt.Errorf("expression: %w", err)
	}
	return made{checker, checks.Local}, nil
}

// errNoObjects means that this podgate does not look at objects.
var errNoObjects = errors.New("this podgate does not look at objects")

// resourceCheck looks at objects that are in memory, and its pods are woken when those change.
func resourceCheck(_ context.Context, m Maker, g *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error) {
	if m.Objects == nil {
		return made{}, errNoObjects
	}
	checker, err := resource.New(g.Namespace, *c.Resource, m.Objects)
	if errors.Is(err, resource.ErrNeverRead) {
		return made{}, fmt.Errorf("%w: %w", network.ErrNotAllowed, err)
	}
	return made{checker, checks.Local}, err
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
