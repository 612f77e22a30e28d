// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package server answers pods that ask, in an adaptive preStop hook, whether they may
// end: their load balancers send them nothing any more, or the kubelet means one of their
// containers and not the pod. It reads what others observed and changes nothing. Where
// anything is not known, old or contradictory, the pod is kept.
package server
