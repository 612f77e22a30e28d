// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mutation is a patch that breaks a law.
type mutation struct {
	// name is the patch's, without its extension.
	name string
	law  int
	path string
	// files are what it changes, relative to the module's root.
	files []string
}

var (
	patchName = regexp.MustCompile(`^law([0-9]+)-[a-z0-9-]+\.patch$`)
	patched   = regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)`)
	lawTest   = regexp.MustCompile(`(?m)^func TestLaw([0-9]+)[A-Z]\w*\(t \*testing\.T\)`)
)

// readMutations reads the patches of a folder whose names begin with one of chosen.
func readMutations(dir string, chosen []string) ([]mutation, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	var found []mutation
	for _, path := range paths {
		base := filepath.Base(path)
		wanted := func(prefix string) bool { return strings.HasPrefix(base, prefix) }
		if len(chosen) > 0 && !slices.ContainsFunc(chosen, wanted) {
			continue
		}
		m, err := readMutation(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", base, err)
		}
		found = append(found, m)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no mutations in %s named like %v", dir, chosen)
	}
	slices.SortFunc(found, func(a, b mutation) int {
		if a.law != b.law {
			return a.law - b.law
		}
		return strings.Compare(a.name, b.name)
	})
	return found, nil
}

func readMutation(path string) (mutation, error) {
	base := filepath.Base(path)
	parts := patchName.FindStringSubmatch(base)
	if parts == nil {
		return mutation{}, fmt.Errorf("a mutation's name is law<number>-<what>.patch")
	}
	law, err := strconv.Atoi(parts[1])
	if err != nil {
		return mutation{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return mutation{}, err
	}
	m := mutation{name: strings.TrimSuffix(base, ".patch"), law: law, path: path}
	if !strings.HasPrefix(string(text), fmt.Sprintf("# Breaks law %d: ", law)) {
		return mutation{}, fmt.Errorf("the first line must say %q and what it breaks", fmt.Sprintf("# Breaks law %d: ", law))
	}
	for _, match := range patched.FindAllStringSubmatch(string(text), -1) {
		if strings.HasSuffix(match[1], "_test.go") {
			return mutation{}, fmt.Errorf("a mutation changes the product, not its tests: %s", match[1])
		}
		m.files = append(m.files, match[1])
	}
	return m, nil
}

// overlay writes the mutated files and the description that the go command takes
// into dir, and gives the latter's path. The error tells that the patch does not apply.
func (m mutation) overlay(ctx context.Context, root, dir string) (string, error) {
	replace := map[string]string{}
	for _, file := range m.files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = to
	}
	apply := exec.CommandContext(ctx, "git", "apply", m.path)
	apply.Dir, apply.Env = dir, append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := apply.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s", strings.TrimSpace(string(out)))
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o644)
}

// findTests gives, for each law, the folders under dir whose packages have tests of
// it. Tests that need an API server are left to "make test".
func findTests(dir string) (map[int][]string, error) {
	tests := map[int][]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_kube_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range lawTest.FindAllStringSubmatch(string(text), -1) {
			law, err := strconv.Atoi(match[1])
			if err != nil {
				return err
			}
			if pkg := filepath.Dir(path); !slices.Contains(tests[law], pkg) {
				tests[law] = append(tests[law], pkg)
			}
		}
		return nil
	})
	return tests, err
}
