// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
)

// shelf is a group as a leader found it.
var shelf = balancer.Group{
	Ref: balancer.Ref{Group: "arn:shelf"}, Name: "shelf", TargetType: "ip", Protocol: "HTTP", IPAddressType: "ipv4",
	HealthCheckInterval: 10 * time.Second, HealthCheckPort: 32000, UnhealthyThreshold: 2, DeregistrationDelay: 300 * time.Second,
}

// bothKinds are a binding of each kind, of the group shelf by its ARN, or else by its name.
func bothKinds(byARN bool) map[string]*Binding {
	foreign, own := &elbv2.TargetGroupBinding{}, &v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{ELBv2: &v1alpha1.ELBv2{}}}
	foreign.UID, own.UID = "1", "2"
	if byARN {
		foreign.Spec.TargetGroupARN, own.Spec.ELBv2.TargetGroupARN = "arn:shelf", "arn:shelf"
	} else {
		foreign.Spec.TargetGroupName, own.Spec.ELBv2.TargetGroupName = "shelf", "shelf"
	}
	return map[string]*Binding{"TargetGroupBinding": Of(foreign), "TargetBinding": OfOwn(own)}
}

// TestPublished: what a leader published is read back, however the binding names the group, and
// written again only when it changed. Of another group it does not count.
func TestPublished(t *testing.T) {
	for _, byARN := range []bool{true, false} {
		for kind, b := range bothKinds(byARN) {
			if g, ok := b.Published(); ok || b.EverPublished() {
				t.Errorf("%s: nothing was published, and it reads %+v", kind, g)
			}

			if changed, err := b.Publish(shelf); !changed || err != nil {
				t.Errorf("%s: published: changed %t, %v", kind, changed, err)
			}
			if changed, err := b.Publish(shelf); changed || err != nil {
				t.Errorf("%s: published again: changed %t, %v", kind, changed, err)
			}

			g, ok := b.Published()
			g.Ref.Provider, g.Ref.RoleARN = "", ""
			if !ok || g != shelf || !b.EverPublished() {
				t.Errorf("%s, by ARN %t: want %+v, got %+v, %t", kind, byARN, shelf, g, ok)
			}

			other := shelf
			other.Ref.Group, other.Name = "arn:other", "other"
			if changed, err := b.Publish(other); !changed || err != nil {
				t.Errorf("%s: another group published: changed %t, %v", kind, changed, err)
			}
			if g, ok := b.Published(); ok || !b.EverPublished() {
				t.Errorf("%s, by ARN %t: another group than it names counts: %+v", kind, byARN, g)
			}
		}
	}
}

// TestPublishedByID: a group that the manifest gives by its id is known again by its ARN.
func TestPublishedByID(t *testing.T) {
	found := shelf
	found.Ref.Group = "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"
	for id, want := range map[string]bool{"tg-0123456789abcdef0": true, "tg-1123456789abcdef0": false} {
		b := OfOwn(&v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{Lattice: &v1alpha1.Lattice{TargetGroupARN: id}}})
		if _, err := b.Publish(found); err != nil {
			t.Fatal(err)
		}
		if g, ok := b.Published(); ok != want || want && (g.Ref.Group != found.Ref.Group || g.Name != found.Name) {
			t.Errorf("%s: got %+v, %t", id, g, ok)
		}
	}
}

// TestHealthChecksArePublished: a new leader knows whether a group is checked.
func TestHealthChecksArePublished(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		b, g := bothKinds(true)["TargetBinding"], shelf
		g.HealthCheckEnabled = enabled
		if _, err := b.Publish(g); err != nil {
			t.Fatal(err)
		}
		if got, ok := b.Published(); !ok || got.HealthCheckEnabled != enabled {
			t.Errorf("enabled: %t, and it reads %+v, %t", enabled, got, ok)
		}
	}
}

// TestManifestComesFirst: of the type of targets and the address family the manifest's word counts
// before what was found.
func TestManifestComesFirst(t *testing.T) {
	for kind, b := range bothKinds(true) {
		if _, err := b.Publish(shelf); err != nil {
			t.Fatal(err)
		}
		if g := b.Group(); g.TargetType != "ip" || g.IPAddressType != "ipv4" {
			t.Errorf("%s: the manifest says nothing, and the group is %+v", kind, g)
		}
		b.TargetType, b.IPAddressType = "instance", "ipv6"
		if g := b.Group(); g.TargetType != "instance" || g.IPAddressType != "ipv6" {
			t.Errorf("%s: the manifest says otherwise, and the group is %+v", kind, g)
		}
	}
}

