// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command mutations breaks each law of docs/architecture.md on purpose and shows that
// the law's tests notice. A mutation is a patch beside this file, named
// law<number>-<what it breaks>.patch; the tests of a law are those named
// TestLaw<number>... in the packages under internal that need no API server. Nothing
// is written to the working tree: the patched files are overlaid at build time.
//
// Arguments choose mutations by the beginning of their names; all without any. With
// -model it shows instead which of them the random schedules of internal/model notice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// laws is how many laws there are; each needs a mutation.
const laws = 12

func main() {
	model := flag.Int("model", 0, "how many random schedules to try on each mutation, instead of the laws' tests")
	flag.Parse()
	if err := run(os.Stdout, *model, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutations:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, model int, chosen []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	mutations, err := readMutations(filepath.Join(root, "test", "mutations"), chosen)
	if err != nil {
		return err
	}
	tests, err := findTests(filepath.Join(root, "internal"))
	if err != nil {
		return err
	}
	if err := complete(mutations, tests, len(chosen) == 0); err != nil {
		return err
	}
	if model > 0 {
		return runner{root: root}.model(ctx, out, mutations, model)
	}
	r := runner{root: root}
	if err := r.baseline(ctx, mutations, tests); err != nil {
		return err
	}
	return r.all(ctx, out, mutations, tests)
}

func moduleRoot(ctx context.Context) (string, error) {
	raw, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// complete refuses laws without a mutation, and mutations of laws without a test.
func complete(mutations []mutation, tests map[int][]string, all bool) error {
	broken := map[int]bool{}
	var errs []error
	for _, m := range mutations {
		broken[m.law] = true
		if len(tests[m.law]) == 0 {
			errs = append(errs, fmt.Errorf("law %d has a mutation and no test", m.law))
		}
	}
	for law := 1; all && law <= laws; law++ {
		if !broken[law] {
			errs = append(errs, fmt.Errorf("law %d has no mutation", law))
		}
	}
	return errors.Join(errs...)
}

// all tries every mutation and prints a row for each.
func (r runner) all(ctx context.Context, out io.Writer, mutations []mutation, tests map[int][]string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MUTATION\tRESULT\tSECONDS\tNOTICED BY")
	bad, begun := 0, time.Now()
	for _, m := range mutations {
		start := time.Now()
		result, err := r.try(ctx, m, tests[m.law])
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if !result.noticed {
			bad++
		}
		fmt.Fprintf(table, "%s\t%s\t%.1f\t%s\n", m.name, result.word, time.Since(start).Seconds(), result.by)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d mutations in %.0f seconds\n", len(mutations), time.Since(begun).Seconds())
	if bad > 0 {
		return fmt.Errorf("%d mutations were not noticed by their law's tests", bad)
	}
	return nil
}
