// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

// function is the shape of one function with a body.
type function struct {
	name  string
	lines int
	// paragraphs reports whether there is a blank line in the function.
	paragraphs bool
}

// structure is the shape of one struct type.
type structure struct {
	name   string
	fields int
}

// source is what one Go file contains.
type source struct {
	lines      int
	functions  []function
	structures []structure
	// dialect counts the words of the old dialect in string literals.
	dialect map[string]int
}

// dialect matches the words that the field has better ones for. "is no" stands in the
// list because it was used for "is not a"; the first alternatives match where it is good
// English, and have no group, so they are not counted.
var dialect = regexp.MustCompile(`(?i)\bthere is no\b|\bis no longer\b|\banswer is no\b|\b(anew|beside|tells whether|by now|any more|of which|lodgers?|strangers?|stints?|is no)\b`)

func measure(path string, text []byte) (source, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}

	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	s := source{lines: len(lines), dialect: map[string]int{}}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body == nil {
				return false
			}
			first, last := set.Position(n.Pos()).Line, set.Position(n.End()).Line
			s.functions = append(s.functions, function{
				name: parsed.Name.Name + "." + functionName(n), lines: last - first + 1, paragraphs: hasBlank(lines[first-1 : last]),
			})

		case *ast.TypeSpec:
			if st, ok := n.Type.(*ast.StructType); ok {
				s.structures = append(s.structures, structure{name: parsed.Name.Name + "." + n.Name.Name, fields: fields(st)})
			}

		case *ast.BasicLit:
			if n.Kind == token.STRING {
				countDialect(s.dialect, n.Value)
			}
		}

		return true
	})

	return s, nil
}

func hasBlank(lines []string) bool {
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			return true
		}
	}
	return false
}

// fields counts each name of a field, and an embedded type once.
func fields(st *ast.StructType) int {
	n := 0
	for _, f := range st.Fields.List {
		n += max(1, len(f.Names))
	}
	return n
}

func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}

	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

func countDialect(into map[string]int, text string) {
	for _, match := range dialect.FindAllStringSubmatch(text, -1) {
		if word := match[1]; word != "" {
			into[strings.ToLower(word)]++
		}
	}
}

// group returns the part of the house that a file belongs to.
func group(path string) string {
	if strings.HasSuffix(path, "_test.go") {
		return "tests"
	}
	for _, g := range groups {
		for _, folder := range g.folders {
			if path == folder || strings.HasPrefix(path, folder+"/") {
				return g.name
			}
		}
	}
	return "other"
}

// groups are tried in this order, so that a folder inside another comes first.
var groups = []struct {
	name    string
	folders []string
}{
	{"tests", []string{"test", "bench", "internal/kubetest", "internal/model", "internal/balancer/balancertest", "internal/gates/gatestest"}},
	{"simulators", []string{"sim", "cmd/awssim"}},
	{"drivers", []string{"internal/balancer/elbv2", "internal/balancer/haproxy", "internal/balancer/lattice", "internal/balancer/drivers", "internal/balancer/traits"}},
	{"gate kinds", []string{"internal/gates", "internal/binding", "internal/claim", "internal/kinds"}},
	{"commands", []string{"internal/cli"}},
	{"engine", []string{
		"internal/balancer", "internal/controller", "internal/disruption", "internal/drain", "internal/gate",
		"internal/index", "internal/membership", "internal/observe", "internal/override",
	}},
	{"product", []string{"api", "cmd", "internal"}},
}
