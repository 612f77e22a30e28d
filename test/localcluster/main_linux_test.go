// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/test/localcluster/internal/binaries"
	"github.com/podgate/podgate/test/localcluster/internal/cli"
)

// program is the built localcluster, where any user may run it.
func program() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("localcluster-test-%d", os.Getpid()), "localcluster")
}

// TestMain builds the program, and with it everything a cluster needs if that is not in the cache: the first run takes long.
func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "these tests start real clusters: run them as root")
		return 1
	}

	dir := filepath.Dir(program())
	defer func() { _ = os.RemoveAll(dir) }()

	for _, argv := range [][]string{{"mkdir", "--mode=755", dir}, {"go", "build", "-o", program(), "."}, {program(), "build"}} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, strings.Join(argv, " "), err)
			return 1
		}
	}

	return m.Run()
}

// lc runs localcluster and returns its standard output.
func lc(t *testing.T, args ...string) string {
	t.Helper()
	out, said, err := try(nil, args...)
	if err != nil {
		t.Fatalf("localcluster %s: %v\n%s%s", strings.Join(args, " "), err, out, said)
	}
	return strings.TrimSpace(out)
}

func try(change func(*exec.Cmd), args ...string) (out, said string, err error) {
	cmd := exec.Command(program(), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if change != nil {
		change(cmd)
	}
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// start brings a cluster up, and down with the test.
func start(t *testing.T, name string, flags ...string) {
	t.Helper()
	t.Cleanup(func() { _, _, _ = try(nil, "down", "--name", name) })
	lc(t, append([]string{"up", "--name", name}, flags...)...)
}

func status(t *testing.T, name string) cli.Status {
	t.Helper()
	var s cli.Status
	if err := json.Unmarshal([]byte(lc(t, "status", "--name", name, "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func kubectl(t *testing.T, name string, args ...string) string {
	t.Helper()
	return lc(t, append([]string{"kubectl", "--name", name}, args...)...)
}

func apply(t *testing.T, name, manifest string) {
	t.Helper()
	out, said, err := try(func(cmd *exec.Cmd) { cmd.Stdin = strings.NewReader(manifest) }, "kubectl", "--name", name, "apply", "-f", "-")
	if err != nil {
		t.Fatalf("apply: %v\n%s%s\n%s", err, out, said, manifest)
	}
}

// eventually waits for something that is told by an empty string; the last other one is what the test fails with.
func eventually(t *testing.T, what string, within time.Duration, problem func() string) {
	t.Helper()
	deadline := time.Now().Add(within)
	last := problem()
	for last != "" {
		if time.Now().After(deadline) {
			t.Fatalf("%s: still after %s: %s", what, within, last)
		}
		time.Sleep(100 * time.Millisecond)
		last = problem()
	}
}

const webImage = "localcluster.test/web:1"

// webArchive builds the test's image.
func webArchive(t *testing.T) (archive, binary string) {
	t.Helper()
	dir := t.TempDir()
	binary, archive = filepath.Join(dir, "web"), filepath.Join(dir, "web.tar")
	cmd := exec.Command("go", "build", "-o", binary, "./testdata/web")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the test's program: %v\n%s", err, out)
	}
	if err := binaries.WriteImage(binary, webImage, archive); err != nil {
		t.Fatal(err)
	}
	return archive, binary
}
