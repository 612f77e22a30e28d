// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// satisfies reports whether a request satisfies a condition of a rule.
func satisfies(r *http.Request, c types.RuleCondition) bool {
	switch *c.Field {
	case "path-pattern":
		return slices.ContainsFunc(c.Values, func(p string) bool { return wildcard(p, r.URL.Path) })
	case "host-header":
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		return slices.ContainsFunc(c.Values, func(p string) bool { return wildcard(strings.ToLower(p), strings.ToLower(host)) })

	case "http-header":
		return slices.ContainsFunc(c.HttpHeaderConfig.Values, func(p string) bool {
			return slices.ContainsFunc(r.Header.Values(*c.HttpHeaderConfig.HttpHeaderName), func(v string) bool {
				return wildcard(strings.ToLower(p), strings.ToLower(v))
			})
		})

	case "http-request-method":
		return slices.Contains(c.HttpRequestMethodConfig.Values, r.Method)
	case "query-string":
		return slices.ContainsFunc(c.QueryStringConfig.Values, func(p types.QueryStringKeyValuePair) bool { return hasQuery(r, p) })
	case "source-ip":
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		return err == nil && slices.ContainsFunc(c.SourceIpConfig.Values, func(cidr string) bool {
			p, err := netip.ParsePrefix(cidr)
			return err == nil && p.Contains(from.Addr().Unmap())
		})
	}

	return false
}

func hasQuery(r *http.Request, p types.QueryStringKeyValuePair) bool {
	for key, values := range r.URL.Query() {
		if p.Key != nil && !wildcard(strings.ToLower(*p.Key), strings.ToLower(key)) {
			continue
		}
		for _, v := range values {
			if p.Value != nil && wildcard(strings.ToLower(*p.Value), strings.ToLower(v)) {
				return true
			}
		}
	}
	return false
}

// wildcard matches with * for any run of characters and ? for any one.
func wildcard(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}

	return strings.Trim(pattern[p:], "*") == ""
}
