// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command podgate makes a Kubernetes rollout lose no request: it gates pods on the
// load balancers in front of them. Without a command it runs the controller.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/term"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/podgate/podgate/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the process at once.
	code := run(ctx, filepath.Base(os.Args[0]), os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs the controller, or the command that args begin with.
func run(ctx context.Context, program string, args []string) int {
	called := cli.Name
	if strings.HasPrefix(program, "kubectl-") {
		called = cli.PluginName
	} else if controls(args) {
		if err := control(ctx, args); err != nil {
			fmt.Fprintln(os.Stderr, "podgate:", err)
			return 1
		}
		return 0
	}
	ctrl.SetLogger(logr.Discard()) // commands say themselves what fails
	return cli.Run(ctx, called, args, streams(), newController())
}

// controls reports whether args are the controller's: none, or a flag first. Commands have
// their name first.
func controls(args []string) bool {
	if len(args) == 0 {
		return true
	}
	return strings.HasPrefix(args[0], "-") && args[0] != "-h" && args[0] != "--help"
}

func streams() cli.Streams {
	colour := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(os.Stdout.Fd()))
	return cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Colour: colour, Now: time.Now}
}