// TestClaimsOfAGroup: a group is claimed by whom it is alone, by its ARN as soon as that is known.
// Who shares it, or only observes, claims nothing.
func TestClaimsOfAGroup(t *testing.T) {
	indexed := func(b *Binding) []string { return b.kind.adapter().Claims(b.Object) }
	for kind, b := range bothKinds(true) {
		if got := indexed(b); !slices.Equal(got, []string{"arn:shelf"}) {
			t.Errorf("%s: its manifest names the group, and it is found by %q", kind, got)
		}
		if got := b.Claims("arn:shelf"); !slices.Equal(got, []string{"arn:shelf"}) {
			t.Errorf("%s: it claims %q", kind, got)
		}

		b.Shared = true
		if got := b.Claims("arn:shelf"); got != nil {
			t.Errorf("%s: it shares the group, and claims %q", kind, got)
		}
		b.Shared, b.External = false, true
		if got := b.Claims("arn:shelf"); got != nil {
			t.Errorf("%s: it only observes, and claims %q", kind, got)
		}
	}

	for kind, b := range bothKinds(false) {
		if got := indexed(b); got != nil {
			t.Errorf("%s: the group was not found yet, and it is found by %q", kind, got)
		}
		if _, err := b.Publish(shelf); err != nil {
			t.Fatal(err)
		}
		if got := indexed(b); !slices.Equal(got, []string{"arn:shelf"}) {
			t.Errorf("%s: the group was found, and it is found by %q", kind, got)
		}
	}

	// What the manifest says comes first.
	moved := bothKinds(true)["TargetBinding"]
	moved.Object.(*v1alpha1.TargetBinding).Status.Group = &v1alpha1.ResolvedGroup{ID: "arn:before"}
	if got := indexed(moved); !slices.Equal(got, []string{"arn:shelf"}) {
		t.Errorf("it is found by %q", got)
	}

	observer := &v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{Membership: v1alpha1.MembershipExternal, ELBv2: &v1alpha1.ELBv2{TargetGroupARN: "arn:shelf"}}}
	if got := indexed(OfOwn(observer)); got != nil {
		t.Errorf("who only observes is found by %q", got)
	}
}

// TestRecommendIsWritten: a recommendation is kept on the object, written when it changed, and gone
// when the computed time is right. A TargetBinding says how long its pods serve on as well.
func TestRecommendIsWritten(t *testing.T) {
	computed := drain.Need{Routing: 20 * time.Second, InFlight: 29500 * time.Millisecond}
	longer, none := drain.Terms{Computed: computed, Recommended: 75 * time.Second}, drain.Terms{Computed: computed}
	for kind, b := range bothKinds(true) {
		for i, step := range []struct {
			terms   drain.Terms
			changed bool
		}{{longer, true}, {longer, false}, {none, true}, {none, false}} {
			if got := b.kind.recommend(step.terms); got != step.changed {
				t.Errorf("%s, step %d: changed %t", kind, i, got)
			}
			if got := b.Recommended(); got != step.terms.Recommended {
				t.Errorf("%s, step %d: recommended %s", kind, i, got)
			}
		}
	}

	// Seconds are whole ones, rounded up.
	for _, inFlight := range []time.Duration{29001 * time.Millisecond, 30 * time.Second} {
		own := &v1alpha1.TargetBinding{}
		OfOwn(own).kind.recommend(drain.Terms{Computed: drain.Need{Routing: 20 * time.Second, InFlight: inFlight}, Recommended: 75 * time.Second})
		if want := (v1alpha1.DrainStatus{RecommendedSeconds: 75, Seconds: 55}); *own.Status.Drain != want {
			t.Errorf("%s in flight: want %+v, got %+v", inFlight, want, *own.Status.Drain)
		}
	}
	if b := bothKinds(true)["TargetGroupBinding"]; b.kind.recommend(none) || b.Annotations != nil {
		t.Errorf("there was nothing to recommend, and it has annotations %q", b.Annotations)
	}
}

// TestRecommendedByHand: what somebody annotated counts until podgate says something.
func TestRecommendedByHand(t *testing.T) {
	own := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.RecommendedDrainAnnotation: "40s"}}}
	if got := OfOwn(own).Recommended(); got != 40*time.Second {
		t.Errorf("got %s", got)
	}
	own.Status.Drain = &v1alpha1.DrainStatus{}
	if got := OfOwn(own).Recommended(); got != 0 {
		t.Errorf("podgate recommends nothing, got %s", got)
	}
}

// TestNothingIsCounted: a TargetGroupBinding has no place for counts.
func TestNothingIsCounted(t *testing.T) {
	b := Of(&elbv2.TargetGroupBinding{})
	b.Count(time.Now(), nil, nil)
	if b.WriteCount() || b.Counts() != nil {
		t.Errorf("it counts %+v", b.Counts())
	}
}
