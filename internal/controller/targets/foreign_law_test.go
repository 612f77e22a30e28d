// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
