// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ui is the page of `podgate ui`: it follows the API server with its user's rights, and serves what it sees to a
// browser on the same machine. It shows what it is answered and draws what it saw; it decides nothing, writes nothing to
// the cluster, and loads nothing from elsewhere.
package ui
