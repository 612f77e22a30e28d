// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/client-go/tools/events"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
)

// newForeignWorld is a world that AWS Load Balancer Controller has served and whose
// binding is as that controller leaves it, before podgate ever ran.
func newForeignWorld(t *testing.T) *world {
	w := newWorld(t)
	b := w.bind("web-tg", 0)
	b.Finalizers = []string{elbv2.LBCFinalizer}
	b.Labels = map[string]string{"ingress.k8s.aws/stack-name": "web", "ingress.k8s.aws/stack-namespace": "shop"}
	b.Annotations = map[string]string{elbv2.LBCCheckpoint: "0d8f/9b1c", elbv2.LBCCheckpointTime: "1772366400"}
	b.Spec.TargetType, b.Spec.IPAddressType = new(elbv2.TargetTypeIP), new("ipv4")
	b.Status.ObservedGeneration = new(int64(1))
	w.renew()
	clear(w.tracking)
	w.events = events.NewFakeRecorder(1000)
	w.restart()
	return w
}

// renew has the other controller renew its lease.
func (w *world) renew() {
	if w.lease == nil {
		w.lease = &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: new("lbc-7d4b_0c4a"), LeaseDurationSeconds: new(int32(15))}}
	}
	w.lease.Spec.RenewTime = new(metav1.NewMicroTime(w.clock))
}

// pass lets time pass, in which the binding is looked at as often as it asks for, and
// the other controller renews its lease if it lives.
func (w *world) pass(d time.Duration, lives bool) {
	w.t.Helper()
	for end := w.clock.Add(d); w.clock.Before(end); {
		if lives {
			w.renew()
		}
		wait := 10 * time.Second
		if res, err := w.try(web); err == nil && res.RequeueAfter > 0 {
			wait = min(wait, res.RequeueAfter)
		}
		w.clock = w.clock.Add(wait)
	}
}

func (w *world) finalizers() string { return strings.Join(w.bindings["web-tg"].Finalizers, " ") }

// managed returns the reason of the binding's Managed condition.
func (w *world) managed() string {
	for _, c := range w.bindings["web-tg"].Status.Conditions {
		if c.Type == v1alpha1.ConditionManaged {
			return c.Reason
		}
	}
	return ""
}

func TestForeignBindingIsOnlyObserved(t *testing.T) {
	w := newForeignWorld(t)
	w.serve(1)
	w.pod(2)
	w.rows[at(9)] = gate.Health{State: gate.Healthy}
	w.pass(time.Hour, true)

	if got := w.made(); got != "" || w.finalizers() != elbv2.LBCFinalizer || w.managed() != v1alpha1.ReasonOwnedByLBC {
		t.Errorf("calls %q, finalizers %s, Managed %s: want all left alone and told so", got, w.finalizers(), w.managed())
	}

	if known, _ := w.registry.Get(web); !known.Foreign || len(w.tracking) != 0 {
		t.Errorf("want the gates left alone and the group not read, got %+v", known)
	}

	if w.writes != 1 || len(w.events.Events) != 1 {
		t.Errorf("written %d times and told %d events in an hour, want one each", w.writes, len(w.events.Events))
	}
}

// TestTakeOver: what is registered stays as it is, the finalizer becomes podgate's and
// the checkpoint goes.
func TestTakeOver(t *testing.T) {
	w := newForeignWorld(t)
	w.serve(1)
	w.pod(2)
	w.pass(55*time.Second, false)

	if got := w.made(); got != "" || w.finalizers() != elbv2.LBCFinalizer {
		t.Fatalf("a lease that was silent for less than a minute: calls %q, finalizers %s", got, w.finalizers())
	}

	w.pass(20*time.Second, false)
	if got := w.made(); got != "register 2" {
		t.Errorf("calls: %q, want what is registered adopted as it is", got)
	}

	b := w.bindings["web-tg"]
	if w.finalizers() != v1alpha1.Finalizer || w.managed() != v1alpha1.ReasonOwnedByPodgate || w.ready("web-tg") != v1alpha1.ReasonSynced {
		t.Errorf("finalizers %s, Managed %s, Ready %s", w.finalizers(), w.managed(), w.ready("web-tg"))
	}

	for key := range b.Annotations {
		if strings.HasPrefix(key, elbv2.LBCCheckpoint) {
			t.Errorf("%s would let the other controller skip what it finds when it is back", key)
		}
	}

	if len(b.Labels) != 2 {
		t.Errorf("labels: %v", b.Labels)
	}
}

