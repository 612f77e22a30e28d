// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

// foreign registers targets of which this cluster has no pod.
func (w *world) foreign(state gate.State, ns ...int) {
	for _, n := range ns {
		w.rows[at(n)] = gate.Health{State: state}
	}
}

// TestLaw3HealthyStrangersStay: a binding that begins to serve a group leaves in it what serves and is none of its
// cluster's, whatever becomes of its own pods and of the binding, and says so.
func TestLaw3HealthyStrangersStay(t *testing.T) {
	cases := map[string]struct {
		pods   func(w *world)
		change func(w *world)
		want   string
	}{
		"no pod here":             {want: ""},
		"pods here never start":   {pods: func(w *world) { w.pod(1); w.unready(1) }, want: ""},
		"pods here serve":         {pods: func(w *world) { w.pod(1) }, want: "register 1"},
		"the other cluster rolls": {change: func(w *world) { w.foreign(gate.Initial, 11) }, want: ""},
		"no listener yet":         {change: func(w *world) { w.rows[at(12)] = gate.Health{State: gate.Unused, NotInUse: true} }, want: ""},
		"the load balancer fails": {change: func(w *world) { w.rows[at(12)] = gate.Health{State: gate.Unavailable, Own: true} }, want: ""},
		"it cannot be checked":    {change: func(w *world) { w.foreign(gate.Unused, 12) }, want: "deregister 12"},
		"one of them fails":       {change: func(w *world) { w.foreign(gate.Unhealthy, 12) }, want: "deregister 12"},
		"another namespace has the address": {
			pods: func(w *world) { w.pod(11).Namespace, w.pods[name(11)].Labels = "other", nil }, want: "deregister 11",
		},
		"a person confirmed":     {pods: func(w *world) { w.confirm("uid-web-tg") }, want: "deregister 11 12"},
		"a copied confirmation":  {pods: func(w *world) { w.confirm("uid-elsewhere") }, want: ""},
		"podgate begins anew":    {change: func(w *world) { w.restart() }, want: ""},
		"the binding is deleted": {change: func(w *world) { w.deleted() }, want: ""},
	}

	for what, tc := range cases {
		w := newWorld(t)
		w.bindings["web-tg"].UID = "uid-web-tg"
		w.foreign(gate.Healthy, 11, 12)
		if tc.pods != nil {
			tc.pods(w)
		}

		w.reconcile()
		w.let(time.Minute)
		if tc.change != nil {
			tc.change(w)
			w.reconcile()
			w.let(5 * time.Minute)
		}

		if got := w.made(); got != tc.want {
			t.Errorf("%s: calls %q, want %q", what, got, tc.want)
		}
	}
}

// confirm says that strangers may go, for the binding of a UID.
func (w *world) confirm(uid string) {
	w.bindings["web-tg"].Annotations = map[string]string{v1alpha1.RemoveForeignAnnotation: uid}
}

// deleted begins the binding's deletion.
func (w *world) deleted() {
	now := metav1.NewTime(w.clock)
	w.bindings["web-tg"].DeletionTimestamp = &now
}

// TestLaw3HealthyStrangersAreReported: on the binding, with how many there are and each way out, once as an event, and in
// a metric; and no longer once they are gone.
func TestLaw3HealthyStrangersAreReported(t *testing.T) {
	w := newWorld(t)
	w.bindings["web-tg"].UID = "uid-web-tg"
	w.serve(1)
	w.foreign(gate.Healthy, 11, 12)
	w.reconcile()
	w.let(time.Minute)

	held := meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionTargetsHeld)
	if held == nil || held.Status != metav1.ConditionTrue || held.Reason != v1alpha1.ReasonForeignTargets {
		t.Fatalf("the binding says %+v", held)
	}
	for _, part := range []string{"2 targets", "10.0.0.11:8080", "spec.multiClusterTargetGroup", "podgate.dev/remove-foreign-targets=uid-web-tg", "by hand"} {
		if !strings.Contains(held.Message, part) {
			t.Errorf("want %q in %q", part, held.Message)
		}
	}
	if n := testutil.ToFloat64(w.report.metrics.foreign); n != 2 {
		t.Errorf("the metric counts %v, want 2", n)
	}
	if n := testutil.ToFloat64(w.report.metrics.held); n != 0 {
		t.Errorf("%v running targets are held, want none", n)
	}
	if got := strings.Count(strings.Join(w.told(), " "), v1alpha1.ReasonForeignTargets); got != 2 {
		t.Errorf("%d events, want one on the binding and one on the Service", got)
	}

	delete(w.rows, at(11))
	delete(w.rows, at(12))
	w.reconcile()
	held = meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionTargetsHeld)
	if held.Status != metav1.ConditionFalse || testutil.ToFloat64(w.report.metrics.foreign) != 0 {
		t.Errorf("they are gone, and the binding says %+v", held)
	}
}

