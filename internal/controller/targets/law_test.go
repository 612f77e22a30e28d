// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// gated gives a pod the gate of the world's binding, closed.
func gated(pod *corev1.Pod) *corev1.Pod {
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}
	return pod
}

// TestLaw1PlacedOnlyWhereNothingWas: a registration is proof of whose a target is only where
// there surely was none.
func TestLaw1PlacedOnlyWhereNothingWas(t *testing.T) {
	for what, row := range map[string]struct {
		before func(w *world)
		proof  bool
	}{
		"no row":                 {func(*world) {}, true},
		"a draining row":         {func(w *world) { w.rows[at(1)] = gate.Health{State: gate.Draining} }, false},
		"an old read":            {func(w *world) { w.viewAge = freshRead }, false},
		"a refused registration": {func(w *world) { w.refuse[at(1)] = true }, false},
		"a registration whose answer was lost": {func(w *world) {
			w.fail["register"] = errors.New("connection reset")
			_, _ = w.try(web)
			delete(w.fail, "register")
		}, false},
		"nothing was read so far": {func(w *world) { w.unread, w.viewErr = true, errors.New("down") }, false},
	} {
		w := newWorld(t)
		w.pod(1)
		row.before(w)
		_, _ = w.try(web)
		if got := w.placed[at(1)] == "uid-1"; got != row.proof {
			t.Errorf("%s: proof %t, want %t", what, got, row.proof)
		}
	}
}

// TestLaw2DeletedBinding: a deleted binding empties its group, waits for its gates and goes.
func TestLaw2DeletedBinding(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	waiting := gated(w.pods["web-2"])
	now := metav1.NewTime(noon)
	w.bindings["web-tg"].DeletionTimestamp = &now
	if res := w.reconcile(); res.RequeueAfter == 0 {
		t.Error("nothing will look whether the gates are released")
	}

	if got := w.made(); got != "deregister 1 2" {
		t.Errorf("want both targets deregistered, got %q", got)
	}

	if w.bindings["web-tg"] == nil {
		t.Fatal("the binding went before its gate was released, so the gate would wait for it")
	}

	waiting.Status.Conditions = append(waiting.Status.Conditions, corev1.PodCondition{Type: "target-health.elbv2.k8s.aws/web-tg", Status: corev1.ConditionTrue})
	w.reconcile()

	if w.bindings["web-tg"] != nil || len(w.tracking) != 0 {
		t.Error("the binding is still here, or its group still observed")
	}
}

// TestLaw2DeletedBindingOfASharedGroup: another binding that claims the group keeps its targets.
func TestLaw2DeletedBindingOfASharedGroup(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	w.bind("successor", -time.Hour)
	now := metav1.NewTime(noon)
	w.bindings["web-tg"].DeletionTimestamp = &now
	w.reconcile()
	if got := w.made(); got != "" || w.bindings["web-tg"] != nil {
		t.Errorf("want the targets left and the binding gone, got %q", got)
	}
}

// TestLaw3NeverEmptyByAccident: nothing that runs is removed for what may be a moment's mistake.
func TestLaw3NeverEmptyByAccident(t *testing.T) {
	accidents := map[string]func(w *world){
		"the Service vanished":          func(w *world) { delete(w.services, "web") },
		"its selector vanished":         func(w *world) { w.services["web"].Spec.Selector = nil },
		"its selector selects nobody":   func(w *world) { w.services["web"].Spec.Selector = map[string]string{"app": "typo"} },
		"its port vanished":             func(w *world) { w.services["web"].Spec.Ports = nil },
		"its target port has no number": func(w *world) { w.services["web"].Spec.Ports[0].TargetPort = intstr.FromString("typo") },
		"the pods lost their label": func(w *world) {
			for _, p := range w.pods {
				p.Labels = nil
			}
		},
	}

	for what, accident := range accidents {
		w := newWorld(t)
		w.serve(1, 2)
		w.reconcile()
		accident(w)
		w.clock = w.clock.Add(time.Hour)
		w.reconcile()
		w.clock = w.clock.Add(29 * time.Second)
		w.reconcile()

		if got := w.made(); got != "" {
			t.Errorf("%s for a moment: want the targets left alone, got %q", what, got)
		}

		w.clock = w.clock.Add(time.Second)
		w.reconcile()

		if got := w.made(); got != "deregister 1 2" {
			t.Errorf("%s for good: want the targets removed, got %q", what, got)
		}
	}

	w := newWorld(t)
	w.serve(1, 2)

	for _, p := range w.pods {
		p.Status.Conditions[0].Status = corev1.ConditionFalse
	}

	w.clock = w.clock.Add(time.Hour)
	w.reconcile()

	if got := w.made(); got != "" {
		t.Errorf("all probes failed: want the targets left alone, got %q", got)
	}
}

