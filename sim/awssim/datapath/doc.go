// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package datapath is what load balancers and service networks do: it accepts requests and connections, chooses a target, and carries
// them there, once and never again. It has a clock of its own: it follows what the API says of a target with the
// delays of the service, and what it routes to may differ from what the API shows.
//
// It reads target groups by the interface TargetGroup. It knows no calls of the API, never decides on a target's
// health, and never sends a request twice.
package datapath
