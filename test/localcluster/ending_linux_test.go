// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/podgate/podgate/test/localcluster/internal/state"
)

// stuckCache has a kube-proxy that never works, so that `up` is surely half-way.
func stuckCache(t *testing.T) string {
	t.Helper()
	return cacheOf(t, "kube-proxy", "#!/bin/sh\nexec sleep 600\n")
}

// upTo starts `up` with the programs of a cache and returns when it has printed the line.
func upTo(t *testing.T, name, cache, line string) *exec.Cmd {
	t.Helper()
	t.Cleanup(func() { _, _, _ = try(nil, "down", "--name", name) })
	cmd := exec.Command(program(), "up", "--name", name)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if strings.Contains(lines.Text(), line) {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return cmd
		}
	}

	t.Fatalf("up never says %q", line)
	return nil
}

// wantAllStarted returns when the last component runs.
func wantAllStarted(t *testing.T, name string) {
	t.Helper()
	eventually(t, "kubelet runs", 20*time.Second, func() string {
		if strings.Contains(strings.Join(processes(name, nil), "\n"), "/kubelet ") {
			return ""
		}
		return "no such process"
	})
}

func TestInterruptedUpLeavesNothing(t *testing.T) {
	cache := stuckCache(t)
	for i, tc := range []struct {
		moment string
		all    bool
	}{
		{"starting etcd", false},
		{"starting kube-controller-manager", false},
		{"starting kube-controller-manager", true},
	} {
		name := fmt.Sprintf("lctest-interrupted-%d", i)
		before := look()
		cmd := upTo(t, name, cache, tc.moment)

		if tc.all {
			wantAllStarted(t, name)
		}

		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}

		err := cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Errorf("an up interrupted at %q ends with %v, want exit code 130", tc.moment, err)
		}

		if left := traces(name, before); len(left) > 0 {
			t.Errorf("left when up returned, interrupted at %q: %s", tc.moment, strings.Join(left, "\n"))
		}
	}
}

func TestKilledUpLeavesNothing(t *testing.T) {
	const name = "lctest-killed"
	before := look()
	cmd := upTo(t, name, stuckCache(t), "starting kube-controller-manager")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	wantNoTraces(t, name, before)
}

func TestCrashHalfwayIsSweptByTheNextUp(t *testing.T) {
	const name = "lctest-halfway"
	before := look()
	cmd := upTo(t, name, stuckCache(t), "starting kube-controller-manager")
	wantAllStarted(t, name)
	dirs, err := state.Of(name)
	if err != nil {
		t.Fatal(err)
	}

	s, err := dirs.Read()
	if err != nil {
		t.Fatal(err)
	}

	// Both at once, so that neither can clean up after the other.
	for _, pid := range []int{cmd.Process.Pid, s.Supervisor} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}

	_ = cmd.Wait()
	eventually(t, "the kernel ends what the supervisor started", 10*time.Second, func() string {
		return strings.Join(processes(name, []string{s.Netns, s.PIDns}), "\n")
	})

	start(t, name)
	if out := kubectl(t, name, "get", "--raw", "/readyz"); out != "ok" {
		t.Errorf("the API server is %q", out)
	}

	lc(t, "down", "--name", name)
	wantNoTraces(t, name, before, s.Netns, s.PIDns)
}

func TestCrashWithPodsIsSweptByTheNextUp(t *testing.T) {
	const name = "lctest-crash"
	before := look()
	archive, _ := webArchive(t)
	start(t, name)
	lc(t, "load", "--name", name, archive)
	apply(t, name, barePod)
	kubectl(t, name, "wait", "--for=condition=Ready", "pod/bare", "--timeout=60s")
	namespaces := namespacesOf(t, name)
	old := status(t, name)
	if err := syscall.Kill(old.Processes[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	eventually(t, "every process and mount goes with the supervisor", 10*time.Second, func() string {
		return strings.Join(append(processes(name, namespaces), mounts(name)...), "\n")
	})

	if s := status(t, name); s.Running {
		t.Errorf("status after the crash: %+v", s)
	}

	start(t, name)
	if out := kubectl(t, name, "get", "pods", "-o", "name"); out != "" {
		t.Errorf("the next cluster has pods of the one that crashed: %s", out)
	}

	lc(t, "down", "--name", name)
	wantNoTraces(t, name, before, namespaces...)
}

func TestComponentThatDiesIsNamed(t *testing.T) {
	const name = "lctest-dies"
	before := look()
	t.Cleanup(func() { _, _, _ = try(nil, "down", "--name", name) })
	cache := cacheOf(t, "kube-scheduler", "#!/bin/sh\necho this scheduler is broken\nexit 3\n")
	_, said, err := try(func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache) }, "up", "--name", name)
	if err == nil {
		t.Fatal("up succeeds without a scheduler")
	}

	for _, want := range []string{"kube-scheduler died: exit code 3", "this scheduler is broken"} {
		if !strings.Contains(said, want) {
			t.Errorf("up does not say %q but:\n%s", want, said)
		}
	}

	wantNoTraces(t, name, before)
}

func TestComponentThatDiesLaterIsStartedAgain(t *testing.T) {
	const name = "lctest-again"
	start(t, name, "--api-only")
	old := status(t, name).Processes[1]
	if err := syscall.Kill(old.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	eventually(t, old.Name+" is started again", 20*time.Second, func() string {
		now := status(t, name).Processes[1]
		if !now.Running || now.PID == old.PID || now.Restarts != 1 {
			return fmt.Sprintf("%+v", now)
		}
		return ""
	})

	eventually(t, "the API server finds it", 30*time.Second, func() string {
		out, said, _ := try(nil, "kubectl", "--name", name, "get", "--raw", "/readyz")
		return strings.TrimPrefix(out+said, "ok")
	})
}