// TestTakeOverThatCannotBeWritten: the other controller's own admission webhook, with
// nobody behind it, refuses every write to a binding. Its pods are served nevertheless.
func TestTakeOverThatCannotBeWritten(t *testing.T) {
	w := newForeignWorld(t)
	w.pod(1)
	w.refused["bindings"] = errors.New(`failed calling webhook "vtargetgroupbinding.elbv2.k8s.aws": no endpoints available`)
	w.pass(80*time.Second, false)
	if got := w.made(); got != "register 1" || w.finalizers() != elbv2.LBCFinalizer {
		t.Errorf("calls %q, finalizers %s: want the pod served and the binding held as it was", got, w.finalizers())
	}
	w.refused["bindings"] = nil
	w.pass(time.Minute, false)
	if w.finalizers() != v1alpha1.Finalizer {
		t.Errorf("finalizers %s: the write was not tried again", w.finalizers())
	}
}

// TestHandBack: the other controller is back. podgate stops at once and its finalizer goes.
func TestHandBack(t *testing.T) {
	w := newForeignWorld(t)
	w.serve(1)
	w.pass(80*time.Second, false)
	w.made()
	w.renew()
	b := w.bindings["web-tg"]
	b.Finalizers = append(b.Finalizers, elbv2.LBCFinalizer)
	w.pod(2)
	w.terminate(w.pods["web-1"])
	w.pass(15*time.Second, true)

	if got := w.made(); got != "" || w.finalizers() != elbv2.LBCFinalizer || w.managed() != v1alpha1.ReasonOwnedByLBC || w.ready("web-tg") != v1alpha1.ReasonOwnedByLBC {
		t.Errorf("calls %q, finalizers %s, Managed %s, Ready %s: want all left to it", got, w.finalizers(), w.managed(), w.ready("web-tg"))
	}
}

// TestFinalizerThatComesBackIsASignOfLife: podgate looks for the lease in the wrong
// namespace, and the other controller, which lives, puts its finalizer back.
func TestFinalizerThatComesBackIsASignOfLife(t *testing.T) {
	w := newForeignWorld(t)
	w.lease = nil
	w.pass(80*time.Second, false)

	if w.finalizers() != v1alpha1.Finalizer {
		t.Fatalf("finalizers %s: want it taken over", w.finalizers())
	}

	b := w.bindings["web-tg"]
	b.Finalizers = append(b.Finalizers, elbv2.LBCFinalizer)
	w.pod(1)
	w.pass(50*time.Second, false)

	if got := w.made(); got != "" || !strings.Contains(w.finalizers(), elbv2.LBCFinalizer) {
		t.Errorf("calls %q, finalizers %s: want it left alone", got, w.finalizers())
	}
}

// TestLaw2ABindingIsAlwaysHeld: whatever is written, and wherever podgate dies, a
// binding with targets has a finalizer of somebody who would deregister them.
func TestLaw2ABindingIsAlwaysHeld(t *testing.T) {
	for crash := range 6 {
		w := newForeignWorld(t)
		w.serve(1, 2)
		writes := 0
		w.onWrite = func(b *elbv2.TargetGroupBinding) {
			if len(b.Finalizers) == 0 && b.DeletionTimestamp == nil {
				t.Errorf("crash %d: nobody holds the binding", crash)
			}
			if writes++; writes == crash {
				w.restart()
			}
		}

		w.pass(80*time.Second, false)
		if b := w.bindings["web-tg"]; !slices.Contains(b.Finalizers, elbv2.LBCFinalizer) {
			b.Finalizers = append(b.Finalizers, elbv2.LBCFinalizer)
		}

		w.pass(time.Minute, true)
		w.pass(80*time.Second, false)
		w.pass(80*time.Second, false)

		if got := w.made(); got != "" || w.finalizers() != v1alpha1.Finalizer {
			t.Errorf("crash %d: calls %q, finalizers %s: want it podgate's in the end and no target touched", crash, got, w.finalizers())
		}
	}
}

