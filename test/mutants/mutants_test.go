// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/kubetest"
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

var update = flag.Bool("update", false, "write docs/packages.md")

// TestPackagesPage: docs/packages.md has each package, with the first sentence of its comment, and marks those that are measured.
func TestPackagesPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Packages\n\nMade of the packages' comments by `go test ./test/mutants -run TestPackagesPage -update`. [Architecture](architecture.md#the-house) says how they fit together. " +
		"A **pure** package only decides: `make mutants` changes its operators.\n\n| package | |\n|---|---|\n")

	for _, top := range []string{"api", "bench", "build", "cmd", "internal", "sim", "test"} {
		err := fs.WalkDir(os.DirFS(kubetest.Root()), top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if d.Name() == "testdata" || path == "test/localcluster/internal" {
				return fs.SkipDir
			}

			mark := ""
			if slices.Contains(pure, path) {
				mark = " **Pure.**"
			}
			if text := synopsis(t, filepath.Join(kubetest.Root(), path)); text != "" {
				fmt.Fprintf(&b, "| `%s` | %s%s |\n", path, strings.ReplaceAll(text, "|", `\|`), mark)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, p := range pure {
		if !strings.Contains(b.String(), "| `"+p+"` |") {
			t.Errorf("%s has no comment", p)
		}
	}

	kubetest.Golden(t, *update, "packages.md", b.String())
}

// synopsis is the first sentence of a package's comment, empty where there is no package other than tests.
func synopsis(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}

	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if parsed.Doc != nil {
			text := new(doc.Package).Synopsis(parsed.Doc.Text())
			return strings.TrimPrefix(text, "Package "+parsed.Name.Name+" ")
		}
	}

	return ""
}
