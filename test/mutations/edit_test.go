// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// product is a package with what an edit can name.
var product = map[string]string{
	"p/a.go": `package p

const limit = 3

type T[K any] struct {
	n int
}

func free(n int) int {
	if n > limit {
		n = 0

		return n
	}
	return n
}

func (t *T[K]) Twice() {
	t.n++
	t.n++
}
`,
	"p/b.go": `package p

type U struct{}

func (U) free() int {
	return 1
}
`,
	"p/b_test.go": `package p

func inTests() int {
	return 1
}
`,
}

func writeProduct(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for file, text := range product {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestApply(t *testing.T) {
	cases := map[string]struct {
		reason, file, was, is string
		edits                 []edit
	}{
		"Function": {reason: "The method of the same name is not the function.", file: "p/a.go", was: "\tif n > limit {\n", is: "\tif n < limit {\n",
			edits: []edit{{In: "free", Old: "if n > limit {\n", New: "if n < limit {\n"}}},
		"Method": {reason: "The receiver tells it from the function.", file: "p/b.go", was: "return 1", is: "return 2",
			edits: []edit{{In: "U.free", Old: "return 1\n", New: "return 2\n"}}},
		"PointerToGeneric": {reason: "Pointer and type parameters are no part of the name.", file: "p/a.go", was: "Twice() {\n\tt.n++\n", is: "Twice() {\n",
			edits: []edit{{In: "T.Twice", Old: "func (t *T[K]) Twice() {\n\tt.n++\n", New: "func (t *T[K]) Twice() {\n"}}},
		"Indentation": {reason: "The whole of it may be moved; blank lines stay blank.", file: "p/a.go",
			was: "\t\tn = 0\n\n\t\treturn n\n", is: "\t\tn = 1\n\n\t\treturn n\n",
			edits: []edit{{In: "free", Old: "n = 0\n\nreturn n\n", New: "n = 1\n\nreturn n\n"}}},
		"Constant": {reason: "What is no function has a name, too.", file: "p/a.go", was: "const limit = 3", is: "const limit = 4",
			edits: []edit{{In: "limit", Old: "const limit = 3\n", New: "const limit = 4\n"}}},
		"Type": {reason: "What is no function has a name, too.", file: "p/a.go", was: "\tn int\n", is: "\tn int8\n",
			edits: []edit{{In: "T", Old: "n int\n", New: "n int8\n"}}},
		"Deletion": {reason: "Without new text the old is deleted.", file: "p/a.go", was: "\t\tn = 0\n", is: "",
			edits: []edit{{In: "free", Old: "n = 0\n"}}},
		"Several": {reason: "Each edit sees what the ones before it did.", file: "p/a.go", was: "\tn int\n", is: "\tm int\n",
			edits: []edit{{In: "T", Old: "n int\n", New: "k int\n"}, {In: "T", Old: "k int\n", New: "m int\n"}}},
	}

	root := writeProduct(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for i := range tc.edits {
				tc.edits[i].Package = "p"
			}
			got, err := mutation{Edits: tc.edits}.apply(root)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(product[tc.file], tc.was, tc.is, 1)
			if len(got) != 1 || string(got[tc.file]) != want {
				t.Errorf("%s\nwant\n%s\ngot\n%s", tc.reason, want, got[tc.file])
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		edit   edit
		want   string
	}{
		"NotFound":    {reason: "The product has moved on.", edit: edit{In: "free", Old: "return 2\n"}, want: "p: free: the old text is there 0 times"},
		"Elsewhere":   {reason: "Only the named function counts.", edit: edit{In: "free", Old: "t.n++\n"}, want: "is there 0 times"},
		"PartOfLine":  {reason: "Whole lines only, so that the rest of a line cannot change unnoticed.", edit: edit{In: "free", Old: "n > limit\n"}, want: "is there 0 times"},
		"FoundTwice":  {reason: "Nobody knows which was meant.", edit: edit{In: "T.Twice", Old: "t.n++\n"}, want: "is there 2 times"},
		"Uneven":      {reason: "Only the indentation of the whole may differ.", edit: edit{In: "free", Old: "if n > limit {\nn = 0\n"}, want: "is there 0 times"},
		"NoFunction":  {reason: "It was renamed.", edit: edit{In: "gone", Old: "x\n"}, want: "p: gone: the package declares no such thing"},
		"NoMethod":    {reason: "The receiver is part of the name.", edit: edit{In: "T.free", Old: "return n\n"}, want: "declares no such thing"},
		"InTests":     {reason: "A broken test shows nothing.", edit: edit{In: "inTests", Old: "return 1\n"}, want: "declares no such thing outside its tests"},
		"NoPackage":   {reason: "It was moved.", edit: edit{Package: "q", In: "free", Old: "x\n"}, want: "there is no package in q"},
		"DoesNotRead": {reason: "What does not parse breaks no law.", edit: edit{In: "free", Old: "n = 0\n", New: "n = {\n"}, want: "does not parse"},
	}

	root := writeProduct(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.edit.Package == "" {
				tc.edit.Package = "p"
			}
			m := mutation{Name: "law3-x", Edits: []edit{tc.edit}}
			_, err := m.apply(root)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nwant %q, got %v", tc.reason, tc.want, err)
			}
			if err := applies(root, []mutation{m}); !strings.HasPrefix(err.Error(), "law3-x does not apply: ") {
				t.Errorf("the error does not name the mutation: %v", err)
			}
		})
	}
}

// TestApplyRefusesTwoDeclarations: build tags allow one name in two files.
func TestApplyRefusesTwoDeclarations(t *testing.T) {
	root := writeProduct(t)
	if err := os.WriteFile(filepath.Join(root, "p", "c.go"), []byte("//go:build other\n\npackage p\n\nconst limit = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := mutation{Edits: []edit{{Package: "p", In: "limit", Old: "const limit = 3\n"}}}
	if _, err := m.apply(root); err == nil || !strings.Contains(err.Error(), "declares this 2 times") {
		t.Errorf("want it refused, got %v", err)
	}
}
