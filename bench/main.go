// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// defaultController is podgate; what is in braces is filled in by the bench. A minute without a change counts as an hour,
// for which nobody would wait.
const defaultController = "bin/podgate --leader-elect=false --namespace {namespace} --aws-region {region}" +
	" --aws-describe-rate {describe-rate} --aws-describe-burst {describe-burst} --aws-audit-quiet 1m" +
	" --webhook-port {webhook-port} --health-probe-bind-address 127.0.0.1:{health-port} --metrics-bind-address 0 --pprof-bind-address 127.0.0.1:{pprof-port}"

// options are the command's.
type options struct {
	controller     string
	versus         string
	endpointSlices bool
	scenario       string
	root           string
	out            string
	seed           uint64
	steadyWindow   time.Duration
	steadyRest     time.Duration
	ingressWindow  time.Duration
	profiles       string
	busy           int
	logs           io.Writer
}

func main() {
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, os.Args[1:])
	stop()

	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	case !ok:
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var log string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.controller, "controller", defaultController, "`command` of the controller under test, without a shell; see docs/bench.md for the words in braces")
	fs.StringVar(&o.versus, "versus", "", "`command` of another controller, which does each scenario after the first and is shown beside it")
	fs.BoolVar(&o.endpointSlices, "endpoint-slices", false, "run Kubernetes' controller of EndpointSlices, for controllers that read them")
	fs.StringVar(&o.scenario, "scenario", "", "run only these, comma-separated: "+strings.Join(names(), ", "))
	fs.StringVar(&o.root, "root", ".", "the repository's top `folder`")
	fs.StringVar(&o.out, "o", "out/bench.json", "`file` to write")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of all that is random")
	fs.DurationVar(&o.steadyWindow, "steady-window", 2*time.Minute, "how long the scenarios steady and small measure, and ingress without --ingress")
	fs.DurationVar(&o.steadyRest, "steady-rest", 3*time.Minute, "how long each lets the controller rest before")
	fs.DurationVar(&o.ingressWindow, "ingress-window", 10*time.Minute, "how long the scenario ingress measures: podgate looks at every load balancer within ten minutes")
	fs.StringVar(&o.profiles, "profiles", "", "`folder` for profiles of the controller at rest, taken from {pprof-port} after the measurement")
	fs.IntVar(&o.busy, "busy", 0, "how many `cores` other processes keep busy while the scenarios register and deregister measure")
	fs.StringVar(&log, "log", "", "`file` for what the controller prints")

	if err := fs.Parse(args); err != nil {
		return o, err
	}

	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}

	o.logs = io.Discard
	if log != "" {
		f, err := os.Create(log)
		if err != nil {
			return o, err
		}
		o.logs = f // open until the process ends
	}

	return o, nil
}

// other are the options for the controller that the first is compared with. It may serve no profiles.
func (o options) other() options {
	o.controller, o.versus, o.profiles = o.versus, "", ""
	return o
}

// run runs the scenarios, one after the other, and reports whether all limits were kept.
func run(ctx context.Context, args []string) (bool, error) {
	if slices.Equal(args, []string{spin}) {
		for ctx.Err() == nil {
		}
		return true, nil
	}

	o, err := parse(args)
	if err != nil {
		return false, err
	}

	chosen, err := choose(o.scenario)
	if err != nil {
		return false, err
	}

	report := newReport(o)
	for _, s := range chosen {
		fmt.Fprintf(os.Stderr, "bench: %s: %s\n", s.name, s.load)
		result := s.result(ctx, o)
		if o.versus != "" && ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "bench: %s: the same with the other controller\n", s.name)
			other := s.result(ctx, o.other())
			result.Versus = &other
		}

		report.Scenarios = append(report.Scenarios, result)
		result.print(os.Stdout)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
	}

	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return false, err
	}

	return report.ok(), report.write(o.out)
}
