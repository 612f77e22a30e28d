// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package cli is the command line: it reads flags, asks the other packages, and prints. Results go to standard output, progress
// and errors to standard error.
package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/podgate/podgate/test/localcluster/internal/preflight"
	"github.com/podgate/podgate/test/localcluster/internal/state"
	"github.com/podgate/podgate/test/localcluster/internal/supervisor"
)

// defaultName is the cluster that a command without --name is about. In what exec runs it is the one whose network that is in.
func defaultName() string { return cmp.Or(os.Getenv(state.Variable), "podgate") }

// Exit codes besides those of a command that exec or kubectl ran.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// errUsage is a mistake on the command line; what is wrong has been said.
var errUsage = errors.New("wrong usage")

// command is one word of the command line.
type command struct {
	name     string
	synopsis string
	short    string
	long     string
	examples []string
	run      func(context.Context, *env, *command, []string) error
}

// env is where a command writes.
type env struct {
	out, err io.Writer
}

func (e *env) progress(text string) { fmt.Fprintln(e.err, "localcluster: "+text) }

func commands() []*command {
	return []*command{buildCommand(), upCommand(), downCommand(), statusCommand(), listCommand(), loadCommand(), kubeconfigCommand(),
		execCommand(), kubectlCommand(), restartCommand(), stopCommand(), startCommand()}
}

// Run is the program; it returns the exit code.
func Run(args []string, out, errOut io.Writer) int {
	e := &env{out: out, err: errOut}
	if len(args) == 0 {
		usage(errOut)
		return exitUsage
	}

	switch args[0] {
	case "help", "-h", "-help", "--help":
		return help(e, args[1:])
	case supervisor.Command:
		return code(e, supervisor.Main())
	case preflight.Command:
		return code(e, preflight.Probe(strings.Join(args[1:], "")))
	}

	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}

		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		// A second signal ends the program at once, as if it had never listened.
		context.AfterFunc(ctx, stop)
		err := c.run(ctx, e, c, args[1:])
		if err != nil && ctx.Err() != nil {
			fmt.Fprintln(errOut, "localcluster: interrupted")
			return exitInterrupted
		}

		return code(e, err)
	}

	fmt.Fprintf(errOut, "localcluster: there is no command %q\n\n", args[0])
	usage(errOut)
	return exitUsage
}

func code(e *env, err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	}
	fmt.Fprintln(e.err, "localcluster:", err)
	return exitFailed
}

func help(e *env, args []string) int {
	if len(args) == 0 {
		usage(e.out)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			_ = c.run(context.Background(), e, c, []string{"--help"})
			return exitOK
		}
	}
	fmt.Fprintf(e.err, "localcluster: there is no command %q\n", args[0])
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, `Localcluster runs a real single-node Kubernetes on a bare Linux machine, for tests.

Usage: localcluster COMMAND [FLAGS]

Commands:
`)

	for _, c := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.short)
	}

	fmt.Fprint(w, `
Examples:
  localcluster up                                   # start a cluster named podgate
  localcluster load app.tar                         # give it an image
  localcluster kubectl get pods -A                  # talk to it
  localcluster exec -- curl http://10.244.0.5:8080  # be on its node's network
  localcluster down                                 # remove every trace of it

"localcluster COMMAND --help" tells more about a command.
`)
}

// flags makes a command's flag set with a usage text.
func (c *command) flags(e *env) (*flag.FlagSet, *string) {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(e.err)
	set.Usage = func() {
		fmt.Fprintf(set.Output(), "%s\n\nUsage: localcluster %s\n", strings.TrimSpace(c.long), c.synopsis)
		fmt.Fprint(set.Output(), "\nFlags:\n")
		set.PrintDefaults()
		fmt.Fprint(set.Output(), "\nExamples:\n")
		for _, example := range c.examples {
			fmt.Fprintf(set.Output(), "  %s\n", example)
		}
	}
	return set, set.String("name", defaultName(), "the cluster's `name`, and its node's")
}

// parse reads flags wherever they stand and returns the other arguments, of which there must be so many; most < 0 is any number.
func parse(e *env, set *flag.FlagSet, args []string, least, most int) ([]string, error) {
	if asksHelp(args) {
		set.SetOutput(os.Stdout)
	}

	var rest []string
	for {
		if err := set.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errUsage
		}
		args = set.Args()
		if len(args) == 0 {
			return rest, want(e, set, rest, least, most)
		}
		rest, args = append(rest, args[0]), args[1:]
	}
}

func asksHelp(args []string) bool {
	for _, arg := range args {
		if arg == "-h" || arg == "-help" || arg == "--help" {
			return true
		}
	}
	return false
}

func want(e *env, set *flag.FlagSet, args []string, least, most int) error {
	if len(args) >= least && (most < 0 || len(args) <= most) {
		return nil
	}
	fmt.Fprintf(e.err, "localcluster %s: wrong number of arguments (%d)\n\n", set.Name(), len(args))
	set.Usage()
	return errUsage
}
