// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/client/config"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/podgate/podgate/internal/manager"
)

// gcPercent is the heap's growth that starts a garbage collection, unless GOGC says
// otherwise. Caches are most of the heap and live for ever: less room for garbage above
// them costs a tenth of a percent of a core at 10,000 pods and saves a fifth of the memory.
const gcPercent = 50

// newController is the controller as a command, with the flags that it has without one.
func newController() *cobra.Command {
	return &cobra.Command{
		Use:                "controller [flags]",
		Short:              "Run the controller, as podgate does without a command",
		DisableFlagParsing: true,
		RunE:               func(cmd *cobra.Command, args []string) error { return control(cmd.Context(), args) },
	}
}

// control runs the controller until ctx ends.
func control(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("podgate", flag.ContinueOnError)
	ctrlconfig.RegisterFlags(fs)
	var c manager.Config
	c.Bind(fs)
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(os.Stdout)
		fs.PrintDefaults()
		return nil
	}

	if err != nil {
		return fmt.Errorf("%w (commands come first: podgate help lists them)", err)
	}

	if err := c.Validate(); err != nil {
		return fmt.Errorf("run the controller: %w", err)
	}

	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}

	log := logger(c.Verbosity)
	kube, err := kubeConfig()
	if err != nil {
		return err
	}

	return manager.Run(ctx, log, kube, ctrlmetrics.Registry, c)
}

// logger writes JSON to standard error, for the process and for the libraries in it.
func logger(verbosity int) logr.Logger {
	level := slog.Level(-verbosity)
	log := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	return log
}

func kubeConfig() (*rest.Config, error) {
	cfg, err := ctrlconfig.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	// The API server's own priority and fairness is the limit; a client-side one would
	// only hold conditions back.
	cfg.QPS = -1
	return cfg, nil
}