// TestLaw2DeletedBindingOfTheOther: a deleted binding is ended by who holds it; by
// podgate if that is nobody any more.
func TestLaw2DeletedBindingOfTheOther(t *testing.T) {
	both := v1alpha1.Finalizer + " " + elbv2.LBCFinalizer
	cases := map[string]struct {
		reason     string
		finalizers string
		lives      bool
		calls      string
		left       string
	}{
		"Theirs":        {reason: "Its own controller will deregister.", finalizers: elbv2.LBCFinalizer, lives: true, left: elbv2.LBCFinalizer},
		"HandedBack":    {reason: "So it will of one that podgate has to hand back.", finalizers: both, lives: true, left: elbv2.LBCFinalizer},
		"Abandoned":     {reason: "Nobody else will.", finalizers: elbv2.LBCFinalizer, calls: "deregister 1 2"},
		"AbandonedBoth": {reason: "Nor here.", finalizers: both, calls: "deregister 1 2"},
		"Mine":          {reason: "podgate's own.", finalizers: v1alpha1.Finalizer, lives: true, calls: "deregister 1 2"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newForeignWorld(t)
			w.serve(1, 2)
			b := w.bindings["web-tg"]
			b.Finalizers = strings.Fields(tc.finalizers)
			b.DeletionTimestamp = new(metav1.NewTime(noon))
			w.pass(90*time.Second, tc.lives)

			if got := w.made(); got != tc.calls {
				t.Errorf("%s\ncalls: want %q, got %q", tc.reason, tc.calls, got)
			}

			left := ""
			if w.bindings["web-tg"] != nil {
				left = w.finalizers()
			}

			if left != tc.left {
				t.Errorf("%s\nfinalizers: want %q left, got %q", tc.reason, tc.left, left)
			}
		})
	}
}

// TestBindingThatIsNotServed: podgate is told to leave a binding that it has served.
func TestBindingThatIsNotServed(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(w *world, b *elbv2.TargetGroupBinding)
		lives  bool
		after  time.Duration
		want   string
	}{
		"NoLBC":      {reason: "Nobody is waited for.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.lease = nil }, after: time.Second, want: ""},
		"LBCWaited":  {reason: "The other controller lives: until its finalizer is on podgate's stays.", lives: true, after: 50 * time.Second, want: v1alpha1.Finalizer},
		"LBCNever":   {reason: "It does not want the binding.", lives: true, after: 70 * time.Second, want: ""},
		"LBCClaimed": {reason: "It has it.", change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Finalizers = append(b.Finalizers, elbv2.LBCFinalizer) }, lives: true, after: time.Second, want: elbv2.LBCFinalizer},
		"LBCGone":    {reason: "It has been silent for long.", after: 80 * time.Second, want: ""},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.serve(1)
			w.reconcile()
			w.lbc.Owners.Ownership = binding.OwnNone
			w.renew()

			if tc.change != nil {
				tc.change(w, w.bindings["web-tg"])
			}

			w.pod(2)
			w.pass(tc.after, tc.lives)

			if got := w.finalizers(); got != tc.want {
				t.Errorf("%s\nfinalizers: want %q, got %q", tc.reason, tc.want, got)
			}

			if got := w.made(); got != "" || w.managed() != v1alpha1.ReasonNotServed || w.ready("web-tg") != "" {
				t.Errorf("%s\ncalls %q, Managed %s, Ready %s", tc.reason, got, w.managed(), w.ready("web-tg"))
			}
		})
	}

	asked := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.ManageAnnotation: "true"}}}
	for mode, want := range map[binding.Ownership][2]bool{binding.OwnAll: {true, true}, binding.OwnAnnotated: {false, true}, binding.OwnNone: {false, false}} {
		if got := [2]bool{mode.Serves(binding.Of(&elbv2.TargetGroupBinding{})), mode.Serves(binding.Of(asked))}; got != want {
			t.Errorf("%s: want a plain and an annotated binding served %v, got %v", mode, want, got)
		}
	}
}

// TestUnwritableBindingIsTold: without its finalizer nothing is registered, and both
// binding and pods say why.
func TestUnwritableBindingIsTold(t *testing.T) {
	w := newWorld(t)
	b := w.bind("web-tg", 0)
	w.restart()
	w.pod(1).Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(elbv2.GateType(b.Name))}}
	w.refused["bindings"] = fmt.Errorf("add finalizer: %w", forbidden("targetgroupbindings"))
	if _, err := w.try(web); err == nil {
		t.Error("want it tried again")
	}
	known, _ := w.registry.Get(web)
	if got := w.made(); got != "" || w.ready("web-tg") != v1alpha1.ReasonBindingNotWritable || !strings.Contains(known.Trouble, "no such permission") {
		t.Errorf("calls %q, Ready %s, pods hear %q", got, w.ready("web-tg"), known.Trouble)
	}
}
