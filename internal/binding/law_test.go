// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"os/exec"
	"strings"
	"testing"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// TestLaw12BindingsReachNoLoadBalancer: the webhook decides by bindings, so what they are made of calls nobody. They
// use the words of the seam and what is true of each load balancer, whose own imports the webhook's test looks at, and
// neither a driver nor the list of drivers, which links all of them.
func TestLaw12BindingsReachNoLoadBalancer(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		driver := strings.HasPrefix(dep, "github.com/podgate/podgate/internal/balancer/") && !strings.HasSuffix(dep, "/traits")
		if strings.Contains(dep, "aws-sdk-go") || driver {
			t.Errorf("package binding depends on %s", dep)
		}
	}
}

// TestLaw3CopiedPublicationIsNotBelieved: what podgate published on a binding says nothing about its copy in another
// cluster, account or region, whose group only its name is known of.
func TestLaw3CopiedPublicationIsNotBelieved(t *testing.T) {
	b := &elbv2.TargetGroupBinding{}
	b.UID, b.Spec.TargetGroupName = "here", "web"
	group := balancer.Group{Ref: balancer.Ref{Group: "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web/1"}, Name: "web", TargetType: "ip"}
	if _, err := Of(b).Publish(group); err != nil {
		t.Fatal(err)
	}
	if g, ok := Of(b).Published(); !ok || g.Ref.Group != group.Ref.Group {
		t.Errorf("published on it: %+v, %t", g, ok)
	}

	b.UID = "restored elsewhere"
	if g, ok := Of(b).Published(); ok || len(targetGroupOf(b)) > 0 {
		t.Errorf("the copy believes %+v", g)
	}
	b.UID, b.Annotations[v1alpha1.PublishedAnnotation] = "here", strings.Replace(b.Annotations[v1alpha1.PublishedAnnotation], `"of":"here",`, "", 1)
	if g, ok := Of(b).Published(); ok {
		t.Errorf("unsigned, and %+v is believed", g)
	}
}
