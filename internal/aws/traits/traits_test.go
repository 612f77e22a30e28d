// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
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
		{"the group's", balancer.Ref{Group: group, RoleARN: role}, "123456789012/eu-test-1"},
		{"that of several groups", balancer.Ref{Group: group + "," + group}, "123456789012/eu-test-1"},
		{"the role's while the group is only named", balancer.Ref{RoleARN: role}, "210987654321"},
		{"the role's in another region", balancer.Ref{RoleARN: role, Region: "us-test-2"}, "210987654321/us-test-2"},
		{"podgate's own in another region", balancer.Ref{Region: "us-test-2"}, "us-test-2"},
		{"podgate's own", balancer.Ref{}, ""},
	}

	for _, tc := range tests {
		if got := Account(tc.ref); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
		}
	}
}
