// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

	golden(t, "flags.md", b.String())
}

// golden compares a generated page of docs/, or writes it.
func golden(t *testing.T, name, want string) {
	t.Helper()
	file := filepath.Join(kubetest.Root(), "docs", name)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}

	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("run go test ./test/docs -update; docs/%s (+) is not what the code says (-):\n%s", name, diff)
	}
}
