// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/gates/gatestest"
	"github.com/podgate/podgate/internal/index/indextest"
)

// two is a pod with one gate for the groups of two bindings of one Service.
func two() gatestest.Scene {
	return scene(gates.OfLoadBalancers{}, gwc.Gate, service("web", map[string]string{"app": "web"}), sharing("a", "web"), sharing("b", "web"))()
}

// cluster is a scene as the controllers see it.
func cluster(t *testing.T, s gatestest.Scene) gates.Cluster {
	t.Helper()
	cache, err := indextest.New(t.Context(), append(slices.Clone(s.Objects), s.Pod)...)
	if err != nil {
		t.Fatal(err)
	}
	registry := binding.NewRegistry(func(types.NamespacedName) {})
	for key, res := range s.Groups {
		registry.Set(key, res)
	}
	return gates.Cluster{Reader: cache, Registry: registry}
}

// sources are what the scene's gate waits for, and whether podgate writes it.
func sources(t *testing.T, s gatestest.Scene) ([]gates.Source, bool) {
	t.Helper()
	all, ours, err := gates.All().Sources(t.Context(), cluster(t, s), s.Pod, s.Gate)
	if err != nil {
		t.Fatal(err)
	}
	return all, ours
}

// with decides the scene's gate where the targets of some bindings are healthy, and those of others are being checked.
func with(t *testing.T, s gatestest.Scene, healthy ...string) gate.Decision {
	t.Helper()
	all, _ := sources(t, s)
	now := time.Now()
	feeds := make([]gate.Feed, len(all))
	for i, src := range all {
		feeds[i] = gate.Feed{Name: src.Name, Claim: src.Claim, Alternative: src.Alternative, Addr: src.Target.Addr, Observed: true, Present: true, ReadAt: now, SeenOtherwise: true, Health: gate.Health{State: gate.Initial, Reason: "Initial"}}
		if slices.Contains(healthy, src.Owner.Name) {
			feeds[i].Health = gate.Health{State: gate.Healthy}
		}
	}
	return gate.Decide(now, gate.Pod{ContainersReady: true, ContainersReadySince: now.Add(-time.Hour)}, feeds, gate.Policy{}, gate.Condition{})
}

// without is a scene less one of its bindings.
func without(s gatestest.Scene, name string) gatestest.Scene {
	s.Objects = slices.DeleteFunc(slices.Clone(s.Objects), func(o client.Object) bool { return o.GetName() == name })
	return s
}

// deleting has bindings of a scene be deleted.
func deleting(s gatestest.Scene, names ...string) gatestest.Scene {
	now := metav1.Now()
	for _, o := range s.Objects {
		if slices.Contains(names, o.GetName()) {
			o.SetDeletionTimestamp(&now)
		}
	}
	return s
}

const (
	keyA = "targets.podgate.dev/a"
	keyB = "targets.podgate.dev/b"
)

// TestLaw1OneGroupOfTwoOpensNothing: the gate that a pod has for all of its groups opens when all of them call it
// healthy, whichever does so first.
func TestLaw1OneGroupOfTwoOpensNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		healthy []string
		opens   bool
	}{
		"none": {}, "the first": {healthy: []string{keyA}}, "the second": {healthy: []string{keyB}}, "both": {healthy: []string{keyA, keyB}, opens: true},
	} {
		if d := with(t, two(), tc.healthy...); (d.Condition.Status == gate.StatusTrue) != tc.opens {
			t.Errorf("%s healthy: want open %t, got %+v", name, tc.opens, d.Condition)
		}
	}
}

// TestLaw2DeletedBindingOfTwo: a deleted binding releases its own feed of the gate and nothing else; when all are
// deleted the gate is released at once, and when none is left it is podgate's to release.
func TestLaw2DeletedBindingOfTwo(t *testing.T) {
	if d := with(t, deleting(two(), "a")); d.Condition.Status == gate.StatusTrue {
		t.Errorf("one of two bindings is deleted, and the gate is %+v", d.Condition)
	}
	if d := with(t, deleting(two(), "a"), keyB); d.Condition.Status != gate.StatusTrue {
		t.Errorf("the binding that stays calls the pod healthy, and the gate is %+v", d.Condition)
	}
	if d := with(t, deleting(two(), "a", "b")); d.Condition.Status != gate.StatusTrue || d.Condition.Reason != v1alpha1.ReasonBindingDeleted {
		t.Errorf("both bindings are deleted, and the gate is %+v", d.Condition)
	}
	if all, ours := sources(t, without(without(two(), "a"), "b")); len(all) != 0 || !ours {
		t.Errorf("no binding is left: ours %t, sources %+v", ours, all)
	}
}

