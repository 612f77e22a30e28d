// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package hook is what runs in a pod's preStop hook where its binding asks for an
// adaptive drain: it sleeps for as long as podgate computed, and ends earlier when
// podgate says that no load balancer sends to the pod any more and the pod's own socket
// table agrees. It refuses to end early for any other reason: whatever goes wrong, it
// sleeps on. It imports the standard library alone, since every pod gets a copy.
package hook
