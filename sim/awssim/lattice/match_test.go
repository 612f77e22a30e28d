// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
)

func TestHolds(t *testing.T) {
	cases := map[string]struct {
		reason, match string
		want          bool
	}{
		"Nothing":          {reason: "no condition", match: `{}`, want: true},
		"Method":           {reason: "the method", match: `{"method":"GET"}`, want: true},
		"MethodCase":       {reason: "methods mind case", match: `{"method":"get"}`},
		"Exact":            {reason: "the whole path, without the query", match: `{"pathMatch":{"match":{"exact":"/Shop/cart"}}}`, want: true},
		"ExactPart":        {reason: "a part of it", match: `{"pathMatch":{"match":{"exact":"/Shop"}}}`},
		"Prefix":           {reason: "a plain prefix of text", match: `{"pathMatch":{"match":{"prefix":"/Sho"}}}`, want: true},
		"PathCase":         {reason: "a path does not mind case by default", match: `{"pathMatch":{"match":{"prefix":"/shop"}}}`, want: true},
		"PathCaseMatters":  {reason: "it does where the rule says so", match: `{"pathMatch":{"match":{"prefix":"/shop"},"caseSensitive":true}}`},
		"Header":           {reason: "names and values do not mind case", match: `{"headerMatches":[{"name":"x-tier","match":{"exact":"gold"}}]}`, want: true},
		"HeaderCase":       {reason: "values do where the rule says so", match: `{"headerMatches":[{"name":"x-tier","match":{"exact":"gold"},"caseSensitive":true}]}`},
		"HeaderPrefix":     {reason: "a prefix", match: `{"headerMatches":[{"name":"X-Tier","match":{"prefix":"Go"}}]}`, want: true},
		"HeaderContains":   {reason: "a part", match: `{"headerMatches":[{"name":"X-Tier","match":{"contains":"OL"}}]}`, want: true},
		"HeaderAbsent":     {reason: "a header that is not there", match: `{"headerMatches":[{"name":"X-None","match":{"prefix":""}}]}`},
		"Host":             {reason: "the host is a header", match: `{"headerMatches":[{"name":"Host","match":{"exact":"shop.example.com"}}]}`, want: true},
		"All":              {reason: "all hold", match: `{"method":"GET","pathMatch":{"match":{"prefix":"/"}},"headerMatches":[{"name":"X-Tier","match":{"exact":"gold"}}]}`, want: true},
		"OneOfAllDoesNot":  {reason: "one does not", match: `{"method":"POST","pathMatch":{"match":{"prefix":"/"}}}`},
		"OneHeaderDoesNot": {reason: "one of two headers does not", match: `{"headerMatches":[{"name":"X-Tier","match":{"exact":"gold"}},{"name":"X-Tier","match":{"exact":"silver"}}]}`},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var m match
			if err := json.Unmarshal([]byte(`{"httpMatch":`+tc.match+`}`), &m); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "http://shop.example.com/Shop/cart?item=1", nil)
			r.Header.Set("X-Tier", "Gold")
			if got := (&Service{}).holds(&m, r); got != tc.want {
				t.Errorf("%s: got %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}
