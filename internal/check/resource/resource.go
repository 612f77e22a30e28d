// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package resource is the check of other objects of the cluster, such as a Job that has to be complete. It is asked of objects
// that podgate watches (Objects), and only where a ServiceAccount of the gate's namespace may read them itself: who may make a
// ReadinessGate must not see through podgate what its own accounts do not. What an expression says about an object is one bit, and
// bit by bit it is the whole object, so Secrets are never read.
package resource

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/check/variables"
)

// Question is what is looked at, and on whose account.
type Question struct {
	Kind schema.GroupVersionKind
	// Namespace does not count for kinds that have none.
	Namespace string
	// Name is that of one object; when it is empty Selector says which objects.
	Name, Selector string
	// Account is the ServiceAccount that has to be allowed to read them.
	Account types.NamespacedName
}

// Reader knows objects.
type Reader interface {
	// Look returns what is asked for, as it is in memory, and has the pod woken when that changes. A word that is not empty
	// says why nothing is known. Nobody may change the objects.
	Look(q Question, pod types.NamespacedName) ([]map[string]any, check.Word)
	// Access says why a question can have no answer whatever the objects are; empty where it can, or where that depends on the pod
	// and no pod asked. An error means that nobody knows now.
	Access(ctx context.Context, q Question) (check.Word, error)
}

// Checker evaluates an expression of objects.
type Checker struct {
	objects  Reader
	question Question // without a name
	name     variables.Text
	// several: a selector says which objects, and the expression is about all of them.
	several    bool
	expression *expr.Program
}

// ErrNeverRead means that no check may look at objects of the kind.
var ErrNeverRead = errors.New("objects of the kind are never read")

// New returns a check of a ReadinessGate in a namespace. An error says what is wrong with it.
func New(namespace string, c v1alpha1.ResourceCheck, objects Reader) (Checker, error) {
	version, err := schema.ParseGroupVersion(c.APIVersion)
	if err != nil {
		return Checker{}, err
	}
	made := Checker{objects: objects, question: Question{
		Kind: version.WithKind(c.Kind), Namespace: c.Namespace, Account: types.NamespacedName{Namespace: namespace, Name: c.ServiceAccountName},
	}}
	if made.question.Namespace == "" {
		made.question.Namespace = namespace
	}
	if neverKind(c.Kind) {
		return Checker{}, fmt.Errorf("%s: %w", c.Kind, ErrNeverRead)
	}

	// The namespace becomes part of a path, and the account's name of a user's.
	if len(validation.IsDNS1123Label(made.question.Namespace)) > 0 {
		return Checker{}, fmt.Errorf("%q is no namespace", made.question.Namespace)
	}
	if len(validation.IsDNS1123Subdomain(c.ServiceAccountName)) > 0 {
		return Checker{}, fmt.Errorf("%q is no name of a ServiceAccount", c.ServiceAccountName)
	}

	sees := expr.Object
	if c.Selector != nil {
		sees = expr.Objects
		selector, err := metav1.LabelSelectorAsSelector(c.Selector)
		if err != nil {
			return Checker{}, fmt.Errorf("selector: %w", err)
		}
		made.question.Selector, made.several = selector.String(), true
	}
	if made.name, err = variables.Parse(c.Name); err != nil {
		return Checker{}, fmt.Errorf("name: %w", err)
	}
	if made.expression, err = expr.Compile(c.Expression, sees, expr.Pod); err != nil {
		return Checker{}, fmt.Errorf("expression: %w", err)
	}

	return made, nil
}

// Check implements check.Checker.
func (c Checker) Check(ctx context.Context, subjects []check.Subject) (map[types.UID]check.Answer, error) {
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

// Access says why the check can have no answer, as Reader does.
func (c Checker) Access(ctx context.Context) (check.Word, error) {
	q := c.question
	if !c.several && !c.name.PerPod() {
		q.Name = c.name.Mask("")
	}
	return c.objects.Access(ctx, q)
}

// answer looks at what is in memory for a pod.
func (c Checker) answer(ctx context.Context, s check.Subject) check.Answer {
	if s.Pod == nil || s.Pod.UID != s.UID {
		return check.Answer{Word: check.ExpressionFailed}
	}

	q := c.question
	if !c.several {
		name, filled := c.name.Fill(s)
		if !filled || name == "" || len(content.IsPathSegmentName(name)) > 0 {
			return check.Answer{Word: check.VariableUnusable}
		}
		q.Name = name
	}

	objects, word := c.objects.Look(q, types.NamespacedName{Namespace: s.Pod.Namespace, Name: s.Pod.Name})
	if word != (check.Word{}) {
		return check.Answer{Word: word}
	}

	// Whatever is true of all of no objects is true: that must open nothing.
	if len(objects) == 0 {
		return check.Answer{Word: check.ObjectNotFound}
	}
	if c.several {
		return c.expression.Answer(ctx, expr.Input{Pod: s.Pod, Objects: objects})
	}
	return c.expression.Answer(ctx, expr.Input{Pod: s.Pod, Object: objects[0]})
}
