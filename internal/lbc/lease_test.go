// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"errors"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is an API server with at most one lease, and a clock.
type world struct {
	client.Reader
	*Owners
	clock   time.Time
	lease   *coordinationv1.Lease
	refused error
	reads   int
}

func newWorld() *world {
	w := &world{clock: noon}
	w.Owners = NewOwners(binding.OwnAll, w, "kube-system", func() time.Time { return w.clock })
	return w
}

// Get implements client.Reader.
func (w *world) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	w.reads++
	if w.refused != nil {
		return w.refused
	}
	if w.lease == nil || key.Namespace != "kube-system" || key.Name != elbv2.LBCLease {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "leases"}, key.Name)
	}
	w.lease.DeepCopyInto(into.(*coordinationv1.Lease))
	return nil
}

// renew has the other controller renew its lease, by a clock that is wrong by skew.
func (w *world) renew(skew time.Duration) {
	if w.lease == nil {
		w.lease = &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: new("lbc-7d4b_0c4a"), LeaseDurationSeconds: new(int32(15))}}
	}
	w.lease.Spec.RenewTime = new(metav1.NewMicroTime(w.clock.Add(skew)))
}

func TestLease(t *testing.T) {
	cases := map[string]struct {
		reason string
		// each is what happens in one of the steps of 5 s, before the lease is looked at.
		each  func(w *world, step int)
		steps int
		want  life
	}{
		"Renewed":   {reason: "The controller runs.", each: func(w *world, _ int) { w.renew(0) }, steps: 30, want: lifeRenewed},
		"WrongTime": {reason: "Its clock is an hour behind: only that the time changes counts.", each: func(w *world, _ int) { w.renew(-time.Hour) }, steps: 30, want: lifeRenewed},
		"Ahead":     {reason: "It is gone and its clock was an hour ahead.", each: func(w *world, n int) { once(n, func() { w.renew(time.Hour) }) }, steps: 12, want: lifeSilent},
		"Early":     {reason: "An old renewal that is seen for the first time tells nothing yet.", each: func(w *world, n int) { once(n, func() { w.renew(-time.Hour) }) }, steps: 11},
		"Silent":    {reason: "Four durations without a renewal.", each: func(w *world, n int) { once(n, func() { w.renew(0) }) }, steps: 12, want: lifeSilent},
		"NoLease":   {reason: "There never was one. It is waited for, since its controller may just be starting.", each: func(*world, int) {}, steps: 12, want: lifeSilent},
		"Released":  {reason: "It gave its lease back: nobody renews it, but somebody may be about to.", each: func(w *world, n int) { once(n, func() { w.renew(0); w.lease.Spec.HolderIdentity = nil }) }, steps: 3},
		"Back": {reason: "It was away for a long time.", each: func(w *world, n int) {
			if n == 0 || n == 30 {
				w.renew(0)
			}
		}, steps: 30, want: lifeRenewed},
		"Rollout": {reason: "Its leader is replaced, which takes a lease duration or two.", each: func(w *world, n int) {
			if n == 0 || n == 8 {
				w.renew(0)
			}
		}, steps: 15, want: lifeRenewed},
		"Outage": {reason: "While the API server is away nobody can renew anything.", each: func(w *world, n int) {
			once(n, func() { w.renew(0) })
			w.refused = nil
			if n > 0 && n < 30 {
				w.refused = errors.New("connection refused")
			}
		}, steps: 31},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			var got life
			for n := range tc.steps + 1 {
				tc.each(w, n)
				got, _ = w.Owners.lease.life(t.Context())
				w.clock = w.clock.Add(5 * time.Second)
			}
			if got != tc.want {
				t.Errorf("%s\nlife: want %d, got %d", tc.reason, tc.want, got)
			}
		})
	}
}

func once(n int, f func()) {
	if n == 0 {
		f()
	}
}

// TestLeaseIsReadForAllBindings: a thousand bindings of the other controller cost the
// API server as much as one.
func TestLeaseIsReadForAllBindings(t *testing.T) {
	w := newWorld()
	for range 10 {
		w.renew(0)
		for range 1000 {
			if _, err := w.Owners.lease.life(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.clock = w.clock.Add(time.Second)
	}

	if w.reads > 5 {
		t.Errorf("the lease was read %d times in 10 s", w.reads)
	}
}

// TestLeaseIsReadBeforeATakeOver: what was read a moment ago may be of before the other
// controller came back.
func TestLeaseIsReadBeforeATakeOver(t *testing.T) {
	w := newWorld()
	held := &elbv2.TargetGroupBinding{}
	held.Finalizers = []string{elbv2.LBCFinalizer}
	w.renew(0)

	for range 14 {
		if _, err := w.Owners.lease.life(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(5 * time.Second)
	}

	_, _ = w.Owners.lease.life(t.Context())
	w.renew(0)

	if got, err := w.Of(t.Context(), binding.Of(held)); err != nil || got != OwnedByLBC {
		t.Errorf("ownership: want it the other controller's, got %d, %v", got, err)
	}
}
