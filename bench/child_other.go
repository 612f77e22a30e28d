// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"os"
	"syscall"
)

// childAttributes are the system's own where there is no local cluster either.
func childAttributes() *syscall.SysProcAttr { return nil }

// signalGroup sends a signal to a child.
func signalGroup(child *os.Process, signal syscall.Signal) error { return child.Signal(signal) }
