// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// unready fails the probes of the n-th pod.
func (w *world) unready(n int) { w.pods[name(n)].Status.Conditions[0].Status = corev1.ConditionFalse }

// green makes pods of another color, and has the Service select them.
func (w *world) green(ns ...int) {
	for _, n := range ns {
		w.pod(n).Labels = map[string]string{"app": "green"}
	}
	w.services["web"].Spec.Selector = map[string]string{"app": "green"}
}

// told returns and clears what people were told, by the events' reasons.
func (w *world) told() []string {
	var reasons []string
	for len(w.events.Events) > 0 {
		reasons = append(reasons, strings.Fields(<-w.events.Events)[1])
	}
	return reasons
}

func upTo(n int) []int {
	var ns []int
	for i := range n {
		ns = append(ns, i+1)
	}
	return ns
}

// TestLaw3ProbesFailOneAfterTheOther: that all probes fail is known when the last one has. By then at
// most half of the targets is gone, though a new leader takes over in between, and the others stay.
func TestLaw3ProbesFailOneAfterTheOther(t *testing.T) {
	for what, restarts := range map[string]bool{"one leader": false, "a new leader": true} {
		w := newWorld(t)
		w.serve(upTo(10)...)
		w.reconcile()
		w.let(time.Hour)

		for n := range 10 {
			w.unready(n + 1)
			w.reconcile()
			w.let(3 * time.Second)
			if n == 6 && restarts {
				w.restart()
				w.reconcile()
			}
		}

		if got := w.taken(); got != 5 {
			t.Errorf("%s: want 5 of 10 targets left, got %d", what, got)
		}

		w.let(time.Hour)
		if got := w.taken(); got != 5 {
			t.Errorf("%s: nothing else serves: want these 5 kept, got %d", what, got)
		}
	}
}

// TestLaw3HalfAMinute: with one pod that serves, the others' targets go by halves, a minute apart and by themselves.
func TestLaw3HalfAMinute(t *testing.T) {
	w := newWorld(t)
	w.serve(upTo(10)...)
	w.reconcile()
	w.let(time.Hour)

	for n := 2; n <= 10; n++ {
		w.unready(n)
	}

	w.reconcile()
	for i, want := range []int{5, 3, 2, 1} {
		w.let(59 * time.Second)
		if got := w.taken(); got != want {
			t.Errorf("minute %d: want %d targets left, got %d", i+1, want, got)
		}
		w.let(time.Second)
	}
}

// TestLaw3FlipOfASelector: what a flip replaced stays until all replacements are healthy.
func TestLaw3FlipOfASelector(t *testing.T) {
	w := newWorld(t)
	w.serve(upTo(10)...)
	w.reconcile()
	w.let(time.Hour)
	w.green(11, 12, 13)
	w.pods[name(13)].Status.PodIPs = nil // no node for it yet
	w.reconcile()
	w.let(10 * time.Second)

	if got := w.made(); got != "register 11 12" {
		t.Errorf("want what can be registered registered, got %q", got)
	}

	w.rows[at(11)], w.rows[at(12)] = gate.Health{State: gate.Healthy}, gate.Health{State: gate.Healthy}
	w.reconcile()
	w.let(20 * time.Second)

	if got := w.made(); got != "" {
		t.Errorf("two of three are healthy: want the old targets kept, got %q", got)
	}

	w.pod(13).Labels = map[string]string{"app": "green"}
	w.reconcile()
	w.rows[at(13)] = gate.Health{State: gate.Healthy}
	w.reconcile()

	if got := w.made(); got != "register 13, deregister 1 10 2 3 4 5 6 7 8 9" {
		t.Errorf("all are: want all old targets removed, got %q", got)
	}
}

// TestLaw3FlipCompletes: so do the old targets when a replacement never gets healthy, by halves.
func TestLaw3FlipCompletes(t *testing.T) {
	w := newWorld(t)
	w.serve(upTo(8)...)
	w.reconcile()
	w.let(time.Hour)
	w.green(11, 12)
	w.unready(12)
	w.reconcile()
	w.rows[at(11)] = gate.Health{State: gate.Healthy}
	w.reconcile()

	for _, want := range []int{9, 5, 3, 2, 1} {
		w.let(58 * time.Second)
		if got := w.taken(); got != want {
			t.Errorf("%s after the flip: want %d targets, got %d", w.clock.Sub(noon.Add(time.Hour)), want, got)
		}
		w.let(2 * time.Second)
	}
}

