// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"strings"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/limit"
)

const unknownCommand = "Unknown command"

const staticBalance = "backend %s has a static balance algorithm, or none (`dispatch`), which takes no servers at runtime: use `balance roundrobin`, `leastconn`, `random`, or `hash-type consistent`"

// refusals are HAProxy's words for what it will not do, of all versions from 2.6 on.
// The first that an answer contains counts.
var refusals = []struct {
	words string
	kind  error
	// text is for people; empty for HAProxy's own words.
	text string
}{
	{"Permission denied", balancer.ErrDenied, "the socket may not do this: write `level admin` on its `stats socket` line in HAProxy's configuration"},
	{"Can't find backend", balancer.ErrNotFound, "HAProxy has no backend %s: correct the name, or add it to HAProxy's configuration"},
	{"No such backend", balancer.ErrNotFound, "HAProxy has no backend %s: correct the name, or add it to HAProxy's configuration"},
	{"No such proxy", balancer.ErrNotFound, "HAProxy has no backend %s: correct the name, or add it to HAProxy's configuration"},
	{"must use a dynamic load balancing", balancer.ErrInvalid, staticBalance},
	{"non dynamic load balancing", balancer.ErrInvalid, staticBalance},
	{"cannot be used with log backends", balancer.ErrInvalid, "backend %s is one for logs"},
	{"uses mode log", balancer.ErrInvalid, "backend %s is one for logs"},
	{"no id left", balancer.ErrQuota, "backend %s has no number left for another server"},
	{"out of memory", balancer.ErrQuota, "HAProxy has no memory left for another server of backend %s"},
	{"failed to allocate", balancer.ErrQuota, "HAProxy has no memory left for another server of backend %s"},
	{"unknown keyword", balancer.ErrInvalid, ""},
	{"not supported for dynamic servers", balancer.ErrInvalid, ""},
	{"is not usable for server", balancer.ErrInvalid, ""},
	{unknownCommand, balancer.ErrInvalid, "this is not a runtime API of HAProxy 2.6 or later: name a `stats socket`, not the master's (-S)"},
}

// refusal tells what HAProxy refuses and what to do about it, with the kind of error
// that it is; nil when it refuses nothing that is known.
func refusal(answer, backend string) (text string, kind error) {
	first, _, _ := strings.Cut(answer, "\n")
	if strings.HasPrefix(first, "1") || strings.HasPrefix(first, "#") || strings.HasPrefix(first, "Name:") {
		return "", nil // a table
	}

	for _, r := range refusals {
		if !strings.Contains(answer, r.words) {
			continue
		}
		if r.text == "" {
			return "HAProxy says: " + short(answer), r.kind
		}
		return strings.ReplaceAll(r.text, "%s", `"`+backend+`"`), r.kind
	}

	return "", nil
}

// short is an answer's first line, for people.
func short(answer string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(answer), "\n")
	return limit.Cut(strings.ToValidUTF8(line, ""), 300)
}

// scarce reports whether HAProxy lacked memory, which it says in several ways.
func scarce(answer string) bool {
	answer = strings.ToLower(answer)
	return strings.Contains(answer, "memory") || strings.Contains(answer, "alloc")
}