// TestLaw2DeletedBindingWaitsForItsOwn: a binding that is being deleted stays until gates are released for its sake, and
// not for those that other bindings feed.
func TestLaw2DeletedBindingWaitsForItsOwn(t *testing.T) {
	a := types.NamespacedName{Namespace: "shop", Name: keyA}
	for name, tc := range map[string]struct {
		scene gatestest.Scene
		waits int
	}{
		"another binding feeds the gate": {deleting(two(), "a"), 0},
		"it is deleted as well":          {deleting(two(), "a", "b"), 1},
		"it is gone":                     {deleting(without(two(), "b"), "a"), 1},
	} {
		if left, err := gates.All().ToRelease(t.Context(), cluster(t, tc.scene), a); err != nil || len(left) != tc.waits {
			t.Errorf("%s: the deletion waits for %v, %v", name, left, err)
		}
	}

	open := deleting(two(), "a", "b")
	open.Pod.Status.Conditions = append(open.Pod.Status.Conditions, corev1.PodCondition{Type: gwc.Gate, Status: corev1.ConditionTrue})
	if left, err := gates.All().ToRelease(t.Context(), cluster(t, open), a); err != nil || len(left) != 0 {
		t.Errorf("the gate is open, and the deletion waits for %v, %v", left, err)
	}
}

// apart is a pod with one gate for the groups of two bindings, each of a Service of its own.
func apart() gatestest.Scene {
	return scene(gates.OfLoadBalancers{}, gwc.Gate,
		service("web", map[string]string{"app": "web"}), service("admin", map[string]string{"app": "web"}), sharing("a", "web"), sharing("b", "admin"))()
}

// TestLaw1ServiceThatIsMissing: a binding that a closed gate waited for is waited for while its Service is missing or
// selects the pod no longer, as one with a gate of its own is, and no longer when it is deleted itself.
func TestLaw1ServiceThatIsMissing(t *testing.T) {
	unselected := apart()
	for _, o := range unselected.Objects {
		if svc, is := o.(*corev1.Service); is && svc.Name == "admin" {
			svc.Spec.Selector = map[string]string{"app": "admin"}
		}
	}

	both, none := []string{keyA, keyB, ""}, []string(nil)
	for name, tc := range map[string]struct {
		scene gatestest.Scene
		had   []string
		want  []gate.Claim
	}{
		"both Services are there":              {apart(), both, []gate.Claim{gate.Claimed, gate.Claimed}},
		"one is missing":                       {without(apart(), "admin"), both, []gate.Claim{gate.Claimed, gate.Unclaimed}},
		"one selects other pods":               {unselected, both, []gate.Claim{gate.Claimed, gate.Unclaimed}},
		"both are missing":                     {without(without(apart(), "admin"), "web"), both, []gate.Claim{gate.Unclaimed, gate.Unclaimed}},
		"the gate never waited for it":         {without(apart(), "admin"), none, []gate.Claim{gate.Claimed}},
		"the binding is being deleted as well": {deleting(without(apart(), "admin"), "b"), both, []gate.Claim{gate.Claimed, gate.Releasing}},
		"the binding is gone as well":          {without(without(apart(), "admin"), "b"), both, []gate.Claim{gate.Claimed}},
	} {
		in := cluster(t, tc.scene)
		in.Had = tc.had
		all, ours, err := gates.All().Sources(t.Context(), in, tc.scene.Pod, tc.scene.Gate)
		if err != nil || !ours {
			t.Fatalf("%s: ours %t, %v", name, ours, err)
		}

		var claims []gate.Claim
		for _, s := range all {
			claims = append(claims, s.Claim)
		}
		if !slices.Equal(claims, tc.want) {
			t.Errorf("%s: claims %v, want %v", name, claims, tc.want)
		}
	}
}

