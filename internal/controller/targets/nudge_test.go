// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

// external is the key of the External binding of the world's group.
var external = types.NamespacedName{Namespace: "shop", Name: v1alpha1.GatePrefix + "own"}

// besideLBC makes a world in which AWS Load Balancer Controller has the TargetGroupBinding,
// and podgate an External binding of the same group.
func besideLBC(t *testing.T, wake v1alpha1.Wake) *world {
	t.Helper()
	w := newWorld(t)
	w.bindings["web-tg"].Finalizers = []string{elbv2.LBCFinalizer}
	own := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own", UID: "uid-own", ResourceVersion: "1", Generation: 1, CreationTimestamp: metav1.NewTime(noon)}}
	own.Spec.ServiceRef = v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	own.Spec.ELBv2 = &v1alpha1.ELBv2{TargetGroupARN: ref.Group}
	own.Spec.Membership, own.Spec.Wake = v1alpha1.MembershipExternal, wake
	w.own["own"] = own
	w.look()
	w.calls, w.writes = nil, 0
	return w
}

// look reconciles the External binding.
func (w *world) look() {
	w.t.Helper()
	res, err := w.try(external)
	if err != nil {
		w.t.Fatal(err)
	}
	w.due = w.clock.Add(res.RequeueAfter)
	if res.RequeueAfter == 0 {
		w.due = w.clock.Add(1000 * time.Hour) // only an event would make it look again
	}
}

// lookOn has time pass: the External binding is looked at when podgate asked for it.
func (w *world) lookOn(d time.Duration) {
	w.t.Helper()
	end := w.clock.Add(d)
	for !w.due.After(end) {
		w.clock = w.due
		w.look()
	}
	w.clock = end
}

// waits makes the n-th pod, held back by the External binding's gate alone.
func (w *world) waits(n int) {
	pod := w.pod(n)
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(external.Name)}}
}

func (w *world) nudged() string { return w.bindings["web-tg"].Annotations[v1alpha1.NudgeAnnotation] }

// nudges counts the nudges while something happens.
func (w *world) nudgesIn(happens func()) int {
	count, last := 0, w.nudged()
	w.onWrite = func(b *elbv2.TargetGroupBinding) {
		if at := b.Annotations[v1alpha1.NudgeAnnotation]; at != last {
			count, last = count+1, at
		}
	}
	happens()
	w.onWrite = nil
	return count
}

func (w *world) ownReady() metav1.Condition {
	c := meta.FindStatusCondition(w.own["own"].Status.Conditions, v1alpha1.ConditionReady)
	if c == nil {
		return metav1.Condition{}
	}
	return *c
}

// TestLaw3ExternalIsNeverWritten: whatever happens to an External binding's pods and rows,
// podgate registers and deregisters nothing, in no role.
func TestLaw3ExternalIsNeverWritten(t *testing.T) {
	for _, wake := range []v1alpha1.Wake{"", v1alpha1.WakeGate, v1alpha1.WakeNudge, v1alpha1.WakeNone} {
		for what, happens := range map[string]func(w *world){
			"pods to register":      func(w *world) { w.waits(1); w.pod(2) },
			"a pod that terminates": func(w *world) { w.serve(1, 2); w.terminate(w.pods["web-1"]) },
			"rows of dead pods":     func(w *world) { w.serve(1); w.rows[at(7)] = gate.Health{State: gate.Healthy} },
			"unready pods":          func(w *world) { w.serve(1, 2); w.pods["web-1"].Status.Conditions[0].Status = corev1.ConditionFalse },
			"pods not selected":     func(w *world) { w.serve(1, 2); w.pods["web-1"].Labels = nil },
			"no Service":            func(w *world) { w.serve(1, 2); delete(w.services, "web") },
			"a full group":          func(w *world) { w.room = 1; w.serve(1); w.waits(2) },
			"a deleted binding":     func(w *world) { w.serve(1); w.own["own"].DeletionTimestamp = &metav1.Time{Time: noon} },
			"a group never read":    func(w *world) { w.waits(1); w.unread = true },
		} {
			w := besideLBC(t, wake)
			w.look()
			happens(w)
			w.look()
			w.lookOn(10 * time.Minute)

			if _, err := w.Urgent(t.Context(), external); err != nil {
				t.Fatal(err)
			}

			w.restart()
			w.look()
			w.lookOn(10 * time.Minute)

			if got := w.made(); got != "" {
				t.Errorf("wake %q, %s: podgate called %q", wake, what, got)
			}
		}
	}
}

