// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/instance"
	"github.com/podgate/podgate/internal/membership"
)

// inst is the target of a node's instance.
func inst(node string) gate.Target { return gate.Target{Instance: "i-0" + node, Port: 30080} }

// nodePort gives the Service a node port.
func (w *world) nodePort() {
	w.services["web"].Spec.Type = corev1.ServiceTypeNodePort
	w.services["web"].Spec.Ports[0].NodePort = 30080
}

// isNode has the controller see a node, which is Ready, as it is now. It returns the bindings that this woke.
func (w *world) isNode(name string, edit ...func(*corev1.Node)) []types.NamespacedName {
	w.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{ProviderID: "aws:///eu-west-1a/i-0" + name}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, f := range edit {
		f(node)
	}
	woken := w.nodeEvent(func(h toolscache.ResourceEventHandler, slim any) { h.OnUpdate(nil, slim) }, node)
	w.KnowNodes(func() bool { return true })
	return woken
}

// isGone has the controller see that a node was deleted.
func (w *world) isGone(name string) []types.NamespacedName {
	w.t.Helper()
	return w.nodeEvent(func(h toolscache.ResourceEventHandler, slim any) { h.OnDelete(slim) }, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

func tainted(key string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{taint(key)} }
}

func nodeReady(status corev1.ConditionStatus) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.Conditions[0].Status = status }
}

func labelled(key, value string) func(*corev1.Node) {
	return func(n *corev1.Node) { metav1.SetMetaDataLabel(&n.ObjectMeta, key, value) }
}

// newNodeWorld is a world whose group is of nodes, of which some serve.
func newNodeWorld(t *testing.T, nodes ...string) *world {
	w := newWorld(t)
	w.balanceBy(&resolver{world: w, targetType: "instance"})
	w.bindings["web-tg"].Annotations = nil
	w.states.update(web, func(s *state) { s.service.resolved = resolved{} })
	w.nodePort()
	w.KnowNodes(func() bool { return true })
	for _, name := range nodes {
		w.isNode(name)
		w.rows[inst(name)] = gate.Health{State: gate.Healthy}
	}
	w.reconcile()
	w.calls = nil
	drainEvents(w)
	return w
}

// restartNodes makes a Reconciler that remembers nothing, and knows no node yet.
func (w *world) restartNodes() {
	w.restart()
	w.balanceBy(&resolver{world: w, targetType: "instance"})
}

// TestNodesAreTargets: nodes are registered at the Service's node port, at once when they come, and leave when they are
// selected no more.
func TestNodesAreTargets(t *testing.T) {
	w := newNodeWorld(t)
	if w.reconcile(); len(w.calls) > 0 {
		t.Fatalf("there is no node yet: %q", w.made())
	}
	for _, name := range []string{"a", "b", "c"} {
		if woken := w.isNode(name, labelled("role", "web")); len(woken) != 1 || woken[0] != web {
			t.Errorf("a new node: woken %v", woken)
		}
	}
	if w.reconcile(); w.made() != "register a b c" {
		t.Fatalf("calls %q", w.made())
	}
	if got := w.says(v1alpha1.ConditionReady); got != "True Synced" {
		t.Errorf("Ready: %s", got)
	}
	if woken := w.isNode("a", labelled("role", "web")); len(woken) != 0 {
		t.Errorf("a node says that it is as it was: woken %v", woken)
	}

	for name := range w.rows {
		w.rows[name] = gate.Health{State: gate.Healthy}
	}
	if woken := w.isNode("b", labelled("role", "web"), labelled(instance.LabelExclude, "")); len(woken) != 1 {
		t.Errorf("a label: woken %v", woken)
	}
	w.reconcile()
	if got := w.made(); got != "deregister b" {
		t.Errorf("a node is to be no target: %q", got)
	}

	w.bindings["web-tg"].Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"role": "web"}}
	w.isNode("c")
	w.reconcile()
	if got := w.made(); got != "deregister c" {
		t.Errorf("a node that is not selected: %q", got)
	}
}

