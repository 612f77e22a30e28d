// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command shape prints how the code reads, in numbers: long functions, functions
// without paragraphs, large structs, words of the old dialect, and how much there is of
// everything. It judges nothing: run it before and after a change, and compare.
package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

const (
	// long is from how many lines on a function needs paragraphs.
	long = 25
	// large is how many fields a Reconciler may have.
	large = 16
	// listed is how many of the worst are named.
	listed = 10
)

// generatedPages are not written by hand, so their words are counted at their source.
var generatedPages = []string{"alerts.md", "api.md", "awssim-reference.md", "commands-reference.md", "flags.md", "laws.md", "metrics.md", "packages.md", "reasons.md", "values.md"}

// house is what was measured.
type house struct {
	functions  []function
	structures []structure
	dialect    map[string]int
	// words counts those of documentation by page, lines those of Go by folder and group.
	words map[string]int
	lines map[string]map[string]int
}

func main() {
	h, err := survey(os.DirFS("."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "shape:", err)
		os.Exit(1)
	}
	h.print(os.Stdout)
}

// survey measures the Go files and the documentation below a folder.
func survey(root fs.FS) (house, error) {
	h := house{dialect: map[string]int{}, words: map[string]int{}, lines: map[string]map[string]int{}}
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}

		if e.IsDir() {
			if skipped := e.Name() == "testdata" || e.Name() == "out" || e.Name() == "bin" || strings.HasPrefix(e.Name(), "."); skipped && path != "." {
				return fs.SkipDir
			}
			return nil
		}

		if ext := filepath.Ext(path); ext != ".go" && ext != ".md" {
			return nil
		}

		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}

		if strings.HasSuffix(path, ".md") {
			h.addPage(path, string(text))
			return nil
		}

		return h.addFile(path, text)
	})

	return h, err
}

func (h *house) addPage(path, text string) {
	written := path == "README.md" || strings.HasPrefix(path, "docs/")
	if !written || slices.Contains(generatedPages, filepath.Base(path)) {
		return
	}
	h.words[path] = len(strings.Fields(text))
	countDialect(h.dialect, text)
}

func (h *house) addFile(path string, text []byte) error {
	if strings.HasPrefix(filepath.Base(path), "zz_generated") {
		return nil
	}

	s, err := measure(path, text)
	if err != nil {
		return err
	}

	g, folder := group(path), filepath.Dir(path)
	if h.lines[g] == nil {
		h.lines[g] = map[string]int{}
	}

	h.lines[g][folder] += s.lines

	// Tests may be as long as their tables, so only the product's shape counts.
	if g == "tests" {
		return nil
	}

	h.functions = append(h.functions, s.functions...)
	h.structures = append(h.structures, s.structures...)
	for word, n := range s.dialect {
		h.dialect[word] += n
	}

	return nil
}

// unbroken returns the long functions, and those of them without paragraphs.
func (h *house) unbroken() (longs, unbroken []function) {
	for _, f := range h.functions {
		if f.lines < long {
			continue
		}
		longs = append(longs, f)
		if !f.paragraphs {
			unbroken = append(unbroken, f)
		}
	}
	return longs, unbroken
}

func (h *house) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }()

	longs, unbroken := h.unbroken()
	fmt.Fprintf(w, "functions of %d lines or more: %d, without a paragraph: %d (%d %%)\n",
		long, len(longs), len(unbroken), 100*len(unbroken)/max(1, len(longs)))

	for _, f := range longest(unbroken) {
		fmt.Fprintf(w, "  %s\t%d\n", f.name, f.lines)
	}

	fmt.Fprintln(w, "longest functions")
	for _, f := range longest(h.functions) {
		fmt.Fprintf(w, "  %s\t%d\n", f.name, f.lines)
	}

	fmt.Fprintln(w, "largest structs, by fields")
	slices.SortStableFunc(h.structures, func(a, b structure) int { return b.fields - a.fields })

	for i, s := range h.structures {
		if reconciler := strings.HasSuffix(s.name, ".Reconciler") && s.fields > large; reconciler || i < listed {
			fmt.Fprintf(w, "  %s\t%d\n", s.name, s.fields)
		}
	}

	fmt.Fprintf(w, "words of the old dialect in strings and documentation: %d\n", sum(h.dialect))
	printCounts(w, h.dialect)
	fmt.Fprintf(w, "words of documentation: %d\n", sum(h.words))
	printCounts(w, h.words)

	for _, g := range slices.Sorted(maps.Keys(h.lines)) {
		fmt.Fprintf(w, "lines of %s: %d\n", g, sum(h.lines[g]))
		printCounts(w, h.lines[g])
	}
}

// longest returns the functions that are listed, longest first.
func longest(functions []function) []function {
	sorted := slices.SortedStableFunc(slices.Values(functions), func(a, b function) int { return b.lines - a.lines })
	return sorted[:min(listed, len(sorted))]
}

// printCounts prints counts, largest first.
func printCounts(w io.Writer, counts map[string]int) {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	for _, name := range names {
		fmt.Fprintf(w, "  %s\t%d\n", name, counts[name])
	}
}

func sum(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}
