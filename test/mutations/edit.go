// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// edit replaces lines in one declaration. It names no file and no line number, so it
// survives everything that happens outside the declaration.
type edit struct {
	// Package is a folder, relative to the module's root.
	Package string `json:"package"`
	// In is a function, a method as Type.Method, a type, a constant or a variable.
	In string `json:"in"`
	// Old is whole lines that occur exactly once in the declaration. They may be
	// indented differently there, all by the same number of tabs.
	Old string `json:"old"`
	// New takes the place of Old; empty to delete it.
	New string `json:"new"`
}

// apply returns the mutated files by their paths relative to root. Each edit sees
// what the ones before it did.
func (m mutation) apply(root string) (map[string][]byte, error) {
	mutated := map[string][]byte{}
	for _, e := range m.Edits {
		sources, err := readSources(root, e.Package, mutated)
		if err != nil {
			return nil, err
		}
		file, text, err := e.apply(sources)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", e.Package, e.In, err)
		}
		mutated[file] = text
	}

	// A mutation that does not parse would look like one that the tests notice late.
	for file, text := range mutated {
		if _, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution); err != nil {
			return nil, fmt.Errorf("the mutated file does not parse: %w", err)
		}
	}

	return mutated, nil
}

// readSources reads the files of a package as they are after earlier edits. Tests are
// left out: a mutation changes the product.
func readSources(root, pkg string, mutated map[string][]byte) (map[string][]byte, error) {
	paths, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
	if err != nil {
		return nil, err
	}

	sources := map[string][]byte{}
	for _, path := range paths {
		file := filepath.Join(pkg, filepath.Base(path))
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, done := mutated[file]
		if !done {
			if text, err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
		sources[file] = text
	}

	if len(sources) == 0 {
		return nil, fmt.Errorf("there is no package in %s", pkg)
	}

	return sources, nil
}

// apply finds the declaration among the files of its package and returns the file
// that has it, edited.
func (e edit) apply(sources map[string][]byte) (string, []byte, error) {
	var found []place
	for file, text := range sources {
		places, err := findDeclarations(file, text, e.In)
		if err != nil {
			return "", nil, err
		}
		found = append(found, places...)
	}

	if len(found) == 0 {
		return "", nil, errors.New("the package declares no such thing outside its tests")
	}
	if len(found) > 1 {
		return "", nil, fmt.Errorf("the package declares this %d times", len(found))
	}

	at := found[0]
	lines := strings.Split(string(sources[at.file]), "\n")
	edited, err := e.replace(lines[at.first-1 : at.last])
	if err != nil {
		return "", nil, err
	}

	all := append(append(append([]string{}, lines[:at.first-1]...), edited...), lines[at.last:]...)
	return at.file, []byte(strings.Join(all, "\n")), nil
}

// replace puts the new lines in the place of the old ones among the declaration's.
func (e edit) replace(declaration []string) ([]string, error) {
	old := strings.Split(strings.TrimRight(e.Old, "\n"), "\n")
	at, times, indent := 0, 0, ""
	for i := range declaration {
		if tabs, ok := matches(declaration[i:], old); ok {
			at, indent = i, tabs
			times++
		}
	}

	if times != 1 {
		return nil, fmt.Errorf("the old text is there %d times, not once:\n%s", times, e.Old)
	}

	edited := append([]string{}, declaration[:at]...)
	if e.New != "" {
		for line := range strings.SplitSeq(strings.TrimRight(e.New, "\n"), "\n") {
			edited = append(edited, indented(line, indent))
		}
	}

	return append(edited, declaration[at+len(old):]...), nil
}

// matches reports whether lines begin with old, and which indentation all of the
// lines have that old has not.
func matches(lines, old []string) (indent string, ok bool) {
	if len(lines) < len(old) {
		return "", false
	}

	indent, ok = strings.CutSuffix(lines[0], old[0])
	if !ok || strings.Trim(indent, "\t") != "" {
		return "", false
	}

	for i, line := range old {
		if lines[i] != indented(line, indent) {
			return "", false
		}
	}

	return indent, true
}

func indented(line, indent string) string {
	if line == "" {
		return ""
	}
	return indent + line
}

// place is where a declaration is: a file, and its first and last line.
type place struct {
	file        string
	first, last int
}

// findDeclarations returns the places in a file that declare name.
func findDeclarations(file string, text []byte, name string) ([]place, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}

	var found []place
	for _, d := range parsed.Decls {
		for n, node := range declared(d) {
			if n == name {
				found = append(found, place{file, set.Position(node.Pos()).Line, set.Position(node.End()).Line})
			}
		}
	}

	return found, nil
}

// declared returns what a declaration declares, by name.
func declared(d ast.Decl) map[string]ast.Node {
	all := map[string]ast.Node{}
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			name = receiver(d.Recv.List[0].Type) + "." + name
		}
		all[name] = d

	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				all[spec.Name.Name] = spec
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					all[name.Name] = spec
				}
			}
		}
	}

	return all
}

// receiver returns the name of a receiver's type, without pointer and parameters.
func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}
