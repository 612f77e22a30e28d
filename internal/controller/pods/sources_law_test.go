// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/observe"
)

// gatePair is a gate of the kind pair.
const gatePair = "pair.example.com/both"

// pair is a kind whose gate has the sources that a test gives it.
type pair struct {
	gates.Kind
	sources *[]gates.Source
}

func (pair) Name() string                        { return "pair" }
func (pair) Owns(conditionType string) bool      { return conditionType == gatePair }
func (pair) Holds() bool                         { return false }
func (pair) Sees() bool                          { return false }
func (pair) FedBy(types.NamespacedName) []string { return []string{gatePair} }
func (p pair) Sources(context.Context, gates.Cluster, *corev1.Pod, string) ([]gates.Source, bool, error) {
	return *p.sources, true, nil
}

// newPair is a world whose pod has one gate that targets on two ports feed, a and b.
func newPair(t *testing.T) (*world, *[]gates.Source) {
	sources := []gates.Source{sourceOn("a", 8081), sourceOn("b", 8082)}
	w := newWorld(t)
	w.pod.Spec.ReadinessGates[0].ConditionType = gatePair
	w.kinds = append(w.kinds, pair{sources: &sources})
	return w, &sources
}

func sourceOn(name string, port int32) gates.Source {
	group := resolution().Group
	group.Ref.Group = "arn:" + name
	return gates.Source{
		Name: name, Owner: types.NamespacedName{Namespace: "shop", Name: name}, Claim: gate.Claimed, Subject: group.Ref, Detection: group.DetectionTime(),
		Target: gate.Target{Addr: target("10.0.0.7").Addr, Port: port},
	}
}

// says sets what the observer saw of the targets of a and b.
func (w *world) says(a, b observe.Sighting) {
	addr := target("10.0.0.7").Addr
	w.sightings[gate.Target{Addr: addr, Port: 8081}], w.sightings[gate.Target{Addr: addr, Port: 8082}] = a, b
}

// both is the pod's condition of the gate; its zero value when there is none.
func (w *world) both() corev1.PodCondition {
	for _, c := range w.pod.Status.Conditions {
		if c.Type == gatePair {
			return c
		}
	}
	return corev1.PodCondition{}
}

