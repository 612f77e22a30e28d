// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package process starts and reaps child processes for a supervisor that may be the first process of a PID namespace and so
// inherits orphans. It does not use os/exec: two waiters would steal each other's children. No other package of the supervisor may.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Children starts processes and reaps everything that ends below this one.
type Children struct {
	requests chan request
	mu       sync.Mutex
	alive    map[int]*Process
}

// Process is a started child.
type Process struct {
	PID    int
	done   chan struct{}
	status syscall.WaitStatus
}

// Command says what to start. Output and error output go to Output.
type Command struct {
	Path   string
	Args   []string // without the program's name
	Env    []string
	Output *os.File
}

type request struct {
	command Command
	answer  chan answer
}

type answer struct {
	process *Process
	err     error
}

// New starts the two goroutines that start and reap children; they live as long as the process.
func New() *Children {
	c := &Children{requests: make(chan request), alive: map[int]*Process{}}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD)
	go c.spawn()
	go c.reap(signals)
	return c
}

// Start begins the command as the leader of a process group. It is killed when this process ends in whatever way.
func (c *Children) Start(command Command) (*Process, error) {
	answers := make(chan answer, 1)
	c.requests <- request{command, answers}
	got := <-answers
	return got.process, got.err
}

// spawn keeps to one thread: the kernel ends a child with a parent-death signal when the thread that started it ends.
func (c *Children) spawn() {
	runtime.LockOSThread()
	for r := range c.requests {
		process, err := c.fork(r.command)
		r.answer <- answer{process, err}
	}
}

func (c *Children) fork(command Command) (*Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }()
	out := command.Output.Fd()
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(command.Path, append([]string{command.Path}, command.Args...), &syscall.ProcAttr{
		Env:   command.Env,
		Files: []uintptr{null.Fd(), out, out},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})

	runtime.KeepAlive(command.Output)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}

	p := &Process{PID: pid, done: make(chan struct{})}
	c.alive[pid] = p
	return p, nil
}

func (c *Children) reap(signals <-chan os.Signal) {
	for range signals {
		for c.reapOne() {
		}
	}
}

func (c *Children) reapOne() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err == syscall.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}

	if p, ok := c.alive[pid]; ok {
		delete(c.alive, pid)
		p.status = status
		close(p.done)
	}

	return true
}

// Done is closed once the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal reaches the process only while it runs.
func (p *Process) Signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(p.PID, s)
	}
}

// Result says how the process ended; nil means exit code 0. Only to be asked after Done.
func (p *Process) Result() error {
	switch {
	case p.status.Exited() && p.status.ExitStatus() == 0:
		return nil
	case p.status.Exited():
		return fmt.Errorf("exit code %d", p.status.ExitStatus())
	}
	return fmt.Errorf("ended by signal %d (%s)", int(p.status.Signal()), p.status.Signal())
}

// Drained reports whether no child is left, orphans inherited included.
func (c *Children) Drained() bool {
	for c.reapOne() {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return errors.Is(err, unix.ECHILD)
}
