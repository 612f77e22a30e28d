// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command awssim runs the simulator of ELBv2 and VPC Lattice as a program: the
// AWS API and the control API on one address, the listeners of load balancers
// and the service networks on others. It
// keeps nothing on disk and refuses to be reached from other machines unless
// it is told an address for that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"

	"github.com/podgate/podgate/sim/awssim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "awssim:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	listen, cfg, err := parse(args, logs)
	if err != nil {
		return err
	}

	cfg.Log = logr.FromSlogHandler(slog.NewTextHandler(logs, nil))
	sim, err := awssim.New(cfg)
	if err != nil {
		return err
	}

	bound, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}

	settings := sim.Settings()
	fmt.Fprintf(out, "awssim: API at http://%s region %s account %s profile %s time scale %g\n",
		bound.Addr(), settings.Region, settings.AccountID, settings.Profile, settings.TimeScale)

	server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(bound)
		cancel()
	}()

	// The simulator runs until it is stopped, or until the server fails.
	runErr := sim.Run(ctx)
	shutdown, cancelShutdown := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancelShutdown()

	if err := server.Shutdown(shutdown); err != nil {
		_ = server.Close() // calls that do not end are cut off
	}

	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}

	return runErr
}
