// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package route

// Match is what a request has to be like. Every field that has values must match, by one of its values.
type Match struct {
	// Hosts are patterns of host names, and Paths of paths. In patterns * is any run of characters, and ? is one.
	Hosts, Paths []string
	// Methods are HTTP methods in upper case.
	Methods []string
	// Headers must all match, by one of their values each, which are patterns.
	Headers []Header
	// Queries are parameters of the query, of which one must match.
	Queries []Query
	// Sources are CIDRs of clients, as the load balancer sees them.
	Sources []string
}

// Header is a header by its name, and patterns of its value.
type Header struct {
	Name   string
	Values []string
}

// Query is a parameter of the query; without a key any parameter has the value. Both are patterns.
type Query struct{ Key, Value string }

// Redirect sends a client elsewhere. Fields may hold the load balancer's placeholders, such as #{host}; those that are
// empty keep what the request has.
type Redirect struct {
	// Status is 301 or 302.
	Status                            int
	Protocol, Host, Port, Path, Query string
}

// Answer is a response that needs no backend.
type Answer struct {
	Status            int
	ContentType, Body string
}
