// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

func TestExplain(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	before, after := noon.Add(-time.Hour), noon.Add(time.Minute)
	labels := map[string]string{"app": "web"}
	pod := Pod{Labels: labels, Created: noon}
	web := Service{Name: "web", Selector: labels, Created: before}
	bound := func(name string) Binding {
		return Binding{Name: name, Service: "web", TargetType: elbv2.TargetTypeIP, Created: before}
	}

	with := func(change func(*Binding)) []Binding {
		b := bound("a")
		change(&b)
		return []Binding{b}
	}

	gated := func(gates ...string) Pod { return Pod{Labels: labels, Gates: gates, Created: noon} }
	missing := []string{prefix + "a"}

	cases := map[string]struct {
		reason   string
		pod      Pod
		services []Service
		bindings []Binding
		want     Finding
	}{
		"Gated":    {reason: "It has what it should have.", pod: gated(prefix + "a"), services: []Service{web}, bindings: []Binding{bound("a")}},
		"OptedOut": {reason: "It wants none.", pod: Pod{Labels: map[string]string{"app": "web", "podgate.dev/inject": "disabled"}, Created: noon}, services: []Service{web}, bindings: []Binding{bound("a")}},
		"ByHand":   {reason: "A gate that no binding claims is told on its condition.", pod: gated(prefix + "other")},
		"NotInjected": {
			reason: "Service and binding were there, so the webhook was not.",
			pod:    pod, services: []Service{web}, bindings: []Binding{bound("a")},
			want: Finding{Reason: ReasonNotInjected, Missing: missing, Service: "web", Binding: "a", Since: noon},
		},
		"OnlyOthers": {
			reason: "Gates of others, and legacy ones, stand in for none.",
			pod:    gated("example.com/ready", legacy+"i_web_80"), services: []Service{web}, bindings: []Binding{bound("a")},
			want: Finding{Reason: ReasonNotInjected, Missing: missing, Service: "web", Binding: "a", Since: noon},
		},
		"SecondBinding": {
			reason: "One of two gates is there; the other's binding came later.",
			pod:    gated(prefix + "a"), services: []Service{web}, bindings: []Binding{bound("a"), {Name: "b", Service: "web", Created: after}},
			want: Finding{Reason: ReasonBindingLater, Missing: []string{prefix + "b"}, Service: "web", Binding: "b", Since: after},
		},
		"BindingLater": {
			reason: "Gates are added at creation only.",
			pod:    pod, services: []Service{web}, bindings: with(func(b *Binding) { b.Created = after }),
			want: Finding{Reason: ReasonBindingLater, Missing: missing, Service: "web", Binding: "a", Since: after},
		},
		"BindingInTheSameSecond": {
			reason: "It was not there before the pod, as far as times tell, and they do not tell.",
			pod:    pod, services: []Service{web}, bindings: with(func(b *Binding) { b.Created = noon }),
			want: Finding{Reason: ReasonBindingLater, Missing: missing, Service: "web", Binding: "a", Since: noon, Tied: true},
		},
		"ServiceLater": {
			reason: "Nothing selected the pod.",
			pod:    pod, services: []Service{{Name: "web", Selector: labels, Created: after}}, bindings: []Binding{bound("a")},
			want: Finding{Reason: ReasonServiceLater, Missing: missing, Service: "web", Binding: "a", Since: after},
		},
		"NoService": {
			reason: "Nothing selects the pod.",
			pod:    pod, services: []Service{{Name: "web", Selector: map[string]string{"app": "api"}}, {Name: "any"}}, bindings: []Binding{bound("a")},
			want: Finding{Reason: ReasonNoService, Since: noon},
		},
		"NoBinding": {
			reason: "No group takes the Service's pods; the first of several is named.",
			pod:    pod, services: []Service{web, {Name: "api", Selector: labels}},
			want: Finding{Reason: ReasonNoBinding, Service: "api", Since: noon},
		},
		"Deleting": {
			reason: "Nobody would open its gate.",
			pod:    pod, services: []Service{web}, bindings: with(func(b *Binding) { b.Deleting = true }),
			want: Finding{Reason: ReasonBindingDeleting, Service: "web", Binding: "a", Since: noon},
		},
		"Unserved": {
			reason: "Nor here.",
			pod:    pod, services: []Service{web}, bindings: with(func(b *Binding) { b.Unserved = true }),
			want: Finding{Reason: ReasonBindingUnserved, Service: "web", Binding: "a", Since: noon},
		},
		"Instance": {
			reason: "Its targets are nodes.",
			pod:    pod, services: []Service{web}, bindings: with(func(b *Binding) { b.TargetType = elbv2.TargetTypeInstance }),
			want: Finding{Reason: ReasonInstanceTargets, Service: "web", Binding: "a", Since: noon},
		},
		"Lambda": {
			reason: "Its target is a function.",
			pod:    pod, services: []Service{web}, bindings: with(func(b *Binding) { b.TargetType = "lambda" }),
			want: Finding{Reason: ReasonInstanceTargets, Service: "web", Binding: "a", Since: noon},
		},
		"NameTooLong": {
			reason: "It makes no condition type.",
			pod:    pod, services: []Service{web}, bindings: with(func(b *Binding) { b.Name = strings.Repeat("a", 64) }),
			want: Finding{Reason: ReasonNameTooLong, Service: "web", Binding: strings.Repeat("a", 64), Since: noon},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Explain(tc.pod, tc.services, tc.bindings)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("%s\nExplain: -want, +got:\n%s", tc.reason, diff)
			}
			if said := strings.Contains(got.Words(), "in the same second"); said != tc.want.Tied {
				t.Errorf("%s\nit says %q", tc.reason, got.Words())
			}
			if adds := Gates(tc.pod, tc.services, tc.bindings).Add; !cmp.Equal(adds, got.Missing) {
				t.Errorf("%s\nwhat is missing is not what would be injected: %v and %v", tc.reason, got.Missing, adds)
			}
		})
	}
}