// TestNodesAsCordonAndReadinessSay: a cordoned node forwards on; one that is not Ready goes as far as others serve.
func TestNodesAsCordonAndReadinessSay(t *testing.T) {
	w := newNodeWorld(t, "a", "b", "c")
	w.isNode("a", func(n *corev1.Node) { n.Spec.Unschedulable = true }, tainted(corev1.TaintNodeUnschedulable))
	if w.reconcile(); len(w.calls) > 0 {
		t.Errorf("a cordoned node goes: %q", w.made())
	}
	w.isNode("b", nodeReady(corev1.ConditionFalse))
	w.reconcile()
	if got := w.made(); got != "deregister b" {
		t.Errorf("a node that is not Ready: %q", got)
	}
}

// TestLaw3NodesThatAreNotReady: the last ones stay, and all of them when the API server hears of none.
func TestLaw3NodesThatAreNotReady(t *testing.T) {
	for _, status := range []corev1.ConditionStatus{corev1.ConditionFalse, corev1.ConditionUnknown} {
		w := newNodeWorld(t, "a", "b", "c", "d")
		for _, name := range []string{"a", "b", "c", "d"} {
			w.isNode(name, nodeReady(status))
		}
		w.reconcile()
		if w.let(10 * time.Minute); len(w.calls) > 0 {
			t.Errorf("%s: all nodes at once: %q", status, w.made())
		}
		if held := status == corev1.ConditionFalse; (w.says(v1alpha1.ConditionTargetsHeld) == "True HeldAtFloor") != held {
			t.Errorf("%s: TargetsHeld %s", status, w.says(v1alpha1.ConditionTargetsHeld))
		}
	}

	w := newNodeWorld(t, "a", "b", "c", "d")
	for _, name := range []string{"a", "b", "c", "d"} {
		w.isNode(name, nodeReady(corev1.ConditionFalse))
		w.reconcile()
	}
	if got := w.made(); got != "deregister a, deregister b" {
		t.Errorf("one after the other: %q, want half of them within a minute", got)
	}
	if !strings.Contains(drainEvents(w), "Nodes are not Ready") {
		t.Error("people are told of pods")
	}
}

// TestLaw5NodesThatEnd: a node that is being removed, or is gone, gets no new requests, and no other goes with it.
func TestLaw5NodesThatEnd(t *testing.T) {
	ends := map[string]func(*world) []types.NamespacedName{
		"autoscaler": func(w *world) []types.NamespacedName {
			return w.isNode("a", tainted(disruption.TaintClusterAutoscaler))
		},
		"karpenter": func(w *world) []types.NamespacedName { return w.isNode("a", tainted(disruption.TaintKarpenter)) },
		"deleted": func(w *world) []types.NamespacedName {
			return w.isNode("a", func(n *corev1.Node) { n.DeletionTimestamp = new(metav1.Now()) })
		},
		"shuts down": func(w *world) []types.NamespacedName {
			return w.isNode("a", nodeReady(corev1.ConditionFalse), func(n *corev1.Node) { n.Status.Conditions[0].Message = "node is shutting down" })
		},
		"out of service": func(w *world) []types.NamespacedName { return w.isNode("a", tainted(corev1.TaintNodeOutOfService)) },
		"gone":           func(w *world) []types.NamespacedName { return w.isGone("a") },
	}

	for what, end := range ends {
		w := newNodeWorld(t, "a", "b", "c")
		if woken := end(w); len(woken) == 0 || woken[0] != web {
			t.Errorf("%s: woken %v", what, woken)
		}
		w.reconcile()
		if got := w.made(); got != "deregister a" {
			t.Errorf("%s: %q", what, got)
		}
		w.rows[inst("a")] = gate.Health{State: gate.Draining}
		if w.let(10 * time.Minute); len(w.calls) > 0 {
			t.Errorf("%s: afterwards %q", what, w.made())
		}
		if what == "gone" {
			continue
		}

		w.isNode("a")
		w.reconcile()
		if got := w.made(); got != "register a" {
			t.Errorf("%s is taken back: %q", what, got)
		}
	}
}

