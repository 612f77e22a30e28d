// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/sim/awssim"
)

// TestLaw13AnotherVPCIsAnothersStack: two clusters of one account may have the same name and a group of the same name. What is in
// the VPC of the one is nothing of the other's, and is not deleted with it.
func TestLaw13AnotherVPCIsAnothersStack(t *testing.T) {
	a := simulate(t, awssim.Config{})
	made := a.cloud()
	theirs := a.small(t, made, "shop/web")
	var seen elb.Observed
	if err := made.Perform(t.Context(), theirs.Identity, elb.CreateSecurityGroup{SecurityGroup: *web("shop/web").SecurityGroup}, &seen); err != nil {
		t.Fatal(err)
	}
	if seen = observe(t, a.cloud(), theirs, true); len(seen.LoadBalancers) != 1 || len(seen.TargetGroups) != 1 || len(seen.SecurityGroups) != 1 {
		t.Fatalf("the cluster of that VPC sees %+v", seen)
	}

	ours := theirs
	ours.VPC = "vpc-elsewhere"
	cloud := a.cloud()
	got := observe(t, cloud, ours, true)
	if len(got.LoadBalancers)+len(got.TargetGroups)+len(got.SecurityGroups) > 0 {
		t.Errorf("another cluster sees %+v", got)
	}
	for _, name := range []string{theirs.LoadBalancer.Name, theirs.TargetGroups[0].Name} {
		if !strings.HasSuffix(got.Foreign[name], ", in "+vpc) {
			t.Errorf("%s is foreign: %q", name, got.Foreign[name])
		}
	}

	before := a.last()
	for _, step := range []elb.Step{
		elb.DeleteLoadBalancer{LoadBalancer: seen.LoadBalancers[0].ARN}, elb.DeleteTargetGroup{TargetGroup: seen.TargetGroups[0].ARN},
		elb.DeleteSecurityGroup{ID: seen.SecurityGroups[0].ID},
	} {
		if err := cloud.Perform(t.Context(), ours.Identity, step, &got); !errors.Is(err, balancer.ErrInvalid) {
			t.Errorf("%s: got %v", step, err)
		}
	}

	// A creation that AWS answers with what is there adopts nothing, either.
	for _, step := range []elb.Step{elb.CreateLoadBalancer{LoadBalancer: theirs.LoadBalancer}, elb.CreateTargetGroup{TargetGroup: theirs.TargetGroups[0]}} {
		if err := cloud.Perform(t.Context(), ours.Identity, step, &got); err != nil || len(got.LoadBalancers)+len(got.TargetGroups) > 0 {
			t.Errorf("%s: %v; sees %+v", step, err, got)
		}
	}
	for _, operation := range a.operations(before) {
		if operation != "CreateLoadBalancer" && operation != "CreateTargetGroup" && operation != "DescribeTags" {
			t.Errorf("%s was called", operation)
		}
	}
}
