// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
)

const recordName = "aws-lbc-targets-web-tg"

// newSharedWorld is a world whose group holds a target of another cluster, too, the ninth.
func newSharedWorld(t *testing.T) *world {
	w := newWorld(t)
	w.bindings["web-tg"].Spec.MultiClusterTargetGroup = true
	w.rows[at(9)] = gate.Health{State: gate.Healthy}
	return w
}

// recorded returns the record as it is stored.
func (w *world) recorded() string {
	if w.maps[recordName] == nil {
		return "none"
	}
	return w.maps[recordName].Data["targets"]
}

// keep stores a record, as another process left it.
func (w *world) keep(targets string) {
	w.maps[recordName] = &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: recordName, ResourceVersion: "1"}, Data: map[string]string{"targets": targets},
	}
}

// later looks again when what was called a while ago must show.
func (w *world) later() {
	w.t.Helper()
	w.clock = w.clock.Add(gate.Lag + time.Second)
	w.reconcile()
}

// changes returns and clears the calls to the load balancer, without the writes of the record.
func (w *world) changes() string {
	w.calls = slices.DeleteFunc(w.calls, func(c string) bool { return strings.HasPrefix(c, "record") })
	return w.made()
}

// TestLaw3OthersTargetsStay: only what this cluster registered is ever removed.
func TestLaw3OthersTargetsStay(t *testing.T) {
	now := metav1.NewTime(noon)
	cases := map[string]func(w *world) string{
		"a pod dies": func(w *world) string {
			w.terminate(w.pods["web-1"])
			return "deregister 1"
		},
		"the binding is deleted": func(w *world) string {
			w.bindings["web-tg"].DeletionTimestamp = &now
			return "deregister 1 2"
		},
		"all pods are gone": func(w *world) string {
			w.pods = map[string]*corev1.Pod{}
			return "deregister 1 2"
		},
		"podgate restarts": func(w *world) string {
			w.restart()
			return ""
		},
		"the record is lost, with a restart": func(w *world) string {
			delete(w.maps, recordName)
			w.restart()
			return ""
		},
		"the record names what is not there": func(w *world) string {
			w.keep("10.0.0.1:8080,10.0.0.2:8080,10.0.0.7:8080")
			w.restart()
			return ""
		},
		"another cluster gets a dead pod's address": func(w *world) string {
			delete(w.pods, "web-2")
			w.reconcile()
			w.later()
			delete(w.rows, at(2))
			w.later()
			w.rows[at(2)] = gate.Health{State: gate.Healthy}
			return "deregister 2"
		},
		"a pod of another binding of the group is in the namespace": func(w *world) string {
			w.pod(9).Labels = map[string]string{"app": "other"}
			return ""
		},
	}

	for what, change := range cases {
		w := newSharedWorld(t)
		w.serve(1, 2)
		w.reconcile()

		if got := w.changes(); got != "" {
			t.Fatalf("calls %q", got)
		}

		want := change(w)
		for range 5 {
			w.later()
		}

		if got := w.changes(); got != want {
			t.Errorf("%s: calls %q, want %q", what, got, want)
		}

		if w.rows[at(9)].State != gate.Healthy {
			t.Errorf("%s: the other cluster lost its target", what)
		}
	}
}

// TestLaw2WhatDiedWhileAwayGoes: what this cluster registered is found after a restart,
// although its pods are gone.
func TestLaw2WhatDiedWhileAwayGoes(t *testing.T) {
	left := map[string]func(w *world){
		"podgate's own record": func(w *world) {
			w.pod(1)
			w.reconcile()
			w.rows[at(1)] = gate.Health{State: gate.Healthy}
		},
		"the answer to the registration was lost": func(w *world) {
			w.pod(1)
			w.fail["register"] = errors.New("connection reset")
			_, _ = w.try(web)
			delete(w.fail, "register")
			w.rows[at(1)] = gate.Health{State: gate.Healthy}
		},
		"pods that were registered before there was a record": func(w *world) {
			w.serve(1)
			w.reconcile()
		},
		"a record that LBC left": func(w *world) {
			w.keep("10.0.0.4:8080,10.0.0.1:8080")
			w.rows[at(1)] = gate.Health{State: gate.Healthy}
		},
	}

	for what, leave := range left {
		w := newSharedWorld(t)
		leave(w)
		w.calls = nil
		w.pods = map[string]*corev1.Pod{}
		w.restart()
		w.reconcile()
		w.let(gate.Lag) // the pod may just not be known yet
		if got := w.changes(); got != "deregister 1" {
			t.Errorf("%s: calls %q, want the dead pod's target removed alone", what, got)
		}
	}
}

