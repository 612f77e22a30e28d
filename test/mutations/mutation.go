// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/test/mutations/overlay"
)

// law is one file of this folder: a promise, and the ways to break it.
type law struct {
	Number int `json:"law"`
	// Says is the law itself, in the Markdown of docs/.
	Says      string     `json:"says"`
	Mutations []mutation `json:"mutations"`
}

// mutation breaks a law.
type mutation struct {
	Name string `json:"name"`
	// Breaks says what the mutated product does.
	Breaks string `json:"breaks"`
	Edits  []edit `json:"edits"`

	law int
}

var (
	mutationName = regexp.MustCompile(`^law([0-9]+)-[a-z0-9-]+$`)
	lawTest      = regexp.MustCompile(`(?m)^func TestLaw([0-9]+)[A-Z]\w*\(t \*testing\.T\)`)
)

// readLaws reads the files of a folder, sorted by law.
func readLaws(dir string) ([]law, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}

	var laws []law
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		l, err := readLaw(filepath.Base(path), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		laws = append(laws, l)
	}

	slices.SortFunc(laws, func(a, b law) int { return a.Number - b.Number })
	return laws, nil
}

func readLaw(base string, text []byte) (law, error) {
	var l law
	if err := yaml.UnmarshalStrict(text, &l); err != nil {
		return law{}, err
	}

	if want := fmt.Sprintf("law%02d.yaml", l.Number); base != want {
		return law{}, fmt.Errorf("law %d belongs in %s", l.Number, want)
	}

	if l.Says == "" {
		return law{}, errors.New("does not say what the law is")
	}

	seen := map[string]bool{}
	for i := range l.Mutations {
		m := &l.Mutations[i]
		m.law = l.Number
		if err := m.valid(); err != nil {
			return law{}, fmt.Errorf("%s: %w", m.Name, err)
		}
		if seen[m.Name] {
			return law{}, fmt.Errorf("%s: two mutations have this name", m.Name)
		}
		seen[m.Name] = true
	}

	return l, nil
}

func (m mutation) valid() error {
	if parts := mutationName.FindStringSubmatch(m.Name); parts == nil || parts[1] != strconv.Itoa(m.law) {
		return fmt.Errorf("a mutation of law %d is named law%d-<what it breaks>", m.law, m.law)
	}

	if m.Breaks == "" {
		return errors.New("does not say what it breaks")
	}
	if len(m.Edits) == 0 {
		return errors.New("has no edits")
	}

	for _, e := range m.Edits {
		switch {
		case e.Package == "" || e.In == "":
			return errors.New("an edit names a package and a declaration in it")
		case strings.TrimSpace(e.Old) == "":
			return errors.New("an edit without old text has no place")
		case e.Old == e.New:
			return errors.New("an edit changes nothing")
		}
	}

	return nil
}

// choose returns the mutations whose names begin with one of the prefixes, or all
// mutations when there are no prefixes.
func choose(laws []law, prefixes []string) ([]mutation, error) {
	var found []mutation
	for _, l := range laws {
		for _, m := range l.Mutations {
			wanted := func(prefix string) bool { return strings.HasPrefix(m.Name, prefix) }
			if len(prefixes) == 0 || slices.ContainsFunc(prefixes, wanted) {
				found = append(found, m)
			}
		}
	}

	if len(found) == 0 {
		return nil, fmt.Errorf("no mutation is named like %v", prefixes)
	}

	return found, nil
}

// overlay writes the mutated files into dir and returns the path of what the go command
// takes as -overlay.
func (m mutation) overlay(root, dir string) (string, error) {
	mutated, err := m.apply(root)
	if err != nil {
		return "", err
	}

	return overlay.Write(root, dir, mutated)
}

// findTests returns, for each law, the folders under dir whose packages have tests of
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
