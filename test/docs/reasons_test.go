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

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/kubetest"
)

// declared is a constant whose value people see as the reason of a condition or an event.
var declared = regexp.MustCompile(`(?m)^\s*(?:const )?(?:Reason|Event)\w+\s+(?:[\w.]+\s+)?= "([A-Z]\w*)"`)

// reasons are those of the code.
func reasons(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, top := range []string{"api", "internal"} {
		err := filepath.WalkDir(filepath.Join(kubetest.Root(), top), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
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

// TestReasonsOfHAProxyAreDocumented: reasons with a dot are the load balancer's. Those that podgate makes of HAProxy's
// answers are on the page of reasons, and no others.
func TestReasonsOfHAProxyAreDocumented(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(kubetest.Root(), "internal", "balancer", "haproxy", "server.go"))
	if err != nil {
		t.Fatal(err)
	}

	find := func(text, pattern string) []string {
		var found []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			if m[1] != "HAProxy.L4CON" && m[1] != "HAProxy.L7STS" { // of HAProxy's own words, as examples
				found = append(found, m[1])
			}
		}
		slices.Sort(found)
		return slices.Compact(found)
	}

	want := find(string(source), `(?m)^\s*reason\w+\s*= "(HAProxy\.\w+)"`)
	page, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "reasons.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := find(string(page), "(?m)^\\| `(HAProxy\\.\\w+)`")
	if diff := cmp.Diff(want, have); len(want) < 8 || diff != "" {
		t.Errorf("reasons in the code (-) and in docs/reasons.md (+):\n%s", diff)
	}
}

// TestNamesAreDocumented: each label, annotation, finalizer and condition type of podgate's domain that the code has is on a
// page, and each that a page has is in the code.
func TestNamesAreDocumented(t *testing.T) {
	// Keys of indexes, which nobody sees in a cluster; on pages the names of images, an API version, and the gate of an example.
	others := []string{"selector-anchor", "service", "target-group-arn", "label", "gate", "address", "pressing", "node", "port", "podgate", "app", "v1alpha1", "warm"}
	name := regexp.MustCompile(`\bpodgate\.dev/([a-z][a-z0-9-]*[a-z0-9])`)
	code, documented := map[string]string{}, map[string]string{}
	for _, top := range []string{"api", "internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(kubetest.Root(), top), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range name.FindAllStringSubmatch(string(source), -1) {
				code[m[1]] = path
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, p := range pages(t) {
		for _, m := range name.FindAllStringSubmatch(p.text, -1) {
			documented[m[1]] = p.path
		}
	}

	for n, path := range code {
		if _, there := documented[n]; !there && !slices.Contains(others, n) {
			t.Errorf("podgate.dev/%s of %s is on no page", n, path)
		}
	}

	for n, path := range documented {
		if _, there := code[n]; !there && !slices.Contains(others, n) {
			t.Errorf("%s has podgate.dev/%s, which the code does not know", path, n)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks: links between pages lead to a file, and to a heading that is there.
func TestLinks(t *testing.T) {
	all := pages(t)
	anchors := map[string][]string{}
	for _, p := range all {
		anchors[p.path] = headings(p.text)
	}

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