// TestLaw2NothingIsRegisteredUnrecorded: the record is written before the call, or the
// call is not made, and people hear why. What has to go goes all the same.
func TestLaw2NothingIsRegisteredUnrecorded(t *testing.T) {
	for _, refused := range []string{"configmaps", "get configmaps"} {
		w := newSharedWorld(t)
		w.serve(1)
		w.reconcile()
		w.serve(2)
		w.restart()
		w.terminate(w.pods["web-1"])
		w.pod(3)
		w.refused[refused] = forbidden("configmaps")
		w.made()

		if _, err := w.try(web); err == nil {
			t.Errorf("%s: want it tried again", refused)
		}

		if got := w.made(); got != "deregister 1" || w.ready("web-tg") != v1alpha1.ReasonTargetsNotRecorded {
			t.Errorf("%s refused: calls %q, Ready %s", refused, got, w.ready("web-tg"))
		}

		delete(w.refused, refused)
		w.reconcile()

		if got := w.made(); got != "record 10.0.0.1:8080,10.0.0.2:8080,10.0.0.3:8080, register 3" && got != "record 10.0.0.1:8080,10.0.0.3:8080, register 3, record 10.0.0.1:8080,10.0.0.2:8080,10.0.0.3:8080" {
			t.Errorf("%s allowed again: calls %q", refused, got)
		}

		if w.ready("web-tg") != v1alpha1.ReasonSynced {
			t.Errorf("Ready %s", w.ready("web-tg"))
		}
	}
}

// TestRecordOfTwoLeaders: a leader that does not know yet that it is none has written,
// and nothing of either is lost.
func TestRecordOfTwoLeaders(t *testing.T) {
	w := newSharedWorld(t)
	w.serve(1)
	w.reconcile()
	w.keep("10.0.0.1:8080,10.0.0.5:8080")
	w.maps[recordName].ResourceVersion = "2"
	w.pod(2)
	w.made()

	if _, err := w.try(web); err == nil || w.made() != "" || w.ready("web-tg") != v1alpha1.ReasonSynced {
		t.Fatalf("want nothing registered, nothing told, and another try; got %v", err)
	}

	w.reconcile()
	if got := w.made(); got != "record 10.0.0.1:8080,10.0.0.2:8080,10.0.0.5:8080, register 2" {
		t.Errorf("calls %q", got)
	}
}

// TestRecordIsWrittenSeldom: once for a registration, once for what is gone, and not
// for nothing.
func TestRecordIsWrittenSeldom(t *testing.T) {
	w := newSharedWorld(t)
	w.pod(1)
	w.pod(2)
	w.reconcile()

	if got := w.made(); got != "record 10.0.0.1:8080,10.0.0.2:8080, register 1 2" {
		t.Errorf("calls %q", got)
	}

	for range 5 {
		w.later()
	}

	w.terminate(w.pods["web-1"])
	w.rows[at(2)] = gate.Health{State: gate.Healthy}
	for range 5 {
		w.later()
	}

	if got := w.made(); got != "deregister 1, record 10.0.0.2:8080" {
		t.Errorf("calls %q", got)
	}
}

// TestRecordGoesWithItsBinding and not with a handover, which LBC needs it for.
func TestRecordGoesWithItsBinding(t *testing.T) {
	w := newSharedWorld(t)
	w.serve(1)
	w.reconcile()
	w.bindings["web-tg"].DeletionTimestamp = new(metav1.NewTime(noon))
	w.fail["deregister"] = balancer.ErrThrottled
	_, _ = w.try(web)

	if got := w.recorded(); got != "10.0.0.1:8080" {
		t.Errorf("a record that is still needed: %q", got)
	}

	delete(w.fail, "deregister")
	w.reconcile()

	if got := w.recorded(); got != "none" || w.bindings["web-tg"] != nil {
		t.Errorf("the record of a binding that is gone: %q", got)
	}
}

