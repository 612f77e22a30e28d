// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package query speaks the AWS query protocol from the server's side: it reads
// a form into a Go struct and writes a Go struct as the XML answer. Structs
// carry the members' own names as field names, which is what the AWS SDK's
// generated types do, so those types can be used as they are. EC2's dialect of the protocol has functions of its own.
//
// It refuses to guess: a parameter that the struct has no field for is an
// error, never silently dropped. It knows nothing of any one service.
package query
