// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs holds the documentation against what it is about: what can be applied is, and what is listed is
// there, both ways.
package docs

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/podgate/podgate/internal/kubetest"
)

var update = flag.Bool("update", false, "write the generated pages of docs/")

var shared struct{ cfg *rest.Config }

func TestMain(m *testing.M) { kubetest.Main(m, func(c *rest.Config) { shared.cfg = c }) }

// page is a file of the documentation, by its path below the repository's root.
type page struct {
	path, text string
}

// pages are README.md, those of docs/, and other READMEs.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	root := kubetest.Root()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}

		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (rel == "bin" || rel == "out" || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}

		text, err := os.ReadFile(path)
		all = append(all, page{rel, string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	if len(all) < 10 {
		t.Fatalf("found %d pages only", len(all))
	}

	return all
}

// block is a fenced part of a page.
type block struct {
	page, language, text string
	line                 int
}

var fence = regexp.MustCompile("(?ms)^ *```(\\w*)[^\n]*\n(.*?)^ *```$")

func (p page) blocks() []block {
	var all []block
	for _, m := range fence.FindAllStringSubmatchIndex(p.text, -1) {
		all = append(all, block{
			page: p.path, language: p.text[m[2]:m[3]], text: p.text[m[4]:m[5]], line: 1 + strings.Count(p.text[:m[0]], "\n"),
		})
	}
	return all
}
