// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command mutants shows what the unit tests of the pure packages do not notice. It changes
// one operator after the other (operators.go lists how) and runs the package's own tests on
// each such mutant: one that no test notices survives, and is printed. It fails when a
// package notices less than 98 % of its mutants.
//
// Each package is compiled once, with all its mutants in it, and an environment variable
// says which one a run of the tests gets. Tests that need an API server are left out.
// Nothing is written to the working tree.
//
// Arguments choose packages by their folders; all pure ones without any.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/podgate/podgate/test/mutations/overlay"
)

// pure are the packages that decide from what they are given: they read no clock and call
// nobody, so their unit tests can state everything that they do.
var pure = []string{
	"internal/gate",
	"internal/membership",
	"internal/drain",
	"internal/disruption",
	"internal/instance",
	"internal/override",
	"internal/limit",
	"internal/allow",
	"internal/check",
	"internal/binding",
	"internal/gates",
	"internal/injection",
	"internal/webhook/profile",
	"internal/timeline",
	"internal/route",
	"internal/route/annotation",
	"internal/route/gatewayapi",
	"internal/route/ingress",
	"internal/route/service",
	"internal/provision/elb",
	"internal/provision/subnets",
	"internal/provision/certificates",
}

// enough is the share of its mutants that a package must notice, in percent.
const enough = 98

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, packages []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	root, err := overlay.ModuleRoot(ctx)
	if err != nil {
		return err
	}

	if len(packages) == 0 {
		packages = pure
	}

	var reports []report
	for _, pkg := range packages {
		r, err := try(ctx, root, strings.Trim(strings.TrimPrefix(pkg, "./"), "/"))
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		for _, m := range r.survivors {
			fmt.Fprintln(out, m)
		}
		reports = append(reports, r)
	}

	return summarize(out, reports)
}

// report is what became of a package's mutants.
type report struct {
	pkg string
	// mutants is how many there are, endless how many of them were noticed only because
	// the tests did not end.
	mutants, endless int
	survivors        []mutant
	took             time.Duration
}

// percent is the share of mutants that were noticed.
func (r report) percent() float64 {
	if r.mutants == 0 {
		return 100
	}
	return 100 * float64(r.mutants-len(r.survivors)) / float64(r.mutants)
}

// summarize prints a row for each package, and returns an error that names those that do
// not notice enough.
func summarize(out io.Writer, reports []report) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PACKAGE\tMUTANTS\tNOTICED\tENDLESS\tPERCENT\tSECONDS")
	all := report{pkg: "all"}
	var bad []string
	for _, r := range reports {
		row(table, r)
		all.mutants += r.mutants
		all.endless += r.endless
		all.survivors = append(all.survivors, r.survivors...)
		all.took += r.took
		if r.percent() < enough {
			bad = append(bad, r.pkg)
		}
	}

	row(table, all)
	if err := table.Flush(); err != nil {
		return err
	}

	if len(bad) > 0 {
		return fmt.Errorf("tests notice less than %d %% of the mutants of %s", enough, strings.Join(bad, ", "))
	}
	return nil
}

func row(out io.Writer, r report) {
	fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%.1f\t%.0f\n", r.pkg, r.mutants, r.mutants-len(r.survivors), r.endless, r.percent(), r.took.Seconds())
}
