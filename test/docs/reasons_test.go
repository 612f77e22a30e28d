// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/kubetest"
)

// declared is a constant whose value people see as the reason of a condition or an event.
var declared = regexp.MustCompile(`(?m)^\s*(?:const )?(?:Reason|Event)\w+\s+(?:[\w.]+\s+)?= "([A-Z]\w*)"`)

// reasons are those of the code.
func reasons(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(filepath.Join(kubetest.Root(), "internal"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/awssim/") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
			found[m[1]] = filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 40 {
		t.Fatalf("found %d reasons only: %v", len(found), found)
	}
	return found
}

// TestReasonsAreDocumented: each reason is on a page, and each that a table of reasons lists is in the code.
func TestReasonsAreDocumented(t *testing.T) {
	known := reasons(t)
	var text strings.Builder
	listed := map[string]string{}
	table := regexp.MustCompile(`(?m)^\| reason[^\n]*\n\|[-| ]*\n((?:\|[^\n]*\n)*)`)
	word := regexp.MustCompile("`([A-Z][A-Za-z]*)`")
	for _, p := range pages(t) {
		text.WriteString(p.text)
		for _, rows := range table.FindAllStringSubmatch(p.text, -1) {
			for row := range strings.Lines(rows[1]) {
				for _, m := range word.FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
					if m[1] != "True" && m[1] != "False" {
						listed[m[1]] = p.path
					}
				}
			}
		}
	}
	all := text.String()
	for reason, where := range known {
		if !strings.Contains(all, "`"+reason+"`") {
			t.Errorf("%s of %s is on no page", reason, where)
		}
	}
	for reason, where := range listed {
		if _, there := known[reason]; !there {
			t.Errorf("%s lists the reason %s, which nothing gives", where, reason)
		}
	}
	if len(listed) < 20 {
		t.Errorf("the tables list %d reasons only", len(listed))
	}
}

// TestLinks: links between pages lead to a file, and to a heading that is there.
func TestLinks(t *testing.T) {
	all := pages(t)
	anchors := map[string][]string{}
	for _, p := range all {
		anchors[p.path] = headings(p.text)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, p := range all {
		text := fence.ReplaceAllString(p.text, "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			to, anchor, _ := strings.Cut(m[1], "#")
			path := p.path
			if to != "" {
				path = filepath.Join(filepath.Dir(p.path), to)
			}
			if _, err := os.Stat(filepath.Join(kubetest.Root(), path)); err != nil && !strings.HasPrefix(path, "out/") {
				t.Errorf("%s: %s leads nowhere", p.path, m[1])
				continue
			}
			if anchor != "" && filepath.Ext(path) == ".md" && !slices.Contains(anchors[path], anchor) {
				t.Errorf("%s: %s has no heading #%s", p.path, path, anchor)
			}
		}
	}
}

// headings are a page's anchors, as renderers of Markdown make them.
func headings(text string) []string {
	var all []string
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		all = append(all, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}
