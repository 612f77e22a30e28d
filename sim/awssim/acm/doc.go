// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package acm is AWS Certificate Manager: certificates that are requested,
// imported, found and deleted, in its JSON protocol. Those that are requested
// are signed by an authority of the simulator, so that clients can verify what
// load balancers present.
//
// It refuses to validate domains, to renew, and to talk to private authorities.
package acm
