// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binaries

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBuildIgnoresTheCallersGoSettings(t *testing.T) {
	got := goEnv([]string{"HOME=/home/x", "GOFLAGS=-mod=vendor", "GOOS=darwin", "GOWORK=/w/go.work", "GOPROXY=https://proxy.example"})
	for _, want := range []string{"HOME=/home/x", "GOPROXY=https://proxy.example", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS="} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in the environment of the build: %q", want, got)
		}
	}
	if slices.ContainsFunc(got, func(entry string) bool { return strings.HasPrefix(entry, "GOOS=") }) {
		t.Errorf("GOOS reaches the build: %q", got)
	}
}

func TestEveryProgramOfAStepIsAToolOfItsModule(t *testing.T) {
	for _, s := range steps() {
		if s.module == "pause" {
			continue
		}
		for _, pkg := range s.programs {
			wantTool(t, s.module, pkg)
		}
	}
}

// wantTool wants a package among the tools of a module, in a list of them or alone.
func wantTool(t *testing.T, module, pkg string) {
	t.Helper()
	mod, err := inputs.ReadFile(module + ".mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "\t"+pkg+"\n") && !strings.Contains(string(mod), "tool "+pkg+"\n") {
		t.Errorf("%s.mod does not list the tool %s, so its dependencies are not pinned", module, pkg)
	}
}

func TestMissingIsWhatTheSetLacks(t *testing.T) {
	c := &Cache{Dir: t.TempDir(), module: newest, set: Control}
	keep(t, c, "etcd")
	if got, want := c.Missing(), []string{"kube-apiserver", "kubectl"}; !slices.Equal(got, want) {
		t.Errorf("the control plane lacks %q, want %q", got, want)
	}
	c.set = Node
	if got := c.Missing(); !slices.Contains(got, "kubelet") || !slices.Contains(got, "pause.tar") {
		t.Errorf("a node lacks %q, want kubelet and pause.tar among them", got)
	}
}

// keep puts an empty program into a cache.
func keep(t *testing.T, c *Cache, program string) {
	t.Helper()
	if err := os.MkdirAll(c.Bin(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Path(program), nil, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestLockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(context.Background(), path, func() {})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	// The second is told that it waits, and gives up.
	if _, err := lockFile(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a lock that is held was waited for with %v", err)
	}

	unlock()
	again, err := lockFile(context.Background(), path, func() { t.Error("waits for a lock that is free") })
	if err != nil {
		t.Fatal(err)
	}

	again()
}
