// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// module has a package whose tests leave some mutants alive, and one that runs on nothing
// but an API server.
var module = map[string]string{
	"go.mod": "module example.com/m\n\ngo 1.26\n",
	"p/p.go": `package p

import (
	"errors"
	"time"
)

const limit = 2 - 1

func free(n int, name string) bool {
	return n < limit && !(name == "") // one line, two operands
}

func ends(name string) bool {
	return name[len(name)-1] == 'x' ||
		name+"x" == "x"
}

func after(d time.Duration) time.Duration {
	if d > 0 {
		return d + time.Second
	}
	return 0
}

func known() bool { return true }

func fails() (bool, error) { return false, errors.New("nobody reads the other") }
`,
	"p/p_test.go": `package p

import (
	"testing"
	"time"
)

func TestAll(t *testing.T) {
	if !free(0, "a") || free(1, "a") || free(0, "") || free(2, "") || !ends("ax") || ends("a") {
		t.Error("free or ends")
	}
	if after(time.Second) != 2*time.Second || after(-time.Second) != 0 {
		t.Error("after")
	}
	known()
	_, _ = fails()
}
`,
	"p/p_kube_test.go": "package p\n\nfunc init() { panic(\"no API server\") }\n",
}

func TestTry(t *testing.T) {
	root := t.TempDir()
	for name, text := range module {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	got, err := try(t.Context(), root, "p")
	if err != nil {
		t.Fatal(err)
	}

	var survivors []string
	for _, m := range got.survivors {
		survivors = append(survivors, m.String())
	}
	want := []string{
		`p/p.go:20:7: > -> >=`,
		`p/p.go:26:28: true -> false`,
	}
	if diff := cmp.Diff(want, survivors); diff != "" {
		t.Errorf("survivors: -want, +got:\n%s", diff)
	}
	if got.mutants != 13 {
		t.Errorf("want 13 mutants, got %d", got.mutants)
	}
}

// TestSummarize: a package that notices too little is an error, whatever the others do.
func TestSummarize(t *testing.T) {
	good := report{pkg: "good", mutants: 100, survivors: make([]mutant, 2)}
	bad := report{pkg: "bad", mutants: 10, survivors: make([]mutant, 1)}
	if err := summarize(io.Discard, []report{good, {pkg: "none"}}); err != nil {
		t.Error(err)
	}
	if err := summarize(io.Discard, []report{good, bad}); err == nil || !strings.HasSuffix(err.Error(), " of bad") {
		t.Errorf("want an error about bad, got %v", err)
	}
}

// TestPureAsDocumented: every package that the architecture calls pure is measured.
func TestPureAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}

	documented := regexp.MustCompile(`(?m)^ +(internal/\S+) .*\(pure\)$`).FindAllSubmatch(text, -1)
	if len(documented) < 5 {
		t.Fatalf("the architecture calls only %d packages pure", len(documented))
	}
	for _, d := range documented {
		if !slices.Contains(pure, string(d[1])) {
			t.Errorf("%s is not measured", d[1])
		}
	}
}
