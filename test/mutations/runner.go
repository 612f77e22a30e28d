// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// runner runs laws' tests.
type runner struct{ root string }

// result is what became of a mutation.
type result struct {
	noticed bool
	// word says it for people; by is the test that noticed, or the trouble.
	word, by string
}

// baseline requires that the tests of the mutated laws pass on the product as it is.
func (r runner) baseline(ctx context.Context, mutations []mutation, tests map[int][]string) error {
	var names, packages []string
	for _, m := range mutations {
		names = append(names, strconv.Itoa(m.law))
		packages = append(packages, tests[m.law]...)
	}

	slices.Sort(packages)
	o, err := r.test(ctx, `^TestLaw(`+strings.Join(slices.Compact(names), "|")+`)[A-Z]`, slices.Compact(packages))
	if err != nil {
		return err
	}
	if o.passed == 0 || o.failed != "" || o.broken != "" {
		return fmt.Errorf("without any mutation the laws' tests must pass: %d passed, failed: %s\n%s", o.passed, o.failed, o.broken)
	}

	return nil
}

// try runs a law's tests on the mutated product, beginning with the package that the
// mutation changes, until one fails.
func (r runner) try(ctx context.Context, m mutation, packages []string) (result, error) {
	dir, err := os.MkdirTemp("", "podgate-mutation-")
	if err != nil {
		return result{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(r.root, dir)
	if err != nil {
		return result{}, err
	}

	for _, pkg := range nearest(packages, filepath.Join(r.root, m.Edits[0].Package)) {
		o, err := r.test(ctx, fmt.Sprintf(`^TestLaw%d[A-Z]`, m.law), []string{pkg}, "-overlay", overlay)
		switch {
		case err != nil:
			return result{}, err
		case o.broken != "":
			return result{word: "DOES NOT COMPILE", by: o.broken}, nil
		case o.failed != "":
			rel, _ := filepath.Rel(r.root, pkg)
			return result{noticed: true, word: "noticed", by: o.failed + " in " + rel}, nil
		}
	}

	return result{word: "SURVIVED", by: "nothing"}, nil
}

// nearest puts the package in folder first.
func nearest(packages []string, folder string) []string {
	sorted := slices.Clone(packages)
	slices.SortStableFunc(sorted, func(a, b string) int {
		switch folder {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	return sorted
}

// outcome is what a run of tests told.
type outcome struct {
	passed int
	// failed is the first test that failed, broken what the compiler said.
	failed, broken string
}

// test runs the tests whose names match in packages.
func (r runner) test(ctx context.Context, match string, packages []string, flags ...string) (outcome, error) {
	args := append([]string{"test", "-json", "-count=1", "-vet=off", "-failfast", "-timeout=1m", "-run", match}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = r.root, &stderr
	stdout, err := cmd.Output()

	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}

	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{}, err
	}

	o, parseErr := readEvents(stdout)
	if parseErr != nil {
		return outcome{}, fmt.Errorf("go test: %w: %s", parseErr, stderr.String())
	}
	if err != nil && o.failed == "" && o.broken == "" {
		return outcome{}, fmt.Errorf("go test failed without a failing test: %s", stderr.String())
	}

	return o, nil
}

// readEvents reads what "go test -json" prints.
func readEvents(stdout []byte) (outcome, error) {
	var o outcome
	var said []string
	for line := range bytes.Lines(stdout) {
		var e struct{ Action, Test, Output string }
		if err := json.Unmarshal(line, &e); err != nil {
			return outcome{}, err
		}

		switch {
		case e.Action == "build-output":
			said = append(said, strings.TrimSpace(e.Output))
		case e.Action == "build-fail":
			o.broken = strings.Join(said, " ")
		case e.Action == "pass" && e.Test != "":
			o.passed++
		case e.Action == "fail" && e.Test != "" && o.failed == "":
			o.failed, _, _ = strings.Cut(e.Test, "/")
		}
	}

	return o, nil
}
