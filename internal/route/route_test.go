// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package route

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func to(service string) Action {
	return Action{Backends: []Backend{{Namespace: "default", Service: service, Port: "80", Weight: 1}}}
}

func TestFit(t *testing.T) {
	web := func(hosts []string, paths ...string) Rule {
		return Rule{Owner: "default/web", Hosts: hosts, Paths: paths, Action: to("web")}
	}
	a := []string{"a.example.com"}
	other := web(a, "/x")
	other.Action = to("other")
	foreign := web(a, "/x")
	foreign.Owner = "default/foreign"
	answer, unlike := web(a, "/x"), web(a, "/y")
	answer.Action, unlike.Action = Action{Status: 503, Body: "gone"}, Action{Status: 503, Body: "here"}
	status := answer
	status.Action.Status = 404

	cases := map[string]struct {
		reason   string
		rules    []Rule
		want     []Rule
		tooLarge []Rule
	}{
		"None":          {reason: "no rules are none"},
		"Fits":          {reason: "five values fit", rules: []Rule{web(a, "/1", "/2", "/3", "/4")}, want: []Rule{web(a, "/1", "/2", "/3", "/4")}},
		"Merges":        {reason: "neighbours that differ in paths are one", rules: []Rule{web(a, "/1"), web(a, "/2")}, want: []Rule{web(a, "/1", "/2")}},
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
	rules := []Rule{{Paths: paths, Action: to("web")}, {Paths: []string{"/3"}, Action: to("web")}}
	Fit(rules, ALB)
	if got := paths[:3][2]; got != "" || len(rules[0].Paths) != 2 {
		t.Errorf("%q was written behind the paths of the first rule: %v", got, rules[0])
	}
}
