// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package health is what Elastic Load Balancing says of a target: its states, reasons and texts, the codes that a
// check accepts, the scripts that stand in for checks, and how fast each kind of load balancer moves. It holds values
// only: it checks nothing, and knows of a target only its script.
package health
