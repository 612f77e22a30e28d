// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMutationsApply: the patches keep up with the product, and no law is without one.
func TestMutationsApply(t *testing.T) {
	root := filepath.Join("..", "..")
	mutations, err := readMutations(".", nil)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := findTests(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}
	if err := complete(mutations, tests, true); err != nil {
		t.Error(err)
	}
	for _, m := range mutations {
		m.path, err = filepath.Abs(m.path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.overlay(t.Context(), root, t.TempDir()); err != nil {
			t.Errorf("%s does not apply: make it anew: %v", m.name, err)
		}
	}
}

func TestReadMutationRefuses(t *testing.T) {
	good := "# Breaks law 3: empties groups.\n--- a/x.go\n+++ b/x.go\n"
	cases := map[string]struct {
		reason, name, text string
	}{
		"NoLaw":     {reason: "The name says which law is broken.", name: "empties-groups.patch", text: good},
		"NoComment": {reason: "The first line says what is broken.", name: "law3-x.patch", text: "--- a/x.go\n+++ b/x.go\n"},
		"OtherLaw":  {reason: "Name and comment speak of one law.", name: "law4-x.patch", text: good},
		"Test":      {reason: "A broken test shows nothing.", name: "law3-x.patch", text: "# Breaks law 3: nothing.\n--- a/x_test.go\n+++ b/x_test.go\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tc.name)
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if m, err := readMutation(path); err == nil {
				t.Errorf("%s\nwant it refused, got %+v", tc.reason, m)
			}
		})
	}
}

func TestReadEvents(t *testing.T) {
	cases := map[string]struct {
		reason, events string
		want           outcome
	}{
		"Passed": {reason: "A mutation that no test notices.", want: outcome{passed: 1},
			events: `{"Action":"run","Test":"TestLaw1A"}` + "\n" + `{"Action":"pass","Test":"TestLaw1A"}` + "\n" + `{"Action":"pass"}`},
		"Failed": {reason: "The test is named, not its case.", want: outcome{failed: "TestLaw1A"},
			events: `{"Action":"fail","Test":"TestLaw1A/Case"}` + "\n" + `{"Action":"fail","Test":"TestLaw1A"}` + "\n" + `{"Action":"fail"}`},
		"DoesNotCompile": {reason: "What does not compile breaks no law.", want: outcome{broken: "x.go:1:1: declared and not used: h"},
			events: `{"Action":"build-output","Output":"x.go:1:1: declared and not used: h\n"}` + "\n" + `{"Action":"build-fail"}` + "\n" + `{"Action":"fail"}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := readEvents([]byte(tc.events))
			if err != nil || got != tc.want {
				t.Errorf("%s\nwant %+v, got %+v, %v", tc.reason, tc.want, got, err)
			}
		})
	}
}
