// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package route

import "slices"

// Match is what a request has to be like. Every field that has values must match, by one of its values.
type Match struct {
	// Hosts are patterns of host names, and Paths of paths. In patterns * is any run of characters, and ? is one.
	Hosts, Paths []string
	// Methods are HTTP methods in upper case.
	Methods []string
	// Headers must all match, by one of their values each, which are patterns.
	Headers []Header
	// Queries are lists of parameters of the query; one of each list must match.
	Queries [][]Query
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

// count returns how many values a match has, and those that are patterns.
func (m Match) count() (values int, patterns []string) {
	patterns = slices.Concat(m.Hosts, m.Paths)
	values = len(patterns) + len(m.Methods) + len(m.Sources)

	for _, h := range m.Headers {
		values += len(h.Values)
		patterns = append(patterns, h.Values...)
	}
	for _, q := range slices.Concat(m.Queries...) {
		values++
		patterns = append(patterns, q.Key, q.Value)
	}
	return values, patterns
}

// sameBeyondHostsAndPaths reports whether two matches differ at most in their hosts and paths.
func (m Match) sameBeyondHostsAndPaths(o Match) bool {
	return slices.Equal(m.Methods, o.Methods) && slices.Equal(m.Sources, o.Sources) && slices.EqualFunc(m.Queries, o.Queries, slices.Equal) &&
		slices.EqualFunc(m.Headers, o.Headers, func(a, b Header) bool { return a.Name == b.Name && slices.Equal(a.Values, b.Values) })
}

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
