// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command experiment updates a Deployment behind a simulated load balancer under a
// steady load and tells what clients saw of it: without readiness gates, with them, with
// preStop hooks besides, and with a new version that warms up, without checks and with
// them. It is what `make demo` runs, and with another controller's manifest it measures
// that one.
//
// It uses the cluster of KUBECONFIG, in namespaces that it makes and deletes. It
// refuses to repeat a request, and to call a run a success that has shown nothing.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/test/experiment/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrllog.SetLogger(logr.Discard()) // What the API server warns of is the manifest's, which is meant so.
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "experiment:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "experiment",
		Short:         "Measure what a rolling update behind a load balancer costs its clients",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRunCommand(), newRenderCommand())
	return root
}

func newRunCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "run",
		Short: "Do the runs, write the reports, and fail when they show what they should not",
		Long: `Do the runs against the cluster of KUBECONFIG, and write the reports.

Fails when a request of the runs gated-prestop, drain, drain-adaptive and checked failed, when
the pods of drain-adaptive ended no earlier than those of the others, when none of the runs
ungated and unchecked did (then nothing was shown), when a gate opened before its target was
healthy, and when more attempts were counted at the sockets than requests were made.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			live := term.IsTerminal(int(os.Stderr.Fd()))
			return newExperiment(o, newStatus(c.ErrOrStderr(), live)).run(c.Context(), c.OutOrStdout())
		},
	}

	o.bind(c.Flags())
	return c
}

func newRenderCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "render DEMO.json DEMO.html",
		Short: "Make the page again from the figures of an earlier run",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := report.ReadJSON(args[0])
			if err != nil {
				return err
			}
			if err := d.WritePageFile(args[1]); err != nil {
				return err
			}
			return d.WriteTable(c.OutOrStdout())
		},
	}
}
