// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"sync"

	"github.com/spf13/cobra"

	"github.com/podgate/podgate/internal/ui"
)

func newUI(e *environment) *cobra.Command {
	var port uint16
	all, open := false, false
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "A page on this machine that shows what is wrong, and rollouts as they go on",
		Long: "ui serves a page on localhost until it is interrupted: what is wrong in a namespace, or in all, and for each workload a picture of its pods with their gates, live. " +
			"It reads the API server with your permissions, follows changes where you may also watch, and says what you may not read. " +
			"It changes nothing. The address that it prints has a key, so that other users of this machine cannot read with your permissions.",
		Example: "  podgate ui -n shop\n  kubectl podgate ui -A --port 8080 --open",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.ui(cmd.Context(), all, port, open) },

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "of all namespaces")
	cmd.Flags().Uint16Var(&port, "port", 0, "port on localhost; 0 takes any that is free")
	if err := cmd.RegisterFlagCompletionFunc("port", cobra.NoFileCompletions); err != nil {
		panic(err) // the flag was declared a line above
	}
	cmd.Flags().BoolVar(&open, "open", false, "open the page in the browser")
	return cmd
}

func (e *environment) ui(ctx context.Context, all bool, port uint16, open bool) error {
	kube, namespace, err := e.here()
	if err != nil {
		return err
	}
	if all {
		namespace = ""
	}

	cluster := ui.Follow(ctx, kube, e.Now, nil)
	var browser sync.WaitGroup
	defer browser.Wait()
	server := ui.NewServer(cluster, &answers{environment: e, kube: kube}, namespace, e.Now)
	return server.Serve(ctx, port, func(address string) {
		_, _ = fmt.Fprintf(e.Out, "The page is at %s\nIt shows %s, with your permissions, until you press Ctrl-C.\n", address, scopeOf(namespace))
		if open {
			// An opener may last for as long as the browser does.
			browser.Go(func() { e.browse(ctx, address) })
		}
	})
}

func scopeOf(namespace string) string {
	if namespace == "" {
		return "all namespaces"
	}
	return "namespace " + namespace
}

// browse has the desktop open an address.
func (e *environment) browse(ctx context.Context, address string) {
	opener := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if opener == nil {
		opener = []string{"xdg-open"}
	}
	if err := exec.CommandContext(ctx, opener[0], append(opener[1:], address)...).Run(); err != nil && ctx.Err() == nil {
		_, _ = fmt.Fprintf(e.Err, "podgate: %s opened no browser (%v): open the address yourself\n", opener[0], err)
	}
}
