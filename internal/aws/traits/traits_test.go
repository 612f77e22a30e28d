// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/balancer"
)

const (
	group = "arn:aws:elasticloadbalancing:eu-test-1:123456789012:targetgroup/web/0123456789abcdef"
	role  = "arn:aws:iam::210987654321:role/other"
)

func TestAccount(t *testing.T) {
	tests := []struct {
		reason string
		ref    balancer.Ref
		want   string
	}{
		{"podgate's own", balancer.Ref{}, "eu-test-1"},
		{"that of a group by its ARN", balancer.Ref{Group: group}, "eu-test-1"},
		{"that of several groups", balancer.Ref{Group: group + "," + group}, "eu-test-1"},
		{"whoever's group it is", balancer.Ref{Group: strings.Replace(group, "123456789012", "210987654321", 1)}, "eu-test-1"},
		{"podgate's own in another region", balancer.Ref{Region: "us-test-2"}, "us-test-2"},
		{"that of a group there", balancer.Ref{Region: "us-test-2", Group: strings.Replace(group, "eu-test-1", "us-test-2", 1)}, "us-test-2"},
		{"the role's while the group is only named", balancer.Ref{RoleARN: role}, "210987654321/eu-test-1"},
		{"the role's once it was found", balancer.Ref{RoleARN: role, Group: group}, "210987654321/eu-test-1"},
		{"the role's in another region", balancer.Ref{RoleARN: role, Region: "us-test-2"}, "210987654321/us-test-2"},
	}

	for _, tc := range tests {
		if got := (&Own{Region: "eu-test-1"}).Account(tc.ref); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
		}
	}

	// Without a region of podgate's own a group is where its ARN says.
	for ref, want := range map[balancer.Ref]string{{}: "", {Group: group}: "eu-test-1", {RoleARN: role}: "210987654321", {RoleARN: role, Group: group}: "210987654321/eu-test-1"} {
		if got := Account(ref); got != want {
			t.Errorf("%+v: got %q, want %q", ref, got, want)
		}
	}
}

// TestOwnAccount: a role of podgate's own account draws on podgate's own budget as soon as that account is known, and one
// of another account never does.
func TestOwnAccount(t *testing.T) {
	const group = "arn:aws:elasticloadbalancing:eu-test-1:123456789012:targetgroup/web/0123456789abcdef"
	role := func(account string) balancer.Ref {
		return balancer.Ref{RoleARN: "arn:aws:iam::" + account + ":role/web"}
	}
	own := &Own{Region: "eu-test-1"}
	check := func(when string, wantOwn string) {
		t.Helper()
		for account, want := range map[string]string{"123456789012": wantOwn, "210987654321": "210987654321/eu-test-1"} {
			if got := own.Account(role(account)); got != want {
				t.Errorf("%s, account %s: got %q, want %q", when, account, got, want)
			}
		}
		if got := own.Account(balancer.Ref{}); got != "eu-test-1" {
			t.Errorf("%s, podgate's own: got %q", when, got)
		}
	}

	check("before", "123456789012/eu-test-1")
	own.Learn("web")
	own.Learn("")
	check("told of a name", "123456789012/eu-test-1")
	own.Learn(group)
	check("told of a group", "eu-test-1")
	own.Learn(strings.Replace(group, "123456789012", "210987654321", 1))
	check("it stays", "eu-test-1")
}
