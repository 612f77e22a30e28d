// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package elbv2 is the model of Elastic Load Balancing v2: load balancers, listeners, rules, target groups, targets,
// attributes and tags, the operations on them, and what becomes of a target's health. It is the API's clock: what
// its answers say.
//
// It routes nothing, which is package datapath's, and reads no request, which is the server's. It refuses to guess:
// what it does not model is an error that says so, and nothing is claimed that docs/awssim.md does not give a
// source for.
package elbv2
