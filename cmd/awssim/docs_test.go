// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/sim/awssim/lattice"
)

func documentation(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/awssim.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var update = flag.Bool("update", false, "write docs/awssim-reference.md")

// TestReferencePage: docs/awssim-reference.md is what the program takes and answers.
func TestReferencePage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# awssim: flags and operations\n\nMade of the program by `go test ./cmd/awssim -run TestReferencePage -update`. [awssim.md](awssim.md) says how it behaves.\n\n" +
		"## Flags\n\n| flag | default | meaning |\n|---|---|---|\n")

	var cfg awssim.Config
	var listen string
	flags(&listen, &cfg, io.Discard).VisitAll(func(f *flag.Flag) {
		value := ""
		if f.DefValue != "" {
			value = "`" + f.DefValue + "`"
		}
		name, usage := flag.UnquoteUsage(f)
		if name != "" {
			name = " " + name
		}
		fmt.Fprintf(&b, "| `--%s%s` | %s | %s |\n", f.Name, name, value, strings.ReplaceAll(usage, "|", `\|`))
	})

	b.WriteString("\n## Operations\n")
	for _, s := range []struct {
		name       string
		operations []string
	}{
		{"Elastic Load Balancing v2, and STS", awssim.Operations()},
		{"EC2", awssim.EC2Operations()},
		{"ACM", awssim.ACMOperations()},
		{"VPC Lattice", awssim.LatticeOperations()},
	} {
		fmt.Fprintf(&b, "\n%s: `%s`.\n", s.name, strings.Join(slices.Sorted(slices.Values(s.operations)), "`, `"))
	}

	b.WriteString("\n## Assumptions about VPC Lattice\n\nWhat AWS does not document. A key of `--lattice-assume` is a field's name with dashes, such as `token-reuse=validation`; `vpcs-per-network=N` is one, too.\n\n| field | |\n|---|---|\n")
	writeFields(t, &b, filepath.Join("..", "..", "sim", "awssim", "lattice"), "Assumptions")

	b.WriteString("\n## JSON of the control API\n")
	for _, s := range [][2]string{{"faults", "Fault"}, {"ec2", "VPC"}, {"ec2", "Subnet"}, {"ec2", "SecurityGroup"}, {"ec2", "Instance"}} {
		fmt.Fprintf(&b, "\n### %s\n\n| field | |\n|---|---|\n", s[1])
		writeFields(t, &b, filepath.Join("..", "..", "sim", "awssim", s[0]), s[1])
	}

	kubetest.Golden(t, *update, "awssim-reference.md", b.String())
}

// writeFields writes the fields of a struct that are in JSON, and what its source says of them.
func writeFields(t *testing.T, b *strings.Builder, folder, name string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}

	found := false
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}

		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != name {
				return true
			}
			fields, ok := spec.Type.(*ast.StructType)
			for _, f := range fields.Fields.List {
				if f.Tag == nil {
					continue
				}
				tag, err := strconv.Unquote(f.Tag.Value)
				if err != nil {
					t.Fatal(err)
				}
				key, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
				words := strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
				fmt.Fprintf(b, "| `%s` | %s |\n", key, words)
			}
			found = ok
			return false
		})
	}

	if !found {
		t.Errorf("%s has no struct %s", folder, name)
	}
}

// TestOperationsOfLattice: all operations of the model are there except those about policies and access logs.
func TestOperationsOfLattice(t *testing.T) {
	model, err := lattice.Model()
	if err != nil {
		t.Fatal(err)
	}

	var want []string
	for _, name := range model.Operations() {
		if !strings.Contains(name, "Policy") && !strings.Contains(name, "AccessLog") {
			want = append(want, name)
		}
	}
	if diff := cmp.Diff(want, awssim.LatticeOperations()); diff != "" {
		t.Errorf("-the model, +awssim:\n%s", diff)
	}
}

// TestDocumentedExampleRuns runs the shell blocks of the documentation, one after the other, as they
// stand, but for the ports.
func TestDocumentedExampleRuns(t *testing.T) {
	for _, program := range []string{"aws", "curl", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not installed: apt-get install awscli curl bash", program)
		}
	}

	var blocks string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(documentation(t), -1) {
		blocks += block[1]
	}
	if blocks == "" {
		t.Fatal("docs/awssim.md has no shell block")
	}

	sim, err := awssim.New(awssim.Config{DataPath: awssim.DataPath{EphemeralPorts: true}})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	server := httptest.NewServer(sim.Handler())
	script := strings.ReplaceAll(blocks, "http://127.0.0.1:4566", server.URL)
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "AWS_MAX_ATTEMPTS=1",
		// Whatever the block says, nothing leaves this machine.
		"HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1")

	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the example fails: %v\n%s", err, out)
	}

	for _, want := range []string{"targetgroup/k8s-ui-ui-b21a807597/", `"Reason": "Elb.`, `"clock":"routing"`, `"operation":"RegisterTargets"`, ":targetgroup/tg-"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the example does not show %s:\n%s", want, out)
		}
	}

	server.Close()
	cancel()

	if err := <-ended; err != nil {
		t.Error(err)
	}
}
