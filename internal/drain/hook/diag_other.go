// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package hook

import "errors"

// diagSockets fails where the kernel is not Linux.
func diagSockets() ([]Socket, error) { return nil, errors.ErrUnsupported }