// TestLaw3NewLeaderKnowsNotEveryPod: a target without a pod may be of one that the cache does not show yet.
func TestLaw3NewLeaderKnowsNotEveryPod(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.rows[at(3)], w.rows[at(4)] = gate.Health{State: gate.Unhealthy}, gate.Health{State: gate.Initial}
	w.reconcile()
	w.let(gate.Lag - time.Second)
	w.pod(4)
	w.reconcile()

	if got := w.made(); got != "" {
		t.Errorf("want nothing removed of which nothing is known, got %q", got)
	}

	w.let(time.Second)
	if got := w.made(); got != "deregister 3" {
		t.Errorf("want the row removed whose pod did not appear, got %q", got)
	}
}

// TestLaw3NewLeaderCountsWhatWent: what the leader before removed within a minute counts for the next, though its pods are
// selected no more.
func TestLaw3NewLeaderCountsWhatWent(t *testing.T) {
	drained := func(w *world) {
		for target, h := range w.rows {
			if h.Leaving() {
				delete(w.rows, target)
			}
		}
	}

	cases := map[string]struct {
		blue, gone int
		// since happens between the removal and the change of leaders.
		since func(w *world)
	}{
		"they drain":                          {blue: 4, gone: 3, since: func(*world) {}},
		"they are drained, and one is held":   {blue: 4, gone: 3, since: drained},
		"they are drained, and none is held":  {blue: 3, gone: 3, since: drained},
		"they are drained, and nothing tells": {blue: 3, gone: 3, since: func(w *world) { drained(w); w.prunes = true; w.bindings["web-tg"].Status.Conditions = nil }},
	}

	for what, tc := range cases {
		w := newWorld(t)
		w.serve(upTo(tc.blue)...)
		w.reconcile()
		w.let(time.Hour)

		// The last of four replacements never serves, so the replaced ones go by halves after a minute.
		w.green(11, 12, 13, 14)
		w.unready(14)
		w.reconcile()
		for n := 11; n <= 13; n++ {
			w.rows[at(n)] = gate.Health{State: gate.Healthy}
		}
		w.let(time.Minute + time.Second)
		if got := tc.blue + 3 - w.taken(); got != tc.gone {
			t.Fatalf("%s: want %d of %d gone, got %d", what, tc.gone, tc.blue+3, got)
		}
		tc.since(w)
		w.made()

		w.unready(13)
		w.restart()
		w.reconcile()
		w.let(30 * time.Second)
		if got := w.made(); strings.Contains(got, "deregister") {
			t.Errorf("%s: half of what served is gone: want nothing removed, got %q", what, got)
		}

		w.let(31 * time.Second)
		if got := w.made(); !strings.Contains(got, "deregister") {
			t.Errorf("%s: that counts no more: want what should go removed, got %q", what, got)
		}
	}
}

// TestLaw3NewLeaderCountsWhoIsOut: so does what went without any guard keeping it, though its pods may be back since.
func TestLaw3NewLeaderCountsWhoIsOut(t *testing.T) {
	for what, back := range map[string]corev1.ConditionStatus{"they are out": corev1.ConditionFalse, "they are not healthy yet": corev1.ConditionTrue} {
		w := newWorld(t)
		w.serve(upTo(10)...)
		w.reconcile()
		w.let(time.Hour)

		w.unready(1)
		w.unready(2)
		w.reconcile()
		for n := 1; n <= 2; n++ {
			w.pods[name(n)].Status.Conditions[0].Status = back
		}
		w.reconcile()
		w.made()

		for n := 3; n <= 6; n++ {
			w.unready(n)
		}
		w.restart()
		w.reconcile()
		if got := w.made(); got != "deregister 3 4 5" {
			t.Errorf("%s: 2 of 10 went: want 3 more removed, got %q", what, got)
		}
	}
}

// TestLaw5RegisteredAndGone: the target of a pod that was registered a moment ago is not an orphan.
func TestLaw5RegisteredAndGone(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	w.reconcile()
	w.pod(2)
	w.reconcile()
	delete(w.pods, name(2))
	w.reconcile()
	if got := w.made(); got != "register 2, deregister 2" {
		t.Errorf("want it removed at once, got %q", got)
	}
}

