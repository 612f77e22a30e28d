// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func to(service string) Action {
	return Action{Backends: []Backend{{Namespace: "default", Service: service, Port: "80", Weight: 1}}}
}

func TestFit(t *testing.T) {
	web := func(hosts []string, paths ...string) Rule {
		return Rule{Owner: "default/web", Match: Match{Hosts: hosts, Paths: paths}, Action: to("web")}
	}
	a := []string{"a.example.com"}
	other := web(a, "/x")
	other.Action = to("other")
	foreign := web(a, "/x")
	foreign.Owner = "default/foreign"
	answer, unlike := web(a, "/x"), web(a, "/y")
	answer.Action, unlike.Action = Action{Answer: &Answer{Status: 503, Body: "gone"}}, Action{Answer: &Answer{Status: 503, Body: "here"}}
	status, again := answer, web(a, "/y")
	status.Action.Answer = &Answer{Status: 404, Body: "gone"}
	again.Action = Action{Answer: &Answer{Status: 503, Body: "gone"}}
	elsewhere, elsewhereToo, sticky, stickyToo := web(a, "/x"), web(a, "/y"), web(a, "/x"), web(a, "/y")
	elsewhere.Action, elsewhereToo.Action = Action{Redirect: &Redirect{Status: 301}}, Action{Redirect: &Redirect{Status: 302}}
	sticky.Action.Sticky, stickyToo.Action.Sticky = time.Minute, time.Hour

	// narrow is a rule with more than hosts and paths.
	narrow := func(path string, more Match) Rule {
		r := web(a, path)
		more.Hosts, more.Paths = r.Match.Hosts, r.Match.Paths
		r.Match = more
		return r
	}
	get, put := Match{Methods: []string{"GET"}}, Match{Methods: []string{"PUT"}}
	beta, gamma := Match{Headers: []Header{{"X", []string{"beta"}}}}, Match{Headers: []Header{{"X", []string{"gamma"}}}}
	another := Match{Headers: []Header{{"Y", []string{"beta"}}}}
	q1, q2 := Match{Queries: [][]Query{{{"a", "1"}}}}, Match{Queries: [][]Query{{{"a", "2"}}}}
	s1, s2 := Match{Sources: []string{"10.0.0.0/8"}}, Match{Sources: []string{"10.1.0.0/16"}}

	cases := map[string]struct {
		reason   string
		rules    []Rule
		want     []Rule
		tooLarge []Rule
	}{
		"None":          {reason: "no rules are none"},
		"Fits":          {reason: "five values fit", rules: []Rule{web(a, "/1", "/2", "/3", "/4")}, want: []Rule{web(a, "/1", "/2", "/3", "/4")}},
		"Merges":        {reason: "neighbours that differ in paths are one", rules: []Rule{web(a, "/1"), web(a, "/2")}, want: []Rule{web(a, "/1", "/2")}},
		"MergesSame":    {reason: "the same path twice is one", rules: []Rule{web(a, "/1", "/2"), web(a, "/2"), web(a, "/1", "/3")}, want: []Rule{web(a, "/1", "/2", "/3")}},
		"MergesFull":    {reason: "up to five values, no further", rules: []Rule{web(a, "/1", "/2"), web(a, "/3", "/4"), web(a, "/5")}, want: []Rule{web(a, "/1", "/2", "/3", "/4"), web(a, "/5")}},
		"MergesStars":   {reason: "up to five wildcards", rules: []Rule{web(nil, "/*/*/*"), web(nil, "/?/?"), web(nil, "/*")}, want: []Rule{web(nil, "/*/*/*", "/?/?"), web(nil, "/*")}},
		"MergesHosts":   {reason: "or in hosts", rules: []Rule{web(a, "/1"), web([]string{"b"}, "/1")}, want: []Rule{web([]string{"a.example.com", "b"}, "/1")}},
		"EveryHost":     {reason: "a rule for every host has none to merge", rules: []Rule{web(a, "/1"), web(nil, "/1")}, want: []Rule{web(a, "/1"), web(nil, "/1")}},
		"EveryHostLast": {reason: "whichever is first", rules: []Rule{web(nil, "/1"), web(a, "/1")}, want: []Rule{web(nil, "/1"), web(a, "/1")}},
		"HostsAlone":    {reason: "six hosts for every path are divided too", rules: []Rule{web([]string{"a", "b", "c", "d", "e", "f"})}, want: []Rule{web([]string{"a", "b", "c", "d", "e"}), web([]string{"f"})}},
		"OtherHost":     {reason: "not with other hosts", rules: []Rule{web(a, "/1"), web(nil, "/2")}, want: []Rule{web(a, "/1"), web(nil, "/2")}},
		"OtherAction":   {reason: "not with another action", rules: []Rule{web(a, "/1"), other}, want: []Rule{web(a, "/1"), other}},
		"OtherAnswer":   {reason: "nor with another answer", rules: []Rule{answer, unlike}, want: []Rule{answer, unlike}},
		"OtherStatus":   {reason: "nor with another status", rules: []Rule{answer, status}, want: []Rule{answer, status}},
		"SameAnswer":    {reason: "but with the same", rules: []Rule{answer, again}, want: []Rule{{Owner: "default/web", Match: Match{Hosts: a, Paths: []string{"/x", "/y"}}, Action: answer.Action}}},
		"AnswerOrNot":   {reason: "nor an answer with a backend", rules: []Rule{answer, web(a, "/y")}, want: []Rule{answer, web(a, "/y")}},
		"AnswerOrElse":  {reason: "nor an answer with a redirect", rules: []Rule{answer, elsewhereToo}, want: []Rule{answer, elsewhereToo}},
		"OtherRedirect": {reason: "nor with another redirect", rules: []Rule{elsewhere, elsewhereToo}, want: []Rule{elsewhere, elsewhereToo}},
		"OtherSticky":   {reason: "nor with another stickiness", rules: []Rule{sticky, stickyToo}, want: []Rule{sticky, stickyToo}},
		"SameMethods":   {reason: "what else is asked of requests has to be the same", rules: []Rule{narrow("/1", get), narrow("/2", get)}, want: []Rule{{Owner: "default/web", Match: Match{Hosts: a, Paths: []string{"/1", "/2"}, Methods: []string{"GET"}}, Action: to("web")}}},
		"SameHeaders":   {reason: "headers, too", rules: []Rule{narrow("/1", beta), narrow("/2", beta)}, want: []Rule{{Owner: "default/web", Match: Match{Hosts: a, Paths: []string{"/1", "/2"}, Headers: beta.Headers}, Action: to("web")}}},
		"OtherMethods":  {reason: "other methods", rules: []Rule{narrow("/1", get), narrow("/2", put)}, want: []Rule{narrow("/1", get), narrow("/2", put)}},
		"OtherHeaders":  {reason: "other values of a header", rules: []Rule{narrow("/1", beta), narrow("/2", gamma)}, want: []Rule{narrow("/1", beta), narrow("/2", gamma)}},
		"OtherHeader":   {reason: "another header", rules: []Rule{narrow("/1", beta), narrow("/2", another)}, want: []Rule{narrow("/1", beta), narrow("/2", another)}},
		"OtherQueries":  {reason: "other queries", rules: []Rule{narrow("/1", q1), narrow("/2", q2)}, want: []Rule{narrow("/1", q1), narrow("/2", q2)}},
		"OtherSources":  {reason: "other sources", rules: []Rule{narrow("/1", s1), narrow("/2", s2)}, want: []Rule{narrow("/1", s1), narrow("/2", s2)}},
		"CountsAll":     {reason: "every value counts: host, path, method, query, header and source are six", rules: []Rule{narrow("/1", Match{Methods: []string{"GET"}, Queries: q1.Queries, Headers: beta.Headers, Sources: s1.Sources})}, tooLarge: []Rule{narrow("/1", Match{Methods: []string{"GET"}, Queries: q1.Queries, Headers: beta.Headers, Sources: s1.Sources})}},
		"CountsFive":    {reason: "five fit", rules: []Rule{narrow("/1", Match{Queries: q1.Queries, Headers: beta.Headers, Sources: s1.Sources})}, want: []Rule{narrow("/1", Match{Queries: q1.Queries, Headers: beta.Headers, Sources: s1.Sources})}},
		"StarsOfAll":    {reason: "wildcards count in headers and queries, keys and values", rules: []Rule{narrow("/*", Match{Queries: [][]Query{{{"?", "**"}}}, Headers: []Header{{"X", []string{"**"}}}})}, tooLarge: []Rule{narrow("/*", Match{Queries: [][]Query{{{"?", "**"}}}, Headers: []Header{{"X", []string{"**"}}}})}},
		"NotInMethods":  {reason: "but not where they are none", rules: []Rule{narrow("/****", Match{Methods: []string{"*"}, Sources: []string{"*"}})}, want: []Rule{narrow("/****", Match{Methods: []string{"*"}, Sources: []string{"*"}})}},
		"DividesRest": {
			reason: "sources and methods are divided as well, in turn",
			rules:  []Rule{{Owner: "x", Match: Match{Methods: []string{"GET", "PUT", "POST"}, Sources: []string{"1", "2", "3"}}, Action: to("web")}},
			want: []Rule{
				{Owner: "x", Match: Match{Methods: []string{"GET", "PUT", "POST"}, Sources: []string{"1"}}, Action: to("web")},
				{Owner: "x", Match: Match{Methods: []string{"GET", "PUT", "POST"}, Sources: []string{"2"}}, Action: to("web")},
				{Owner: "x", Match: Match{Methods: []string{"GET", "PUT", "POST"}, Sources: []string{"3"}}, Action: to("web")},
			},
		},
		"DividesMethods": {
			reason: "at last by methods",
			rules:  []Rule{{Owner: "x", Match: Match{Methods: []string{"A", "B", "C", "D", "E", "F"}}, Action: to("web")}},
			want: []Rule{
				{Owner: "x", Match: Match{Methods: []string{"A"}}, Action: to("web")}, {Owner: "x", Match: Match{Methods: []string{"B"}}, Action: to("web")}, {Owner: "x", Match: Match{Methods: []string{"C"}}, Action: to("web")},
				{Owner: "x", Match: Match{Methods: []string{"D"}}, Action: to("web")}, {Owner: "x", Match: Match{Methods: []string{"E"}}, Action: to("web")}, {Owner: "x", Match: Match{Methods: []string{"F"}}, Action: to("web")},
			},
		},
		"OtherOwner":    {reason: "not across owners", rules: []Rule{web(a, "/1"), foreign}, want: []Rule{web(a, "/1"), foreign}},
		"NotNeighbours": {reason: "what stands between keeps its place", rules: []Rule{web(a, "/1"), other, web(a, "/2")}, want: []Rule{web(a, "/1"), other, web(a, "/2")}},
		"AllPaths":      {reason: "a rule for every path has none to merge", rules: []Rule{web(a, "/1"), web(a)}, want: []Rule{web(a, "/1"), web(a)}},
		"AllPathsFirst": {reason: "whichever is first", rules: []Rule{web(a), web(a, "/1")}, want: []Rule{web(a), web(a, "/1")}},
		"Divides":       {reason: "what is too large is divided, and filled up again", rules: []Rule{web(a, "/1", "/2", "/3", "/4", "/5", "/6")}, want: []Rule{web(a, "/1", "/2", "/3", "/4"), web(a, "/5", "/6")}},
		"DividesHosts":  {reason: "by hosts if there is one path", rules: []Rule{web([]string{"a", "b", "c", "d", "e"}, "/1")}, want: []Rule{web([]string{"a", "b", "c", "d"}, "/1"), web([]string{"e"}, "/1")}},
		"DividesBoth":   {reason: "by paths first", rules: []Rule{web([]string{"a", "b", "c", "d"}, "/1", "/2")}, want: []Rule{web([]string{"a", "b", "c", "d"}, "/1"), web([]string{"a", "b", "c", "d"}, "/2")}},
		"TooLarge":      {reason: "one value with six wildcards cannot be divided", rules: []Rule{web(nil, "/*/*/*/*/*/*"), web(a, "/1")}, want: []Rule{web(a, "/1")}, tooLarge: []Rule{web(nil, "/*/*/*/*/*/*")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, tooLarge := Fit(tc.rules, ALB)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.tooLarge, tooLarge); diff != "" {
				t.Errorf("%s: too large (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestFitLeavesItsInput alone, although slices share memory.
func TestFitLeavesItsInput(t *testing.T) {
	paths := make([]string, 2, 8)
	paths[0], paths[1] = "/1", "/2"
	rules := []Rule{{Match: Match{Paths: paths}, Action: to("web")}, {Match: Match{Paths: []string{"/3"}}, Action: to("web")}}
	Fit(rules, ALB)
	if got := paths[:3][2]; got != "" || len(rules[0].Match.Paths) != 2 {
		t.Errorf("%q was written behind the paths of the first rule: %v", got, rules[0])
	}
}
