// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binaries

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Build makes what the set lacks and says on progress what it does. Several processes may call it at once: one builds, the others wait.
func (c *Cache) Build(ctx context.Context, progress func(string)) error {
	if len(c.Missing()) == 0 {
		return nil
	}

	if c.newest != nil {
		if err := c.newest.Build(ctx, progress); err != nil {
			return err
		}
	}

	if err := os.MkdirAll(c.Bin(), 0o755); err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}

	unlock, err := lockFile(ctx, filepath.Join(c.Dir, "lock"), func() { progress("waiting for another localcluster that is building") })
	if err != nil {
		return err
	}
	defer unlock()

	for _, s := range c.steps() {
		if len(c.missingOf(s.names())) == 0 {
			continue
		}
		if err := c.run(ctx, s, progress); err != nil {
			return err
		}
	}

	if c.newest != nil {
		return c.share()
	}
	if c.set != Node {
		return nil
	}

	return WriteImage(c.Path("pause"), PauseImage, c.PauseArchive())
}

func (c *Cache) run(ctx context.Context, s step, progress func(string)) error {
	what := strings.Join(s.names(), ", ")
	start := time.Now()
	progress("building " + what)
	source, err := c.writeModule(s.module)
	if err != nil {
		return fmt.Errorf("write the module that builds %s: %w", what, err)
	}

	// The lock is held, so this is what a build that was killed left.
	work := filepath.Join(c.Dir, "build")
	if err := os.RemoveAll(work); err != nil {
		return err
	}

	defer func() { _ = os.RemoveAll(work) }()
	out := filepath.Join(work, "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}

	args := []string{"build", "-v", "-buildvcs=false", "-trimpath=false", "-ldflags", ldflags(c.Version()), "-o", out + "/"}
	if names := s.names(); len(names) == 1 {
		args[len(args)-1] = filepath.Join(out, names[0])
	}

	for _, pkg := range s.programs {
		args = append(args, pkg)
	}

	if err := c.goCommand(ctx, source, work, args, func(count int, pkg string) {
		progress(fmt.Sprintf("building %s: %d packages compiled in %s, now at %s", what, count, time.Since(start).Round(time.Second), pkg))
	}); err != nil {
		return fmt.Errorf("build %s: %w", what, err)
	}

	for _, name := range s.names() {
		if err := os.Rename(filepath.Join(out, name), c.Path(name)); err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
	}

	progress(fmt.Sprintf("built %s in %s", what, time.Since(start).Round(time.Second)))
	return nil
}

// goCommand runs go and reports a package now and then, so that a build of minutes is seen to move.
func (c *Cache) goCommand(ctx context.Context, dir, tmp string, args []string, tick func(count int, pkg string)) error {
	cmd := exec.CommandContext(ctx, c.goTool, args...)
	cmd.Dir, cmd.Env = dir, append(slices.Clone(c.env), "GOTMPDIR="+tmp)
	// The compilers must not outlive the go command when the build is interrupted.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}

	if err := cmd.Start(); err != nil {
		return err
	}

	said := follow(stderr, tick)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w\n%s", err, strings.Join(said, "\n"))
	}

	return nil
}

// follow reads what `go build -v` says and returns its last lines.
func follow(r io.Reader, tick func(count int, pkg string)) []string {
	const every, keep = 15 * time.Second, 30
	var last []string
	count, next := 0, time.Now().Add(every)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)

	for lines.Scan() {
		count++
		last = append(last, lines.Text())
		if len(last) > keep {
			last = last[1:]
		}
		if time.Now().Before(next) {
			continue
		}
		next = time.Now().Add(every)
		tick(count, lines.Text())
	}

	return last
}

func (c *Cache) writeModule(name string) (string, error) {
	dir := filepath.Join(c.Dir, "src", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if name == "pause" {
		mod := "module pause\n\ngo 1.26.0\n"
		return dir, errors.Join(os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644), writeInput("pause/main.go", filepath.Join(dir, "main.go")))
	}
	return dir, errors.Join(
		writeInput(name+".mod", filepath.Join(dir, "go.mod")),
		writeInput(name+".sum", filepath.Join(dir, "go.sum")),
	)
}

// ldflags stamps the version: clients compare it, and without it Kubernetes calls itself v0.0.0-master.
func ldflags(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	const pkg = "k8s.io/component-base/version"
	return fmt.Sprintf("-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s -X %[1]s.gitTreeState=clean",
		pkg, version, parts[0], parts[1])
}

// lockFile takes an exclusive lock; the file stays, the lock goes with the process.
func lockFile(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the cache: %w", err)
	}

	for told := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}

		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}

		if !told {
			waiting()
			told = true
		}

		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
