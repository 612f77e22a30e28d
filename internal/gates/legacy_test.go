// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/gates/gatestest"
)

// legacyGate asks for the group that Ingress shop has for port 80 of Service web.
const legacyGate = elbv2.LegacyGatePrefix + "shop_web_80"

// ofIngress is a binding that AWS Load Balancer Controller made for an Ingress and Service web.
func ofIngress(name, ingress string) *elbv2.TargetGroupBinding {
	b := foreign(name, "web")
	b.Labels = map[string]string{elbv2.IngressNamespaceLabel: "shop", elbv2.IngressNameLabel: ingress}
	return b
}

// ofGroup is one that it made for an Ingress of a group.
func ofGroup(name string) *elbv2.TargetGroupBinding {
	b := foreign(name, "web")
	b.Labels = map[string]string{elbv2.IngressGroupLabel: "public"}
	return b
}

// TestLegacy holds the kind of the gates of the ALB ingress controller v1 to the suite.
func TestLegacy(t *testing.T) {
	web, front := service("web", map[string]string{"app": "web"}), service("front", map[string]string{"tier": "front"})
	for name, s := range map[string]func() gatestest.Scene{
		"Ingress": scene(gates.OfLegacy{}, legacyGate, web, ofIngress("a", "shop")),
		"Group":   scene(gates.OfLegacy{}, legacyGate, web, ofGroup("a"), ofGroup("b")),
		"Any":     scene(gates.OfLegacy{}, elbv2.LegacyAnyGate, web, front, ofIngress("a", "shop"), foreign("b", "front")),
	} {
		t.Run(name, func(t *testing.T) {
			gatestest.Run(t, func() gatestest.Scene {
				s := s()
				s.ByHand = true
				return s
			})
		})
	}
}

// TestLegacyIsFed: which bindings feed a legacy gate, and what is said when none does.
func TestLegacyIsFed(t *testing.T) {
	web, admin := service("web", map[string]string{"app": "web"}), service("web", map[string]string{"app": "admin"})
	more := service("front", map[string]string{"tier": "front"})
	leaving := ofIngress("a", "shop")
	now := metav1.Now()
	leaving.DeletionTimestamp, leaving.Finalizers = &now, []string{"podgate.dev/targets"}

	for name, tc := range map[string]struct {
		gate    string
		objects []client.Object
		// want are the sources' bindings with their claims, and says what their trouble has in it.
		want []string
		says string
	}{
		"its own":                     {legacyGate, []client.Object{web, ofIngress("a", "shop"), ofIngress("b", "other")}, []string{"a claimed"}, ""},
		"its own, beside a group's":   {legacyGate, []client.Object{web, ofIngress("a", "shop"), ofGroup("b")}, []string{"a claimed"}, ""},
		"it joins a group":            {legacyGate, []client.Object{web, leaving, ofGroup("b")}, []string{"a releasing", "b claimed"}, ""},
		"a group's":                   {legacyGate, []client.Object{web, ofGroup("b"), ofGroup("c")}, []string{"b claimed", "c claimed"}, ""},
		"another Ingress":             {legacyGate, []client.Object{web, ofIngress("a", "other")}, []string{" unclaimed"}, `No TargetGroupBinding for Service "web", port 80 has the labels of Ingress "shop"`},
		"another port":                {elbv2.LegacyGatePrefix + "shop_web_http", []client.Object{web, ofIngress("a", "shop")}, []string{" unclaimed"}, `port http`},
		"another Service":             {elbv2.LegacyGatePrefix + "shop_front_80", []client.Object{web, more, ofIngress("a", "shop")}, []string{" unclaimed"}, `Service "front"`},
		"made by hand":                {legacyGate, []client.Object{web, foreign("a", "web")}, []string{" unclaimed"}, "has the labels"},
		"no binding":                  {legacyGate, []client.Object{web}, []string{" unclaimed"}, "has the labels"},
		"no Service":                  {legacyGate, []client.Object{ofIngress("a", "shop")}, []string{"a unclaimed"}, ""},
		"a Service of other pods":     {legacyGate, []client.Object{admin, ofIngress("a", "shop")}, []string{"a unclaimed"}, ""},
		"a name that names nothing":   {elbv2.LegacyGatePrefix + "shop", []client.Object{web, ofIngress("a", "shop")}, []string{" unclaimed"}, "names no Ingress, Service and port"},
		"any":                         {elbv2.LegacyAnyGate, []client.Object{web, ofIngress("a", "shop"), foreign("b", "web"), own("c", "web")}, []string{"a claimed", "b claimed"}, ""},
		"any, but of those that stay": {elbv2.LegacyAnyGate, []client.Object{web, leaving, foreign("b", "web")}, []string{"b claimed"}, ""},
		"any, and none stays":         {elbv2.LegacyAnyGate, []client.Object{web, leaving}, []string{"a releasing"}, ""},
		"any, and there is none":      {elbv2.LegacyAnyGate, []client.Object{admin, foreign("b", "web")}, []string{" unclaimed"}, "No TargetGroupBinding has a Service that selects this pod"},
	} {
		s := scene(gates.OfLegacy{}, tc.gate, tc.objects...)()
		all, ours := sources(t, s)
		if got := described(all); !ours || !slices.Equal(got, tc.want) {
			t.Errorf("%s: ours %t, sources %q, want %q", name, ours, got, tc.want)
			continue
		}
		if !strings.Contains(all[0].Trouble, tc.says) || (tc.says == "") != (all[0].Trouble == "") {
			t.Errorf("%s: it says %q, want %q in it", name, all[0].Trouble, tc.says)
		}
		if any := tc.gate == elbv2.LegacyAnyGate; all[0].Owner.Name != "" && all[0].Alternative != any {
			t.Errorf("%s: one is enough: %t, want %t", name, all[0].Alternative, any)
		}
	}
}