// TestLaw5LastNode: the last that serves stays until another does, whether its node is there or not.
func TestLaw5LastNode(t *testing.T) {
	ends := map[string]func(*world){
		"tainted": func(w *world) { w.isNode("a", tainted(disruption.TaintKarpenter)) },
		"gone":    func(w *world) { w.isGone("a") },
	}

	for what, end := range ends {
		w := newNodeWorld(t, "a")
		end(w)
		w.reconcile()
		if w.let(10 * time.Minute); len(w.calls) > 0 {
			t.Fatalf("%s: the only one goes: %q", what, w.made())
		}
		if got := w.says(v1alpha1.ConditionTargetsHeld); got != "True HeldAsLastServing" {
			t.Errorf("%s: TargetsHeld %s", what, got)
		}

		w.isNode("b")
		w.reconcile()
		if got := w.made(); got != "register b" {
			t.Fatalf("%s: %q", what, got)
		}
		w.rows[inst("b")] = gate.Health{State: gate.Healthy}
		w.reconcile()
		if got := w.made(); got != "deregister a" {
			t.Errorf("%s: another serves: %q", what, got)
		}
	}

	// Its instance is gone, too.
	w := newNodeWorld(t, "a")
	w.isGone("a")
	w.rows[inst("a")] = gate.Health{State: gate.Unused, Reason: "Target.InvalidState"}
	w.reconcile()
	if got := w.made(); got != "deregister a" {
		t.Errorf("an instance that does not run: %q", got)
	}
}

// TestLaw3NodesUnknown: until all nodes were seen nothing changes, and a process that may not read them says so.
func TestLaw3NodesUnknown(t *testing.T) {
	w := newNodeWorld(t, "a", "b")
	w.restartNodes()
	w.isNode("a")
	w.KnowNodes(func() bool { return false })
	w.reconcile()
	if w.let(8 * time.Second); len(w.calls) > 0 || w.says(v1alpha1.ConditionReady) != "True Synced" {
		t.Fatalf("nodes are being listed: %q, Ready %s", w.made(), w.says(v1alpha1.ConditionReady))
	}
	if w.let(time.Hour); len(w.calls) > 0 || w.says(v1alpha1.ConditionReady) != "False NodesNotRead" {
		t.Fatalf("nodes cannot be read: %q, Ready %s", w.made(), w.says(v1alpha1.ConditionReady))
	}

	w.isNode("b")
	if w.let(time.Hour); len(w.calls) > 0 || w.says(v1alpha1.ConditionReady) != "True Synced" {
		t.Errorf("nodes are known: %q, Ready %s", w.made(), w.says(v1alpha1.ConditionReady))
	}

	// Nor is a deleted binding's group emptied by guess.
	w.restartNodes()
	w.bindings["web-tg"].DeletionTimestamp = new(metav1.NewTime(w.clock))
	if _, err := w.try(web); err == nil || len(w.calls) > 0 {
		t.Errorf("deleted while nodes are not known: %q, %v", w.made(), err)
	}
	w.isNode("a")
	w.isNode("b")
	w.reconcile()
	if got := w.made(); got != "deregister a b" {
		t.Errorf("deleted: %q", got)
	}
}

// TestLaw3ForeignInstances: instances that no node of the cluster is stay while they serve, across a restart and the
// binding's deletion, and one that stopped goes.
func TestLaw3ForeignInstances(t *testing.T) {
	w := newNodeWorld(t, "a")
	w.rows[inst("z")] = gate.Health{State: gate.Healthy}
	w.rows[inst("y")] = gate.Health{State: gate.Unused, Reason: "Target.InvalidState"}
	w.reconcile()
	w.let(10 * time.Minute)
	if got := w.made(); got != "deregister y" {
		t.Errorf("got %q", got)
	}
	if got, event := w.says(v1alpha1.ConditionTargetsHeld), drainEvents(w); got != "True ForeignTargets" || !strings.Contains(event, "is an instance that no node of this cluster is") {
		t.Errorf("TargetsHeld %s, events %s", got, event)
	}

	w.restartNodes()
	w.isNode("a")
	w.reconcile()
	if w.let(10 * time.Minute); len(w.calls) > 0 {
		t.Errorf("after a restart: %q", w.made())
	}

	w.bindings["web-tg"].DeletionTimestamp = new(metav1.NewTime(w.clock))
	w.reconcile()
	if got := w.made(); got != "deregister a" {
		t.Errorf("deleted: %q", got)
	}
}

