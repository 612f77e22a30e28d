// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/podgate/podgate/internal/allow"
	"github.com/podgate/podgate/internal/check/variables"
)

// ErrNotAllowed means that podgate does not connect there. It says no more: a reason, or the address that a name
// resolved to, would tell what is there.
var ErrNotAllowed = errors.New("not allowed")

// Allowed returns the place that a host and port are, such as db.shop.svc:5432, if the rules allow it to the objects of
// a namespace with these labels. A pattern is of the whole HOST:PORT.
func Allowed(rules allow.List, namespace map[string]string, address string) (Place, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Place{}, ErrNotAllowed
	}

	joined, ok := hostPort(strings.ToLower(host), port)
	if !ok || !rules.Allowed(namespace, func(pattern string) bool { return allow.Matches(pattern, joined) }) {
		return Place{}, ErrNotAllowed
	}

	return Place{host: joined}, nil
}

// AllowedURL returns the place that a URL is at, and what the URL says, if the rules allow it to the objects of a namespace
// with these labels.
//
// A pattern is read as a URL, too: what stands before the first / after :// is of the scheme, host and port, and the rest is of
// the path. A * is anything within its part, so that http://*.shop.svc:8080/* covers no host that is not in shop.svc. The
// URL may have variables in its path and query. Those of the path are covered by a * alone, whatever their values.
func AllowedURL(rules allow.List, namespace map[string]string, text string) (Place, *url.URL, error) {
	u, masked, err := parse(text)
	if err != nil || !plain(masked) || strings.Contains(masked.Host, variable) {
		return Place{}, nil, ErrNotAllowed
	}

	u.Host, masked.Host = strings.ToLower(u.Host), strings.ToLower(masked.Host)
	covers := func(pattern string) bool { return covered(pattern, masked) }
	joined, ok := hostPort(masked.Hostname(), portOf(masked))
	if !ok || !rules.Allowed(namespace, covers) {
		return Place{}, nil, ErrNotAllowed
	}

	return Place{host: joined}, u, nil
}

// variable stands for a variable's value where a URL is compared with patterns. It is for private use in Unicode, and no pattern has it.
const variable = "\uE000"

// parse reads a URL, as it is and with variable for its variables.
func parse(text string) (u, masked *url.URL, err error) {
	parsed, err := variables.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	if masked, err = url.Parse(parsed.Mask(variable)); err != nil {
		return nil, nil, err
	}
	u, err = url.Parse(text)
	return u, masked, err
}

// plain reports whether a URL is one whose parts a pattern can be compared with: servers take dot segments, and separators
// that are encoded or backslashes, for paths that the pattern does not have, and some cut off what follows a semicolon in a segment.
func plain(u *url.URL) bool {
	if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "" {
		return false
	}

	escaped := strings.ToLower(u.EscapedPath())
	if strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%25") || strings.ContainsAny(u.Path, `\;`) {
		return false
	}

	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}

	return true
}

// covered reports whether a pattern is of a URL. The query is free.
func covered(pattern string, u *url.URL) bool {
	scheme, rest, isURL := strings.Cut(pattern, "://")
	authority, path, _ := strings.Cut(rest, "/")
	return isURL && scheme == u.Scheme && allow.Matches(authority, u.Host) && allow.Matches("/"+path, "/"+strings.TrimPrefix(u.Path, "/"))
}

// portOf is the URL's port, or that of its scheme.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
