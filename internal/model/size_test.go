// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model && !race

package model

// defaultSchedules take about a minute on two cores.
const defaultSchedules = 3000
