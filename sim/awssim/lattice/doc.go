// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lattice is the model of VPC Lattice: target groups, targets,
// services, listeners, rules, service networks, their associations and tags,
// the operations on them, and what becomes of a target's health. It is the
// API's clock: what its answers say.
//
// It routes nothing, which is package datapath's, and reads no request, which
// is package rest's. It refuses to guess in silence: what no public source says
// is in Assumptions, where a test can have it the other way.
package lattice
