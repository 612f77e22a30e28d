// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wire is what the simulated services share on the wire: errors,
// request ids, pages, and the checks that AWS's front end makes before a
// service sees a call. It knows no service, and reads and writes neither forms
// nor XML: that is package query's.
package wire
