// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drivers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/kubetest"
)

// named is how identifiers, literals and imports name a load balancer: HAProxy in any spelling, podgate's own field ELBv2, the
// kind "elbv2", and the folders of the drivers. The API group of AWS Load Balancer Controller, whose name has an elbv2, too, is
// not meant.
var named = regexp.MustCompile(`(?i)haproxy|^ELBv2|^elbv2$|^github\.com/podgate/podgate/internal/balancer/(elbv2|haproxy|lattice)`)

// lbcKind is how files import AWS Load Balancer Controller's kind.
const lbcKind = "github.com/podgate/podgate/api/elbv2/v1beta1"

// mayName are the folders and files that may name a load balancer, with the reason.
var mayName = map[string]string{
	"internal/balancer/elbv2":     "a driver's folder",
	"internal/balancer/haproxy":   "a driver's folder",
	"internal/balancer/drivers":   "the list of drivers",
	"internal/balancer/traits":    "the list of what is true of each",
	"internal/manager/manager.go": "it makes who calls, with what the command line says",
}

// TestNoCodeNamesALoadBalancer: a branch on a load balancer's name is a trait that is missing.
func TestNoCodeNamesALoadBalancer(t *testing.T) {
	root, seen, files := kubetest.Root(), map[string]bool{}, 0
	for _, top := range []string{"internal", "cmd"} {
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
			t.Errorf("%s names a load balancer: %s", relative, strings.Join(found, ", "))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	for allowed := range mayName {
		if !seen[allowed] {
			t.Errorf("%s names no load balancer any more: take it off the list", allowed)
		}
	}
	if files < 200 {
		t.Errorf("only %d files were read", files)
	}
}

// names lists where a file names a load balancer, in its identifiers, literals and imports.
func names(path string) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}

	lbc := slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool { return spec.Path.Value == strconv.Quote(lbcKind) })

	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		text := ""
		switch n := n.(type) {
		case *ast.Ident:
			if n.Name != "elbv2" || !lbc { // By that name the kind is imported.
				text = n.Name
			}
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
