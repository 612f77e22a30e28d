// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/podgate/podgate/internal/kubetest"
)

// TestReferencePage: docs/commands-reference.md is what the commands say of themselves.
func TestReferencePage(t *testing.T) {
	root := newRoot(Name, &environment{})
	var b strings.Builder
	b.WriteString("# Commands: reference\n\nMade of the commands' own help by `go test ./internal/cli -run TestReferencePage -update`. [commands.md](commands.md) shows them at work, and [reasons.md](reasons.md) explains reasons.\n\n")
	b.WriteString("All commands have these flags:\n\n")
	writeFlags(&b, root.PersistentFlags())

	var page func(*cobra.Command)
	page = func(c *cobra.Command) {
		if c.Runnable() {
			writeCommand(&b, c)
		}
		for _, below := range c.Commands() {
			page(below)
		}
	}
	for _, c := range root.Commands() {
		page(c)
	}

	kubetest.Golden(t, *update, "commands-reference.md", b.String())
}

func writeCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```console\n$ %s\n```\n", strings.TrimPrefix(c.CommandPath(), Name+" "), c.Short, c.UseLine())

	if long := strings.Replace(c.Long, findingsHelp(), "\n"+findingsTable(), 1); long != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(long))
	}
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteString("\n")
		writeFlags(b, c.LocalNonPersistentFlags())
	}
	if c.Example != "" {
		b.WriteString("\n```console\n")
		for example := range strings.SplitSeq(c.Example, "\n") {
			fmt.Fprintf(b, "$ %s\n", strings.TrimSpace(example))
		}
		b.WriteString("```\n")
	}
}

func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}

		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		value := ""
		if f.DefValue != "" && f.DefValue != "[]" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, value, strings.ReplaceAll(f.Usage, "|", `\|`))
	})
}