// described are sources by their bindings and claims.
func described(all []gates.Source) []string {
	claims := map[gate.Claim]string{gate.Claimed: "claimed", gate.Unclaimed: "unclaimed", gate.Releasing: "releasing", gate.NotIP: "not ip", gate.Unresolved: "unresolved"}
	var got []string
	for _, s := range all {
		got = append(got, fmt.Sprintf("%s %s", s.Owner.Name, claims[s.Claim]))
	}
	return got
}

// TestLaw1NodesAreNoAlternative: a group of nodes opens a gate at once where it is all that there is, and says nothing of the
// pod where another group is to take it.
func TestLaw1NodesAreNoAlternative(t *testing.T) {
	of := func(all ...string) gatestest.Scene {
		objects := []client.Object{service("web", map[string]string{"app": "web"})}
		for _, name := range all {
			objects = append(objects, foreign(name, "web"))
		}
		s := scene(gates.OfLegacy{}, elbv2.LegacyAnyGate, objects...)()
		for key, res := range s.Groups {
			if key.Name == "nodes" {
				res.Group.TargetType = "instance"
				s.Groups[key] = res
			}
		}
		return s
	}
	for name, tc := range map[string]struct {
		bindings, want []string
	}{
		"nodes alone":     {[]string{"nodes"}, []string{"nodes not ip"}},
		"nodes and a pod": {[]string{"nodes", "a"}, []string{"a claimed"}},
	} {
		if all, ours := sources(t, of(tc.bindings...)); !ours || !slices.Equal(described(all), tc.want) {
			t.Errorf("%s: ours %t, sources %q, want %q", name, ours, described(all), tc.want)
		}
	}
}

// TestLaw1AnyGroupMustStillSayHealthy: a binding that is deleted opens no gate that another may still open.
func TestLaw1AnyGroupMustStillSayHealthy(t *testing.T) {
	s := scene(gates.OfLegacy{}, elbv2.LegacyAnyGate, service("web", map[string]string{"app": "web"}), foreign("a", "web"), foreign("b", "web"))()
	if d := with(t, deleting(s, "a")); d.Condition.Status == gate.StatusTrue {
		t.Errorf("one of two bindings is deleted, and the gate is %+v", d.Condition)
	}
	if d := with(t, deleting(s, "a", "b")); d.Condition.Status != gate.StatusTrue {
		t.Errorf("both are deleted, and the gate is %+v", d.Condition)
	}
}

