// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kubetest

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

	"github.com/podgate/podgate/internal/plural"
)

// Naming is something that only some of the code may name.
type Naming struct {
	// What it is, for people.
	What string
	// Words are how identifiers, literals and imports name it.
	Words *regexp.Regexp
	// Except reports whether an identifier of a file means something else; nil means that none does.
	Except func(file *ast.File, identifier string) bool
	// Tops are the folders that are looked through, without their tests.
	Tops []string
	// MayName are the folders and files that may name it, with the reason.
	MayName map[string]string
}

// Check fails the test for files that name it and may not, and for those that may and do not.
func (n Naming) Check(t *testing.T) {
	t.Helper()
	root, seen, files := Root(), map[string]bool{}, 0
	for _, top := range n.Tops {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}

			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files++
			found, err := n.in(path)
			if err != nil || len(found) == 0 {
				return err
			}

			for allowed := range n.MayName {
				if relative == allowed || strings.HasPrefix(relative, allowed+"/") {
					seen[allowed] = true
					return nil
				}
			}
			t.Errorf("%s names %s: %s", relative, n.What, strings.Join(found, ", "))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	for allowed := range n.MayName {
		// Which of two would allow a file would be chance.
		for other := range n.MayName {
			if strings.HasPrefix(allowed, other+"/") {
				t.Errorf("%s is within %s: take it off the list", allowed, other)
			}
		}
		if !seen[allowed] {
			t.Errorf("%s does not name %s: take it off the list", allowed, n.What)
		}
	}
	if files < 200 {
		t.Errorf("only %s read", plural.Count(files, "file")+plural.Of(files, " was", " were"))
	}
}

// in lists where a file names it.
func (n Naming) in(path string) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}

	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		text := ""
		switch node := node.(type) {
		case *ast.Ident:
			if n.Except == nil || !n.Except(file, node.Name) {
				text = node.Name
			}
		case *ast.BasicLit:
			if node.Kind == token.STRING {
				text, _ = strconv.Unquote(node.Value)
			}
		}
		if n.Words.MatchString(text) {
			found = append(found, set.Position(node.Pos()).String()[len(path)+1:]+" "+strconv.Quote(text))
		}
		return true
	})

	return found, nil
}
