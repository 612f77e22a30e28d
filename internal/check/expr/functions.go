// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// CEL looks at the limits of cost and time between two calls of functions, and charges a call after it returned. So no
// single call may be slow or make much: its work has to be in proportion to what it is given, and so has its result. That decides what
// expressions may use:
//
//   - Functions: those below. Others repeat a text as often as another is long (replace, join), make a list of any length
//     (lists.range), compare each with each (sets.contains, distinct, indexOf), or take time zones from files (getHours).
//     Authorizers need a variable that no expression has.
//   - Macros: those that give a name to nothing but the elements of lists and maps. With names for whole values
//     (optMap), and with lists in lists, n characters would make a value of 2^n parts, which takes 2^n steps to compare.
//   - Patterns: literals, of which boundedMatches knows how much work they are.
//   - Quantities: as short as people write them (boundedQuantities).
//   - Comparisons: each is charged by all that is compared (weight).
//   - Sums: of what is known to be numbers, texts or lists, since others are not charged by their size.

// admitted are the functions, operators and macros that expressions may use.
var admitted = set(
	// Logic and comparison.
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional,
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.In,
	// Numbers, texts and lists.
	operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate,
	// Fields and elements.
	operators.Index, operators.OptSelect, operators.OptIndex,
	// Macros.
	operators.Has, operators.All, operators.Exists, operators.ExistsOne, "existsOne", operators.Filter, operators.Map,
	// Sizes and elements.
	"size", "first", "last", "min", "max", "sum",
	// Texts.
	"contains", "startsWith", "endsWith", "matches", "lowerAscii", "upperAscii", "trim", "substring", "split",
	// Types.
	"bool", "int", "uint", "double", "string", "bytes", "duration", "timestamp",
	// Optional values.
	"optional.of", "optional.none", "hasValue", "value", "orValue", "or",
	// Quantities and versions.
	"quantity", "isQuantity", "isInteger", "asInteger", "asApproximateFloat", "sign", "add", "sub",
	"isGreaterThan", "isLessThan", "compareTo",
	"semver", "isSemver", "major", "minor", "patch",
	// Addresses.
	"ip", "isIP", "cidr", "isCIDR", "containsIP", "containsCIDR", "family", "prefixLength",
)

func set(names ...string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}

// admitParsed checks the depth of an expression whose macros were not expanded, and the names in it.
func admitParsed(parsed *ast.AST) error {
	tooDeep := func(e ast.NavigableExpr) bool { return e.Depth() > maxDepth }
	if len(ast.MatchDescendants(ast.NavigateAST(parsed), tooDeep)) > 0 {
		return errors.New("the expression is nested too deep")
	}

	return visit(parsed, func(e ast.Expr) string {
		switch e.Kind() {
		case ast.StructKind:
			return "types cannot be constructed in checks"
		case ast.CallKind:
			if call := e.AsCall(); !admitted[call.FunctionName()] && !admitted[qualified(call)] {
				return notAvailable(call.FunctionName())
			}
		}
		return ""
	})
}

// qualified is the name of a function with its namespace, if that is one: optional.of() and pod.size() are parsed alike.
func qualified(call ast.CallExpr) string {
	if !call.IsMemberFunction() || call.Target().Kind() != ast.IdentKind {
		return ""
	}
	return string(rootless(call.Target())) + "." + call.FunctionName()
}

func notAvailable(name string) string {
	return fmt.Sprintf("%s is not available in checks", name)
}

// admitCompiled checks what is called, now that names are resolved, and what is made.
func admitCompiled(checked *ast.AST) error {
	return visit(checked, func(e ast.Expr) string {
		switch e.Kind() {
		case ast.CallKind:
			return refuseCall(checked, e)
		case ast.ListKind:
			return refuseElements(checked, e.AsList().Elements())
		case ast.MapKind:
			var values []ast.Expr
			for _, entry := range e.AsMap().Entries() {
				values = append(values, entry.AsMapEntry().Value())
			}
			return refuseElements(checked, values)
		}
		return ""
	})
}

// refuseCall says why a call is not admitted; empty if it is.
func refuseCall(checked *ast.AST, e ast.Expr) string {
	call := e.AsCall()
	args := call.Args()

	switch name := call.FunctionName(); {
	case !admitted[name] && name != operators.NotStrictlyFalse: // The macros all and exists are made of the latter.
		return notAvailable(name)
	case name == "matches" && args[len(args)-1].Kind() != ast.LiteralKind:
		return "the pattern of matches has to be a literal"
	case name == operators.Add && len(checked.GetOverloadIDs(e.ID())) > 1:
		return "it is not known what + adds: use int(), double() or string()"
	}
	return ""
}

// refuseElements says why these may not be in a list or a map; empty if they may.
func refuseElements(checked *ast.AST, elements []ast.Expr) string {
	for _, e := range elements {
		if !scalar(checked.GetType(e.ID())) && !found(e) {
			return "a list or map cannot be in another one: use a field, or int(), double() or string()"
		}
	}
	return ""
}

// scalar reports whether values of a type hold no others.
func scalar(of *types.Type) bool {
	switch of.Kind() {
	case types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.BytesKind,
		types.DurationKind, types.TimestampKind, types.NullTypeKind:
		return true
	}
	return false
}

// found reports whether an expression is a variable, or a part of something: it makes nothing.
func found(e ast.Expr) bool {
	switch e.Kind() {
	case ast.LiteralKind, ast.IdentKind, ast.SelectKind:
		return true
	case ast.CallKind:
		name := e.AsCall().FunctionName()
		return name == operators.Index || name == operators.OptSelect || name == operators.OptIndex
	}
	return false
}

// visit asks about each part of an expression, and returns the first objection with its place.
func visit(of *ast.AST, refuse func(ast.Expr) string) error {
	var err error
	ast.PreOrderVisit(of.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if message := refuse(e); err == nil && message != "" {
			location := of.SourceInfo().GetStartLocation(e.ID())
			err = at(location.Line(), location.Column(), message)
		}
	}))
	return err
}
