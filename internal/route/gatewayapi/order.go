// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"slices"
	"strings"

	"github.com/podgate/podgate/internal/route"
)

// ordered are the rules of all routes at a port in the order in which they apply: by their hosts, paths, methods, headers and
// parameters of the query, as the specification says, and where those are alike by the age of their routes.
func (r *reader) ordered(port int32) []route.Rule {
	var rules []route.Rule
	for _, m := range r.routes {
		rules = append(rules, m.rules[port]...)
	}
	slices.SortStableFunc(rules, func(a, b route.Rule) int { return rankOf(a.Match).compare(rankOf(b.Match)) })
	return rules
}

// rank says how special a match is. Of two the more special one applies, which is the one with the first greater number.
type rank [7]int

func (r rank) compare(other rank) int { return slices.Compare(other[:], r[:]) }

func rankOf(m route.Match) rank {
	exactHost, host := hostRank(m.Hosts)
	exactPath, path := pathRank(m.Paths)
	return rank{exactHost, host, exactPath, path, min(len(m.Methods), 1) + methodRank(m.Paths), len(m.Headers), len(m.Queries)}
}

// hostRank is 1 for a host without a wildcard, and the length of the longest one.
func hostRank(hosts []string) (exact, length int) {
	for _, h := range hosts {
		length = max(length, len(h))
		if !strings.HasPrefix(h, "*") {
			exact = 1
		}
	}
	return exact, length
}

// pathRank is 1 for exact paths, and else the length of the longest prefix. The prefix / is every path, and so is that of a call
// of gRPC which names a method alone.
func pathRank(paths []string) (exact, length int) {
	exact, length = min(len(paths), 1), 1
	for _, p := range paths {
		switch prefix, is := strings.CutSuffix(p, "/*"); {
		case is:
			exact = 0
			length = max(length, len(prefix))
		case strings.HasPrefix(p, anyService):
			exact = 0
		}
	}
	return exact, length
}

// anyService begins the path of calls of gRPC whose service does not matter.
const anyService = "/*/"

// methodRank is the length of the method of a call of gRPC whose service does not matter.
func methodRank(paths []string) int {
	length := 0
	for _, p := range paths {
		if method, is := strings.CutPrefix(p, anyService); is {
			length = max(length, len(method))
		}
	}
	return length
}
