// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import "testing"

func TestNeedsLinux(t *testing.T) {
	t.Fatal("these tests start real Kubernetes nodes: run them on Linux, as root")
}
