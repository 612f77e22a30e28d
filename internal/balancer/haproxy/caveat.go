// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"fmt"
	"slices"
)

// caveats are what of a backend's configuration may not apply to the servers that podgate adds, as far as the runtime API
// shows it, with what to use instead.
var caveats = []struct {
	holds func(view) bool
	text  string
}{
	{
		view.cookieless,
		"It keeps clients at their servers with a cookie, and servers added at runtime have none: use a stick table, or a cookie that is dynamic with HAProxy 3.0 or later.",
	}, {
		func(v view) bool { return !v.says("ssl") && v.others(func(s server) bool { return s.tls }) },
		`Other servers are reached over TLS and pods are not, since default-server does not apply to them: add "ssl", "check-ssl" and "verify" to haproxy.keywords.`,
	}, {
		// A port of its own for checks may well be plain, and so below.
		func(v view) bool { return v.g.Check.Port == 0 && v.says("ssl") && !v.says("check-ssl") },
		`Requests to pods go over TLS and health checks do not: add "check-ssl" to haproxy.keywords.`,
	}, {
		func(v view) bool {
			return v.g.Check.Port == 0 && (v.says("send-proxy") || v.says("send-proxy-v2")) && !v.says("check-send-proxy")
		},
		`Requests to pods begin with the PROXY protocol and health checks do not: add "check-send-proxy" to haproxy.keywords.`,
	}, {
		func(v view) bool {
			return v.g.MaxConn == 0 && v.others(func(s server) bool { return s.stat.limit > 0 })
		},
		"Other servers have a maxconn and pods do not, since default-server does not apply to them: set haproxy.maxConn.",
	}, {
		func(v view) bool {
			return v.others(func(s server) bool { return s.agentState&checkConfigured != 0 })
		},
		"Other servers are asked by an agent-check and pods are not: let the health check or the pod's readiness probe decide.",
	},
}

// caveat says which of them hold at an instance, and what stands against adding servers; empty when nothing does.
func caveat(views []view, g *group) string {
	if g.unaddable != "" {
		return fmt.Sprintf("Pods that are served drain, and no others are added to backend %q, because of %s.", g.Backend, g.unaddable)
	}

	text := ""
	for _, c := range caveats {
		if slices.ContainsFunc(views, c.holds) {
			text += " " + c.text
		}
	}

	if text == "" {
		return ""
	}

	return fmt.Sprintf("Not all of backend %q applies to pods.", g.Backend) + text
}

// says reports whether the binding's keywords have a word.
func (v view) says(word string) bool { return slices.Contains(v.g.Keywords, word) }

// others reports whether any server that somebody else made is so.
func (v view) others(so func(server) bool) bool {
	return slices.ContainsFunc(v.servers, func(s server) bool { return !s.own && so(s) })
}

// cookieless reports whether a backend with cookies gives none to servers that are added. Releases before 3.0 do not, and
// what later ones do shows on such a server.
func (v view) cookieless() bool {
	if v.backend.mode != "http" || v.backend.cookie == "" {
		return false
	}
	own := v.own()
	return len(own) == 0 && !v.version.atLeast(version30) || slices.ContainsFunc(own, func(s server) bool { return s.stat.known() && !s.stat.cookie })
}
