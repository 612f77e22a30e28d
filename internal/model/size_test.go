// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model && !race

package model

// How many schedules are tried and how many are lived through twice.
const (
	defaultSchedules = 2300
	replays          = 100
)
