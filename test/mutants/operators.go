// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// mutant is one change of one operator.
type mutant struct {
	// at is where the operator is, by a path relative to the module's root.
	at token.Position
	// was is what the source says, is what the mutant does instead.
	was, is string
}

// String is a survivor's line.
func (m mutant) String() string {
	return fmt.Sprintf("%s:%d:%d: %s -> %s", m.at.Filename, m.at.Line, m.at.Column, m.was, m.is)
}

// shifted are the comparisons that include what these exclude, and the other way round.
var shifted = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS,
	token.GTR: token.GEQ, token.GEQ: token.GTR,
}

// negated are the opposites of comparisons.
var negated = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.GEQ, token.GEQ: token.LSS,
	token.GTR: token.LEQ, token.LEQ: token.GTR,
}

// swapped are the other operators that have a twin.
var swapped = map[token.Token]token.Token{
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// switches are the functions that a mutated package gets. Each takes the number of its
// mutant, and the arithmetic of the product where that mutant was not chosen.
const switches = `package %s

import (
	"cmp"
	"os"
	"strconv"
)

var mutantChosen, _ = strconv.Atoi(os.Getenv("` + chosen + `"))

func mutantIs(n int) bool { return mutantChosen == n }

func mutantLess[T cmp.Ordered](n int, a, b T) bool { return a < b || mutantIs(n) && a == b }

func mutantLessOrEqual[T cmp.Ordered](n int, a, b T) bool { return a < b || !mutantIs(n) && a == b }

func mutantGreater[T cmp.Ordered](n int, a, b T) bool { return a > b || mutantIs(n) && a == b }

func mutantGreaterOrEqual[T cmp.Ordered](n int, a, b T) bool { return a > b || !mutantIs(n) && a == b }

type mutantNumber interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

func mutantSum[T mutantNumber](n int, a, b T) T {
	if mutantIs(n) {
		return a - b
	}
	return a + b
}

func mutantDifference[T mutantNumber](n int, a, b T) T {
	if mutantIs(n) {
		return a + b
	}
	return a - b
}
`

// functions are those of switches that take the place of an operator.
var functions = map[token.Token]string{
	token.LSS: "mutantLess", token.LEQ: "mutantLessOrEqual",
	token.GTR: "mutantGreater", token.GEQ: "mutantGreaterOrEqual",
	token.ADD: "mutantSum", token.SUB: "mutantDifference",
}

// builder puts all mutants of a package into its files. Nothing is written twice: a call is
// put around an operand or an operator's place, so the operands are evaluated as before.
type builder struct {
	info *types.Info
	set  *token.FileSet
	// mutants are those found; the number of each is its index plus one.
	mutants []mutant
	changes []change
}

// change replaces bytes of a file, or puts text between two of them.
type change struct {
	from, to int
	text     string
	// closes: the text ends what an earlier one began.
	closes bool
}

// build returns a file with its mutants.
func (b *builder) build(file *ast.File, text []byte) []byte {
	b.changes = nil
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			b.binary(n)
		case *ast.UnaryExpr:
			if n.Op == token.NOT && !b.constant(n) {
				b.negate(n, b.add(n.OpPos, "!", ""))
			}
		case *ast.ReturnStmt:
			for _, result := range n.Results {
				if !b.fails(n) {
					b.returned(result)
				}
			}
		}
		return true
	})

	return applied(text, b.changes)
}

func (b *builder) binary(n *ast.BinaryExpr) {
	if b.constant(n) {
		return
	}

	switch n.Op {
	case token.LAND, token.LOR:
		// By De Morgan's law one is the other with everything negated.
		number := b.add(n.OpPos, n.Op.String(), swapped[n.Op].String())
		b.negate(n, number)
		b.negate(n.X, number)
		b.negate(n.Y, number)
	case token.EQL, token.NEQ:
		b.negate(n, b.add(n.OpPos, n.Op.String(), negated[n.Op].String()))
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		b.negate(n, b.add(n.OpPos, n.Op.String(), negated[n.Op].String()))
		b.call(n, b.add(n.OpPos, n.Op.String(), shifted[n.Op].String()))
	case token.ADD, token.SUB:
		if basic, ok := b.info.TypeOf(n).Underlying().(*types.Basic); ok && basic.Info()&(types.IsInteger|types.IsFloat) != 0 {
			b.call(n, b.add(n.OpPos, n.Op.String(), swapped[n.Op].String()))
		}
	}
}

// fails reports whether an error is returned: nobody reads what is returned beside one.
func (b *builder) fails(n *ast.ReturnStmt) bool {
	last := b.info.Types[n.Results[len(n.Results)-1]]
	return last.Type != nil && !last.IsNil() && types.Implements(last.Type, types.Universe.Lookup("error").Type().Underlying().(*types.Interface))
}

// returned swaps a true or false that is written in a return statement.
func (b *builder) returned(e ast.Expr) {
	name, ok := e.(*ast.Ident)
	if !ok {
		return
	}

	switch b.info.Uses[name] {
	case types.Universe.Lookup("true"):
		b.negate(e, b.add(e.Pos(), "true", "false"))
	case types.Universe.Lookup("false"):
		b.negate(e, b.add(e.Pos(), "false", "true"))
	}
}

// constant reports whether the compiler computes an expression: it must stay a constant.
func (b *builder) constant(e ast.Expr) bool { return b.info.Types[e].Value != nil }

// add notes a mutant and returns its number.
func (b *builder) add(at token.Pos, was, is string) int {
	b.mutants = append(b.mutants, mutant{at: b.set.Position(at), was: was, is: is})
	return len(b.mutants)
}

// negate turns an expression round where the mutant was chosen.
func (b *builder) negate(e ast.Expr, number int) {
	b.around(e, "((", fmt.Sprintf(") != mutantIs(%d))", number))
}

// call has a function evaluate a binary expression.
func (b *builder) call(n *ast.BinaryExpr, number int) {
	b.around(n, fmt.Sprintf("%s(%d, ", functions[n.Op], number), ")")
	at := b.offset(n.OpPos)
	b.changes = append(b.changes, change{from: at, to: at + len(n.Op.String()), text: ","})
}

// around puts text before and after an expression.
func (b *builder) around(e ast.Expr, before, after string) {
	from, to := b.offset(e.Pos()), b.offset(e.End())
	b.changes = append(b.changes, change{from: from, to: from, text: before}, change{from: to, to: to, text: after, closes: true})
}

func (b *builder) offset(at token.Pos) int { return b.set.Position(at).Offset }

// applied returns text with changes, which come from the outside in: at one place the first
// one opens first and closes last, and what ends there closes before anything begins.
func applied(text []byte, changes []change) []byte {
	var closing, sorted []change
	for _, c := range changes {
		if c.closes {
			closing = append(closing, c)
		} else {
			sorted = append(sorted, c)
		}
	}

	slices.Reverse(closing)
	sorted = append(closing, sorted...)
	slices.SortStableFunc(sorted, func(a, b change) int { return cmp.Compare(a.from, b.from) })

	var made []byte
	at := 0
	for _, c := range sorted {
		made = append(append(made, text[at:c.from]...), c.text...)
		at = c.to
	}

	return append(made, text[at:]...)
}
