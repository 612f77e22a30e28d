// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package route

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"
)

func TestCovers(t *testing.T) {
	hosts := func(h ...string) Match { return Match{Hosts: h} }
	paths := func(p ...string) Match { return Match{Paths: p} }
	header := func(name string, values ...string) Match {
		return Match{Headers: []Header{{Name: name, Values: values}}}
	}
	queries := func(q ...[]Query) Match { return Match{Queries: q} }
	sources := func(s ...string) Match { return Match{Sources: s} }

	for name, tc := range map[string]struct {
		a, b Match
		want bool
	}{
		"Everything":          {Match{}, Match{Hosts: []string{"a"}, Paths: []string{"/"}, Methods: []string{"GET"}}, true},
		"Itself":              {paths("/a"), paths("/a"), true},
		"NotEverything":       {paths("/a"), Match{}, false},
		"AnyPath":             {paths("/*"), Match{}, true},
		"AnyHost":             {hosts("*"), paths("/a"), true},
		"OneHost":             {hosts("a"), paths("/a"), false},
		"HostsAreOneCase":     {hosts("A.example"), hosts("a.Example"), true},
		"PathsAreNot":         {paths("/A"), paths("/a"), false},
		"OtherHost":           {hosts("a"), hosts("b"), false},
		"WildcardHost":        {hosts("*.a"), hosts("b.a"), true},
		"WildcardNeedsDot":    {hosts("*.a"), hosts("a"), false},
		"PrefixCoversLonger":  {paths("/a", "/a/*"), paths("/a/b", "/a/b/*"), true},
		"LongerNotPrefix":     {paths("/a/b", "/a/b/*"), paths("/a", "/a/*"), false},
		"NotAllPaths":         {paths("/a", "/a/*"), paths("/a", "/b"), false},
		"NotNeighbour":        {paths("/a", "/a/*"), paths("/ab"), false},
		"Question":            {paths("/?"), paths("/a"), true},
		"QuestionForQuestion": {paths("/?"), paths("/?"), true},
		"QuestionForStar":     {paths("/?"), paths("/*"), false},
		"LiteralForQuestion":  {paths("/a"), paths("/?"), false},
		"StarForNothing":      {paths("/a*"), paths("/a"), true},
		"StarInTheMiddle":     {paths("/*/x"), paths("/a/b/x"), true},
		"StarForStar":         {paths("/*x"), paths("/a*x"), true},
		"HostAndPath":         {Match{Hosts: []string{"a"}, Paths: []string{"/*"}}, Match{Hosts: []string{"a"}, Paths: []string{"/x"}}, true},
		"HostButNotPath":      {Match{Hosts: []string{"a"}, Paths: []string{"/y"}}, Match{Hosts: []string{"a"}, Paths: []string{"/x"}}, false},

		"Method":       {Match{Methods: []string{"GET", "HEAD"}}, Match{Methods: []string{"GET"}}, true},
		"OtherMethod":  {Match{Methods: []string{"GET"}}, Match{Methods: []string{"GET", "PUT"}}, false},
		"AnyMethod":    {Match{Methods: []string{"GET"}}, Match{}, false},
		"Source":       {sources("10.0.0.0/8"), sources("10.1.0.0/16", "10.0.0.0/8"), true},
		"WiderSource":  {sources("10.1.0.0/16"), sources("10.0.0.0/8"), false},
		"OtherSource":  {sources("10.0.0.0/8"), sources("192.0.2.0/24"), false},
		"AnySource":    {sources("10.0.0.0/8"), Match{}, false},
		"NoSource":     {sources("10.0.0.0/8"), sources("x"), false},
		"OurNoSource":  {sources("x"), sources("10.0.0.0/8"), false},
		"Header":       {header("X-A", "a*"), header("x-a", "ab", "ac"), true},
		"OtherValue":   {header("X-A", "a"), header("X-A", "a", "b"), false},
		"OtherHeader":  {header("X-A", "a"), header("X-B", "a"), false},
		"AnyHeader":    {header("X-A", "a"), Match{}, false},
		"NoValues":     {header("X-A", "a"), header("X-A"), false},
		"OneOfHeaders": {header("X-A", "a"), Match{Headers: []Header{{"X-B", []string{"b"}}, {"X-A", []string{"a"}}}}, true},
		"BothHeaders":  {Match{Headers: []Header{{"X-B", []string{"b"}}, {"X-A", []string{"a"}}}}, header("X-A", "a"), false},

		"Query":          {queries([]Query{{"k", "*"}}), queries([]Query{{"k", "v"}}), true},
		"OtherKey":       {queries([]Query{{"k", "*"}}), queries([]Query{{"l", "v"}}), false},
		"OtherQuery":     {queries([]Query{{"k", "w"}}), queries([]Query{{"k", "v"}}), false},
		"AnyKey":         {queries([]Query{{"", "v"}}), queries([]Query{{"k", "v"}}), true},
		"AnyKeyOfTheirs": {queries([]Query{{"*", "v"}}), queries([]Query{{"", "v"}}), false},
		"OneOfTheirs":    {queries([]Query{{"k", "v"}}), queries([]Query{{"k", "v"}, {"l", "v"}}), false},
		"OneOfOurs":      {queries([]Query{{"l", "v"}, {"k", "v"}}), queries([]Query{{"k", "v"}}), true},
		"OneOfLists":     {queries([]Query{{"k", "v"}}), queries([]Query{{"l", "v"}}, []Query{{"k", "v"}}), true},
		"BothLists":      {queries([]Query{{"l", "v"}}, []Query{{"k", "v"}}), queries([]Query{{"k", "v"}}), false},
		"AnyQuery":       {queries([]Query{{"k", "v"}}), Match{}, false},
		"NoQueries":      {queries([]Query{{"k", "v"}}), queries(nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.a.Covers(tc.b); got != tc.want {
				t.Errorf("%v covers %v: %t", tc.a, tc.b, got)
			}
		})
	}
}

