// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMeasure(t *testing.T) {
	s, err := measure("p.go", []byte(`package p

type T[K any] struct {
	a, b int
	error
}

func (t *T[K]) whole() string {
	return "It is no gate any more."
}

func broken() {
	x := 1

	_ = x
}
`))
	if err != nil {
		t.Fatal(err)
	}

	if s.lines != 16 {
		t.Errorf("want 16 lines, got %d", s.lines)
	}

	if want := []function{{"p.T.whole", 3, false}, {"p.broken", 5, true}}; !slices.Equal(s.functions, want) {
		t.Errorf("want %v, got %v", want, s.functions)
	}

	if want := []structure{{"p.T", 3}}; !slices.Equal(s.structures, want) {
		t.Errorf("want %v, got %v", want, s.structures)
	}

	if s.dialect["is no"] != 1 || s.dialect["any more"] != 1 || sum(s.dialect) != 2 {
		t.Errorf("want two words of the dialect, got %v", s.dialect)
	}
}

func TestDialect(t *testing.T) {
	cases := map[string]struct {
		text string
		want int
	}{
		"Words":      {text: "Beside it, made anew; two strangers and a lodger", want: 4},
		"PartOfWord": {text: "besides, is not, is nowhere, instinct", want: 0},
		"Repeated":   {text: "anew anew", want: 2},
		"IsNotA":     {text: "It is no gate", want: 1},
		"GoodIsNo":   {text: "There is no gate; it is no longer there; the answer is no", want: 0},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := map[string]int{}
			countDialect(got, tc.text)
			if sum(got) != tc.want {
				t.Errorf("want %d, got %v", tc.want, got)
			}
		})
	}
}

func TestGroup(t *testing.T) {
	for path, want := range map[string]string{
		"internal/gate/decide.go":                 "engine",
		"internal/gate/decide_test.go":            "tests",
		"internal/balancer/elbv2/x.go":            "drivers",
		"internal/balancer/provider.go":           "engine",
		"internal/binding/x.go":                   "gate kinds",
		"internal/cli/x.go":                       "commands",
		"internal/client/x.go":                    "product",
		"cmd/awssim/main.go":                      "simulators",
		"cmd/podgate/main.go":                     "product",
		"test/localcluster/main.go":               "tests",
		"build/image/main.go":                     "other",
		"internal/balancer/balancertest/suite.go": "tests",
	} {
		if got := group(path); got != want {
			t.Errorf("%s: want %s, got %s", path, want, got)
		}
	}
}

func TestSurvey(t *testing.T) {
	body := strings.Repeat("\t_ = 0\n", 30)
	h, err := survey(fstest.MapFS{
		"internal/gate/a.go":                {Data: []byte("package gate\n\nfunc long() {\n" + body + "}\n\nfunc read() {\n" + body + "\n}\n\nfunc short() {\n}\n")},
		"internal/gate/a_test.go":           {Data: []byte("package gate\n\nfunc test() {\n" + body + "}\n")},
		"internal/gate/testdata/b.go":       {Data: []byte("not Go")},
		"api/v1alpha1/zz_generated.deep.go": {Data: []byte("package v1alpha1\n")},
		"docs/concepts.md":                  {Data: []byte("Four words of prose.\n")},
		"docs/api.md":                       {Data: []byte("generated\n")},
		"internal/README.md":                {Data: []byte("no documentation\n")},
	})
	if err != nil {
		t.Fatal(err)
	}

	longs, unbroken := h.unbroken()
	if len(longs) != 2 || len(unbroken) != 1 || unbroken[0] != (function{"gate.long", 32, false}) {
		t.Errorf("want gate.long as one of two, got %v of %v", unbroken, longs)
	}

	if sum(h.words) != 4 {
		t.Errorf("want 4 words, got %v", h.words)
	}

	if len(h.lines["engine"]) != 1 || h.lines["tests"]["internal/gate"] != 34 || h.lines["product"] != nil {
		t.Errorf("lines are counted wrong: %v", h.lines)
	}

	var out strings.Builder
	h.print(&out)

	if want := "functions of 25 lines or more: 2, without a paragraph: 1 (50 %)\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("want it to begin with %q, got\n%s", want, out.String())
	}
}