// TestLaw1EverySourceMustBeHealthy: a gate of several sources waits for all of them and says
// which one it waits for; both groups are read fast meanwhile.
func TestLaw1EverySourceMustBeHealthy(t *testing.T) {
	w, _ := newPair(t)
	good, bad := sighting(gate.Healthy, "", true), sighting(gate.Initial, "Elb.InitialHealthChecking", true)
	for _, seen := range [][2]observe.Sighting{{good, bad}, {bad, good}} {
		w.says(seen[0], seen[1])
		w.reconcile()
		if c := w.both(); c.Status != corev1.ConditionFalse || c.Reason != "Elb.InitialHealthChecking" {
			t.Errorf("one of two is healthy, and the gate is %s with %s", c.Status, c.Reason)
		}
		if !w.waiting[balancer.Ref{Provider: elbv2traits.Kind, Group: "arn:a"}] || !w.waiting[balancer.Ref{Provider: elbv2traits.Kind, Group: "arn:b"}] {
			t.Errorf("groups that are read fast: %v, want both", w.waiting)
		}
	}

	w.says(good, good)
	w.reconcile()
	if c := w.both(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonHealthy {
		t.Errorf("both are healthy, and the gate is %s with %s", c.Status, c.Reason)
	}
}

// TestLaw1ProofIsEachSourcesOwn: what the record holds of one source proves nothing about
// another, neither now nor after a restart.
func TestLaw1ProofIsEachSourcesOwn(t *testing.T) {
	w, sources := newPair(t)
	w.says(sighting(gate.Initial, "Elb.InitialHealthChecking", true), sighting(gate.Healthy, "", false))
	w.reconcile()

	w.says(sighting(gate.Healthy, "", true), sighting(gate.Healthy, "", false))
	w.reconcile()
	if c := w.both(); c.Status != corev1.ConditionFalse || c.Reason != v1alpha1.ReasonNotProvenYet {
		t.Fatalf("one of two is proven, and the gate is %s with %s", c.Status, c.Reason)
	}

	// The next leader has nothing but the record, which holds the first one's proof.
	w.restart()
	w.kinds = append(w.kinds, pair{sources: sources})
	w.says(sighting(gate.Healthy, "", false), sighting(gate.Healthy, "", false))
	w.reconcile()
	if c := w.both(); c.Status != corev1.ConditionFalse || c.Reason != v1alpha1.ReasonNotProvenYet {
		t.Fatalf("after a restart the gate is %s with %s", c.Status, c.Reason)
	}

	w.says(sighting(gate.Healthy, "", false), sighting(gate.Healthy, "", true))
	w.reconcile()
	if c := w.both(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonHealthy {
		t.Errorf("both are proven, and the gate is %s with %s", c.Status, c.Reason)
	}
}

// TestLaw11SourceThatComesBackIsProvenAnew: the record keeps nothing of a source that the
// gate no longer has.
func TestLaw11SourceThatComesBackIsProvenAnew(t *testing.T) {
	w, sources := newPair(t)
	all := *sources
	w.says(sighting(gate.Healthy, "", true), sighting(gate.Healthy, "", true))
	w.reconcile()
	if record := w.pod.Annotations[v1alpha1.ProvenAnnotation]; strings.Count(record, "10.0.0.7") != 2 {
		t.Fatalf("want the proof of both recorded, got %s", record)
	}

	*sources = all[:1]
	w.reconcile()
	if record := w.pod.Annotations[v1alpha1.ProvenAnnotation]; strings.Count(record, "10.0.0.7") != 1 {
		t.Errorf("want the proof of the one that is left, got %s", record)
	}

	w.clock = w.clock.Add(time.Minute)
	w.containers(corev1.ConditionFalse)
	w.reconcile()
	w.containers(corev1.ConditionTrue)
	*sources = all
	w.says(sighting(gate.Healthy, "", true), sighting(gate.Healthy, "", false))
	w.reconcile()
	if c := w.both(); c.Status != corev1.ConditionFalse || c.Reason != v1alpha1.ReasonNotProvenYet {
		t.Errorf("a source came back unproven, and the gate is %s with %s", c.Status, c.Reason)
	}
}

// asked is a pair that notes which sources its gate is said to have had.
type asked struct {
	pair
	had *[]string
}

func (a asked) Sources(ctx context.Context, in gates.Cluster, pod *corev1.Pod, conditionType string) ([]gates.Source, bool, error) {
	*a.had = in.Had
	return a.pair.Sources(ctx, in, pod, conditionType)
}

// TestLaw1SourcesAreRemembered: a kind is told what its gate waited for while it was closed, of this very pod, so that
// nothing that is missing for a moment opens it, and no new leader does.
func TestLaw1SourcesAreRemembered(t *testing.T) {
	w, sources := newPair(t)
	var had []string
	w.kinds = gates.Kinds{asked{pair{sources: sources}, &had}}
	waits := sighting(gate.Initial, "Elb.InitialHealthChecking", true)
	w.says(waits, waits)

	for _, step := range []struct {
		reason string
		then   func()
		want   []string
	}{
		{"a new pod's gate had none", func() {}, nil},
		{"it waits for both", func() {}, []string{"a", "b"}},
		{"and does still when one is missing", func() { (*sources)[0].Claim = gate.Unclaimed; w.reconcile() }, []string{"a", "b"}},
		{"or is not resolved", func() { (*sources)[0].Claim = gate.Unresolved; w.reconcile() }, []string{"a", "b"}},
		{"not for what the pod is no target of", func() { (*sources)[0].Claim = gate.NotTarget; w.reconcile() }, []string{"b"}},
		{"nor for what is being deleted", func() { (*sources)[1].Claim = gate.Releasing; (*sources)[0].Claim = gate.Claimed; w.reconcile() }, []string{"a"}},
		{"once it is open it waits for nothing", func() { w.says(sighting(gate.Healthy, "", true), waits); w.reconcile(); w.reconcile() }, nil},
		{"and remembers nothing", func() {
			(*sources)[1].Claim = gate.Claimed
			w.says(waits, waits)
			w.put(corev1.PodCondition{Type: gatePair, Status: corev1.ConditionFalse})
		}, nil},
		{"closed again it waits again", func() {}, []string{"a", "b"}},
		{"another pod of that name waited for nothing yet", func() { w.pod.UID = "uid-2" }, nil},
	} {
		step.then()
		kinds := w.kinds
		w.restart()
		w.kinds = kinds
		w.reconcile()
		if !slices.Equal(had, step.want) {
			t.Errorf("%s: told %v, want %v", step.reason, had, step.want)
		}
	}
}

// TestLaw1StartingPodsSourcesAreRemembered: while nothing is written about a gate yet, as before the containers are
// ready, a kind is told what it waits for, too.
func TestLaw1StartingPodsSourcesAreRemembered(t *testing.T) {
	w, sources := newPair(t)
	var had []string
	w.kinds = gates.Kinds{asked{pair{sources: sources}, &had}}
	waits := sighting(gate.Initial, "Elb.InitialHealthChecking", true)
	w.says(waits, waits)
	w.containers(corev1.ConditionFalse)

	for _, step := range []struct {
		reason string
		then   func()
		status corev1.ConditionStatus
		want   []string
	}{
		{"a new pod's gate had none", func() {}, "", nil},
		{"it waits for both", func() {}, "", []string{"a", "b"}},
		{"and does still when one is missing", func() { (*sources)[0].Claim = gate.Unclaimed; w.reconcile() }, "", []string{"a", "b"}},
		{"not for what the pod is no target of", func() { (*sources)[0].Claim = gate.NotTarget; w.reconcile() }, "", []string{"b"}},
		{"but again once it is", func() { (*sources)[0].Claim = gate.Claimed; w.reconcile() }, "", []string{"a", "b"}},
		{"one that is missing when the containers are ready keeps it closed", func() {
			(*sources)[0].Claim = gate.Unclaimed
			w.says(waits, sighting(gate.Healthy, "", true))
			w.containers(corev1.ConditionTrue)
		}, corev1.ConditionFalse, []string{"a", "b"}},
		{"once it is open it waits for nothing", func() {
			(*sources)[0].Claim = gate.Claimed
			w.says(sighting(gate.Healthy, "", true), sighting(gate.Healthy, "", true))
			w.reconcile()
		}, corev1.ConditionTrue, nil},
		{"and remembers nothing", func() {
			w.says(waits, waits)
			w.put(corev1.PodCondition{Type: gatePair, Status: corev1.ConditionFalse})
		}, corev1.ConditionFalse, nil},
		{"another pod of that name waited for nothing yet", func() { w.reconcile(); w.pod.UID = "uid-2" }, corev1.ConditionFalse, nil},
	} {
		step.then()
		w.reconcile()
		if got := w.both().Status; got != step.status || !slices.Equal(had, step.want) {
			t.Errorf("%s: told %v, want %v; the gate is %q, want %q", step.reason, had, step.want, got, step.status)
		}
	}

	if w.pod = nil; len(w.memory.pods) == 0 {
		t.Error("a closed gate is not known")
	}
	if w.reconcile(); len(w.memory.pods) != 0 {
		t.Errorf("a pod that is gone is still remembered: %v", w.memory.pods)
	}
}

// TestLaw2GateWithoutSources: a gate for which there is nothing to wait is released in the
// end, as one whose only source claims nothing is.
func TestLaw2GateWithoutSources(t *testing.T) {
	for name, none := range map[string][]gates.Source{
		"no source":      nil,
		"nobody's claim": {{Name: "a", Claim: gate.Unclaimed}, {Name: "b", Claim: gate.Unclaimed}},
	} {
		w, sources := newPair(t)
		*sources = none
		res, _ := w.reconcile()
		if len(none) == 0 { // Another controller may set the gate, and has a moment to say so.
			w.clock = w.clock.Add(res.RequeueAfter)
			res, _ = w.reconcile()
		}
		if c := w.both(); c.Status != corev1.ConditionFalse || c.Reason != v1alpha1.ReasonNoBinding || res.RequeueAfter <= 0 {
			t.Fatalf("%s: the gate is %s with %s, looked at after %s", name, c.Status, c.Reason, res.RequeueAfter)
		}

		w.clock = w.clock.Add(res.RequeueAfter)
		w.reconcile()
		if c := w.both(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonNoBinding {
			t.Errorf("%s: never released, %s with %s", name, c.Status, c.Reason)
		}
	}
}

// TestLaw2DeletedOwnerLeavesTheOther: the end of one owner releases nothing that another feeds.
func TestLaw2DeletedOwnerLeavesTheOther(t *testing.T) {
	w, sources := newPair(t)
	(*sources)[0].Claim = gate.Releasing
	w.says(observe.Sighting{}, sighting(gate.Initial, "Elb.InitialHealthChecking", true))
	w.reconcile()
	if c := w.both(); c.Status != corev1.ConditionFalse || c.Reason != "Elb.InitialHealthChecking" {
		t.Errorf("one owner is deleted, and the gate is %s with %s", c.Status, c.Reason)
	}

	(*sources)[1].Claim = gate.Releasing
	w.reconcile()
	if c := w.both(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonBindingDeleted {
		t.Errorf("both owners are deleted, and the gate is %s with %s", c.Status, c.Reason)
	}
}

// TestLaw9GateOfTwoTakesRoomAtBoth: a gate that one floor keeps open takes no room at the other.
func TestLaw9GateOfTwoTakesRoomAtBoth(t *testing.T) {
	a, b := types.NamespacedName{Name: "a"}, types.NamespacedName{Name: "b"}
	open := func() (map[types.NamespacedName]bool, error) {
		return map[types.NamespacedName]bool{a: true, b: true}, nil
	}
	alone := func() (map[types.NamespacedName]bool, error) { return map[types.NamespacedName]bool{a: true}, nil }

	var c closings
	roomy, full := floor{open: open}, floor{open: alone}
	if ok, err := c.room(a, []floor{roomy, full}, noon); ok || err != nil {
		t.Fatalf("the last gate of one owner closes: %t, %v", ok, err)
	}
	if ok, err := c.room(b, []floor{roomy}, noon); !ok || err != nil {
		t.Errorf("a gate that stayed open counts as closed: %t, %v", ok, err)
	}
	if ok, err := c.room(a, []floor{roomy}, noon); ok || err != nil {
		t.Errorf("both of two gates close: %t, %v", ok, err)
	}
}

// TestLaw6AnOpenGateHoldsNoneUp: a group is read fast for a gate that waits, though an open gate of the pod
// has the same target.
func TestLaw6AnOpenGateHoldsNoneUp(t *testing.T) {
	for _, order := range [][]corev1.PodReadinessGate{
		{{ConditionType: gateWeb}, {ConditionType: gatePair}},
		{{ConditionType: gatePair}, {ConditionType: gateWeb}},
	} {
		w, sources := newPair(t)
		w.pod.Spec.ReadinessGates = order
		w.put(corev1.PodCondition{Type: gatePair, Status: corev1.ConditionTrue, Reason: v1alpha1.ReasonHealthy})
		*sources = []gates.Source{{Name: "a", Owner: web, Claim: gate.Claimed, Subject: ref, Target: target("10.0.0.7")}}
		w.see(sighting(gate.Initial, "Elb.InitialHealthChecking", true))
		w.reconcile()
		if c := w.condition(); c.Status != corev1.ConditionFalse || !w.waiting[ref] {
			t.Errorf("gates %v: the binding's is %s, and the group is read fast: %t", order, c.Status, w.waiting[ref])
		}

		w.see(sighting(gate.Healthy, "", true))
		w.reconcile()
		if w.waiting[ref] {
			t.Errorf("gates %v: both are open, and the group is read fast", order)
		}
	}
}

// TestMetricsNameTheSource: a gate of several sources counts for the one that it waits for,
// and every registration that it waited for is timed.
func TestMetricsNameTheSource(t *testing.T) {
	w, _ := newPair(t)
	for _, group := range []string{"arn:a", "arn:b"} {
		w.metrics.registered.Note(latency.Registration{Pod: "uid-1", Group: group}, noon, noon)
	}
	w.says(sighting(gate.Healthy, "", true), sighting(gate.Initial, "Elb.InitialHealthChecking", true))
	w.reconcile()
	if n := testutil.ToFloat64(w.metrics.waiting.Gauge.WithLabelValues("shop", "b", "Elb.InitialHealthChecking")); n != 1 {
		t.Errorf("%v pods wait for b, want 1", n)
	}

	w.says(sighting(gate.Healthy, "", true), sighting(gate.Healthy, "", true))
	w.reconcile()
	if n, _ := observed(t, w.metrics.health); n != 2 {
		t.Errorf("%d registrations timed, want 2", n)
	}
}
