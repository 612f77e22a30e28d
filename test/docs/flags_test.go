// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
)

// TestFlagsPage: docs/flags.md is what the process takes, and nothing else.
func TestFlagsPage(t *testing.T) {
	t.Setenv("AWS_REGION", "") // They are defaults.
	t.Setenv("POD_NAMESPACE", "")
	fs := flag.NewFlagSet("podgate", flag.ContinueOnError)
	ctrlconfig.RegisterFlags(fs)
	var c manager.Config
	c.Bind(fs)
	var b strings.Builder
	b.WriteString("# Flags of the controller\n\n" +
		"Made of the program by `go test ./test/docs -run TestFlagsPage -update`. In the chart, flags that have no value of their own go into `extraArgs`. [providers/elbv2.md](providers/elbv2.md#other-regions-and-accounts) says what the\n" +
		"environment decides.\n\n| flag | default | meaning |\n|---|---|---|\n")

	fs.VisitAll(func(f *flag.Flag) {
		value := ""
		if f.DefValue != "" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", f.Name, value, strings.ReplaceAll(f.Usage, "|", `\|`))
	})

	kubetest.Golden(t, *update, "flags.md", b.String())
}
