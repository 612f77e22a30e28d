// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Mode says what a cluster consists of.
type Mode string

const (
	// Full is a node with everything, in namespaces of its own.
	Full Mode = "full"
	// APIOnly is etcd and kube-apiserver on loopback.
	APIOnly Mode = "api-only"
)

// State is what the state folder says about a cluster. It is written before the supervisor does anything.
type State struct {
	Name string `json:"name"`
	Mode Mode   `json:"mode"`
	// Version is Kubernetes', such as v1.37.0.
	Version string `json:"version"`
	// Supervisor is a process as the host numbers it; Started tells it from a later process of the same number.
	Supervisor int       `json:"supervisor"`
	Started    uint64    `json:"started"`
	Ready      bool      `json:"ready"`
	Created    time.Time `json:"created"`
	// Netns and PIDns identify the namespaces, such as net:[4026532201]; empty in mode api-only.
	Netns string `json:"netns,omitempty"`
	PIDns string `json:"pidns,omitempty"`
	// Address is where the API server is reached from the host, such as 127.0.0.1:43211.
	Address string `json:"address"`
	// Etcd is etcd's URL; empty in a cluster with a node, whose network it is in.
	Etcd string `json:"etcd,omitempty"`
	// Bin is the folder of the programs that the cluster was started with.
	Bin string `json:"bin"`
}

func (d Dirs) file() string { return filepath.Join(d.Run, "state.json") }

// Read returns the state; os.ErrNotExist when there is none.
func (d Dirs) Read() (State, error) {
	data, err := os.ReadFile(d.file())
	if err != nil {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("read %s: %w", d.file(), err)
	}
	return s, nil
}

// Write replaces the state.
func (d Dirs) Write(s State) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file()+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(d.file()+".new", d.file())
}

// Running reports whether the supervisor that the state names is alive.
func (s State) Running() bool {
	if s.Supervisor == 0 {
		return false
	}
	started, alive := StartTime(s.Supervisor)
	return alive && started == s.Started
}

// NetnsPath leads to the cluster's network namespace while it runs.
func (s State) NetnsPath() string {
	if s.Mode != Full {
		return ""
	}
	return fmt.Sprintf("/proc/%d/ns/net", s.Supervisor)
}

// StartTime is when the process began, in the kernel's ticks. A zombie counts as dead.
func StartTime(pid int) (ticks uint64, alive bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The second field is the program's name in brackets and may hold anything.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const stateField, startField = 0, 19
	if len(fields) <= startField || fields[stateField] == "Z" || fields[stateField] == "X" {
		return 0, false
	}
	ticks, err = strconv.ParseUint(fields[startField], 10, 64)
	return ticks, err == nil
}

// Stop asks the supervisor to end, waits, and kills it when it does not. The kernel ends everything below it.
func (s State) Stop(grace time.Duration) error {
	if !s.Running() {
		return nil
	}

	fd, err := unix.PidfdOpen(s.Supervisor, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch the supervisor of %q: %w", s.Name, err)
	}
	defer func() { _ = unix.Close(fd) }()

	if !s.Running() {
		return nil
	}

	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGKILL, 20 * time.Second}} {
		if err := unix.PidfdSendSignal(fd, step.signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("end the supervisor of %q: %w", s.Name, err)
		}
		if ended(fd, step.wait) {
			return nil
		}
	}

	return fmt.Errorf("the supervisor of %q (process %d) does not end", s.Name, s.Supervisor)
}

func ended(pidfd int, within time.Duration) bool {
	deadline := time.Now().Add(within)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return false
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if err == nil && n > 0 {
			return true
		}
	}
}
