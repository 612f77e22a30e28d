// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
)

const (
	arn   = "arn:aws:vpc-lattice:eu-test-1:123456789012:targetgroup/tg-0123456789abcdef0"
	other = "arn:aws:vpc-lattice:eu-test-1:123456789012:targetgroup/tg-1123456789abcdef0"
)

func TestManifest(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		spec   v1alpha1.Lattice
		want   balancer.Group
	}{
		"ARN": {reason: "It is the group's identifier.", spec: v1alpha1.Lattice{TargetGroupARN: arn, RoleARN: "role", ExternalID: "shop"},
			want: balancer.Group{Ref: balancer.Ref{Group: arn, RoleARN: "role", ExternalID: "shop"}}},
		"ID": {reason: "Its ARN is to be found, or two bindings of one group would not meet.", spec: v1alpha1.Lattice{TargetGroupARN: "tg-0123456789abcdef0", Region: "us-test-2"},
			want: balancer.Group{Ref: balancer.Ref{Region: "us-test-2"}, Name: "tg-0123456789abcdef0"}},
		"Name": {reason: "It is to be found.", spec: v1alpha1.Lattice{TargetGroupName: "web"}, want: balancer.Group{Name: "web"}},
		"Discover": {reason: "The Service says which groups.", spec: v1alpha1.Lattice{Discover: true},
			want: balancer.Group{Name: "service:shop/web"}},
		"Cluster": {reason: "And the cluster, where several have that Service.", spec: v1alpha1.Lattice{Discover: true, ClusterName: "a@b"},
			want: balancer.Group{Name: "service:shop/web@a@b"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own"}, Spec: v1alpha1.TargetBindingSpec{
				ServiceRef: v1alpha1.ServiceReference{Name: "web"}, Lattice: &tc.spec,
			}}
			got, ours := manifest(b)
			if diff := cmp.Diff(tc.want, got.Group); !ours || diff != "" {
				t.Errorf("%s ours: %t, -want, +got:\n%s", tc.reason, ours, diff)
			}
		})
	}

	if _, ours := manifest(&v1alpha1.TargetBinding{}); ours {
		t.Error("another provider's binding is taken for its own")
	}
}

func TestDiscovery(t *testing.T) {
	for _, want := range []Discovery{{Namespace: "shop", Service: "web"}, {Namespace: "shop", Service: "web", Cluster: "eu/a@b"}} {
		if got, ok := ParseDiscovery(want.String()); !ok || got != want {
			t.Errorf("want %+v, got %+v, %t", want, got, ok)
		}
	}
	for _, name := range []string{"", "web", "tg-0123456789abcdef0", arn} {
		if got, ok := ParseDiscovery(name); ok {
			t.Errorf("%q names one group, got %+v", name, got)
		}
	}
}

// TestSeveralGroups: in whichever order they are found, they are the same groups.
func TestSeveralGroups(t *testing.T) {
	ref := balancer.Ref{Group: Join([]string{other, arn, other})}
	if ref.Group != Join([]string{arn, other}) {
		t.Errorf("the order counts: %s", ref.Group)
	}
	if diff := cmp.Diff([]string{arn, other}, Driver().GroupsOf(ref)); diff != "" {
		t.Error(diff)
	}
	if got := Driver().GroupsOf(balancer.Ref{}); len(got) != 0 {
		t.Errorf("none was found, got %q", got)
	}
}