// TestLaw3NodeSelectorSelectsNothing: absence has to last, and is meant then.
func TestLaw3NodeSelectorSelectsNothing(t *testing.T) {
	w := newNodeWorld(t, "a", "b")
	w.bindings["web-tg"].Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"role": "typo"}}
	w.reconcile()
	if w.let(29 * time.Second); len(w.calls) > 0 || w.says(v1alpha1.ConditionTargetsHeld) != "True HeldWhileAbsent" {
		t.Fatalf("at once: %q, TargetsHeld %s", w.made(), w.says(v1alpha1.ConditionTargetsHeld))
	}
	w.let(time.Second)
	if got := w.made(); got != "deregister a b" {
		t.Errorf("it lasted: %q", got)
	}
}

// TestLaw4NodePortChanges: the new port serves before the old one goes.
func TestLaw4NodePortChanges(t *testing.T) {
	w := newNodeWorld(t, "a", "b")
	w.services["web"].Spec.Ports[0].NodePort = 30081
	w.reconcile()
	if got := w.made(); got != "register a b" {
		t.Fatalf("got %q", got)
	}
	for _, name := range []string{"a", "b"} {
		w.rows[gate.Target{Instance: "i-0" + name, Port: 30081}] = gate.Health{State: gate.Healthy}
	}
	w.reconcile()
	if got := w.made(); got != "deregister a b" {
		t.Fatalf("got %q", got)
	}
	if w.rows[inst("a")].State != gate.Draining || w.rows[gate.Target{Instance: "i-0a", Port: 30081}].State != gate.Healthy {
		t.Errorf("rows %v", w.rows)
	}
}

// TestNodesWithReadyPods: only nodes that run a Ready pod are targets, as pods come and go, and all while none is Ready.
func TestNodesWithReadyPods(t *testing.T) {
	w := newNodeWorld(t, "a", "b", "c")
	w.bindings["web-tg"].Annotations[v1alpha1.NodesAnnotation] = "WithReadyPods"
	on := func(n int, node string) *corev1.Pod {
		pod := w.pod(n)
		pod.Spec.NodeName = node
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
		return pod
	}

	if w.reconcile(); len(w.calls) > 0 {
		t.Errorf("no pod is Ready: %q", w.made())
	}
	on(1, "a")
	two := on(2, "b")
	w.reconcile()
	if got := w.made(); got != "deregister c" {
		t.Errorf("got %q", got)
	}

	w.terminate(two)
	w.reconcile()
	if got := w.made(); got != "deregister b" {
		t.Errorf("the pod of b is being deleted: %q", got)
	}
	delete(w.rows, inst("c"))
	on(3, "c")
	w.reconcile()
	if got := w.made(); got != "register c" {
		t.Errorf("a pod on c: %q", got)
	}

	w.rows[inst("c")] = gate.Health{State: gate.Healthy}
	on(4, "b").Status.Phase = corev1.PodFailed
	if w.reconcile(); len(w.calls) > 0 {
		t.Errorf("a pod that has ended: %q", w.made())
	}
}

