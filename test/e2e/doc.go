// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests podgate on a real Kubernetes: a real kubelet, kube-proxy and
// scheduler, podgate's own image and manifest, its webhook called through its Service,
// and a simulated load balancer that really checks and really routes.
//
// The tests carry the build tag e2e and want to run on the node's network of a cluster
// of test/localcluster, in the repository's root, one after the other: `make e2e` does
// that. Each starts a simulator of its own at the one address that podgate knows, and
// takes away what it made. Only subtests of one test run at the same time.
//
// It refuses to judge how fast anything is: times are logged, and only what a user of
// the application or of kubectl would notice is asserted.
package e2e