// TestLaw2DiedWhileAwayGoesOnceNoticed: the target of a pod that died while podgate was away seems to serve until its
// checks fail. Then it goes by itself, also when the binding was deleted meanwhile.
func TestLaw2DiedWhileAwayGoesOnceNoticed(t *testing.T) {
	for what, deleted := range map[string]bool{"the binding stays": false, "the binding is deleted": true} {
		w := newWorld(t)
		w.serve(1, 2)
		w.reconcile()
		w.pods = map[string]*corev1.Pod{}
		w.restart()
		if deleted {
			w.deleted()
		}

		w.reconcile()
		w.let(20 * time.Second)
		if got := w.made(); got != "" || w.bindings["web-tg"] == nil {
			t.Errorf("%s: nobody knows yet that they died: calls %q", what, got)
		}

		w.foreign(gate.Unhealthy, 1, 2)
		w.let(10 * time.Second)
		if got := w.made(); got != "deregister 1 2" {
			t.Errorf("%s: calls %q, want both removed by itself", what, got)
		}
		if deleted && w.bindings["web-tg"] != nil {
			t.Errorf("%s: it is still here", what)
		}
	}
}

// TestDeletedBindingWaitsSlowly: until it is known whether a target that serves is a dead pod's may take minutes. The
// deleted binding looks no more often than one that is served, since the account's other bindings share its calls.
func TestDeletedBindingWaitsSlowly(t *testing.T) {
	w := newWorld(t)
	w.foreign(gate.Healthy, 11)
	w.deleted()
	if got := w.reconcile().RequeueAfter; got != lookEvery {
		t.Errorf("looks again after %s, want %s", got, lookEvery)
	}

	w.let(time.Minute)
	if w.bindings["web-tg"] != nil {
		t.Fatal("the binding is still here")
	}
	left := w.toldOf(v1alpha1.ReasonForeignTargets)
	if len(left) != 1 || !strings.Contains(left[0], "1 target, 10.0.0.11:8080, stays in the group of this deleted binding") {
		t.Errorf("of what it leaves people are told %q", left)
	}
}

// TestLaw3AddressTakenWhileItDrains: once a dead pod's target drains, a target at its address is whoever registers it.
func TestLaw3AddressTakenWhileItDrains(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.reconcile()
	delete(w.pods, "web-1")
	w.reconcile()
	if got := w.made(); got != "deregister 1" {
		t.Fatalf("the dead pod's target: calls %q", got)
	}

	w.let(20 * time.Second)
	w.foreign(gate.Initial, 1)
	w.reconcile()
	w.foreign(gate.Healthy, 1)
	w.let(5 * time.Minute)
	if got := w.made(); got != "" {
		t.Errorf("another cluster has the address: calls %q", got)
	}

	w.deleted()
	w.reconcile()
	w.let(time.Minute)
	if got := w.made(); got != "deregister 2" {
		t.Errorf("the binding is deleted: calls %q, want its own target removed alone", got)
	}
}

// TestLaw3NodesPodsHaveNoPortsOfOthers: a pod on its node's network that declares no port may have any of them. One that
// the Service does not select, and whose target nobody saw, is not taken to have what a person registered on its node.
func TestLaw3NodesPodsHaveNoPortsOfOthers(t *testing.T) {
	cases := map[string]struct {
		agent func(*corev1.Pod)
		want  string
	}{
		"declares none":               {agent: func(*corev1.Pod) {}, want: ""},
		"declares another":            {agent: func(p *corev1.Pod) { declare(p, 9100) }, want: ""},
		"declares it":                 {agent: func(p *corev1.Pod) { declare(p, 8080) }, want: "deregister 11"},
		"is not on the node's":        {agent: func(p *corev1.Pod) { p.Spec.HostNetwork = false }, want: "deregister 11"},
		"is of a different namespace": {agent: func(p *corev1.Pod) { p.Namespace = "other" }, want: ""},
	}

	for what, tc := range cases {
		w := newWorld(t)
		w.serve(1)
		agent := w.pod(11)
		agent.Labels, agent.Spec.HostNetwork = nil, true
		tc.agent(agent)
		w.foreign(gate.Healthy, 11)

		w.reconcile()
		w.let(5 * time.Minute)
		if got := w.made(); got != tc.want {
			t.Errorf("a pod that %s: calls %q, want %q", what, got, tc.want)
		}
	}
}

// declare has a pod's container declare a port.
func declare(pod *corev1.Pod, port int32) {
	pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: port}}}}
}

// TestLaw3NodesPodKeepsItsOldPort: the Service's port changes, and what a pod on its node's network had before it declares
// nothing of is still its own to lose.
func TestLaw3NodesPodKeepsItsOldPort(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	w.pods["web-1"].Spec.HostNetwork = true
	w.reconcile()

	w.services["web"].Spec.Ports[0].TargetPort = intstr.FromInt32(9090)
	w.reconcile()
	w.rows[gate.Target{Addr: at(1).Addr, Port: 9090}] = gate.Health{State: gate.Healthy}
	w.let(2 * time.Minute)
	if got := w.made(); got != "register 1, deregister 1" {
		t.Errorf("calls %q, want the new port registered and the old one removed", got)
	}
}

