// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pod is the check of what Kubernetes says of the pod itself, such as the conditions that others set, its
// annotations, and the health of its devices. It asks nobody.
package pod

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/expr"
)

// checker evaluates an expression.
type checker struct{ expression *expr.Program }

// New returns a check that passes where the expression is true of the pod. An error says what is wrong with the expression.
func New(expression string) (check.Checker, error) {
	compiled, err := expr.Compile(expression, expr.Pod)
	if err != nil {
		return nil, err
	}
	return checker{compiled}, nil
}

// Check implements check.Checker.
func (c checker) Check(ctx context.Context, subjects []check.Subject) (map[types.UID]check.Answer, error) {
	answers := make(map[types.UID]check.Answer, len(subjects))
	for _, s := range subjects {
		answers[s.UID] = c.answer(ctx, s)
	}

	// When the context ended meanwhile, nobody knows which answers it cut off.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return answers, nil
}

// answer is about this pod, and not about another one that has its name.
func (c checker) answer(ctx context.Context, s check.Subject) check.Answer {
	if s.Pod != nil && s.Pod.UID != s.UID {
		return check.Answer{Word: check.ExpressionFailed}
	}
	return c.expression.Answer(ctx, expr.Input{Pod: s.Pod})
}
