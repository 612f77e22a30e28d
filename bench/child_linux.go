// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"syscall"
)

// childAttributes keep a terminal's Ctrl-C from the controller, so that it is ended in
// order, and end it when the bench is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// signalGroup sends a signal to a child and those that it started.
func signalGroup(child *os.Process, signal syscall.Signal) error {
	return syscall.Kill(-child.Pid, signal)
}
