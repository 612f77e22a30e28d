// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
	"k8s.io/apimachinery/pkg/api/resource"
	apiservercel "k8s.io/apiserver/pkg/cel"
)

// comparisons charge for what is compared: CEL counts the elements of a list, and not what is in them.
var comparisons = []interpreter.CostTrackerOption{
	interpreter.OverloadCostTracker(overloads.Equals, costOfEquals),
	interpreter.OverloadCostTracker(overloads.NotEquals, costOfEquals),
	interpreter.OverloadCostTracker(overloads.InList, costOfIn),
}

// costOfEquals is the weight of the lighter one: a comparison ends there.
func costOfEquals(args []ref.Val, _ ref.Val) *uint64 {
	cost := min(weight(args[0], maxCost), weight(args[1], maxCost))
	return &cost
}

// costOfIn is the weight of the list.
func costOfIn(args []ref.Val, _ ref.Val) *uint64 {
	cost := weight(args[1], maxCost)
	return &cost
}

// charactersPerUnit is how many characters of a text cost as much as one step, as with API servers.
const charactersPerUnit = 10

// weight is how much there is to a value, with all that is in it. Nothing is counted beyond the bound.
func weight(of ref.Val, bound uint64) uint64 {
	total := uint64(1)

	switch v := of.(type) {
	case types.String:
		total += uint64(len(v)) / charactersPerUnit
	case types.Bytes:
		total += uint64(len(v)) / charactersPerUnit
	case traits.Mapper:
		for each := v.Iterator(); total < bound && each.HasNext() == types.True; {
			total += weight(v.Get(each.Next()), bound-total)
		}
	case traits.Lister:
		for each := v.Iterator(); total < bound && each.HasNext() == types.True; {
			total += weight(each.Next(), bound-total)
		}
	}

	return total
}

const (
	// maxPattern bounds a pattern, in instructions of its program.
	maxPattern = 1000
	// maxMatching bounds one search for it: instructions times the bytes that are searched.
	maxMatching = 1 << 22
)

// boundedMatches replaces matches by a function that knows beforehand how much work it is. Both have to be named: the
// overloads take precedence over the function, for which CEL has a replacement of its own.
var boundedMatches = []*interpreter.RegexOptimization{
	{Function: "matches", OverloadID: overloads.Matches, RegexIndex: 1, Factory: boundedMatch},
	{Function: "matches", OverloadID: overloads.MatchesString, RegexIndex: 1, Factory: boundedMatch},
}

func boundedMatch(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
	size, err := instructions(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern of matches: %w", err)
	}
	if size > maxPattern {
		return nil, errors.New("pattern of matches: it is too large: use fewer or smaller repetitions")
	}

	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern of matches: %w", err)
	}

	return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(values ...ref.Val) ref.Val {
		text, ok := values[0].(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(values[0])
		}
		if len(text)*size > maxMatching {
			return types.NewErr("too much to match")
		}
		return types.Bool(compiled.MatchString(string(text)))
	}), nil
}

// instructions is the size of a pattern's program.
func instructions(pattern string) (int, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	return len(program.Inst), nil
}

const (
	// maxQuantity bounds the text of a quantity, and maxExponent what begins with an e in it: 1e99.
	maxQuantity = 64
	maxExponent = len("e-99")
)

// boundedQuantities replaces the functions that parse quantities: a quantity such as 1e-999999999 is rounded by a division
// by a number of as many digits.
func boundedQuantities(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, isCall := i.(interpreter.InterpretableCall)
	if !isCall {
		return i, nil
	}

	switch call.Function() {
	case "quantity":
		return parsing(call, func(q resource.Quantity, err error) ref.Val {
			if err != nil {
				return types.WrapErr(err)
			}
			return apiservercel.Quantity{Quantity: &q}
		}), nil
	case "isQuantity":
		return parsing(call, func(_ resource.Quantity, err error) ref.Val { return types.Bool(err == nil) }), nil
	}
	return i, nil
}

// parsing replaces a call by one that returns what becomes of the quantity that it is given.
func parsing(call interpreter.InterpretableCall, result func(resource.Quantity, error) ref.Val) interpreter.InterpretableCall {
	return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(values ...ref.Val) ref.Val {
		text, ok := values[0].(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(values[0])
		}

		exponent := strings.IndexAny(string(text), "eE")
		if len(text) > maxQuantity || exponent >= 0 && len(text)-exponent > maxExponent {
			return types.NewErr("the quantity is too long")
		}
		return result(resource.ParseQuantity(string(text)))
	})
}
