// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
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

// TestLaw3CopiedStatusIsNotBelieved: the same of a status that was restored along with a binding of podgate's own kind.
func TestLaw3CopiedStatusIsNotBelieved(t *testing.T) {
	b := &v1alpha1.TargetBinding{}
	b.UID, b.Spec.ELBv2 = "here", &v1alpha1.ELBv2{TargetGroupName: "web"}
	if _, err := OfOwn(b).Publish(balancer.Group{Ref: balancer.Ref{Group: "arn:1"}, Name: "web", TargetType: "ip"}); err != nil {
		t.Fatal(err)
	}
	if g, ok := OfOwn(b).Published(); !ok || g.Ref.Group != "arn:1" {
		t.Errorf("published on it: %+v, %t", g, ok)
	}

	b.UID = "restored elsewhere"
	if g, ok := OfOwn(b).Published(); ok || OfOwn(b).EverPublished() || len(targetBindingClaims(b)) > 0 {
		t.Errorf("the copy believes %+v", g)
	}
}

// TestLaw3CopiedRecommendationIsNotFollowed: how long another cluster's pods took to drain says nothing of this one's, and
// goes when podgate publishes on the copy.
func TestLaw3CopiedRecommendationIsNotFollowed(t *testing.T) {
	group := balancer.Group{Ref: balancer.Ref{Group: "arn:1"}, Name: "web", TargetType: "ip", Protocol: "HTTP", DeregistrationDelay: 300 * time.Second}
	theirs := &elbv2.TargetGroupBinding{}
	theirs.UID, theirs.Spec.TargetGroupARN = "here", "arn:1"
	theirs.Annotations = map[string]string{v1alpha1.DrainTimeAnnotation: v1alpha1.DrainRecommended, v1alpha1.RecommendedDrainAnnotation: "75s"}
	own := &v1alpha1.TargetBinding{}
	own.UID, own.Spec.ELBv2 = "here", &v1alpha1.ELBv2{TargetGroupARN: "arn:1"}
	own.Annotations = map[string]string{v1alpha1.DrainTimeAnnotation: v1alpha1.DrainRecommended}

	for _, o := range []client.Object{theirs, own} {
		publish := func() *Binding {
			t.Helper()
			b := From(o)
			if _, err := b.Publish(group); err != nil {
				t.Fatal(err)
			}
			return b
		}

		b := publish()
		own.Status.Drain = &v1alpha1.DrainStatus{RecommendedSeconds: 75}
		if got := b.Terms().Time(); got != 75*time.Second {
			t.Errorf("%s: %s of its own recommendation, want 75 s", b.Kind(), got)
		}

		o.SetUID("restored elsewhere")
		if got, shown := b.Terms().Recommended, b.Recommended(); got != 0 || shown != 0 {
			t.Errorf("%s: the copy follows %s and shows %s", b.Kind(), got, shown)
		}
		if got, shown := publish().Terms().Recommended, b.Recommended(); got != 0 || shown != 0 {
			t.Errorf("%s: once published on, the copy follows %s and shows %s", b.Kind(), got, shown)
		}
	}
}

// TestForeignTargetsAreCounted in the status of podgate's own kind.
func TestForeignTargetsAreCounted(t *testing.T) {
	b := OfOwn(&v1alpha1.TargetBinding{})
	one, two := gate.Target{Port: 1}, gate.Target{Port: 2}
	b.Count(time.Now(), map[gate.Target]gate.Health{one: {State: gate.Healthy}, two: {State: gate.Healthy}}, []gate.Target{two})
	if !b.WriteCount() || b.Counts().Total != 2 || b.Counts().Foreign != 1 {
		t.Errorf("counted %+v", b.Counts())
	}
}