// TestLaw3LostAnswer: a target whose deregistration failed without a clear answer may be
// out, whatever is shown of it for some seconds; it does not stand in for another.
func TestLaw3LostAnswer(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	ready := func(n int, is corev1.ConditionStatus) {
		w.pods[fmt.Sprintf("web-%d", n)].Status.Conditions[0].Status = is
	}

	failing := func(err error) string {
		ready(1, corev1.ConditionTrue)
		ready(2, corev1.ConditionFalse)
		w.fail["deregister"] = err
		_, _ = w.try(web)
		delete(w.fail, "deregister")
		w.calls = nil
		ready(1, corev1.ConditionFalse)
		ready(2, corev1.ConditionTrue)
		w.reconcile()
		return w.made()
	}
	if got := failing(errors.New("connection reset")); got != "" {
		t.Errorf("the other may be out though it is shown healthy: want nothing removed, got %q", got)
	}

	w.clock = w.clock.Add(gate.Lag)
	w.reconcile()

	if got := w.made(); got != "deregister 1" {
		t.Errorf("the other was seen to serve: want 1 removed, got %q", got)
	}

	w.rows[at(1)] = gate.Health{State: gate.Healthy}
	w.clock = w.clock.Add(gate.Lag)

	if got := failing(balancer.ErrThrottled); got != "deregister 1" {
		t.Errorf("the other's removal was refused: want 1 removed, got %q", got)
	}
}

// TestLaw3DeadPodsGo: what is left of a dead pod is removed, the last one, too.
func TestLaw3DeadPodsGo(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.reconcile()
	delete(w.pods, "web-1")
	w.pods["web-2"].Status.Phase = corev1.PodFailed
	w.reconcile()
	if got := w.made(); got != "deregister 1 2" {
		t.Errorf("want both removed, got %q", got)
	}
}

// TestLaw4RegisterBeforeDeregister: a replacement goes in first and what it replaces
// leaves when it is healthy.
func TestLaw4RegisterBeforeDeregister(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.pod(3).Labels = map[string]string{"app": "green"}
	w.services["web"].Spec.Selector = map[string]string{"app": "green"}
	w.reconcile()
	w.reconcile()

	if got := w.made(); got != "register 3" {
		t.Errorf("first: want 3 registered and nothing removed, got %q", got)
	}

	w.rows[at(3)] = gate.Health{State: gate.Healthy}
	w.reconcile()

	if got := w.made(); got != "deregister 1 2" {
		t.Errorf("once 3 is healthy: want 1 and 2 removed, got %q", got)
	}

	w.rows[at(2)] = gate.Health{State: gate.Healthy}
	w.clock = w.clock.Add(time.Hour)
	w.pod(4).Labels = map[string]string{"app": "green"}
	w.pods["web-2"].Labels = map[string]string{"app": "green"}
	w.pods["web-2"].Status.Conditions[0].Status = corev1.ConditionFalse
	w.reconcile()

	if got := w.made(); got != "register 4, deregister 2" {
		t.Errorf("both at a time: want the registration first, got %q", got)
	}
}

// TestLaw4RoomFirstAtTheQuota: a full group does not keep its replacements out forever.
func TestLaw4RoomFirstAtTheQuota(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.room = 2
	w.pod(3).Labels = map[string]string{"app": "green"}
	w.services["web"].Spec.Selector = map[string]string{"app": "green"}
	if _, err := w.try(web); err != nil {
		t.Errorf("room was made, so nothing failed: %v", err)
	}

	if got := w.made(); got != "register 3, deregister 2, register 3" {
		t.Errorf("want room made for 3, and 1 serving on, got %q", got)
	}

	w.rows[at(3)] = gate.Health{State: gate.Healthy}
	w.reconcile()

	if got := w.made(); got != "deregister 1" {
		t.Errorf("once 3 is healthy: want 1 removed, got %q", got)
	}
}

