// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sdk has no code. Its tests drive the simulator's EC2 with the client
// of AWS's SDK, which is too large for podgate's own module.
package sdk
