// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestMutationsApply: the mutations keep up with the product, and no law is without one.
func TestMutationsApply(t *testing.T) {
	root := filepath.Join("..", "..")
	laws, err := readLaws(".")
	if err != nil {
		t.Fatal(err)
	}

	tests, err := findTests(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}

	mutations, err := choose(laws, nil)
	if err != nil {
		t.Fatal(err)
	}

	if err := complete(laws, tests); err != nil {
		t.Error(err)
	}

	if err := applies(root, mutations); err != nil {
		t.Error(err)
	}
}

func TestReadLawRefuses(t *testing.T) {
	const good = `
law: 3
says: Never empty by accident.
mutations:
- name: law3-empties-groups
  breaks: empties groups.
  edits:
  - package: internal/membership
    in: Make
    old: |
      return keep
    new: |
      return nil
`

	cases := map[string]struct{ reason, base, from, to string }{
		"OtherFile":  {reason: "A law is found by its file.", base: "law04.yaml"},
		"OtherLaw":   {reason: "The name says which law is broken.", from: "name: law3-", to: "name: law4-"},
		"NoLaw":      {reason: "The name says which law is broken.", from: "name: law3-", to: "name: "},
		"NoSentence": {reason: "The documentation shows it.", from: "says: Never empty by accident.", to: ""},
		"NoBreaks":   {reason: "The documentation shows it.", from: "  breaks: empties groups.\n", to: ""},
		"NoEdits":    {reason: "It would survive.", from: "  edits:", to: "  edits: []\n  ignored:"},
		"NoPlace":    {reason: "An edit is found by its declaration.", from: "    in: Make\n", to: ""},
		"NoOldText":  {reason: "An empty text is everywhere.", from: "      return keep\n", to: ""},
		"NoChange":   {reason: "It would survive.", from: "return nil", to: "return keep"},
		"Misspelled": {reason: "An unknown key is a mistake.", from: "breaks:", to: "braeks:"},
	}

	if _, err := readLaw("law03.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			base := tc.base
			if base == "" {
				base = "law03.yaml"
			}
			if l, err := readLaw(base, []byte(strings.Replace(good, tc.from, tc.to, 1))); err == nil {
				t.Errorf("%s\nwant it refused, got %+v", tc.reason, l)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	laws := []law{{Mutations: []mutation{{Name: "law1-a"}, {Name: "law1-b"}}}, {Mutations: []mutation{{Name: "law11-a"}}}}
	cases := map[string]struct {
		reason   string
		prefixes []string
		want     int
	}{
		"All":     {reason: "Without prefixes every mutation is tried.", want: 3},
		"Law":     {reason: "The hyphen tells law 1 from law 11.", prefixes: []string{"law1-"}, want: 2},
		"Several": {reason: "Each prefix chooses.", prefixes: []string{"law1-b", "law11"}, want: 2},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := choose(laws, tc.prefixes)
			if err != nil || len(got) != tc.want {
				t.Errorf("%s\nwant %d mutations, got %d, %v", tc.reason, tc.want, len(got), err)
			}
		})
	}

	if _, err := choose(laws, []string{"law2"}); err == nil {
		t.Error("a prefix that chooses nothing is a mistake, and was accepted")
	}
}

func TestComplete(t *testing.T) {
	full := law{Number: 1, Mutations: []mutation{{Name: "law1-a"}}}
	tests := map[int][]string{1: {"internal/gate"}}
	if err := complete([]law{full}, tests); err != nil {
		t.Fatal(err)
	}

	cases := map[string]struct {
		laws  []law
		tests map[int][]string
	}{
		"NoMutation": {laws: []law{{Number: 1}}, tests: tests},
		"NoTest":     {laws: []law{full}},
		"Gap":        {laws: []law{full, {Number: 3, Mutations: full.Mutations}}, tests: map[int][]string{1: {"a"}, 3: {"a"}}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := complete(tc.laws, tc.tests); err == nil {
				t.Error("want an error")
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
