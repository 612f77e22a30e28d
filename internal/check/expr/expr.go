// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package expr evaluates the expressions of checks: CEL as Kubernetes has it, less what one expression could use to keep
// podgate busy or to fill its memory (functions.go). It calls nobody, and is the only package that knows CEL. Nothing of it
// is built before the first expression is compiled.
//
// Whoever may create a ReadinessGate writes expressions, and containers write what they look at. So an evaluation
// is bounded in cost and in time, and says no more than true, false, or that it failed.
package expr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/check"
)

const (
	// maxLength bounds an expression, in characters.
	maxLength = 1024
	// maxDepth bounds how deep it is nested: types take the third power of that to check.
	maxDepth = 32
	// maxCost bounds an evaluation, in units of the Kubernetes cost model, of which API servers allow 1,000,000
	// (k8s.io/apiserver/pkg/apis/cel).
	maxCost = 100_000
	// maxTime bounds it in time, too, and checkFrequency says after how many steps of its loops that is looked at. So what takes
	// no time never fails because the machine is busy.
	maxTime        = 50 * time.Millisecond
	checkFrequency = 100
)

// Variable is one that an expression may have.
type Variable string

// The variables of all checks.
const (
	// Pod is the gated pod, as Visible shows it.
	Pod Variable = "pod"
	// Response is what an HTTP server answered: status, headers, body and json.
	Response Variable = "response"
	// Value is a number that was measured.
	Value Variable = "value"
	// Object is an object of the cluster, and Objects are several.
	Object  Variable = "object"
	Objects Variable = "objects"
)

// Input holds the values of an expression's variables. Others than those are not looked at.
type Input struct {
	Pod      *corev1.Pod
	Response HTTPResponse
	Value    float64
	// Object and Objects are as unstructured.Unstructured has them.
	Object  map[string]any
	Objects []map[string]any
}

// Program is a compiled expression. It may be used concurrently.
type Program struct {
	program cel.Program
	reads   reads
}

// ErrFailed means that an expression could not be evaluated, such as where it looks at a field that is not there, or
// costs too much. It does not say why: the reason could tell what was looked at.
var ErrFailed = errors.New("the expression could not be evaluated")

// Compile compiles an expression that has these variables. An error says for its author what is wrong, and where.
func Compile(text string, variables ...Variable) (program *Program, err error) {
	// The library panics at some expressions, such as {b'a': 1}. No author may end podgate.
	defer func() {
		if recover() != nil {
			program, err = nil, errors.New("the expression cannot be compiled")
		}
	}()

	return compile(text, variables)
}

func compile(text string, variables []Variable) (*Program, error) {
	if n := utf8.RuneCountInString(text); n > maxLength {
		return nil, fmt.Errorf("the expression has %d characters, and may have %d", n, maxLength)
	}

	env, err := environmentOf(variables)
	if err != nil {
		return nil, err
	}

	// Macros are expanded later: some of them repeat what they are given, so that a short text becomes a tree without end.
	parsed, issues := env.unexpanded.Parse(text)
	if issues.Err() != nil {
		return nil, explain(issues)
	}
	if err := admitParsed(parsed.NativeRep()); err != nil {
		return nil, err
	}

	compiled, issues := env.full.Compile(text)
	if issues.Err() != nil {
		return nil, explain(issues)
	}
	if err := admitCompiled(compiled.NativeRep()); err != nil {
		return nil, err
	}
	if result := compiled.OutputType(); !result.IsExactType(types.BoolType) && !result.IsExactType(types.DynType) {
		return nil, fmt.Errorf("the result is not true or false, but of the type %s", result)
	}

	program, err := env.full.Program(compiled, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkFrequency),
		cel.CostTrackerOptions(comparisons...), cel.OptimizeRegex(boundedMatches...), cel.CustomDecoratorV2(boundedQuantities))
	if err != nil {
		return nil, err
	}

	return &Program{program: program, reads: readsOf(compiled.NativeRep())}, nil
}

// explain returns the first issue, in one line.
func explain(issues *cel.Issues) error {
	first := issues.Errors()[0]
	message, _, _ := strings.Cut(first.Message, "\n")
	message, _, _ = strings.Cut(message, " expecting ")
	return at(first.Location.Line(), max(first.Location.Column(), 0), strings.ReplaceAll(message, " (in container '')", ""))
}

// at says where something is wrong. Lines are counted from 1 and columns from 0.
func at(line, column int, message string) error {
	if line > 1 {
		return fmt.Errorf("line %d, column %d: %s", line, column+1, message)
	}
	return fmt.Errorf("column %d: %s", column+1, message)
}

// Reads reports whether the expression looks at a variable.
func (p *Program) Reads(v Variable) bool { return p.reads.variables[v] }

// ReadsBody reports whether the expression looks at the body of a response.
func (p *Program) ReadsBody() bool { return p.reads.body || p.reads.json }

// Passes reports whether the expression is true. The error is ErrFailed, or that of the context.
func (p *Program) Passes(ctx context.Context, in Input) (bool, error) {
	variables, err := p.reads.values(in)
	if err != nil {
		return false, ErrFailed
	}

	bounded, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	result, _, err := p.program.ContextEval(bounded, variables)

	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	passes, isBool := result.(types.Bool)
	if err != nil || !isBool {
		return false, ErrFailed
	}
	return bool(passes), nil
}

// Answer is the answer of a check that is nothing but its expression.
func (p *Program) Answer(ctx context.Context, in Input) check.Answer {
	passes, err := p.Passes(ctx, in)
	switch {
	case err != nil:
		return check.Answer{Word: check.ExpressionFailed}
	case passes:
		return check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}
	}
	return check.Answer{Verdict: check.Fail, Word: check.ExpressionFalse}
}

// reads says what an expression looks at, so that nothing else is made or fetched.
type reads struct {
	variables  map[Variable]bool
	body, json bool
}

// readsOf returns what is looked at anywhere in an expression.
func readsOf(checked *ast.AST) reads {
	r := reads{variables: map[Variable]bool{}}
	fields, whole := 0, 0

	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			name := rootless(e)
			r.variables[name] = true
			if name == Response {
				whole++
			}
		case ast.SelectKind:
			operand := e.AsSelect().Operand()
			if operand.Kind() != ast.IdentKind || rootless(operand) != Response {
				return
			}
			fields++
			r.body = r.body || e.AsSelect().FieldName() == "body"
			r.json = r.json || e.AsSelect().FieldName() == "json"
		}
	}))

	// What is done with the response as a whole may look at any of its fields.
	if whole > fields {
		r.body, r.json = true, true
	}
	return r
}

// rootless is an identifier without the dot that it may begin with.
func rootless(ident ast.Expr) Variable {
	return Variable(strings.TrimPrefix(ident.AsIdent(), "."))
}
