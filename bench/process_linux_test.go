// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// childOf has the test program be the controller that a script starts.
const childOf = "BENCH_TEST_CHILD"

// large is what that controller holds, in MiB: more than a shell does.
const large = 64

// TestChild is no test: it is the controller of TestScriptAroundController.
func TestChild(t *testing.T) {
	if os.Getenv(childOf) == "" {
		t.Skip("it is run by another test")
	}
	held := bytes.Repeat([]byte{1}, large<<20)
	time.Sleep(time.Hour) // it is ended before
	runtime.KeepAlive(held)
}

// TestScriptAroundController: a script that becomes the controller, or starts it, is measured by the controller's process and
// ends with it.
func TestScriptAroundController(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := fmt.Sprintf("%s=1 exec %q -test.run '^TestChild$'", childOf, program)

	for name, script := range map[string]string{
		"Becomes": child,
		"Starts":  "(" + child + ") &\nwait",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}

			c, err := startProcess([]string{"sh", path}, ".", nil, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.stop() }()

			for deadline := time.Now().Add(time.Minute); ; {
				m, err := c.memory()
				if err == nil && m.rss >= large {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the controller was not measured: %+v, %v", m, err)
				}
				time.Sleep(tick)
			}
			if used, err := c.cpu(); err != nil || used == 0 {
				t.Errorf("processor time: got %s, %v", used, err)
			}

			if err := c.stop(); err != nil {
				t.Fatal(err)
			}
			if left := members(c.process.Pid); len(left) > 0 {
				t.Errorf("processes are left: %+v", left)
			}
			if _, err := c.cpu(); err == nil {
				t.Error("a process that has ended was measured")
			}
		})
	}
}

// TestMembersThatEnded: a child whose parent has not asked how it ended is no process to wait for.
func TestMembersThatEnded(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	group := cmd.Process.Pid
	if got := members(group); len(got) != 1 || got[0].pid != group {
		t.Errorf("it runs: got %+v", got)
	}

	if err := signalGroup(cmd.Process, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(members(group)) > 0; time.Sleep(tick) {
		if time.Now().After(deadline) {
			t.Fatal("a process that has ended is still a member")
		}
	}
	_ = cmd.Wait()
}
