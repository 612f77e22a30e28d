// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import "syscall"

// childAttributes keep a terminal's Ctrl-C from the child, so that its parent ends it in
// order, and end it when the parent is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
