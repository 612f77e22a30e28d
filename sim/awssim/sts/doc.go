// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sts is a simulator of AWS Security Token Service: who an access key
// is, and roles that can be assumed. It verifies no signature and evaluates no
// policy: whoever has a key may call, and faults refuse what a test wants refused.
package sts
