// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// controllerKey is the controller's access key, by which its calls are told from others.
const controllerKey = "AKIABENCHCONTROLLER0"

// stopTimeout bounds how long the controller may take to end.
const stopTimeout = 15 * time.Second

// controller is the process under test.
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

// stop ends the process: by force if it takes too long. Stopping twice is fine.
func (c *controller) stop() error {
	if c == nil {
		return nil
	}

	_ = c.process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()

	select {
	case <-c.exited:
		return nil
	case <-timer.C:
	}

	_ = c.process.Kill()
	<-c.exited
	return fmt.Errorf("controller did not end within %s and was killed", stopTimeout)
}

// cpu is the processor time that the process has used.
func (c *controller) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the controller's processor time: %w", err)
	}
	return parseStat(string(raw))
}

// clockTick is the unit of /proc/PID/stat: USER_HZ, 100 on every architecture that Go knows.
const clockTick = 10 * time.Millisecond

// parseStat gives user and system time of /proc/PID/stat; the name in it may hold anything.
func parseStat(stat string) (time.Duration, error) {
	_, after, found := cutLast(stat, ") ")
	fields := strings.Fields(after)
	if !found || len(fields) < 13 {
		return 0, fmt.Errorf("not a process's stat: %q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// memory is a process's resident set in MiB: now, what of that is the program's file, and at its highest.
type memory struct{ rss, file, highest float64 }

func (c *controller) memory() (memory, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.Pid))
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
