// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/podgate/podgate/test/console"
)

const quickstartPage = "docs/quickstart.md"

// looking commands change nothing. Who reads the page and sees what has not come about yet looks again, and so does the
// test.
var looking = regexp.MustCompile(`^kubectl (-n \S+ get|podgate (status|explain)) `)

// TestQuickstart types what docs/quickstart.md says, command by command into one shell, and sees what the page shows. The
// page starts a cluster of its own, beside the one that the test runs in.
func TestQuickstart(t *testing.T) {
	page, err := os.ReadFile(quickstartPage)
	if err != nil {
		t.Fatal(err)
	}

	steps, err := console.Steps(string(page))
	if err != nil {
		t.Fatalf("%s: %v", quickstartPage, err)
	}

	sh := openShell(t)
	shown := 0
	for _, s := range steps {
		sh.follow(s)
		if len(s.Shown) > 0 {
			shown++
		}
	}

	if shown < 5 {
		t.Errorf("%d commands, of which the page shows what %d print: that says little", len(steps), shown)
	}
}

// shell is a bash that reads commands from a pipe, as if they were typed.
type shell struct {
	t   *testing.T
	ctx context.Context
	// cluster is the name that localcluster takes for the page's.
	cluster string
	in      io.Writer
	lines   chan string
}

// openShell starts a shell. Whatever becomes of the test, the cluster that was started in it goes.
func openShell(t *testing.T) *shell {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	// What make says to its own children is not for the page's make.
	environment := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "KUBECONFIG" || name == "MAKEFLAGS" || name == "MAKELEVEL" || name == "MFLAGS"
	})

	s := &shell{t: t, ctx: ctx, cluster: cmp.Or(os.Getenv("LOCALCLUSTER_NAME"), "e2e") + "-quickstart", lines: make(chan string)}
	environment = append(environment, "LOCALCLUSTER_NAME="+s.cluster)
	s.sweep(environment)

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}

	cmd := exec.CommandContext(ctx, "bash")
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = environment, w, w, &syscall.SysProcAttr{Setpgid: true}
	// Its children are of its group.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	_ = w.Close()
	s.in = in
	go s.listen(r)
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		_ = r.Close()
	})

	return s
}

// sweep removes the cluster with the end of the test, also when that is killed: what does it waits for the end of a pipe.
func (s *shell) sweep(environment []string) {
	s.t.Helper()
	down := clusterBinary + " down 2>&1"
	cmd := exec.Command("sh", "-c", down+"; cat; "+down)
	cmd.Env, cmd.SysProcAttr = environment, &syscall.SysProcAttr{Setpgid: true}
	end, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}

	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}

	s.t.Cleanup(func() {
		_ = end.Close()
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("remove cluster %s: %v", s.cluster, err)
		}
	})
}

func (s *shell) listen(r io.Reader) {
	defer close(s.lines)
	for scan := bufio.NewScanner(r); scan.Scan(); {
		select {
		case s.lines <- scan.Text():
		case <-s.ctx.Done():
			return
		}
	}
}

// lookingTime is for how long a command that looks is repeated.
const lookingTime = time.Minute

// follow types a command and ends the test unless it succeeds and prints what the page shows.
func (s *shell) follow(step console.Step) {
	s.t.Helper()
	begun := time.Now()
	for {
		printed, code := s.run(step.Command)
		if code == "0" && (len(step.Shown) == 0 || step.Matches(printed)) {
			s.t.Logf("%5.1f s  $ %s\n%s", time.Since(begun).Seconds(), step.Command, printed)
			return
		}
		if code != "0" || !looking.MatchString(step.Command) || time.Since(begun) > lookingTime {
			s.t.Fatalf("%s:%d: $ %s\nexit code %s, printed:\n%s\nthe page shows:\n%s",
				quickstartPage, step.Line, step.Command, code, printed, strings.Join(step.Shown, "\n"))
		}
		time.Sleep(lookInterval)
	}
}

// run types a command and gives what it printed, under the name of the cluster that the page has, and its exit code.
func (s *shell) run(command string) (printed, code string) {
	s.t.Helper()
	const mark = "--- exit code "
	// A line of its own, whatever the command printed last.
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '\\n%s%%s\\n' $?\n", command, mark); err != nil {
		s.t.Fatalf("type %q: %v", command, err)
	}

	var lines []string
	for {
		select {
		case line, open := <-s.lines:
			if !open {
				s.t.Fatalf("the shell ended at %q, which printed:\n%s", command, strings.Join(lines, "\n"))
			}
			code, done := strings.CutPrefix(line, mark)
			if done {
				printed := strings.TrimRight(strings.Join(lines, "\n"), "\n")
				return strings.ReplaceAll(printed, s.cluster, "podgate"), code
			}
			lines = append(lines, line)
		case <-s.ctx.Done():
			s.t.Fatalf("%q does not end, and printed:\n%s", command, strings.Join(lines, "\n"))
		}
	}
}
