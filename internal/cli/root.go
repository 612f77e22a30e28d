// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli is podgate's commands: they say what podgate knows and why, warn before a
// rollout, and set a gate by hand. They read the API server and decide by the code of the
// controllers; they call no load balancer, keep nothing, and refuse to guess: what they may
// not read they say.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/podgate/podgate/internal/gates"
)

// Exit codes of every command.
const (
	// ExitDone: the command did what it says.
	ExitDone = 0
	// ExitNo: it did, and the answer is no: preflight found something, wait waited in vain.
	ExitNo = 1
	// ExitError: it could not tell.
	ExitError = 2
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Colour says that Out is a terminal that wants it.
	Colour bool
	// Now is the clock.
	Now func() time.Time
}

// errNo is an answer, not an error: the command ends with ExitNo and says no more.
var errNo = errors.New("the answer is no")

// environment is what commands share.
type environment struct {
	Streams
	connection
	// output is how the answer is written.
	output format
	// kinds are the kinds of gates that there are.
	kinds gates.Kinds
}

// Names are what podgate is called by: "podgate", or "kubectl podgate" as a plugin.
const (
	Name       = "podgate"
	PluginName = "kubectl podgate"
)

// Run runs a command and gives the process's exit code. Called is Name or PluginName.
func Run(ctx context.Context, called string, args []string, s Streams, extra ...*cobra.Command) int {
	return run(ctx, called, args, &environment{Streams: s, output: formatText, kinds: gates.All()}, extra...)
}

func run(ctx context.Context, called string, args []string, e *environment, extra ...*cobra.Command) int {
	root := newRoot(called, e) //nolint:contextcheck // commands get it from cobra
	root.AddCommand(extra...)
	root.SetArgs(args)
	root.SetContext(ctx)
	err := root.Execute()
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, errNo):
		return ExitNo
	}

	_, _ = fmt.Fprintf(e.Err, "podgate: %v\n", err)
	return ExitError
}

func newRoot(called string, e *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   Name,
		Short: "Why a pod is not Ready at its load balancer, since when, and what to do",
		Long: "podgate gates pods on the load balancers in front of them. These commands say what it knows.\n\n" +
			"Exit codes: 0 done; 1 the answer is no (preflight found something, wait waited in vain); 2 error.\n" +
			"Without a command, podgate runs its controller: see \"podgate controller --help\".",
		SilenceUsage: true, SilenceErrors: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: called},
	}

	root.SetIn(e.In)
	root.SetOut(e.Out)
	root.SetErr(e.Err)
	e.bind(root.PersistentFlags())
	root.PersistentFlags().VarP(&e.output, "output", "o", "output: text, wide, json or yaml")

	if err := errors.Join(
		root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats(), cobra.ShellCompDirectiveNoFileComp)),
		root.RegisterFlagCompletionFunc(clientcmd.FlagNamespace, e.completeNamespaces),
		root.RegisterFlagCompletionFunc(clientcmd.FlagContext, e.completeContexts),
	); err != nil {
		panic(err) // the flags were declared a few lines above
	}

	root.AddCommand(newExplain(e), newStatus(e), newPreflight(e), newGate(e), newApprove(e), newWait(e), newTimeline(e), newUI(e), newVersion(e))
	return root
}

// scheme knows the kinds that commands read.
func scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	for _, add := range kinds {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}