// TestLaw3TakenOverStrangersStay: what AWS Load Balancer Controller left in the group and serves at an address of no pod
// here may be another cluster's as well; once it fails its checks it is a dead pod's.
func TestLaw3TakenOverStrangersStay(t *testing.T) {
	w := newForeignWorld(t)
	w.serve(1)
	w.foreign(gate.Healthy, 11)
	w.pass(5*time.Minute, false)
	if got := w.made(); got != "" || !slices.Contains(w.bindings["web-tg"].Finalizers, v1alpha1.Finalizer) {
		t.Errorf("taken over: calls %q, finalizers %v", got, w.bindings["web-tg"].Finalizers)
	}

	w.foreign(gate.Unhealthy, 11)
	w.pass(5*time.Minute, false)
	if got := w.made(); got != "deregister 11" {
		t.Errorf("it fails its checks: calls %q", got)
	}
}

// TestLaw3StrangersAndANewLeader: strangers that are held for months say nothing about what another leader removed a moment
// ago, so the new one goes on at once. A guard that ceased beside them a moment ago does.
func TestLaw3StrangersAndANewLeader(t *testing.T) {
	w := newWorld(t)
	w.serve(upTo(6)...)
	w.foreign(gate.Healthy, 11)
	w.reconcile()
	w.let(time.Hour)

	w.restart()
	w.unready(1)
	w.reconcile()
	if got := w.made(); got != "deregister 1" {
		t.Errorf("one of six is not ready: calls %q, want its target removed at once", got)
	}
	w.let(time.Hour)

	// One replacement never starts, so those that were replaced go within the limit, after a minute.
	w.green(21, 22, 23, 24, 25)
	w.unready(25)
	w.pods[name(4)].Labels, w.pods[name(5)].Labels, w.pods[name(6)].Labels = map[string]string{"app": "green"}, map[string]string{"app": "green"}, map[string]string{"app": "green"}
	w.reconcile()
	for n := 21; n <= 24; n++ {
		w.rows[at(n)] = gate.Health{State: gate.Healthy}
	}
	w.reconcile()
	w.let(time.Minute)
	if got := w.made(); got != "register 21 22 23 24, deregister 2 3" {
		t.Fatalf("two were replaced: calls %q", got)
	}

	w.let(5 * time.Second)
	w.restart()
	for n := 4; n <= 6; n++ {
		w.unready(n)
	}
	w.reconcile()
	w.let(40 * time.Second)
	if got := w.made(); got != "" {
		t.Errorf("two of nine went within a minute, and the new leader cannot see it: calls %q", got)
	}
	w.let(time.Minute)
	if got := w.made(); got != "deregister 4 5 6" {
		t.Errorf("a minute later: calls %q", got)
	}
}

// TestNewLeaderReportsGuardsOnce: what the condition says already is no news, though its reason names one guard only.
func TestNewLeaderReportsGuardsOnce(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.foreign(gate.Healthy, 11)
	w.unready(1)
	w.unready(2)
	w.reconcile()
	w.let(time.Minute)
	told := strings.Join(w.told(), " ")
	if !strings.Contains(told, v1alpha1.ReasonForeignTargets) || !strings.Contains(told, v1alpha1.ReasonHeldAtFloor) {
		t.Fatalf("people are told %q, want both guards", told)
	}

	w.restart()
	w.reconcile()
	w.let(time.Minute)
	if told := w.told(); len(told) > 0 {
		t.Errorf("a new leader tells people again: %q", told)
	}
}

// TestStrangersOfOneNamespace: who sees one namespace says nothing of the cluster.
func TestStrangersOfOneNamespace(t *testing.T) {
	w := newWorld(t)
	w.report.sees = `namespace "shop"`
	w.foreign(gate.Healthy, 11)
	w.reconcile()
	w.let(time.Minute)
	held := meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionTargetsHeld)
	if held == nil || !strings.Contains(held.Message, `no pod of namespace "shop"`) || !strings.Contains(held.Message, "another namespace or cluster") {
		t.Errorf("the binding says %+v", held)
	}
}

// TestManyGroupsWithStrangersShareTheReads: a new leader finds strangers in a hundred groups at once, each of which may be a
// dead pod's. To see it, it reads two groups a second, and each of a few within five seconds.
func TestManyGroupsWithStrangersShareTheReads(t *testing.T) {
	for groups, atMost := range map[int]float64{1: 0.21, 5: 1.01, 100: 2.01} {
		w := newWorld(t)
		w.foreign(gate.Healthy, 11)
		var keys []types.NamespacedName
		for n := range groups {
			name := fmt.Sprintf("tg-%d", n)
			w.bind(name, 0).Spec.TargetGroupARN = "arn:" + name
			keys = append(keys, types.NamespacedName{Namespace: "shop", Name: name})
		}

		// At first whoever registered them may be unknown; then all are looked at.
		var looks float64
		for range 3 {
			looks = 0
			for _, key := range keys {
				res, err := w.try(key)
				if err != nil {
					t.Fatal(err)
				}
				looks += 1 / res.RequeueAfter.Seconds()
			}
			w.clock = w.clock.Add(gate.Lag)
		}
		if looks > atMost || looks < 0.19 {
			t.Errorf("%d groups are looked at %.2f times a second, want at most %.2f", groups, looks, atMost)
		}
	}
}
