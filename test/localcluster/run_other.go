// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"fmt"
	"os"
	"runtime"
)

func run([]string) int {
	fmt.Fprintf(os.Stderr, "localcluster: a Kubernetes node needs Linux and this is %s: run it on a Linux machine or in a virtual machine with Debian\n", runtime.GOOS)
	return 1
}
