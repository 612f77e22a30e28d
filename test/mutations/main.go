// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command mutations breaks each law of docs/laws.md on purpose and shows that the
// law's tests notice. The files law<NN>.yaml beside it say what each law is and how to
// break it; the tests of a law are those named TestLaw<number>... in the packages under
// internal that need no API server. Nothing is written to the working tree: the mutated
// files are overlaid at build time.
//
// Arguments choose mutations by the beginning of their names; all without any. With
// -check it only verifies that every mutation still has its place in the product, with
// -docs it only writes docs/laws.md, and with -model it shows which mutations the random
// schedules of internal/model notice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/podgate/podgate/test/mutations/overlay"
)

func main() {
	check := flag.Bool("check", false, "only verify that each mutation is found exactly once and parses")
	docs := flag.Bool("docs", false, "only write docs/laws.md")
	model := flag.Int("model", 0, "how many random schedules to try on each mutation, instead of the laws' tests")
	flag.Parse()
	if err := run(os.Stdout, mode{check: *check, docs: *docs, model: *model}, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutations:", err)
		os.Exit(1)
	}
}

// mode is what to do instead of trying the laws' tests on the mutations.
type mode struct {
	check, docs bool
	// model is a number of random schedules.
	model int
}

func run(out io.Writer, do mode, chosen []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	root, err := overlay.ModuleRoot(ctx)
	if err != nil {
		return err
	}

	laws, err := readLaws(filepath.Join(root, "test", "mutations"))
	if err != nil {
		return err
	}
	if do.docs {
		return writePage(root, laws)
	}

	mutations, err := choose(laws, chosen)
	if err != nil {
		return err
	}

	tests, err := findTests(filepath.Join(root, "internal"))
	if err != nil {
		return err
	}

	// Report what does not apply before anything slow begins.
	if err := errors.Join(complete(laws, tests), applies(root, mutations)); err != nil {
		return err
	}

	r := runner{root: root}
	switch {
	case do.check:
		fmt.Fprintf(out, "%d mutations apply\n", len(mutations))
		return nil
	case do.model > 0:
		return r.model(ctx, out, mutations, do.model)
	}

	if err := r.baseline(ctx, mutations, tests); err != nil {
		return err
	}

	return r.all(ctx, out, mutations, tests)
}

// complete refuses gaps between the laws, and laws without a mutation or a test.
func complete(laws []law, tests map[int][]string) error {
	var errs []error
	for i, l := range laws {
		if l.Number != i+1 {
			errs = append(errs, fmt.Errorf("there is no law %d", i+1))
			break
		}
		if len(l.Mutations) == 0 {
			errs = append(errs, fmt.Errorf("law %d has no mutation", l.Number))
		}
		if len(tests[l.Number]) == 0 {
			errs = append(errs, fmt.Errorf("law %d has no test", l.Number))
		}
	}

	return errors.Join(errs...)
}

// applies names every mutation that does not apply, and why.
func applies(root string, mutations []mutation) error {
	var errs []error
	for _, m := range mutations {
		if _, err := m.apply(root); err != nil {
			errs = append(errs, fmt.Errorf("%s does not apply: %w", m.Name, err))
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
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		if !result.noticed {
			bad++
		}
		fmt.Fprintf(table, "%s\t%s\t%.1f\t%s\n", m.Name, result.word, time.Since(start).Seconds(), result.by)
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
