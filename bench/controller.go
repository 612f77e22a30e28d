// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// controllerKey is the controller's access key, by which its calls are told from others.
const controllerKey = "AKIABENCHCONTROLLER0"

// stopTimeout bounds how long the controller may take to end.
const stopTimeout = 15 * time.Second

// controller is the process under test, or one beside it.
type controller struct {
	process *os.Process
	started time.Time
	exited  chan struct{}
	err     error
}

// startController starts a command, in which words in braces stand for values.
func startController(command, dir string, values map[string]string, env []string, logs io.Writer) (*controller, error) {
	args, err := expand(command, values)
	if err != nil {
		return nil, err
	}
	return startProcess(args, dir, env, logs)
}

// startProcess starts a program in a process group of its own. A relative path begins at dir.
func startProcess(args []string, dir string, env []string, logs io.Writer) (*controller, error) {
	cmd := exec.Command(args[0], args[1:]...)
	if strings.Contains(args[0], "/") && !filepath.IsAbs(args[0]) {
		cmd.Path, cmd.Err = filepath.Join(dir, args[0]), nil
	}

	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.SysProcAttr = childAttributes()
	c := &controller{started: time.Now(), exited: make(chan struct{})}

	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start controller: %w", err)
	}

	c.process = cmd.Process
	go func() {
		c.err = cmd.Wait()
		close(c.exited)
	}()

	return c, nil
}

// expand splits a command at blanks and fills in what is in braces.
func expand(command string, values map[string]string) ([]string, error) {
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "{"+name+"}", value)
	}
	args := strings.Fields(strings.NewReplacer(pairs...).Replace(command))
	if len(args) == 0 {
		return nil, errors.New("no command of a controller")
	}
	return args, nil
}

// stop ends the process and those that it started: by force if it takes too long. Stopping twice is fine.
func (c *controller) stop() error {
	if c == nil {
		return nil
	}

	_ = signalGroup(c.process, syscall.SIGTERM)
	timer, ticker := time.NewTimer(stopTimeout), time.NewTicker(tick)
	defer timer.Stop()
	defer ticker.Stop()

	for !c.gone() {
		select {
		case <-ticker.C:
		case <-timer.C:
			_ = signalGroup(c.process, syscall.SIGKILL)
			<-c.exited
			return fmt.Errorf("controller did not end within %s and was killed", stopTimeout)
		}
	}
	return nil
}

// gone reports whether the process and those that it started have ended.
func (c *controller) gone() bool {
	select {
	case <-c.exited:
		return len(members(c.process.Pid)) == 0
	default:
		return false
	}
}

// measured is the process whose processor and memory count: of those that the command is, or has started, the one with the
// most resident memory. So a command may be a script around a controller.
func (c *controller) measured() (process, error) {
	all := members(c.process.Pid)
	if len(all) == 0 {
		return process{}, errors.New("the controller does not run")
	}
	return slices.MaxFunc(all, func(a, b process) int { return cmp.Compare(a.pages, b.pages) }), nil
}

// cpu is the processor time that the process has used.
func (c *controller) cpu() (time.Duration, error) {
	p, err := c.measured()
	return p.cpu, err
}

// memory is a process's resident set in MiB: now, what of that is the program's file, and at its highest.
type memory struct{ rss, file, highest float64 }

func (c *controller) memory() (memory, error) {
	p, err := c.measured()
	if err != nil {
		return memory{}, err
	}

	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return memory{}, fmt.Errorf("read the controller's memory: %w", err)
	}
	mebibytes := func(name string) float64 { return kibibytes(string(raw), name) / 1024 }
	return memory{rss: mebibytes("VmRSS"), file: mebibytes("RssFile"), highest: mebibytes("VmHWM")}, nil
}

// kibibytes reads a line such as "VmRSS:   1234 kB"; 0 when it is not there.
func kibibytes(status, name string) float64 {
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == name+":" {
			v, _ := strconv.ParseFloat(fields[1], 64)
			return v
		}
	}
	return 0
}
