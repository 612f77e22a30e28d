// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// listed is a package as the go command lists it.
type listed struct {
	ImportPath, Name, Export  string
	DepOnly                   bool
	GoFiles                   []string
	TestImports, XTestImports []string
}

// source is a package with its files' text.
type source struct {
	listed
	// folder is relative to the module's root.
	folder string
	// exports are the files with the types of what it imports, by import path.
	exports map[string]string
}

// find returns the package in a folder.
func find(ctx context.Context, root, folder string) (source, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-export", "-json=ImportPath,Name,Export,DepOnly,GoFiles,TestImports,XTestImports", "./"+folder)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = root, &stderr
	raw, err := cmd.Output()
	if err != nil {
		return source{}, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}

	s := source{folder: folder, exports: map[string]string{}}
	for all := json.NewDecoder(bytes.NewReader(raw)); ; {
		var l listed
		switch err := all.Decode(&l); {
		case errors.Is(err, io.EOF):
			return s, nil
		case err != nil:
			return source{}, err
		case l.DepOnly:
			s.exports[l.ImportPath] = l.Export
		default:
			s.listed = l
		}
	}
}

// mutate returns the package's mutants, and the files that have all of them. Tests that
// need an API server are nil there, which leaves them out.
func (s source) mutate(root string) ([]mutant, map[string][]byte, error) {
	set := token.NewFileSet()
	texts := map[string][]byte{}
	var parsed []*ast.File
	for _, name := range s.GoFiles {
		file := filepath.Join(s.folder, name)
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return nil, nil, err
		}
		f, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		parsed, texts[file] = append(parsed, f), text
	}

	info, err := s.check(set, parsed)
	if err != nil {
		return nil, nil, err
	}

	b := builder{info: info, set: set}
	made := map[string][]byte{filepath.Join(s.folder, "mutant_switches.go"): fmt.Appendf(nil, switches, s.Name)}
	for _, f := range parsed {
		file := set.Position(f.Package).Filename
		made[file] = b.build(f, texts[file])
	}

	served, err := filepath.Glob(filepath.Join(root, s.folder, "*_kube_test.go"))
	if err != nil {
		return nil, nil, err
	}
	for _, path := range served {
		made[filepath.Join(s.folder, filepath.Base(path))] = nil
	}

	return b.mutants, made, nil
}

// check finds the types of all expressions.
func (s source) check(set *token.FileSet, files []*ast.File) (*types.Info, error) {
	export := func(path string) (io.ReadCloser, error) { return os.Open(s.exports[path]) }
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", export)}
	_, err := config.Check(s.ImportPath, set, files, info)
	return info, err
}

// imports match the tests that ask the go command what a package imports: they are slow, and no
// operator changes that.
const imports = "ReachNo|ReachesNo"

// flags are those that make the package's tests the same in every run: random properties
// begin with the same seed, and leave nothing behind. Those that take seconds are left out
// by -short.
func (s source) flags() []string {
	flags := []string{"-test.failfast", "-test.short", "-test.skip=" + imports}
	if slices.ContainsFunc(append(s.TestImports, s.XTestImports...), func(path string) bool { return strings.HasPrefix(path, "pgregory.net/rapid") }) {
		flags = append(flags, "-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=0s")
	}
	return flags
}
