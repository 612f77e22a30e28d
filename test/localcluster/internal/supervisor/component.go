// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/podgate/podgate/test/localcluster/internal/process"
)

const (
	// restartDelay is how long a component that died stays away, as with most service managers.
	restartDelay = time.Second
	// stopGrace is how long a component that is told to stop may take.
	stopGrace = 10 * time.Second
	// probeEvery is how often a component that starts is asked whether it works.
	probeEvery = 50 * time.Millisecond
	logTail    = 25
)

// component is one program of the cluster.
type component struct {
	name  string
	path  string
	args  []string
	works probe

	mu       sync.Mutex
	process  *process.Process // nil while it does not run
	wanted   bool
	restarts int
}

// died says that a component ended although it was wanted.
type died struct {
	component string
	err       error
	log       string
}

func (d *died) Error() string {
	return fmt.Sprintf("%s died: %v; the end of its log:\n%s", d.component, d.err, d.log)
}

func (s *supervisor) component(name string, works probe, args ...string) *component {
	return &component{name: name, path: s.program(name), args: args, works: works}
}

// launch starts a component and keeps it running until it is stopped.
func (s *supervisor) launch(c *component) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = true
	if c.process != nil {
		return nil
	}
	return s.begin(c)
}

// begin needs the component's lock.
func (s *supervisor) begin(c *component) error {
	log, err := os.OpenFile(s.Dirs.Log(c.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", c.name, err)
	}
	defer func() { _ = log.Close() }()
	started, err := s.children.Start(process.Command{Path: c.path, Args: c.args, Env: s.environ(), Output: log})
	if err != nil {
		return err
	}
	c.process = started
	go s.watch(c, started)
	return nil
}

// watch waits for the end of one process. A component that dies while the cluster starts is a failure to start; later it is
// started again.
func (s *supervisor) watch(c *component, p *process.Process) {
	<-p.Done()
	c.mu.Lock()
	c.process = nil
	wanted := c.wanted
	c.mu.Unlock()

	if !wanted {
		return
	}

	if !s.up.Load() {
		s.cancel(&died{c.name, p.Result(), tail(s.Dirs.Log(c.name))})
		return
	}

	select {
	case <-s.ctx.Done():
		return
	case <-time.After(restartDelay):
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	if !c.wanted || c.process != nil || s.ctx.Err() != nil {
		return
	}

	c.restarts++
	if err := s.begin(c); err != nil {
		s.cancel(fmt.Errorf("start %s again: %w", c.name, err))
	}
}

// stop ends a component and leaves it stopped.
func (s *supervisor) stop(c *component, signal syscall.Signal) {
	c.mu.Lock()
	c.wanted = false
	p := c.process
	c.mu.Unlock()

	if p == nil {
		return
	}

	p.Signal(signal)
	select {
	case <-p.Done():
		return
	case <-time.After(stopGrace):
	}

	p.Signal(syscall.SIGKILL)
	<-p.Done()
}

// await asks until the probe is content. The error of a timeout names what was waited for and what was last heard.
func (s *supervisor) await(what string, within time.Duration, p probe) error {
	ctx, cancel := context.WithTimeout(s.ctx, within)
	defer cancel()
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()

	for {
		err := p(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case <-ctx.Done():
			return fmt.Errorf("%s does not work after %s: %w", what, within, err)
		case <-ticker.C:
		}
	}
}

// awaitComponent is await with the log of the component that does not answer.
func (s *supervisor) awaitComponent(c *component) error {
	err := s.await(c.name, startWithin, c.works)
	if err == nil || s.ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w; the end of its log:\n%s", err, tail(s.Dirs.Log(c.name)))
}

// run executes a helper program to its end and returns what it said.
func (s *supervisor) run(program string, args ...string) (string, error) {
	path, err := lookPath(program, s.environ())
	if err != nil {
		return "", err
	}

	out, err := os.CreateTemp(s.data("tmp"), "run-")
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close(); _ = os.Remove(out.Name()) }()
	p, err := s.children.Start(process.Command{Path: path, Args: args, Env: s.environ(), Output: out})
	if err != nil {
		return "", err
	}

	select {
	case <-p.Done():
	case <-s.ctx.Done():
		p.Signal(syscall.SIGKILL)
		return "", context.Cause(s.ctx)
	}

	said, err := os.ReadFile(out.Name())
	if err != nil {
		return "", err
	}

	return strings.TrimSpace(string(said)), p.Result()
}

func lookPath(program string, environ []string) (string, error) {
	for _, entry := range environ {
		list, ok := strings.CutPrefix(entry, "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(list, ":") {
			path := dir + "/" + program
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path, nil
			}
		}
	}

	return "", fmt.Errorf("%s is not installed", program)
}

// tail is the end of a log, a handful of lines.
func tail(path string) string {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()

	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, 2)
	}

	buf := make([]byte, most)
	n, _ := f.Read(buf)
	lines := bytes.Split(bytes.TrimRight(buf[:n], "\n"), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-logTail):], []byte("\n")))
}
