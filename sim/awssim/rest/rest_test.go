// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"net/url"
	"strings"
	"testing"
)

const testModel = `{"operations": {"Rename": {"http": {"method": "POST", "requestUri": "/things/{id}/rename", "responseCode": 200}, "input": {"shape": "In"}, "output": {"shape": "Out"}}},
"shapes": {
 "In": {"type": "structure", "required": ["id", "name"], "members": {
  "id": {"shape": "Text", "location": "uri", "locationName": "id"}, "name": {"shape": "Name"}, "count": {"shape": "Count", "location": "querystring", "locationName": "n"},
  "one": {"shape": "One"}, "list": {"shape": "List"}}},
 "Out": {"type": "structure"}, "Text": {"type": "string"}, "Flag": {"type": "boolean"},
 "Name": {"type": "string", "min": 2, "max": 5, "pattern": "^(?!tg-)(?![-])(?!.*[-]$)[a-z-]{0,1023}$"},
 "Count": {"type": "integer", "min": 1, "max": 9},
 "One": {"type": "structure", "union": true, "members": {"a": {"shape": "Text"}, "b": {"shape": "Flag"}}},
 "List": {"type": "list", "member": {"shape": "Kind"}, "max": 2}, "Kind": {"type": "string", "enum": ["X", "Y"]}}}`

func TestRead(t *testing.T) {
	m, err := Parse([]byte(testModel))
	if err != nil {
		t.Fatal(err)
	}

	cases := map[string]struct {
		reason, query, body string
		want                string // the parameters
		err                 string // a part of the error
	}{
		"Everything": {reason: "path, query and body are one", query: "n=3", body: `{"name":"abc","one":{"a":"x"},"list":["X"]}`, want: `{"count":3,"id":"a/b","list":["X"],"name":"abc","one":{"a":"x"}}`},
		"Null":       {reason: "a null is as if it were absent", body: `{"name":"abc","one":null}`, want: `{"id":"a/b","name":"abc"}`},
		"InBody":     {reason: "what belongs in the query is not taken from the body", body: `{"name":"abc","count":3}`, want: `{"id":"a/b","name":"abc"}`},
		"Required":   {reason: "a required one is missing", body: `{}`, err: "name: is required"},
		"Short":      {reason: "too short", body: `{"name":"a"}`, err: "name: must be within 2 and 5"},
		"Lookahead":  {reason: "a text must not look like an id", body: `{"name":"tg-a"}`, err: "name: must match"},
		"End":        {reason: "a text must not end so", body: `{"name":"ab-"}`, err: "name: must match"},
		"Bounds":     {reason: "a number out of bounds", query: "n=10", body: `{"name":"abc"}`, err: "count: must be within 1 and 9"},
		"NotNumber":  {reason: "a number that is none", query: "n=x", body: `{"name":"abc"}`, err: "count: must be an integer"},
		"Union":      {reason: "both of a union", body: `{"name":"abc","one":{"a":"x","b":true}}`, err: "one: must have exactly one of a, b"},
		"Enum":       {reason: "a value that is none", body: `{"name":"abc","list":["Z"]}`, err: "list[0]: must be one of X, Y"},
		"Unknown":    {reason: "a parameter that is none, inside", body: `{"name":"abc","one":{"c":1}}`, err: "one.c: is not a parameter"},
		"Query":      {reason: "a query that is none", query: "m=1", body: `{"name":"abc"}`, err: "m: is not a parameter"},
		"NotJSON":    {reason: "a body that is none", body: `[]`, err: "not a JSON object"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			operation, labels, ok := m.Find("POST", "/things/a%2Fb/rename")
			if !ok || operation != "Rename" {
				t.Fatalf("found %q", operation)
			}
			query, _ := url.ParseQuery(tc.query)
			got, err := m.Read(operation, labels, query, []byte(tc.body))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%s: got %s, %v; want an error with %q", tc.reason, got, err, tc.err)
				}
				return
			}
			if err != nil || string(got) != tc.want {
				t.Errorf("%s: got %s, %v; want %s", tc.reason, got, err, tc.want)
			}
		})
	}
}

func TestFind(t *testing.T) {
	m, err := Parse([]byte(testModel))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/things/a/b/rename", "/things//rename", "/things/a", "/things/a/renamed"} {
		if operation, _, ok := m.Find("POST", path); ok {
			t.Errorf("%s is %s, want nothing", path, operation)
		}
	}
	if _, _, ok := m.Find("GET", "/things/a/rename"); ok {
		t.Error("another method finds it too")
	}
}
