// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command podgate makes a Kubernetes rollout lose no request: it gates pods on the
// load balancers in front of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/go-logr/logr"
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

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "podgate:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	fs := flag.NewFlagSet("podgate", flag.ExitOnError)
	ctrlconfig.RegisterFlags(fs)
	var c manager.Config
	c.Bind(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return err
	}
	log := logger(c.Verbosity)
	kube, err := kubeConfig()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
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
