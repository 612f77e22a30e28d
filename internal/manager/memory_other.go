// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package manager

// releaseProgram does nothing: podgate serves on Linux.
func releaseProgram() error { return nil }
