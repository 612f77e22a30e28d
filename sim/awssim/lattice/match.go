// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"net/http"
	"strings"
)

// match is what a rule wants of a request, as requests and answers have it. All of it must hold.
type match struct {
	HTTPMatch *httpMatch `json:"httpMatch,omitempty"`
}

type httpMatch struct {
	Method        string        `json:"method,omitempty"`
	PathMatch     *pathMatch    `json:"pathMatch,omitempty"`
	HeaderMatches []headerMatch `json:"headerMatches,omitempty"`
}

type pathMatch struct {
	Match         textMatch `json:"match"`
	CaseSensitive *bool     `json:"caseSensitive,omitempty"`
}

type headerMatch struct {
	Name          string    `json:"name"`
	Match         textMatch `json:"match"`
	CaseSensitive *bool     `json:"caseSensitive,omitempty"`
}

// textMatch is exactly one of these.
type textMatch struct {
	Exact    *string `json:"exact,omitempty"`
	Prefix   *string `json:"prefix,omitempty"`
	Contains *string `json:"contains,omitempty"`
}

// holds reports whether a request is what a rule wants. Methods are case-sensitive, names of headers are not, and
// their values only where the rule says so (user guide, listener rules).
func (s *Service) holds(m *match, r *http.Request) bool {
	if m == nil || m.HTTPMatch == nil {
		return true
	}

	want := m.HTTPMatch
	if want.Method != "" && want.Method != r.Method {
		return false
	}

	if p := want.PathMatch; p != nil {
		path := r.URL.Path
		if s.cfg.Assumptions.MatchQuery && r.URL.RawQuery != "" {
			path += "?" + r.URL.RawQuery
		}
		if !p.Match.holds(path, flag(p.CaseSensitive, s.cfg.Assumptions.CaseSensitivePath)) {
			return false
		}
	}

	for _, h := range want.HeaderMatches {
		values := r.Header.Values(h.Name)
		if strings.EqualFold(h.Name, "host") {
			values = []string{r.Host}
		}
		if len(values) == 0 || !h.Match.holds(strings.Join(values, ","), flag(h.CaseSensitive, false)) {
			return false
		}
	}

	return true
}

func flag(value *bool, otherwise bool) bool {
	if value == nil {
		return otherwise
	}
	return *value
}

func (m textMatch) holds(text string, caseSensitive bool) bool {
	fold := strings.ToLower
	if caseSensitive {
		fold = func(text string) string { return text }
	}

	text = fold(text)
	switch {
	case m.Exact != nil:
		return text == fold(*m.Exact)
	case m.Prefix != nil:
		return strings.HasPrefix(text, fold(*m.Prefix))
	case m.Contains != nil:
		return strings.Contains(text, fold(*m.Contains))
	}
	return false
}
