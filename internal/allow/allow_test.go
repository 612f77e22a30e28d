// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package allow

import (
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	const shop = "team=shop => arn:aws:elasticloadbalancing:*:123456789012:targetgroup/shop-*  arn:aws:iam::*:role/shop"
	const edge = "kubernetes.io/metadata.name in (edge, proxy) => web@*"
	inShop, inEdge := map[string]string{"team": "shop"}, map[string]string{"kubernetes.io/metadata.name": "edge"}
	for name, tc := range map[string]struct {
		reason    string
		rules     []string
		namespace map[string]string
		things    []string
		want      string
	}{
		"NoRules":     {reason: "As ever, everything.", things: []string{"arn:any"}},
		"Own":         {reason: "The pattern has it.", rules: []string{shop}, namespace: inShop, things: []string{"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-web/1"}},
		"Role":        {reason: "A role is named, too.", rules: []string{shop}, namespace: inShop, things: []string{"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-web/1", "arn:aws:iam::1:role/shop"}},
		"OthersRole":  {reason: "Each thing must be allowed.", rules: []string{shop}, namespace: inShop, things: []string{"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-web/1", "arn:aws:iam::1:role/admin"}, want: "arn:aws:iam::1:role/admin"},
		"Others":      {reason: "Another team's.", rules: []string{shop}, namespace: inShop, things: []string{"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/pay-web/1"}, want: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/pay-web/1"},
		"NotSelected": {reason: "Nothing is said of the namespace.", rules: []string{shop}, namespace: inEdge, things: []string{"arn:x"}, want: "arn:x"},
		"SecondRule":  {reason: "Any rule suffices.", rules: []string{shop, edge}, namespace: inEdge, things: []string{"web@unix:/run/a.sock", "web@10.0.0.1:9999"}},
		"Part":        {reason: "A pattern is all of a name.", rules: []string{"a=b => web@x"}, namespace: map[string]string{"a": "b"}, things: []string{"web@xy"}, want: "web@xy"},
		"Overlap":     {reason: "One letter is not both ends.", rules: []string{"a=b => ab*ba"}, namespace: map[string]string{"a": "b"}, things: []string{"aba"}, want: "aba"},
		"Middle":      {reason: "Parts are found in turn.", rules: []string{"a=b => a*b*c"}, namespace: map[string]string{"a": "b"}, things: []string{"acbbc"}},
	} {
		t.Run(name, func(t *testing.T) {
			var l List
			for _, r := range tc.rules {
				if err := l.Set(r); err != nil {
					t.Fatal(err)
				}
			}
			if got := l.Refused(tc.namespace, tc.things); got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
			}
			if got, want := l.String(), strings.Join(tc.rules, "; "); got != want {
				t.Errorf("it shows itself as %q, want %q", got, want)
			}
		})
	}

	for _, bad := range []string{"", "team=shop", "team=shop =>", "=> arn:*", "team in ( => arn:*"} {
		var l List
		if err := l.Set(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestAllowed: where nothing is allowed without a rule, an empty list allows nothing.
func TestAllowed(t *testing.T) {
	var rules List
	if err := rules.Set("team=shop => a b"); err != nil {
		t.Fatal(err)
	}

	shop, pay := map[string]string{"team": "shop"}, map[string]string{"team": "pay"}
	for name, tc := range map[string]struct {
		reason    string
		list      List
		namespace map[string]string
		thing     string
		want      bool
	}{
		"NoRules":     {reason: "Nobody allowed anything.", namespace: shop, thing: "a"},
		"First":       {reason: "A pattern covers it.", list: rules, namespace: shop, thing: "a", want: true},
		"Second":      {reason: "Any pattern suffices.", list: rules, namespace: shop, thing: "b", want: true},
		"Uncovered":   {reason: "No pattern covers it.", list: rules, namespace: shop, thing: "c"},
		"NotSelected": {reason: "The rule is about other namespaces.", list: rules, namespace: pay, thing: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.list.Allowed(tc.namespace, func(pattern string) bool { return pattern == tc.thing }); got != tc.want {
				t.Errorf("%s\ngot %t", tc.reason, got)
			}
		})
	}
}
