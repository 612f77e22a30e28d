// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"encoding/base64"
	"encoding/json"
	"time"
)

// paging is what all List operations take.
type paging struct {
	MaxResults int    `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

// token is what a page token says. Clients must not look inside.
type token struct {
	Of     string `json:"of"` // the list
	After  int64  `json:"after"`
	Issued int64  `json:"issued"`
}

// listed is one page.
type listed[T any] struct {
	Items     []T    `json:"items"`
	NextToken string `json:"nextToken,omitempty"`
}

// page cuts a page out of a list, whose items have growing numbers. of names the list: a token of another one is
// invalid.
func page[T, O any](s *Service, of string, in paging, list []T, number func(T) int64, show func(T) O) (*listed[O], error) {
	after := int64(-1)
	if in.NextToken != "" {
		t, err := s.readToken(of, in.NextToken)
		if err != nil {
			return nil, err
		}
		after = t.After
	}

	size := in.MaxResults
	if size == 0 {
		size = 100
	}

	out := &listed[O]{Items: []O{}}
	last := int64(0)
	for _, item := range list {
		if number(item) <= after {
			continue
		}
		if len(out.Items) == size {
			out.NextToken = writeToken(token{of, last, time.Now().UnixNano()})
			break
		}
		last = number(item)
		out.Items = append(out.Items, show(item))
	}

	return out, nil
}

func writeToken(t token) string {
	raw, _ := json.Marshal(t) // strings and numbers cannot fail
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (s *Service) readToken(of, text string) (token, error) {
	var t token
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &t) != nil || t.Of != of {
		return t, invalid("nextToken", "is not valid")
	}
	if time.Since(time.Unix(0, t.Issued)) > s.clock.Scaled(s.cfg.TokenLifetime) {
		return t, invalid("nextToken", "has expired")
	}
	return t, nil
}
