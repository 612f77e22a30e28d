// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

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