// TestGoesBy: what was resolved is known again by whatever the manifest says.
func TestGoesBy(t *testing.T) {
	g := balancer.Group{Ref: balancer.Ref{Group: arn}, Name: "web"}
	for name, want := range map[string]bool{"web": true, "tg-0123456789abcdef0": true, "tg-1123456789abcdef0": false, "f0": false, "": false} {
		if got := Driver().GoesBy(g, name); got != want {
			t.Errorf("by %q: got %t", name, got)
		}
	}

	// Groups that were found in a cluster are known again by whoever wants those of any, or of this one.
	g.Name = "service:shop/web@blue"
	for name, want := range map[string]bool{
		"service:shop/web": true, "service:shop/web@blue": true, "service:shop/web@green": false, "service:shop/api": false, "service:test/web": false,
	} {
		if got := Driver().GoesBy(g, name); got != want {
			t.Errorf("discovered by %q: got %t", name, got)
		}
	}
	if g.Name = "service:shop/web"; Driver().GoesBy(g, "service:shop/web@blue") {
		t.Error("nobody knows of which cluster it was found")
	}
	if g.Name = "web"; Driver().GoesBy(g, "service:shop/web") {
		t.Error("it was not discovered")
	}
}

// TestNeed: a drain takes a minute; without health checks requests come for longer.
func TestNeed(t *testing.T) {
	if got := need(balancer.Group{HealthCheckEnabled: true}); got.Routing+got.InFlight != DrainTime || got.InFlight != drain.MaxInFlight {
		t.Errorf("with health checks: got %+v", got)
	}
	if got := need(balancer.Group{}); got.Routing < 5*time.Minute {
		t.Errorf("without health checks: got %+v", got)
	}
}

func TestOpensWithin(t *testing.T) {
	resolved := balancer.Group{Ref: balancer.Ref{Group: arn}}
	checked := resolved
	checked.HealthCheckEnabled, checked.HealthCheckInterval = true, 10*time.Second
	for name, tc := range map[string]struct {
		group balancer.Group
		want  time.Duration
	}{
		"Unresolved": {want: time.Minute},
		"Checked":    {group: checked, want: 40 * time.Second},
		"Unchecked":  {group: resolved, want: 30 * time.Second},
	} {
		if got := opensWithin(tc.group); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

// TestExplain: an error about groups that were to be discovered names the Service, and never what stands in the place of
// the groups' name.
func TestExplain(t *testing.T) {
	call := func(kind error, text string) error {
		return &balancer.CallError{Op: "list target groups", Subject: "service:shop/web", Kind: kind, Text: text}
	}
	for name, tc := range map[string]struct {
		group string
		err   error
		want  string
	}{
		"NoGroupOfService": {group: "service:shop/web@east", err: call(balancer.ErrNotFound, "is there a route?"), want: "About the target groups of Service shop/web: is there a route?"},
		"TwoClusters":      {group: "service:shop/web", err: call(balancer.ErrInvalid, "say which"), want: "About the target groups of Service shop/web: say which"},
		"ServiceDown":      {group: "service:shop/web", err: errors.New("no answer"), want: "About the target groups of Service shop/web: no answer"},
		"DeniedService":    {group: "service:shop/web", err: balancer.ErrDenied, want: "AWS refuses access to the target groups of Service shop/web: check"},
		"Denied":           {group: "web", err: balancer.ErrDenied, want: `AWS refuses access to target group "web": check`},
		"Throttled":        {group: "web", err: balancer.ErrThrottled, want: `AWS throttles calls about target group "web"`},
		"Full":             {group: "web", err: balancer.ErrQuota, want: `AWS takes no more targets for target group "web": raise the quota`},
	} {
		if got := explain(tc.group, tc.err); !strings.HasPrefix(got, tc.want) || strings.Contains(got, discoveryPrefix) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	if got := explain("web", balancer.ErrNotFound); got != "" {
		t.Errorf("of a group that is not there nothing is AWS's own, got %q", got)
	}
}

// TestResolveAgain: groups that are found by a Service's tags come and go, and one that is named stays.
func TestResolveAgain(t *testing.T) {
	for name, want := range map[string]time.Duration{"service:shop/web": time.Minute, "web": 0, "tg-0123456789abcdef0": 0, "": 0} {
		if got := Driver().ResolveAgain(balancer.Group{Name: name}); got != want {
			t.Errorf("%q counts for %s, want %s", name, got, want)
		}
	}
}
