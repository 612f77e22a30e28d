// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

func TestAllowances(t *testing.T) {
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
			var a Allowances
			for _, r := range tc.rules {
				if err := a.Set(r); err != nil {
					t.Fatal(err)
				}
			}
			if got := a.Refused(tc.namespace, tc.things); got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
			}
			if got, want := a.String(), strings.Join(tc.rules, "; "); got != want {
				t.Errorf("it shows itself as %q, want %q", got, want)
			}
		})
	}

	for _, bad := range []string{"", "team=shop", "team=shop =>", "=> arn:*", "team in ( => arn:*"} {
		var a Allowances
		if err := a.Set(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestNames: what a binding names is found wherever it names it, whoever registers the targets.
func TestNames(t *testing.T) {
	foreign := Of(&elbv2.TargetGroupBinding{Spec: elbv2.TargetGroupBindingSpec{TargetGroupARN: "arn:group", IamRoleArnToAssume: "arn:role"}})
	if diff := cmp.Diff([]string{"arn:group", "arn:role"}, foreign.Names(foreign.Ref)); diff != "" {
		t.Error(diff)
	}

	byName := Of(&elbv2.TargetGroupBinding{Spec: elbv2.TargetGroupBindingSpec{TargetGroupName: "web"}})
	if got := byName.Names(byName.Ref); len(got) != 0 {
		t.Errorf("not found yet, got %q", got)
	}

	if diff := cmp.Diff([]string{"arn:found"}, byName.Names(balancer.Ref{Group: "arn:found"})); diff != "" {
		t.Error(diff)
	}

	discovered := OfOwn(&v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{
		Membership: v1alpha1.MembershipExternal, Lattice: &v1alpha1.Lattice{Discover: true, RoleARN: "arn:role"},
	}})
	if diff := cmp.Diff([]string{"arn:role"}, discovered.Names(discovered.Ref)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"arn:one", "arn:two", "arn:role"}, discovered.Names(balancer.Ref{Group: "arn:one,arn:two", RoleARN: "arn:role"})); diff != "" {
		t.Errorf("each group that was found has to be allowed: %s", diff)
	}

	backend := OfOwn(&v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{
		Membership: v1alpha1.MembershipExternal, HAProxy: &v1alpha1.HAProxy{Backend: "web", Instances: []string{"unix:/a", "10.0.0.1:9"}},
	}})
	if diff := cmp.Diff([]string{"web@unix:/a", "web@10.0.0.1:9"}, backend.Names(backend.Ref)); diff != "" {
		t.Error(diff)
	}
}