// TestLaw1ServiceThatIsMissingOfAny: what a closed gate waited for is waited for while its Service is missing.
func TestLaw1ServiceThatIsMissingOfAny(t *testing.T) {
	s := scene(gates.OfLegacy{}, elbv2.LegacyAnyGate, foreign("a", "web"))()
	in := cluster(t, s)
	in.Had = []string{"a"}
	all, ours, err := gates.All().Sources(t.Context(), in, s.Pod, s.Gate)
	if got := described(all); err != nil || !ours || !slices.Equal(got, []string{"a unclaimed"}) {
		t.Errorf("ours %t, sources %q, %v", ours, got, err)
	}
}

// TestLaw10LegacyGateOfItsController: what the ALB ingress controller v1, or a person, wrote into a gate stays, unless
// podgate has a binding for it. Beside AWS Load Balancer Controller podgate only looks on.
func TestLaw10LegacyGateOfItsController(t *testing.T) {
	web, binding := service("web", map[string]string{"app": "web"}), ofIngress("a", "shop")
	entry := metav1.ManagedFieldsEntry{Manager: "server", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":{"k:{\"type\":\"` + legacyGate + `\"}":{"f:status":{}}}}}`)}
	for name, tc := range map[string]struct {
		objects         []client.Object
		written, others bool
		ours            bool
	}{
		"nobody wrote it":                           {objects: []client.Object{web}, ours: true},
		"another did":                               {objects: []client.Object{web}, written: true},
		"another did, and podgate has a binding":    {objects: []client.Object{web, binding}, written: true, ours: true},
		"another did, and the Service is missing":   {objects: []client.Object{binding}, written: true},
		"that controller serves the binding":        {objects: []client.Object{web, binding}, others: true},
		"it serves the binding, and another writes": {objects: []client.Object{web, binding}, others: true, written: true},
		"it serves one of two":                      {objects: []client.Object{web, ofGroup("a"), ofGroup("b")}, others: true, ours: true},
	} {
		s := scene(gates.OfLegacy{}, legacyGate, tc.objects...)()
		if tc.written {
			s.Pod.ManagedFields = []metav1.ManagedFieldsEntry{entry}
		}
		for key, res := range s.Groups {
			res.Foreign = tc.others && key.Name == "a"
			s.Groups[key] = res
		}

		for range 2 {
			if _, ours := sources(t, s); ours != tc.ours {
				t.Errorf("%s: ours %t, want %t", name, ours, tc.ours)
			}
			s.Pod.ManagedFields = gates.OtherWriters(s.Pod) // As the cache has it.
		}
	}
}

// TestLegacyGatesWake: a binding wakes the pods with legacy gates, whichever they name, and no others.
func TestLegacyGatesWake(t *testing.T) {
	s := scene(gates.OfLegacy{}, legacyGate, ofIngress("a", "shop"))()
	for name, types := range map[string][]string{"any": {elbv2.LegacyAnyGate}, "twice": {elbv2.LegacyAnyGate, legacyGate}, "stranger": {"example.com/shop_web_80"}} {
		pod := waiting(types)
		pod.Namespace, pod.Name = "shop", name
		s.Objects = append(s.Objects, pod)
	}
	open := s.Pod.DeepCopy()
	open.Name = "open"
	open.Status.Conditions = append(open.Status.Conditions, corev1.PodCondition{Type: legacyGate, Status: corev1.ConditionTrue})
	s.Objects = append(s.Objects, open)

	in := cluster(t, s)
	var got []string
	found, err := gates.All().Waiting(t.Context(), in.Reader, client.ObjectKeyFromObject(s.Objects[0]))
	for _, pod := range found {
		got = append(got, pod.Name)
	}
	slices.Sort(got)
	if want := []string{"any", "twice", "web-0"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("woken are %q, want %q, %v", got, want, err)
	}

	for _, other := range []string{keyA, warmGate} {
		if got := (gates.OfLegacy{}).FedBy(client.ObjectKey{Namespace: "shop", Name: other}); got != nil {
			t.Errorf("%s feeds %q", other, got)
		}
	}
}

// TestLegacyOrigin: people are told what a gate names.
func TestLegacyOrigin(t *testing.T) {
	for of, want := range map[string]string{
		legacyGate: `Ingress "shop", Service "web", port 80`, elbv2.LegacyAnyGate: "any target group", elbv2.LegacyGatePrefix + "shop": "by its prefix",
	} {
		if got := gates.All().Origin(of); !strings.Contains(got, want) {
			t.Errorf("%s: want %q in %q", of, want, got)
		}
	}
}
