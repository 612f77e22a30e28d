// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures a controller of TargetGroupBindings at scale: a real API
// server, the simulated load balancer, and pods whose status it writes itself in a
// kubelet's place. docs/bench.md describes the scenarios.
//
// It measures from outside only: what the API server's watch tells, what the
// simulator recorded, what the operating system accounts to the process. It reads no
// metric and no log of the controller, and shares no code with it but the CRD's types.
package main
