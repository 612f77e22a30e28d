// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clock is the time of a simulator: how fast it passes, what happens later, which goroutines have to end, and
// the one lock under which everything changes. It knows nothing of load balancers, and stops no timer: whoever asked
// for one looks whether it has been overtaken.
package clock
