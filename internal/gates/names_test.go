// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/kubetest"
)

// named is how identifiers, literals and imports name a kind of gates: the toy in any spelling, the kind of which every
// binding has one, and the question whose answer is a binding's name.
var named = regexp.MustCompile(`^Toy|toy\.example\.com|^github\.com/podgate/podgate/internal/gates/gatestest$|^OfBindings$|^OfGate$`)

// mayName are the folders and files that may name a kind, with the reason.
var mayName = map[string]string{
	"internal/gates/gatestest":          "the toy's folder",
	"internal/gates/gates.go":           "the list of kinds",
	"internal/gates/binding.go":         "a kind",
	"internal/injection/injection.go":   "what that kind wants of new pods, which the webhook asks without a cluster",
	"internal/binding/gate.go":          "how bindings and gates are named",
	"internal/index/indextest/cache.go": "a cache for tests",
	"internal/uninstall/gates.go":       "it opens all gates but those of bindings that another controller serves",
}

// TestNoCodeNamesAGateKind: a branch on a kind of gates is a question that gates.Kind lacks. A kind is a folder and a line
// in the list; the toy is one that not even the list has.
func TestNoCodeNamesAGateKind(t *testing.T) {
	root, seen, files := kubetest.Root(), map[string]bool{}, 0
	for _, top := range []string{"api", "internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}

			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files++
			found, err := names(path)
			if err != nil || len(found) == 0 {
				return err
			}

			for allowed := range mayName {
				if relative == allowed || strings.HasPrefix(relative, allowed+"/") {
					seen[allowed] = true
					return nil
				}
			}
			t.Errorf("%s names a kind of gates: %s", relative, strings.Join(found, ", "))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	for allowed := range mayName {
		if !seen[allowed] {
			t.Errorf("%s names no kind of gates any more: take it off the list", allowed)
		}
	}
	if files < 200 {
		t.Errorf("only %d files were read", files)
	}
}

// names lists where a file names a kind of gates, in its identifiers, literals and imports.
func names(path string) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}

	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		text := ""
		switch n := n.(type) {
		case *ast.Ident:
			text = n.Name
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				text, _ = strconv.Unquote(n.Value)
			}
		}
		if named.MatchString(text) {
			found = append(found, set.Position(n.Pos()).String()[len(path)+1:]+" "+strconv.Quote(text))
		}
		return true
	})

	return found, nil
}
