// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import "syscall"

// childAttributes are the system's own where there is no local cluster either.
func childAttributes() *syscall.SysProcAttr { return nil }