// TestLaw5DeletionIsUrgent: a deleted pod goes first, whatever else fails.
func TestLaw5DeletionIsUrgent(t *testing.T) {
	outage := errors.New("the API is down")
	troubles := map[string]func(w *world){
		"nothing":                       func(*world) {},
		"registering fails":             func(w *world) { w.fail["register"] = outage },
		"the group is full":             func(w *world) { w.room = 2 },
		"the group cannot be resolved":  func(w *world) { w.restart(); w.fail["resolve"] = outage },
		"the group can be read no more": func(w *world) { w.viewErr = outage },
		"the group was never read": func(w *world) {
			w.unread, w.viewErr = true, outage
			w.pods["web-1"].Status.Conditions = append(w.pods["web-1"].Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
		},
	}

	for what, trouble := range troubles {
		w := newWorld(t)
		w.serve(1, 2)
		w.pod(3)
		w.terminate(w.pods["web-2"])
		trouble(w)
		_, _ = w.try(web)
		if len(w.calls) == 0 || w.calls[0] != "deregister 2" {
			t.Errorf("trouble: %s: want 2 deregistered first, got %q", what, w.made())
		}
	}
}

// TestLaw5LastOneServing: the last serving target stays until another serves or only its drain time is left.
func TestLaw5LastOneServing(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	w.terminate(w.pods["web-1"])
	w.pod(2)
	res := w.reconcile()

	if got := w.made(); got != "register 2" {
		t.Fatalf("want 2 registered and 1 kept, got %q", got)
	}

	w.clock = w.clock.Add(res.RequeueAfter)
	for range 5 {
		w.clock = w.clock.Add(w.reconcile().RequeueAfter)
		if len(w.calls) > 0 {
			break
		}
	}

	if got := w.made(); got != "deregister 1" || w.clock.Sub(noon) < 5*time.Second {
		t.Errorf("want 1 removed when its 60 s are down to the 55 s of its drain, got %q after %s", got, w.clock.Sub(noon))
	}
}

// TestLaw5LastOneGoesBeforeItsHookEnds: a pod that has a long grace period of its own next to the
// injected one is deregistered while it still sleeps, long enough before it is told to stop.
func TestLaw5LastOneGoesBeforeItsHookEnds(t *testing.T) {
	w := newWorld(t)
	w.delay = 10 * time.Second
	w.restart()
	w.serve(1)
	w.terminate(w.pods["web-1"])
	end, grace := metav1.NewTime(noon.Add(5*time.Minute)), int64(300)
	w.pods["web-1"].DeletionTimestamp, w.pods["web-1"].DeletionGracePeriodSeconds = &end, &grace
	drain.Keep(w.pods["web-1"], drain.Manifest{Grace: grace, Containers: []drain.Container{{Name: "web", Hook: 35}}})
	w.bindings["web-tg"].Annotations = nil // it is resolved again
	w.reconcile()
	w.let(9 * time.Second)

	if len(w.calls) > 0 {
		t.Fatalf("nothing else serves, and yet %q", w.made())
	}

	w.let(2 * time.Second)
	if got := w.made(); got != "deregister 1" {
		t.Errorf("want 1 removed when its hook of 35 s has the 25 s left for which it is sent requests, got %q", got)
	}
}

// TestLaw6ErrorsBackOff: the queue's delays grow to at most 30 s and are not in step.
func TestLaw6ErrorsBackOff(t *testing.T) {
	l := newRateLimiter(rand.N, newStates())
	seen := map[time.Duration]bool{}
	var last time.Duration
	for range 40 {
		last = l.When(reconcile.Request{NamespacedName: web})
		seen[last] = true
		if last > 30*time.Second {
			t.Fatalf("delay %s, want at most 30s", last)
		}
	}

	if last < 24*time.Second || len(seen) < 30 {
		t.Errorf("last delay %s of %d different ones, want it backed off with jitter", last, len(seen))
	}
}

// TestLaw6WaitingIsNotFailing: a target that is not healthy yet is no error.
func TestLaw6WaitingIsNotFailing(t *testing.T) {
	w := newWorld(t)
	w.pod(1)
	for _, s := range []gate.State{gate.Initial, gate.Unhealthy, gate.Unused} {
		w.reconcile()
		w.rows[at(1)] = gate.Health{State: s}
		w.reconcile()
		if got := w.ready("web-tg"); got != v1alpha1.ReasonSynced {
			t.Errorf("target %s: the binding is %s, want Synced", s, got)
		}
	}
}

// TestLaw7OneTargetOneGroup: a target that is refused keeps no other out, and a group
// that fails no other group.
func TestLaw7OneTargetOneGroup(t *testing.T) {
	w := newWorld(t)
	for n := range 3 {
		w.pod(n + 1)
	}

	w.refuse[at(2)] = true
	if _, err := w.try(web); err == nil {
		t.Error("a refused target is no news")
	}

	if w.rows[at(1)].State != gate.Initial || w.rows[at(3)].State != gate.Initial {
		t.Errorf("want 1 and 3 registered, got %v", w.rows)
	}

	bad := w.bind("bad", 0)
	bad.Spec.TargetGroupARN = "arn:bad"
	bad.Spec.ServiceRef.Name = "missing"

	if _, err := w.try(types.NamespacedName{Namespace: "shop", Name: "bad"}); err != nil {
		t.Fatal(err)
	}

	delete(w.refuse, at(2))
	w.reconcile()

	if w.ready("bad") != v1alpha1.ReasonServiceNotFound || w.ready("web-tg") != v1alpha1.ReasonSynced {
		t.Errorf("want the one told and the other synced, got %s and %s", w.ready("bad"), w.ready("web-tg"))
	}
}

// TestLaw7RefusedTargetHoldsNoRemoval: a target that is refused for good keeps no
// unready pod in the group.
func TestLaw7RefusedTargetHoldsNoRemoval(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.pod(3)
	w.pod(4)
	w.refuse[at(3)] = true
	w.pods["web-2"].Status.Conditions[0].Status = corev1.ConditionFalse
	if _, err := w.try(web); err == nil {
		t.Error("a refused target is no news")
	}
	if got := w.rows[at(2)].State; got != gate.Draining {
		t.Errorf("want the unready pod's target draining, got %s", got)
	}
}

// TestLaw7HungAccount: an account whose calls hang takes no more than its share of the
// workers, and bindings of others are served meanwhile.
func TestLaw7HungAccount(t *testing.T) {
	w := newWorld(t)
	w.pod(1)
	hung := w.bind("hung", 0)
	hung.Spec.TargetGroupARN = "arn:hung"

	for range 2 {
		if _, ok := w.slots.take(balancer.Ref{Provider: elbv2traits.Kind, Group: "arn:hung"}); !ok {
			t.Fatal("an idle account has no worker")
		}
	}

	res, err := w.try(types.NamespacedName{Namespace: "shop", Name: "hung"})
	if err != nil || res.RequeueAfter != slotWait || w.made() != "" {
		t.Errorf("want the third call of an account to wait, got %v, %v, calls %q", res, err, w.made())
	}

	w.reconcile()
	if got := w.made(); got != "register 1" {
		t.Errorf("want another account's target registered meanwhile, got %q", got)
	}
}

// TestLaw8OutageChangesNothing: while the API is in trouble nothing that runs is removed, and after a restart neither.
func TestLaw8OutageChangesNothing(t *testing.T) {
	outage := errors.New("the API is down")
	troubles := map[string]func(w *world){
		"nothing can be read":       func(w *world) { w.unread, w.viewErr = true, outage },
		"nothing can be resolved":   func(w *world) { w.fail["resolve"] = outage },
		"credentials are refused":   func(w *world) { w.fail["resolve"] = balancer.ErrDenied },
		"the first read is not yet": func(w *world) { w.unread = true },
	}

	for what, trouble := range troubles {
		w := newWorld(t)
		w.serve(1, 2)
		trouble(w)

		if w.unread {
			w.pods["web-2"].Status.Conditions[0].Status = corev1.ConditionFalse
		}

		w.restart()
		_, _ = w.try(web)

		for _, call := range w.calls {
			if call[0] == 'd' {
				t.Errorf("%s: %s", what, call)
			}
		}

		if what == "the first read is not yet" && len(w.calls) > 0 {
			t.Errorf("a restart alone made calls: %s", w.made())
		}
	}
}

// TestLaw11AddressReuse: a new pod at an address whose target drains is registered again.
func TestLaw11AddressReuse(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.terminate(w.pods["web-1"])
	w.reconcile()
	old := w.pods["web-1"]
	delete(w.pods, "web-1")
	w.pod(1)
	w.reconcile()

	if got := w.made(); got != "deregister 1, register 1" {
		t.Errorf("want the old pod's target removed and the new one's registered, got %q", got)
	}

	lagging := observe.Snapshot{Targets: map[gate.Target]gate.Health{at(1): {State: gate.Healthy}}}
	l := newPendingCalls(func() time.Time { return w.clock }, traits.All().Lag)
	l.record(ref, list(1), false)

	if h := l.overlay(ref, lagging)[at(1)]; h.State != gate.Draining {
		t.Errorf("an API that lags shows %s's row as %s: want it draining, as podgate knows", old.Name, h.State)
	}
}
