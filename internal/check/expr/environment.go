// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"fmt"
	"slices"
	"sync"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// compatibility is the release of Kubernetes whose CEL expressions have. It is pinned: another version of the library must
// not change what an expression means that is stored in a cluster.
var compatibility = version.MajorMinor(1, 37)

// celEnvironment compiles the expressions that have the same variables.
type celEnvironment struct {
	full *cel.Env
	// unexpanded parses the same language and expands no macro.
	unexpanded *cel.Env
}

// responseType is the type of the variable response, so that a field that there is not is found when it is compiled.
var responseType = sync.OnceValue(func() *apiservercel.DeclType {
	field := func(name string, of *apiservercel.DeclType) *apiservercel.DeclField {
		return apiservercel.NewDeclField(name, of, true, nil, nil)
	}
	return apiservercel.NewObjectType("podgate.Response", map[string]*apiservercel.DeclField{
		"status":  field("status", apiservercel.IntType),
		"headers": field("headers", apiservercel.NewMapType(apiservercel.StringType, apiservercel.StringType, -1)),
		"body":    field("body", apiservercel.StringType),
		"json":    field("json", apiservercel.DynType),
	})
})

// typeOf is the type of a variable.
func typeOf(v Variable) *cel.Type {
	switch v {
	case Response:
		return responseType().CelType()
	case Value:
		return cel.DoubleType
	case Objects:
		return cel.ListType(cel.DynType)
	}
	return cel.DynType
}

// environments holds what was built so far, by the variables. There are as many as there are kinds of checks.
var environments sync.Map

// environmentOf builds what compiles expressions with these variables, once.
func environmentOf(variables []Variable) (celEnvironment, error) {
	sorted := slices.Sorted(slices.Values(variables))
	key := fmt.Sprint(sorted)

	build, _ := environments.LoadOrStore(key, sync.OnceValues(func() (celEnvironment, error) { return newEnvironment(sorted) }))
	return build.(func() (celEnvironment, error))()
}

func newEnvironment(variables []Variable) (celEnvironment, error) {
	options := environment.VersionedOptions{IntroducedVersion: compatibility}
	for _, v := range variables {
		options.EnvOptions = append(options.EnvOptions, cel.Variable(string(v), typeOf(v)))
		if v == Response {
			options.DeclTypes = append(options.DeclTypes, responseType())
		}
	}

	set, err := environment.MustBaseEnvSet(compatibility).Extend(options)
	if err != nil {
		return celEnvironment{}, fmt.Errorf("extend the environment of CEL: %w", err)
	}

	full := set.NewExpressionsEnv()
	unexpanded, err := full.Extend(cel.ClearMacros())
	if err != nil {
		return celEnvironment{}, fmt.Errorf("extend the environment of CEL: %w", err)
	}

	return celEnvironment{full: full, unexpanded: unexpanded}, nil
}