// TestRecordOfLBC: its format is read and written as it is.
func TestRecordOfLBC(t *testing.T) {
	w := newForeignWorld(t)
	w.bindings["web-tg"].Spec.MultiClusterTargetGroup = true
	const quic = "10.0.0.3:8080:0x0123456789abcdef"
	w.keep("2001:db8::1:8080,10.0.0.1:8080," + quic)
	w.serve(1)
	six, err := gate.ParseTarget("2001:db8::1", 8080)
	if err != nil {
		t.Fatal(err)
	}

	w.rows[six] = gate.Health{State: gate.Healthy}
	b := w.bindings["web-tg"]
	rec := w.lbc.Records.Load(t.Context(), binding.Of(b))
	if rec.Err() != nil || !rec.Owns(six) || !rec.Owns(at(1)) || rec.Owns(at(3)) {
		t.Errorf("read %v", rec.Err())
	}

	if err := rec.Add(t.Context(), list(2)); err != nil {
		t.Fatal(err)
	}

	if got, want := w.recorded(), "10.0.0.1:8080,10.0.0.2:8080,"+quic+",2001:db8::1:8080"; got != want {
		t.Errorf("written %q, want %q", got, want)
	}

	w.lbc.Records.Forget(web)
	w.made()
	w.renew()
	w.pass(time.Hour, true)

	if got := w.made(); got != "" || w.finalizers() != elbv2.LBCFinalizer {
		t.Errorf("while it lives: calls %q", got)
	}
}

// TestLaw3CopiedRecordIsNotBelieved: a record that was restored along with its binding names another cluster's targets.
func TestLaw3CopiedRecordIsNotBelieved(t *testing.T) {
	copies := map[string]func(cm *corev1.ConfigMap){
		"podgate signed it": func(cm *corev1.ConfigMap) {
			cm.Annotations = map[string]string{v1alpha1.RecordOfAnnotation: "elsewhere"}
		},
		"it is older than the binding": func(cm *corev1.ConfigMap) { cm.CreationTimestamp = metav1.NewTime(noon.Add(-24 * time.Hour)) },
		"both were restored at once":   func(cm *corev1.ConfigMap) { cm.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour)) },
	}

	for what, change := range copies {
		w := newSharedWorld(t)
		b := w.bindings["web-tg"]
		b.UID, b.CreationTimestamp = "here", metav1.NewTime(noon.Add(-time.Hour))
		w.keep("10.0.0.1:8080")
		for _, cm := range w.maps {
			change(cm)
		}

		w.rows[at(1)] = gate.Health{State: gate.Healthy}
		w.reconcile()
		w.let(time.Minute)
		w.deleted()
		w.reconcile()
		if got := w.changes(); got != "" {
			t.Errorf("%s: calls %q, want another cluster's target left", what, got)
		}
	}
}

// TestLaw2RecordOfTheSameSecond: AWS Load Balancer Controller records what it registers in the second in which a binding is
// made, too. That the record was written later as well shows that it is this binding's, unlike a copy.
func TestLaw2RecordOfTheSameSecond(t *testing.T) {
	made := noon.Add(-time.Hour)
	wrote := func(field string, at time.Time) metav1.ManagedFieldsEntry {
		time := metav1.NewTime(at)
		return metav1.ManagedFieldsEntry{Manager: "controller", Operation: metav1.ManagedFieldsOperationUpdate, Time: &time, FieldsV1: metav1.NewFieldsV1(field)}
	}
	const data, labels = `{"f:data":{".":{},"f:targets":{}}}`, `{"f:metadata":{"f:labels":{"f:team":{}}}}`
	for what, tc := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   string
	}{
		"it was written again":             {[]metav1.ManagedFieldsEntry{wrote(labels, made), wrote(data, made.Add(time.Minute))}, "deregister 1"},
		"it was not":                       {[]metav1.ManagedFieldsEntry{wrote(data, made)}, ""},
		"a copy got a label":               {[]metav1.ManagedFieldsEntry{wrote(data, made.Add(-time.Hour)), wrote(labels, made.Add(time.Minute))}, ""},
		"it was written, and got a label":  {[]metav1.ManagedFieldsEntry{wrote(data, made.Add(time.Minute)), wrote(labels, made.Add(time.Hour))}, "deregister 1"},
		"nobody noted who wrote it":        {[]metav1.ManagedFieldsEntry{{Manager: "controller"}}, ""},
		"other data was written of a copy": {[]metav1.ManagedFieldsEntry{wrote(data, made), wrote(`{"f:data":{"f:note":{}}}`, made.Add(time.Minute))}, ""},
	} {
		w := newSharedWorld(t)
		b := w.bindings["web-tg"]
		b.UID, b.CreationTimestamp = "here", metav1.NewTime(made)
		w.keep("10.0.0.1:8080")
		for _, cm := range w.maps {
			cm.CreationTimestamp, cm.ManagedFields = metav1.NewTime(made), tc.fields
		}

		w.rows[at(1)] = gate.Health{State: gate.Healthy}
		w.reconcile()
		w.let(time.Minute)
		if got := w.changes(); got != tc.want {
			t.Errorf("%s: calls %q, want %q", what, got, tc.want)
		}
	}
}