// TestNudge: a pod that only podgate's gate holds back is told of, at once and again until
// it is registered; nothing but the annotation is written.
func TestNudge(t *testing.T) {
	w := besideLBC(t, v1alpha1.WakeNudge)
	before := w.bindings["web-tg"].DeepCopy()

	if n := w.nudgesIn(func() { w.look(); w.lookOn(time.Hour) }); n != 0 {
		t.Fatalf("%d nudges for nobody", n)
	}

	w.waits(1)
	if n := w.nudgesIn(func() { w.look() }); n != 1 {
		t.Fatalf("%d nudges for a pod that waits, want one at once", n)
	}

	after := w.bindings["web-tg"].DeepCopy()
	delete(after.Annotations, v1alpha1.NudgeAnnotation)
	after.ResourceVersion = before.ResourceVersion
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("more than the nudge was written (-before, +after):\n%s", diff)
	}

	// 5, 10, 20, 40 s later and so on up to 5 min: the other controller may be away.
	if n := w.nudgesIn(func() { w.lookOn(4 * time.Second) }); n != 0 {
		t.Errorf("%d nudges right after the first", n)
	}

	if n := w.nudgesIn(func() { w.lookOn(2 * time.Second) }); n != 1 {
		t.Errorf("%d nudges after 5 s without an effect, want one more", n)
	}

	if n := w.nudgesIn(func() { w.lookOn(time.Hour) }); n < 12 || n > 20 {
		t.Errorf("%d nudges in an hour without an effect, want about one in five minutes", n)
	}

	w.rows[at(1)] = gate.Health{State: gate.Initial}
	if n := w.nudgesIn(func() { w.look(); w.lookOn(time.Hour) }); n != 0 {
		t.Errorf("%d nudges for a pod that is registered", n)
	}

	w.rows[at(1)] = gate.Health{State: gate.Draining}
	if n := w.nudgesIn(func() { w.look() }); n != 1 {
		t.Errorf("%d nudges for a pod whose row drains, want one", n)
	}
}

// TestNudgeWaitsForProof: before a read was surely about a pod nobody is nudged for it,
// since a target that is healthy sooner would not be known to be the pod's.
func TestNudgeWaitsForProof(t *testing.T) {
	w := besideLBC(t, v1alpha1.WakeNudge)
	w.waits(1)
	w.unsure["web-1"] = w.clock.Add(10 * time.Second)
	w.refreshed = 0
	if n := w.nudgesIn(func() { w.look(); w.lookOn(9 * time.Second) }); n != 0 || w.refreshed != 0 {
		t.Errorf("%d nudges and %d reads before a read can be about the pod, want none", n, w.refreshed)
	}

	if n := w.nudgesIn(func() { w.lookOn(3 * time.Second) }); n != 0 || w.refreshed == 0 {
		t.Errorf("%d nudges and %d reads when a read can be about the pod, want that read first", n, w.refreshed)
	}

	w.waits(2) // which was seen
	if n := w.nudgesIn(func() { w.look() }); n != 1 {
		t.Errorf("%d nudges for another pod, want one", n)
	}

	w.rows[at(2)] = gate.Health{State: gate.Initial}
	delete(w.unsure, "web-1")

	if n := w.nudgesIn(func() { w.lookOn(3 * time.Second) }); n != 1 {
		t.Errorf("%d nudges once a read was about the pod, want one", n)
	}
}

// TestNudgeIsCoalesced: however many pods become ready, few patches are made.
func TestNudgeIsCoalesced(t *testing.T) {
	w := besideLBC(t, v1alpha1.WakeNudge)
	n := w.nudgesIn(func() {
		for i := 1; i <= 100; i++ {
			w.waits(i)
			w.look()
			w.lookOn(100 * time.Millisecond)
			if i > 10 {
				w.rows[at(i-10)] = gate.Health{State: gate.Initial} // a second later it is registered
			}
		}
	})
	if n < 2 || n > 6 {
		t.Errorf("%d nudges for 100 pods in 10 s, want one in two seconds", n)
	}

	w.lookOn(3 * time.Second)
	if n := w.nudgesIn(func() { w.look() }); n != 0 {
		t.Errorf("%d nudges when nothing is new", n)
	}
}

// TestNudgeAfterARestart: who died after a pod became ready, or after it nudged, is
// followed by one who nudges.
func TestNudgeAfterARestart(t *testing.T) {
	w := besideLBC(t, v1alpha1.WakeNudge)
	w.waits(1)
	w.look()
	w.restart()
	w.clock = w.clock.Add(time.Second)
	if n := w.nudgesIn(func() { w.look() }); n != 1 {
		t.Errorf("%d nudges by the next leader, want one", n)
	}
}

// TestNudgeFails: a refused patch is told and tried again.
func TestNudgeFails(t *testing.T) {
	w := besideLBC(t, v1alpha1.WakeNudge)
	w.waits(1)
	w.refused["bindings"] = apierrors.NewForbidden(schema.GroupResource{Resource: "targetgroupbindings"}, "web-tg", errors.New("no"))
	if _, err := w.try(external); err == nil {
		t.Fatal("a failed nudge is no error: nobody would try again")
	}

	if c := w.ownReady(); c.Reason != v1alpha1.ReasonNudgeFailed || c.Status != metav1.ConditionFalse {
		t.Errorf("the binding says %+v, want %s", c, v1alpha1.ReasonNudgeFailed)
	}

	delete(w.refused, "bindings")
	if n := w.nudgesIn(func() { w.look() }); n != 1 {
		t.Errorf("%d nudges at the next attempt, want one", n)
	}

	if c := w.ownReady(); c.Reason != v1alpha1.ReasonSynced {
		t.Errorf("the binding says %+v, want %s", c, v1alpha1.ReasonSynced)
	}
}