// TestLaw3GuardsAreTold: people hear once when a guard begins and when it ends, and see meanwhile that and why targets are kept.
func TestLaw3GuardsAreTold(t *testing.T) {
	guards := map[string]struct {
		begin, end func(w *world)
		guard      string
		reason     string
	}{
		"all probes fail": {
			begin: func(w *world) { w.unready(1); w.unready(2) },
			end:   func(w *world) { w.serve(1, 2) }, guard: "floor", reason: v1alpha1.ReasonHeldAtFloor,
		},
		"the port vanished": {
			begin: func(w *world) { w.services["web"].Spec.Ports[0].Port = 81 },
			end:   func(w *world) { w.services["web"].Spec.Ports[0].Port = 80 }, guard: "absence", reason: v1alpha1.ReasonHeldWhileAbsent,
		},
		"a flip": {
			begin: func(w *world) { w.green(3) },
			end:   func(w *world) { w.rows[at(3)] = gate.Health{State: gate.Healthy} }, guard: "replacement", reason: v1alpha1.ReasonHeldUntilReplaced,
		},
		"the last one": {
			begin: func(w *world) { w.terminate(w.pods["web-1"]); w.terminate(w.pods["web-2"]) },
			end:   func(w *world) { w.clock = w.clock.Add(time.Minute) }, guard: "last_serving", reason: v1alpha1.ReasonHeldAsLastServing,
		},
	}

	for what, g := range guards {
		w := newWorld(t)
		w.serve(1, 2)
		w.reconcile()
		w.told()
		g.begin(w)

		for range 3 {
			w.reconcile()
		}

		if got := w.told(); count(got, g.reason) != 2 || testutil.ToFloat64(w.report.metrics.activations.WithLabelValues(g.guard)) != 1 {
			t.Errorf("%s: want the guard told once on binding and Service and counted once, got %v", what, got)
		}

		if c := meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionTargetsHeld); c == nil || c.Status != "True" || c.Reason != g.reason {
			t.Errorf("%s: the binding says %v", what, c)
		}

		if n := testutil.ToFloat64(w.report.metrics.held); n == 0 {
			t.Errorf("%s: no target is counted as held", what)
		}

		w.restart()
		w.unread = true // a new leader plans before it has read the group
		w.reconcile()

		if c := meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionTargetsHeld); c == nil || c.Status != "True" || c.Reason != g.reason {
			t.Errorf("%s: a new leader has not read the group, and the binding says %v", what, c)
		}

		w.unread = false
		w.reconcile()

		if got := w.told(); count(got, g.reason)+count(got, v1alpha1.ReasonNothingHeld) != 0 {
			t.Errorf("%s: a restart told again: %v", what, got)
		}

		g.end(w)
		w.reconcile()
		w.reconcile()

		if got := w.told(); count(got, v1alpha1.ReasonNothingHeld) != 2 {
			t.Errorf("%s: want the end told once on binding and Service, got %v", what, got)
		}

		if c := meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionTargetsHeld); c == nil || c.Status != "False" {
			t.Errorf("%s: over, and the binding says %v", what, c)
		}
	}
}

func count(all []string, one string) int {
	return len(all) - len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one }))
}

// TestNothingIsHeldInAGroupThatIsGone: a group that was deleted while a guard kept its targets keeps none.
func TestNothingIsHeldInAGroupThatIsGone(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.unready(1)
	w.unready(2)
	w.reconcile()
	w.told()
	w.viewErr, w.fail["resolve"] = balancer.ErrNotFound, balancer.ErrNotFound
	for range 2 {
		if _, err := w.try(web); err == nil {
			t.Error("a group that is gone is not tried again")
		}
	}

	if c := meta.FindStatusCondition(w.bindings["web-tg"].Status.Conditions, v1alpha1.ConditionTargetsHeld); c == nil || c.Status != "False" {
		t.Errorf("the binding says %v", c)
	}

	if n := testutil.ToFloat64(w.report.metrics.held); n != 0 {
		t.Errorf("%v targets are counted as held", n)
	}

	if got := w.told(); count(got, v1alpha1.ReasonNothingHeld) != 1 {
		t.Errorf("want the end told once, got %v", got)
	}
}