// TestCoversPattern: what is like a covered pattern is like that which covers it.
func TestCoversPattern(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(alphabet string) string {
		made := make([]byte, random.IntN(5))
		for i := range made {
			made[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(made)
	}

	covered := 0
	for range 200_000 {
		a, b, s := text("ab*?"), text("ab*?"), text("ab")
		likeA, _ := path.Match(a, s)
		likeB, _ := path.Match(b, s)
		if !coversPattern(a, b) {
			continue
		}
		covered++
		if likeB && !likeA {
			t.Fatalf("%q covers %q, and %q is like the latter alone", a, b, s)
		}
	}
	if covered < 1000 {
		t.Errorf("only %d patterns are covered", covered)
	}
}

// TestCoversBacktracks: how far the wildcards of two patterns reach, also where one has to go back.
func TestCoversBacktracks(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"*", "", true}, {"a", "a", true}, {"a", "b", false}, {"abc", "ab", false}, {"ab", "abc", false},
		{"a*c*e", "abcde", true}, {"*ab", "aab", true}, {"*ab", "aba", false}, {"a*", "a?b*", true}, {"a*b", "ab", true}, {"a**", "a", true}, {"a*b", "a", false},
		{"?", "a", true}, {"?", "?", true}, {"?", "*", false}, {"a", "?", false}, {"*", "*", true}, {"**", "*", true}, {"*?", "*", false}, {"?*", "*", false}, {"*a*b", "aXbXaXb", true},
		{strings.Repeat("*a", 60), strings.Repeat("a", 120) + "b", false},
	} {
		if got := coversPattern(tc.a, tc.b); got != tc.want {
			t.Errorf("%q covers %q: %v", tc.a, tc.b, got)
		}
	}
}

// TestCoversNothing: what cannot be read, or has no values, covers nothing and is not covered.
func TestCoversNothing(t *testing.T) {
	for _, tc := range [][2]string{{"10.0.0.0/8", "x"}, {"x", "10.0.0.0/8"}, {"x", "x"}, {"10.0.0.0/8", ""}, {"10.0.0.0/16", "10.0.0.0/8"}} {
		if coversSource(tc[0], tc[1]) {
			t.Errorf("%q covers %q", tc[0], tc[1])
		}
	}
	if !coversSource("10.0.0.0/8", "10.0.0.0/8") {
		t.Error("10.0.0.0/8 does not cover itself")
	}
	if (Header{Name: "X", Values: []string{"*"}}).covers([]Header{{Name: "X"}}) {
		t.Error("a header without values is covered")
	}
	if (Header{Name: "X"}).covers([]Header{{Name: "X"}}) {
		t.Error("a header without values covers")
	}
}