// TestNodesCheckedElsewhere: people are told once that the group's checks say nothing of the Service's pods, also by a leader
// that goes by what the last one found, and no longer when the Service or the group is changed.
func TestNodesCheckedElsewhere(t *testing.T) {
	w := newNodeWorld(t, "a")
	r := &resolver{world: w, targetType: "instance", checkPort: 10256}
	w.balanceBy(r)
	w.services["web"].Spec.Type = corev1.ServiceTypeLoadBalancer
	w.services["web"].Spec.ExternalTrafficPolicy, w.services["web"].Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32000
	w.bindings["web-tg"].Generation++
	told := func() (events int) {
		w.reconcile()
		return strings.Count(drainEvents(w), "Have the group check port 32000 at /healthz")
	}

	if first, again := told(), told(); first != 1 || again != 0 {
		t.Errorf("told %d and %d times", first, again)
	}
	if got, ready := w.says(v1alpha1.ConditionSupported), w.says(v1alpha1.ConditionReady); got != "False NotAppliedToTargets" || ready != "True Synced" {
		t.Errorf("Supported: %s; Ready: %s", got, ready)
	}

	w.restart()
	w.balanceBy(r)
	w.isNode("a")
	r.asked = 0
	if events := told(); events != 0 || r.asked != 0 || w.says(v1alpha1.ConditionSupported) == "" {
		t.Errorf("the next leader asked %d times, told %d times and says %q", r.asked, events, w.says(v1alpha1.ConditionSupported))
	}

	w.services["web"].Spec.ExternalTrafficPolicy, w.services["web"].Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyCluster, 0
	if told(); w.says(v1alpha1.ConditionSupported) != "" {
		t.Error("nodes forward to all pods, and it is still said")
	}
	w.services["web"].Spec.ExternalTrafficPolicy, w.services["web"].Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32000
	r.checkPort = 32000
	w.bindings["web-tg"].Generation++
	if told(); w.says(v1alpha1.ConditionSupported) != "" {
		t.Error("the group checks the right port, and it is still said")
	}
}

// TestNodesWithoutInstance: the others are registered, and people are told once.
func TestNodesWithoutInstance(t *testing.T) {
	w := newNodeWorld(t, "a")
	for _, name := range []string{"f", "e"} {
		w.isNode(name, func(n *corev1.Node) { n.Spec.ProviderID = "" })
	}
	w.isNode("b")
	w.reconcile()
	if got := w.made(); got != "register b" {
		t.Errorf("got %q", got)
	}
	if got := drainEvents(w); strings.Count(got, v1alpha1.ReasonNodeWithoutInstance) != 1 || !strings.Contains(got, "The nodes e, f are not registered") {
		t.Errorf("events %s", got)
	}
	if w.reconcile(); strings.Contains(drainEvents(w), v1alpha1.ReasonNodeWithoutInstance) {
		t.Error("told again")
	}

	w.isNode("f")
	w.reconcile()
	if got := drainEvents(w); !strings.Contains(got, "The node e is not registered") {
		t.Errorf("events %s", got)
	}
	w.isGone("e")
	if w.reconcile(); strings.Contains(drainEvents(w), v1alpha1.ReasonNodeWithoutInstance) {
		t.Error("nothing is amiss any longer")
	}

	for i := range 5 {
		w.isNode(fmt.Sprint("x", i), func(n *corev1.Node) { n.Spec.ProviderID = "gce://p/z/x" })
	}
	w.reconcile()
	if got := drainEvents(w); !strings.Contains(got, "The nodes x0, x1, x2 and 2 more are not registered") {
		t.Errorf("events %s", got)
	}
}

// TestLaw3NodesOfASharedGroup: of a group that clusters share only what this one registered goes, which is recorded first.
func TestLaw3NodesOfASharedGroup(t *testing.T) {
	w := newNodeWorld(t, "a")
	w.bindings["web-tg"].Spec.MultiClusterTargetGroup = true
	w.rows[inst("z")] = gate.Health{State: gate.Healthy}
	w.isNode("b")
	w.reconcile()
	if got := w.made(); got != "record i-0b:30080, register b, record i-0a:30080,i-0b:30080" {
		t.Errorf("got %q", got)
	}
	if got := w.maps[elbv2.LBCTargetsPrefix+"web-tg"]; got == nil || got.Data[elbv2.LBCTargetsKey] != "i-0a:30080,i-0b:30080" {
		t.Errorf("recorded %+v", got)
	}

	w.restartNodes()
	w.rows[inst("b")] = gate.Health{State: gate.Healthy}
	w.isNode("a") // b is gone meanwhile
	w.let(10 * time.Minute)
	if got := w.made(); got != "deregister b, record i-0a:30080" {
		t.Errorf("got %q", got)
	}
}

