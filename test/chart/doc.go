// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chart holds the tests of charts/podgate that need no node: what it renders, and
// what helm makes of it on a real API server. What it installs is tried in test/e2e.
package chart
