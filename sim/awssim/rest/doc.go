// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rest is the REST-JSON protocol of AWS: it finds the operation that a
// request asks for, reads its parameters from path, query and body, holds them
// to the bounds of the service model, and writes answers and errors. Everything
// it knows of a service it reads from that service's model. It refuses a
// parameter that the model does not have, as package query does.
package rest