// TestLaw7NodesRefused: a node that the load balancer refuses holds up no other.
func TestLaw7NodesRefused(t *testing.T) {
	w := newNodeWorld(t)
	w.refuse[inst("b")] = true
	for _, name := range []string{"a", "b", "c"} {
		w.isNode(name)
	}
	if _, err := w.try(web); err == nil {
		t.Error("nobody is told")
	}
	if w.rows[inst("a")].State != gate.Initial || w.rows[inst("c")].State != gate.Initial {
		t.Errorf("rows %v", w.rows)
	}
}

// TestThousandNodes: a pass over them is quick, and makes no call when nothing is to change.
func TestThousandNodes(t *testing.T) {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("%04d", i))
	}
	w := newNodeWorld(t, names...)
	began := time.Now()
	if w.reconcile(); len(w.calls) > 0 {
		t.Errorf("calls %d", len(w.calls))
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("a pass took %s", took)
	}
}

// TestNodesThatShareAnInstance: a node that was registered under another name is the same target.
func TestNodesThatShareAnInstance(t *testing.T) {
	w := newNodeWorld(t, "a", "b")
	w.isNode("again", func(n *corev1.Node) { n.Spec.ProviderID = "aws:///eu-west-1a/i-0a" })
	w.isGone("a")
	if w.reconcile(); len(w.calls) > 0 {
		t.Errorf("calls %q", w.made())
	}
	if !w.nodes.hasInstance("i-0a") || w.nodes.hasInstance("i-0z") {
		t.Error("which instances are nodes is not known")
	}
	w.isNode("again", func(n *corev1.Node) { n.Spec.ProviderID = "aws:///eu-west-1a/i-0y" })
	if w.nodes.hasInstance("i-0a") || !w.nodes.hasInstance("i-0y") {
		t.Error("a node is taken for an instance that it was before")
	}
}

// TestExternalNodes: where somebody else registers nodes, podgate leaves them alone.
func TestExternalNodes(t *testing.T) {
	w := newNodeWorld(t, "a")
	b := w.bindings["web-tg"]
	group, ok := binding.Of(b).Published()
	if !ok || !w.fills(binding.Of(b), group) {
		t.Fatalf("group %+v", group)
	}

	own := binding.Of(b)
	own.External = true
	if v := w.unfit(t.Context(), own, group); v == nil || v.reason != v1alpha1.ReasonInstanceTargets {
		t.Errorf("verdict %+v", v)
	}
	if got := w.counts(own, group); got != unservedAgain {
		t.Errorf("looked up after %s", got)
	}
	group.Ref.Provider = "other"
	if w.fills(binding.Of(b), group) || w.counts(binding.Of(b), group) != unservedAgain {
		t.Error("another load balancer's nodes are served")
	}
}

// TestStandbyAndNodes: a standby that does not know the nodes leaves them to the leader.
func TestStandbyAndNodes(t *testing.T) {
	w := newNodeWorld(t, "a", "b")
	w.restartNodes()
	if n, err := w.Urgent(t.Context(), web); n != 0 || err != nil || len(w.calls) > 0 {
		t.Errorf("%d, %v, %q", n, err, w.made())
	}
	w.isNode("a", tainted(disruption.TaintClusterAutoscaler))
	w.isNode("b")
	if n, err := w.Urgent(t.Context(), web); n != 1 || err != nil || w.made() != "deregister a" {
		t.Errorf("%d, %v", n, err)
	}
}

// TestGuardsOfNodesAreRead: a new leader reads which guards kept nodes from what the condition says.
func TestGuardsOfNodesAreRead(t *testing.T) {
	for _, g := range membership.Guards {
		if g == membership.GuardForeign {
			continue
		}
		c := metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonForeignTargets, Message: "Foreign. " + heldBy[g].nodes}
		if got := guardsOf(&c); len(got) != 2 || got[1] != g {
			t.Errorf("%s: read %v", g, got)
		}
	}
}
