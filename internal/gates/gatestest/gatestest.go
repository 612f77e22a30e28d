// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gatestest holds what every kind of gate must do, as a suite of tests that a
// kind runs, and a kind for tests.
package gatestest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/index/indextest"
	"github.com/podgate/podgate/internal/injection"
)

// Scene is a pod that waits at a gate of a kind, and all that feeds the gate. A suite
// changes what it is given.
type Scene struct {
	Kind gates.Kind
	// Pod carries the gate of type Gate, and its containers are ready.
	Pod  *corev1.Pod
	Gate string
	// Objects are the bindings and Services from which the kind finds the gate's sources.
	Objects []client.Object
	// Groups are what the target controller found out about the bindings; nil where no binding feeds the gate.
	Groups map[types.NamespacedName]binding.Resolution
	// ByHand: only people give pods the gate.
	ByHand bool
}

// cluster returns the scene as a kind sees it.
func (s Scene) cluster(t *testing.T) gates.Cluster {
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

// sources asks for the gate's sources and wants an answer.
func (s Scene) sources(t *testing.T) (sources []gates.Source, ours bool) {
	t.Helper()
	sources, ours, err := s.Kind.Sources(t.Context(), s.cluster(t), s.Pod, s.Gate)
	if err != nil {
		t.Fatal(err)
	}
	return sources, ours
}

// Run runs the suite. scene makes a scene in which every source of the gate claims the pod.
func Run(t *testing.T, scene func() Scene) {
	for name, test := range map[string]func(*testing.T, Scene){
		"OwnsOnlyItsOwn":                   ownsOnlyItsOwn,
		"SourcesAreTargets":                sourcesAreTargets,
		"SourcesHaveNamesOfTheirOwn":       sourcesHaveNames,
		"OrderStays":                       orderStays,
		"UnknownGroupIsAwaited":            unknownGroupIsAwaited,
		"OwnersFeedTheGate":                ownersFeedTheGate,
		"NewPodsGetTheGate":                newPodsGetTheGate,
		"PodIsLeftAsItIs":                  podIsLeft,
		"Law1OpensWhenAllSourcesDo":        opensWhenAllDo,
		"Law1UnknownGroupsClaimNothing":    unknownGroups,
		"Law2DeletedOwnersLetGo":           deletedOwners,
		"Law2HoldsNobodyBack":              holdsNobodyBack,
		"Law2NothingLeftIsReleased":        nothingLeft,
		"Law8TroubleIsNotAbsence":          troubleIsNotAbsence,
		"Law8AnotherControllersGateIsLeft": anotherControllers,
	} {
		t.Run(name, func(t *testing.T) { test(t, scene()) })
	}
}

func ownsOnlyItsOwn(t *testing.T, s Scene) {
	if s.Kind.Name() == "" || !s.Kind.Owns(s.Gate) {
		t.Errorf("kind %q does not own its gate %s", s.Kind.Name(), s.Gate)
	}
	for _, other := range []string{"", "Ready", "ContainersReady", "PodScheduled", "example.com/reviewed"} {
		if s.Kind.Owns(other) {
			t.Errorf("kind %q takes the condition %q for its gate", s.Kind.Name(), other)
		}
	}

	if _, ours, err := s.Kind.Sources(t.Context(), s.cluster(t), s.Pod, "example.com/reviewed"); ours || err != nil {
		t.Errorf("somebody else's gate: ours %t, %v", ours, err)
	}
}

func sourcesAreTargets(t *testing.T, s Scene) {
	sources, ours := s.sources(t)
	if !ours || len(sources) == 0 {
		t.Fatalf("a gate with everything in place: ours %t, sources %+v", ours, sources)
	}
	for _, src := range sources {
		if src.Claim != gate.Claimed || src.Subject == nil || src.Subject.String() == "" || src.Owner.Name == "" {
			t.Errorf("want a claim and what it is observed in, got %+v", src)
		}
		if target := src.Target.Addr.IsValid() && src.Target.Port != 0 && src.Service != nil; target == src.Checks {
			t.Errorf("want a target of a Service, or checks, got %+v", src)
		}
	}
}

// sourcesHaveNames: the record on the pod holds each source's proof by its name.
func sourcesHaveNames(t *testing.T, s Scene) {
	sources, _ := s.sources(t)
	seen := map[string]bool{}
	for _, src := range sources {
		if seen[src.Name] || src.Name == "" && len(sources) > 1 {
			t.Errorf("the name %q of a source does not tell it from others", src.Name)
		}
		seen[src.Name] = true
	}
}

// orderStays: the first source that is not open gives the gate's reason, so that a changing
// order would be written again and again.
func orderStays(t *testing.T, s Scene) {
	first, _ := s.sources(t)
	for range 50 {
		slices.Reverse(s.Objects)
		if next, _ := s.sources(t); !reflect.DeepEqual(first, next) {
			t.Fatalf("sources change without a reason: %+v, then %+v", first, next)
		}
	}
}

// unknownGroupIsAwaited: after a start nobody says anything of a gate until the target controller has found out about each of
// its bindings.
func unknownGroupIsAwaited(t *testing.T, s Scene) {
	for key := range s.Groups {
		some := s
		some.Groups = maps.Clone(s.Groups)
		delete(some.Groups, key)
		if sources, ours := some.sources(t); ours {
			t.Errorf("the group of %s is not known, and the gate has sources %+v", key, sources)
		}
	}
}

func ownersFeedTheGate(t *testing.T, s Scene) {
	sources, _ := s.sources(t)
	for _, src := range sources {
		fed := s.Kind.FedBy(src.Owner)
		if !slices.ContainsFunc(fed, func(g string) bool { return index.IsGate(g, s.Gate) }) {
			t.Errorf("a change of %s wakes gates %q, want %s among them", src.Owner, fed, s.Gate)
		}
		if i := slices.IndexFunc(fed, func(g string) bool { return !s.Kind.Owns(g) && !index.IsGate(g, s.Gate) }); i >= 0 {
			t.Errorf("%s feeds %s, which is not of the kind", src.Owner, fed[i])
		}

		waiting, err := gates.Kinds{s.Kind}.Waiting(t.Context(), s.cluster(t).Reader, src.Owner)
		if err != nil || !slices.Contains(waiting, client.ObjectKeyFromObject(s.Pod)) {
			t.Errorf("a change of %s wakes pods %v, want the one that waits, %v", src.Owner, waiting, err)
		}
	}
}

// newPodsGetTheGate: a pod that would wait at the gate gets it at its creation, and as often
// as the webhook is asked about it the same.
func newPodsGetTheGate(t *testing.T, s Scene) {
	pod := injection.PodOf(s.Pod)
	if s.ByHand {
		pod.Gates = nil
		if plan := injection.Gates(pod, s.candidates(t)); !plan.Empty() {
			t.Errorf("a new pod gets %+v, want nothing", plan)
		}
		return
	}
	pod.Gates = []string{"example.com/reviewed"}
	plan := injection.Gates(pod, s.candidates(t))
	if !slices.Equal(plan.Add, []string{s.Gate}) || len(plan.Remove) > 0 {
		t.Errorf("a new pod gets %+v, want %s", plan, s.Gate)
	}

	pod.Gates = append(pod.Gates, plan.Add...)
	if again := injection.Gates(pod, s.candidates(t)); !again.Empty() {
		t.Errorf("asked again, it gets %+v", again)
	}
	if f := injection.Explain(pod, s.candidates(t)); !f.Empty() {
		t.Errorf("a pod with the gate is said to lack %q: %s", f.Missing, f.Reason)
	}

	pod.Labels = map[string]string{"app": "other"}
	if other := injection.Gates(pod, s.candidates(t)); !other.Empty() {
		t.Errorf("a pod that nothing selects gets %+v", other)
	}

	s.Objects = nil
	if none := injection.Gates(injection.PodOf(s.Pod), s.candidates(t)); !none.Empty() {
		t.Errorf("without anything that feeds the gate, a new pod gets %+v", none)
	}
}

// candidates are what admission finds for the scene's pod.
func (s Scene) candidates(t *testing.T) injection.Candidates {
	t.Helper()
	c, err := injection.Lookup(t.Context(), s.cluster(t).Reader, nil, s.Pod.Namespace, injection.PodOf(s.Pod))
	if err != nil {
		t.Fatal(err)
	}
	c.Kinds = gates.Kinds{s.Kind}.AtAdmission()
	return c
}

// holdsNobodyBack: a pod that had to wait for its target to be healthy before it became one would wait forever.
func holdsNobodyBack(t *testing.T, s Scene) {
	sources, _ := s.sources(t)
	ofTargets := slices.ContainsFunc(sources, func(s gates.Source) bool { return !s.Checks })
	if held := (gates.Kinds{s.Kind}).HeldBy(s.Pod); ofTargets && len(held) > 0 {
		t.Errorf("the pod is held back by %q, which waits for its target", held)
	}
}

func podIsLeft(t *testing.T, s Scene) {
	before := s.Pod.DeepCopy()
	s.sources(t)
	if !reflect.DeepEqual(before, s.Pod) {
		t.Error("the question changed the pod, which is the cache's")
	}
}

// noon is when the suite looks; the pod's containers have been ready for an hour.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// healthy is a feed of a source whose target was proven healthy.
func healthy(s gates.Source) gate.Feed {
	return gate.Feed{
		Claim: s.Claim, Alternative: s.Alternative, Policy: &s.Policy, Addr: s.Target.Addr, Observed: true, Present: true,
		ReadAt: noon, Health: gate.Health{State: gate.Healthy}, SeenOtherwise: true,
	}
}

func opensWhenAllDo(t *testing.T, s Scene) {
	sources, _ := s.sources(t)
	pod := gate.Pod{ContainersReady: true, ContainersReadySince: noon.Add(-time.Hour)}

	feeds := make([]gate.Feed, len(sources))
	for i, src := range sources {
		feeds[i] = healthy(src)
	}
	if d := gate.Decide(noon, pod, feeds, gate.Policy{}, gate.Condition{}); d.Condition.Status != gate.StatusTrue {
		t.Errorf("every target is healthy, and the gate is %+v", d.Condition)
	}

	for i := range feeds {
		but := slices.Clone(feeds)
		for j := range but {
			// Of alternatives all have to fail.
			if j == i || but[j].Alternative {
				but[j].Health = gate.Health{State: gate.Initial, Reason: "Elb.InitialHealthChecking"}
			}
		}

		by := i
		if but[i].Alternative {
			by = 0
		}
		if d := gate.Decide(noon, pod, but, gate.Policy{}, gate.Condition{}); d.Condition.Status == gate.StatusTrue || d.By != by {
			t.Errorf("target %d is not healthy, and the gate is %+v by %d", i, d.Condition, d.By)
		}
	}
}

// unknownGroups: before the target controller has looked at a binding, nothing is known.
func unknownGroups(t *testing.T, s Scene) {
	if s.Groups == nil {
		t.Skip("no binding feeds the gate")
	}

	s.Groups = nil
	sources, ours := s.sources(t)
	if ours && slices.ContainsFunc(sources, func(s gates.Source) bool { return s.Claim == gate.Claimed || s.Claim == gate.Unclaimed }) {
		t.Errorf("no group is known, and the sources are %+v", sources)
	}

	s.Groups = map[types.NamespacedName]binding.Resolution{}
	for _, o := range s.Objects {
		s.Groups[binding.KeyOf(o)] = binding.Resolution{Trouble: "Denied."}
	}
	sources, ours = s.sources(t)
	if !ours || len(sources) == 0 || slices.ContainsFunc(sources, func(s gates.Source) bool { return s.Claim != gate.Unresolved || s.Trouble != "Denied." }) {
		t.Errorf("want every source unresolved with its trouble, got %+v", sources)
	}
}

func deletedOwners(t *testing.T, s Scene) {
	now := metav1.NewTime(noon)
	for _, o := range s.Objects {
		if _, service := o.(*corev1.Service); !service {
			o.SetDeletionTimestamp(&now)
		}
	}
	// A binding waits until it is let go. A ReadinessGate does not, and may be made again.
	lets := func(s gates.Source) bool {
		return s.Claim == gate.Releasing || s.Checks && s.Claim == gate.Unclaimed
	}
	sources, ours := s.sources(t)
	if !ours || slices.ContainsFunc(sources, func(s gates.Source) bool { return !lets(s) }) {
		t.Errorf("all owners are being deleted: ours %t, sources %+v", ours, sources)
	}
}

func nothingLeft(t *testing.T, s Scene) {
	s.Objects = nil
	sources, ours := s.sources(t)
	if !ours || slices.ContainsFunc(sources, func(s gates.Source) bool { return s.Claim != gate.Unclaimed }) {
		t.Errorf("nothing feeds the gate: ours %t, sources %+v", ours, sources)
	}
}

// broken is a cache that cannot be read.
type broken struct{ client.Reader }

var errBroken = errors.New("no answer")

// Get implements client.Reader.
func (broken) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errBroken
}

// List implements client.Reader.
func (broken) List(context.Context, client.ObjectList, ...client.ListOption) error { return errBroken }

func troubleIsNotAbsence(t *testing.T, s Scene) {
	in := s.cluster(t)
	in.Reader = broken{}
	if sources, ours, err := s.Kind.Sources(t.Context(), in, s.Pod, s.Gate); !errors.Is(err, errBroken) {
		t.Errorf("nothing could be read: want the error, got ours %t, sources %s, %v", ours, fmt.Sprint(sources), err)
	}
}

func anotherControllers(t *testing.T, s Scene) {
	if s.Groups == nil {
		t.Skip("no binding feeds the gate")
	}

	for key, res := range s.Groups {
		res.Foreign = true
		s.Groups[key] = res
	}
	if sources, ours := s.sources(t); ours && len(sources) > 0 {
		t.Errorf("another controller serves all bindings: want the gate left alone, got %+v", sources)
	}
}
