// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package plural

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"0 pods": Count(0, "pod"), "1 pod": Count(int32(1), "pod"), "2 pods": Count(int64(2), "pod"),
		"1 address": Count(1, "address"), "2 addresses": Count(2, "address"), "2 target groups": Count(2, "target group"),
		"1 of 3 pods is": Part(1, 3, "pod", "is", "are"), "2 of 3 pods are": Part(2, 3, "pod", "is", "are"), "0 of 1 pod is": Part(0, 1, "pod", "is", "are"),
		"is": Of(1, "is", "are"), "are": Of(0, "is", "are"),
	} {
		if got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
	}
}

// counts are texts that put a number before what looks like several things.
var counts = regexp.MustCompile(`%d ((?:(?:of|more|other|running|free|health|target) )*[a-z]+s)\b`)

// singular are words that end like those of several things and are not, and sizes, which are never 1.
var singular = []string{"is", "has", "was", "does", "answers", "keeps", "already exists", "of its", "pass", "less", "as", "bytes", "characters"}

// TestEverywhere: no text says "1 pods".
func TestEverywhere(t *testing.T) {
	texts := 0
	for _, top := range []string{"../../internal", "../../cmd", "../../api"} {
		err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				literal, is := n.(*ast.BasicLit)
				if !is || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Errorf("%s: %v", set.Position(literal.Pos()), err)
				}
				texts++
				if found := unhandled(text); found != "" {
					t.Errorf("%s: %q: use Count for the number, and Of for what depends on it", set.Position(literal.Pos()), found)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if texts < 5000 {
		t.Errorf("only %d texts were read", texts)
	}
}

// unhandled is the first part of a text that writes a number of things by itself.
func unhandled(text string) string {
	for _, found := range counts.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(singular, found[1]) {
			return found[0]
		}
	}
	return ""
}

func TestUnhandled(t *testing.T) {
	for text, want := range map[string]string{
		"%d pods": "%d pods", "there are %d of %d pods": "%d pods", "and %d more events": "%d more events", "port %d is %d targets": "%d targets",
		"port %d is open": "", "%d of its gates": "", "at most %d bytes": "", "%d of %s": "", "%d": "", "%s pods": "",
	} {
		if got := unhandled(text); got != want {
			t.Errorf("%q: it finds %q, want %q", text, got, want)
		}
	}
}
