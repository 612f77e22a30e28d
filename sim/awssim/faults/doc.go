// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package faults makes calls of the simulated API go wrong, throttles them, and
// records what happened: calls, transitions of targets, and requests that
// failed. It knows what a call looks like, and no service. It decides nothing
// by chance: a fault strikes the calls that it names, and no other.
package faults