// TestLaw10MissingServicesLeaveTheGate: a gate that another controller wrote is left to it, though podgate's bindings
// may come back.
func TestLaw10MissingServicesLeaveTheGate(t *testing.T) {
	for name, tc := range map[string]struct {
		scene gatestest.Scene
		ours  bool
	}{
		"both Services are missing": {without(without(apart(), "admin"), "web"), false},
		"one is":                    {without(apart(), "admin"), true},
	} {
		tc.scene.Pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "manager", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":{"k:{\"type\":\"` + gwc.Gate + `\"}":{"f:status":{}}}}}`)}}
		in := cluster(t, tc.scene)
		in.Had = []string{keyA, keyB}
		if _, ours, err := gates.All().Sources(t.Context(), in, tc.scene.Pod, tc.scene.Gate); ours != tc.ours || err != nil {
			t.Errorf("%s: ours %t, want %t; %v", name, ours, tc.ours, err)
		}
	}
}

// TestLaw10GateOfAnotherController: without a binding of podgate's the gate is whose who wrote it last; podgate
// knows itself by its field manager.
func TestLaw10GateOfAnotherController(t *testing.T) {
	entry := func(manager, field string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":{"k:{\"type\":\"` + gwc.Gate + `\"}":{".":{},"` + field + `":{}}}}}`)}
	}
	for name, tc := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		ours   bool
	}{
		"nobody wrote it":         {nil, true},
		"podgate did":             {[]metav1.ManagedFieldsEntry{entry("podgate", "f:status")}, true},
		"another did":             {[]metav1.ManagedFieldsEntry{entry("manager", "f:status")}, false},
		"another changed a part":  {[]metav1.ManagedFieldsEntry{entry("podgate", "f:status"), entry("manager", "f:reason")}, false},
		"another changed no part": {[]metav1.ManagedFieldsEntry{entry("podgate", "f:status"), entry("manager", "f:type")}, true},
		"it says nothing of it":   {[]metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:phase":{}}}`)}, {Manager: "x"}}, true},
	} {
		s := without(without(two(), "a"), "b")
		s.Pod.ManagedFields = tc.fields
		if _, ours := sources(t, s); ours != tc.ours {
			t.Errorf("%s: ours %t, want %t", name, ours, tc.ours)
		}

		s.Pod.ManagedFields = gates.OtherWriters(s.Pod)
		if _, ours := sources(t, s); ours != tc.ours {
			t.Errorf("%s, of a cached pod: ours %t, want %t", name, ours, tc.ours)
		}

		bound := two()
		bound.Pod.ManagedFields = tc.fields
		if _, ours := sources(t, bound); !ours {
			t.Errorf("%s: podgate's bindings feed the gate, and it is not podgate's", name)
		}

		going := deleting(two(), "a", "b")
		going.Pod.ManagedFields = tc.fields
		if _, ours := sources(t, going); ours != tc.ours {
			t.Errorf("%s, and the bindings are being deleted: ours %t, want %t", name, ours, tc.ours)
		}
		one := deleting(two(), "a")
		one.Pod.ManagedFields = tc.fields
		if _, ours := sources(t, one); !ours {
			t.Errorf("%s: one of podgate's bindings stays, and the gate is not podgate's", name)
		}
	}
}

// TestLaw11SourcesKeepTheirNames: what the record on the pod says of one binding's target is not taken for another's
// when bindings come and go.
func TestLaw11SourcesKeepTheirNames(t *testing.T) {
	names := map[string]string{}
	all, _ := sources(t, two())
	for _, s := range all {
		names[s.Owner.Name] = s.Name
	}
	for _, gone := range []string{"a", "b"} {
		left, _ := sources(t, without(two(), gone))
		if len(left) != 1 || left[0].Name != names[left[0].Owner.Name] {
			t.Errorf("%s is gone, and the names are %+v, of %v", gone, left, names)
		}
	}
}

// TestOtherLoadBalancersFeedNoSharedGate: bindings of load balancers whose bindings have gates of their own are no sources, and
// such a gate of a binding that shares one works where somebody wrote it into a manifest.
func TestOtherLoadBalancersFeedNoSharedGate(t *testing.T) {
	web := service("web", map[string]string{"app": "web"})
	s := scene(gates.OfLoadBalancers{}, gwc.Gate, web, sharing("a", "web"), foreign("web", "web"), own("other", "web"))()
	if all, ours := sources(t, s); !ours || len(all) != 1 || all[0].Owner.Name != keyA {
		t.Errorf("ours %t, sources %+v", ours, all)
	}

	s.Gate = keyA
	if all, ours := sources(t, s); !ours || len(all) != 1 || all[0].Claim != gate.Claimed {
		t.Errorf("written by hand: ours %t, sources %+v", ours, all)
	}
}

// TestSharedGateSkipsForeign: a binding that another controller serves feeds no gate of podgate's, and the others still do.
func TestSharedGateSkipsForeign(t *testing.T) {
	s := two()
	foreign := false
	for key, res := range s.Groups {
		if key.Name == keyA {
			res.Foreign, foreign = true, true
			s.Groups[key] = res
		}
	}
	all, ours := sources(t, s)
	if !foreign || !ours || len(all) != 1 || all[0].Owner.Name != keyB {
		t.Errorf("found %t, ours %t, sources %+v", foreign, ours, all)
	}
}
