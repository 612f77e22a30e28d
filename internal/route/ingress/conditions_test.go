// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/route"
)

func TestParseConditions(t *testing.T) {
	long := func(n int) string { return strings.Repeat("X", n) }
	cases := map[string]struct {
		reason, text string
		want         route.Match
		err          string
	}{
		"None": {reason: "no conditions", text: `[]`},
		"All": {
			reason: "every field", text: `[
				{"field":"host-header","hostHeaderConfig":{"values":["a.example.com","*.b.example.com"]}},
				{"field":"path-pattern","pathPatternConfig":{"values":["/a/*"]}},
				{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"X-Canary","values":["yes","y*"]}},
				{"field":"http-request-method","httpRequestMethodConfig":{"values":["GET","HEAD"]}},
				{"field":"query-string","queryStringConfig":{"values":[{"key":"version","value":"2"},{"value":"beta"}]}},
				{"field":"source-ip","sourceIPConfig":{"values":["192.0.2.0/24","2001:db8::/32"]}}]`,
			want: route.Match{
				Hosts: []string{"a.example.com", "*.b.example.com"}, Paths: []string{"/a/*"}, Methods: []string{"GET", "HEAD"},
				Headers: []route.Header{{Name: "X-Canary", Values: []string{"yes", "y*"}}},
				Queries: [][]route.Query{{{Key: "version", Value: "2"}, {Value: "beta"}}}, Sources: []string{"192.0.2.0/24", "2001:db8::/32"},
			},
		},
		"OldKeys":   {reason: "keys of the first version", text: `[{"Field":"source-ip","SourceIpConfig":{"Values":["192.0.2.1/32"]}}]`, want: route.Match{Sources: []string{"192.0.2.1/32"}}},
		"OldHosts":  {reason: "the old form of hosts", text: `[{"field":"host-header","values":["a.example.com"]}]`, want: route.Match{Hosts: []string{"a.example.com"}}},
		"OldPaths":  {reason: "and of paths", text: `[{"field":"path-pattern","values":["/a"]}]`, want: route.Match{Paths: []string{"/a"}}},
		"OldOthers": {reason: "other fields have none", text: `[{"field":"source-ip","values":["192.0.2.0/24"]}]`, err: "condition 1: field is source-ip, and sourceIPConfig is missing"},
		"BothForms": {reason: "one form", text: `[{"field":"path-pattern","pathPatternConfig":{"values":["/a"]},"values":["/b"]}]`, err: "condition 1: field is path-pattern, and there are settings of another field"},
		"BothHosts": {reason: "one form", text: `[{"field":"host-header","hostHeaderConfig":{"values":["a"]},"values":["b"]}]`, err: "condition 1: field is host-header, and there are settings of another field"},
		"TwoHosts":  {reason: "hosts are alternatives, wherever they stand", text: `[{"field":"host-header","values":["a"]},{"field":"host-header","values":["b"]}]`, want: route.Match{Hosts: []string{"a", "b"}}},
		"TwoPaths":  {reason: "and paths", text: `[{"field":"path-pattern","values":["/a"]},{"field":"path-pattern","values":["/b"]}]`, want: route.Match{Paths: []string{"/a", "/b"}}},
		"TwoHeaders": {
			reason: "headers must all match", text: `[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"A","values":["1"]}},{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"B","values":["2"]}}]`,
			want: route.Match{Headers: []route.Header{{Name: "A", Values: []string{"1"}}, {Name: "B", Values: []string{"2"}}}},
		},
		"TwoQueries": {
			reason: "and queries", text: `[{"field":"query-string","queryStringConfig":{"values":[{"key":"a","value":"1"}]}},{"field":"query-string","queryStringConfig":{"values":[{"key":"b","value":"2"}]}}]`,
			want: route.Match{Queries: [][]route.Query{{{Key: "a", Value: "1"}}, {{Key: "b", Value: "2"}}}},
		},
		"TwoMethods": {reason: "a request has one method", text: `[{"field":"http-request-method","httpRequestMethodConfig":{"values":["GET"]}},{"field":"http-request-method","httpRequestMethodConfig":{"values":["PUT"]}}]`, err: "condition 2: field http-request-method is there twice: a rule has one such condition, so put all values in it"},
		"TwoSources": {reason: "and one client", text: `[{"field":"source-ip","sourceIPConfig":{"values":["192.0.2.0/24"]}},{"field":"source-ip","sourceIPConfig":{"values":["192.0.2.0/25"]}}]`, err: "condition 2: field source-ip is there twice: a rule has one such condition, so put all values in it"},

		"Regex":          {reason: "regular expressions are not served", text: `[{"field":"path-pattern","pathPatternConfig":{"regexValues":["^/a"]}}]`, err: "condition 1: regexValues are not served: use values, in which * is any run of characters and ? is one"},
		"RegexHeader":    {reason: "nor in headers", text: `[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"A","regexValues":["^a"]}}]`, err: "condition 1: regexValues are not served: use values, in which * is any run of characters and ? is one"},
		"NoValues":       {reason: "no value matches nothing", text: `[{"field":"host-header","hostHeaderConfig":{"values":[]}}]`, err: "condition 1: field host-header has no values"},
		"NoHeaderValues": {reason: "nor in headers", text: `[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"A"}}]`, err: "condition 1: field http-header has no values"},
		"NoQueries":      {reason: "nor in queries", text: `[{"field":"query-string","queryStringConfig":{}}]`, err: "condition 1: field query-string has no values"},
		"EmptyValue":     {reason: "an empty value stopped whole groups elsewhere", text: `[{"field":"path-pattern","pathPatternConfig":{"values":["/a",""]}}]`, err: "condition 1: field path-pattern has an empty value"},
		"EmptyQuery":     {reason: "a query needs a value", text: `[{"field":"query-string","queryStringConfig":{"values":[{"key":"a"}]}}]`, err: "condition 1: field query-string has an empty value"},
		"EmptyHeader":    {reason: "a header needs a name", text: `[{"field":"http-header","httpHeaderConfig":{"values":["a"]}}]`, err: "condition 1: httpHeaderConfig.httpHeaderName is missing"},
		"HostHeader":     {reason: "AWS has a field of its own for hosts", text: `[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"host","values":["a"]}}]`, err: "condition 1: httpHeaderConfig.httpHeaderName is Host: use the field host-header"},
		"LongestValue":   {reason: "as long as AWS allows", text: `[{"field":"path-pattern","pathPatternConfig":{"values":["` + long(128) + `"]}}]`, want: route.Match{Paths: []string{long(128)}}},
		"LongValue":      {reason: "and no longer", text: `[{"field":"path-pattern","pathPatternConfig":{"values":["` + long(129) + `"]}}]`, err: `condition 1: value "` + long(129) + `" of field path-pattern has 129 characters: 128 are possible`},
		"LongestMethod":  {reason: "as long as AWS allows", text: `[{"field":"http-request-method","httpRequestMethodConfig":{"values":["` + long(40) + `"]}}]`, want: route.Match{Methods: []string{long(40)}}},
		"LongMethod":     {reason: "and no longer", text: `[{"field":"http-request-method","httpRequestMethodConfig":{"values":["` + long(41) + `"]}}]`, err: `condition 1: value "` + long(41) + `" of field http-request-method has 41 characters: 40 are possible`},
		"LongestHeader":  {reason: "as long as AWS allows", text: `[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"` + long(40) + `","values":["a"]}}]`, want: route.Match{Headers: []route.Header{{Name: long(40), Values: []string{"a"}}}}},
		"LongHeader":     {reason: "and no longer", text: `[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"` + long(41) + `","values":["a"]}}]`, err: "condition 1: httpHeaderConfig.httpHeaderName has 41 characters: 40 are possible"},
		"LongestKey":     {reason: "as long as AWS allows", text: `[{"field":"query-string","queryStringConfig":{"values":[{"key":"` + long(128) + `","value":"a"}]}}]`, want: route.Match{Queries: [][]route.Query{{{Key: long(128), Value: "a"}}}}},
		"LongKey":        {reason: "and no longer", text: `[{"field":"query-string","queryStringConfig":{"values":[{"key":"` + long(129) + `","value":"a"}]}}]`, err: `condition 1: key "` + long(129) + `" of field query-string has 129 characters: 128 are possible`},
		"LowerMethod":    {reason: "methods are in upper case", text: `[{"field":"http-request-method","httpRequestMethodConfig":{"values":["get"]}}]`, err: `condition 1: method "get" must consist of upper-case letters, - and _`},
		"OtherMethod":    {reason: "a method of one's own", text: `[{"field":"http-request-method","httpRequestMethodConfig":{"values":["M-SEARCH"]}}]`, want: route.Match{Methods: []string{"M-SEARCH"}}},
		"Address":        {reason: "an address is not a CIDR", text: `[{"field":"source-ip","sourceIPConfig":{"values":["192.0.2.1"]}}]`, err: `condition 1: source-ip "192.0.2.1" is not a CIDR such as 192.0.2.0/24`},

		"OtherField": {reason: "AWS knows six fields", text: `[{"field":"cookie"}]`, err: `condition 1: field is "cookie": it must be host-header, path-pattern, http-header, http-request-method, query-string or source-ip`},
		"NoConfig":   {reason: "settings are not optional", text: `[{"field":"http-header","hostHeaderConfig":{"values":["a"]}}]`, err: "condition 1: field is http-header, and httpHeaderConfig is missing"},
		"Both":       {reason: "nor of two fields", text: `[{"field":"host-header","hostHeaderConfig":{"values":["a"]},"sourceIPConfig":{"values":["192.0.2.0/24"]}}]`, err: "condition 1: field is host-header, and there are settings of another field"},
		"Unknown":    {reason: "what is not known is a mistake", text: `[{"field":"host-header","hostHeaderConfig":{"value":["a"]}}]`, err: `not served: field "value"`},
		"NotAList":   {reason: "conditions are a list", text: `{"field":"host-header"}`, err: "the value is a JSON object, where a list is needed"},
		"WrongKind":  {reason: "with texts", text: `[{"field":"host-header","hostHeaderConfig":{"values":"a"}}]`, err: "hostHeaderConfig.values is a JSON string, where a list is needed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parseConditions(tc.text)
			if fmt.Sprint(err) != fmt.Sprint(errorOf(tc.err)) {
				t.Fatalf("%s: error\n%v, want\n%s", tc.reason, err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	hosts := make([]string, 1, 4)
	hosts[0] = "a"
	got := join(route.Match{Hosts: hosts, Paths: []string{"/a"}}, route.Match{Hosts: []string{"b"}, Paths: []string{"/b"}, Methods: []string{"GET"}})
	want := route.Match{Hosts: []string{"a", "b"}, Paths: []string{"/a", "/b"}, Methods: []string{"GET"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hosts and paths are alternatives, other fields are asked for as well (-want +got):\n%s", diff)
	}
	if hosts[:2][1] != "" {
		t.Error("join wrote behind the hosts of its argument")
	}
}

// FuzzParseConditions looks for values that panic.
func FuzzParseConditions(f *testing.F) {
	f.Add(`[{"field":"host-header","values":["a"]}]`)
	f.Add(`[{"field":"query-string","queryStringConfig":{"values":[{"key":"a","value":"1"}]}}]`)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = parseConditions(text) })
}