// TestNudgesNobodyElse: only that controller's own bindings of the same pods and group
// are touched, and only for pods that it would not hear of.
func TestNudgesNobodyElse(t *testing.T) {
	for what, change := range map[string]func(w *world){
		"no opt-in":                        func(w *world) { w.own["own"].Spec.Wake = "" },
		"needs no waking":                  func(w *world) { w.own["own"].Spec.Wake = v1alpha1.WakeNone },
		"podgate's own":                    func(w *world) { w.bindings["web-tg"].Finalizers = []string{v1alpha1.Finalizer} },
		"another group":                    func(w *world) { w.bindings["web-tg"].Spec.TargetGroupARN = "arn:other" },
		"another Service":                  func(w *world) { w.bindings["web-tg"].Spec.ServiceRef.Name = "api" },
		"made anew":                        func(w *world) { w.bindings["web-tg"].UID = "uid-new" },
		"being deleted":                    func(w *world) { w.bindings["web-tg"].DeletionTimestamp = &metav1.Time{Time: noon} },
		"the pod is not ready":             func(w *world) { w.pods["web-1"].Status.Conditions[0].Status = corev1.ConditionFalse },
		"the pod terminates":               func(w *world) { w.terminate(w.pods["web-1"]) },
		"the pod has no gate":              func(w *world) { w.pods["web-1"].Spec.ReadinessGates = nil },
		"the gate is open":                 func(w *world) { open(w.pods["web-1"]) },
		"the group was not read until now": func(w *world) { w.unread = true },
	} {
		w := besideLBC(t, v1alpha1.WakeNudge)
		w.waits(1)
		stale := w.bindings["web-tg"].UID
		change(w)

		if w.bindings["web-tg"].UID != stale {
			// What the cache shows is older than what the API server has.
			anew := w.bindings["web-tg"].DeepCopy()
			w.bindings["web-tg"].UID = stale
			w.onWrite = nil
			w.beforeWrite = func() { w.bindings["web-tg"] = anew }
		}

		_, _ = w.try(external)
		if at := w.nudged(); at != "" {
			t.Errorf("%s: nudged", what)
		}
	}
}

func open(pod *corev1.Pod) {
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodConditionType(external.Name), Status: corev1.ConditionTrue})
}

// TestUnheard: the binding says why that controller would not hear of its pods.
func TestUnheard(t *testing.T) {
	lbcs := func(pod *corev1.Pod, gates ...string) {
		for _, g := range gates {
			pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(g)})
		}
	}

	for what, row := range map[string]struct {
		wake   v1alpha1.Wake
		change func(w *world)
		reason string
	}{
		"no pods":                           {v1alpha1.WakeGate, func(w *world) { delete(w.pods, "web-1") }, v1alpha1.ReasonSynced},
		"a pod without any gate":            {v1alpha1.WakeGate, func(*world) {}, v1alpha1.ReasonNoGateOfLBC},
		"nothing said":                      {"", func(*world) {}, v1alpha1.ReasonNoGateOfLBC},
		"that controller's gate":            {"", func(w *world) { lbcs(w.pods["web-1"], "target-health.elbv2.k8s.aws/web-tg") }, v1alpha1.ReasonSynced},
		"its gate of another group":         {"", func(w *world) { lbcs(w.pods["web-1"], "target-health.elbv2.k8s.aws/other") }, v1alpha1.ReasonNoGateOfLBC},
		"both gates":                        {"", func(w *world) { lbcs(w.pods["web-1"], "target-health.elbv2.k8s.aws/web-tg", external.Name) }, v1alpha1.ReasonSynced},
		"a pod that opted out":              {"", func(w *world) { w.pods["web-1"].Labels["podgate.dev/inject"] = "disabled" }, v1alpha1.ReasonSynced},
		"a pod that terminates":             {"", func(w *world) { w.terminate(w.pods["web-1"]) }, v1alpha1.ReasonSynced},
		"a pod that is nudged for":          {v1alpha1.WakeNudge, func(*world) {}, v1alpha1.ReasonSynced},
		"nothing to nudge":                  {v1alpha1.WakeNudge, func(w *world) { delete(w.bindings, "web-tg") }, v1alpha1.ReasonNothingToNudge},
		"nothing to nudge in this group":    {v1alpha1.WakeNudge, func(w *world) { w.bindings["web-tg"].Spec.TargetGroupARN = "arn:other" }, v1alpha1.ReasonNothingToNudge},
		"somebody who needs no waking":      {v1alpha1.WakeNone, func(w *world) { delete(w.bindings, "web-tg") }, v1alpha1.ReasonSynced},
		"what is worse is said in place of": {"", func(w *world) { delete(w.services, "web") }, v1alpha1.ReasonServiceNotFound},
	} {
		w := besideLBC(t, row.wake)
		w.pod(1)
		row.change(w)
		w.look()
		if c := w.ownReady(); c.Reason != row.reason {
			t.Errorf("%s: the binding says %s (%s), want %s", what, c.Reason, c.Message, row.reason)
		}
	}
}
