// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"errors"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// TestOwnerOfIngress: whoever has a finalizer on an Ingress has it while it lives, and one that both would serve is left to the
// other controller while that lives.
func TestOwnerOfIngress(t *testing.T) {
	const none, own, group = "", elbv2.LBCIngressFinalizer, elbv2.LBCIngressGroupFinalizer + "shop"
	for name, tc := range map[string]struct {
		reason    string
		lease     bool
		renewed   bool
		wait      time.Duration
		finalizer string
		shared    bool
		want      Ownership
	}{
		"Ours":           {"nobody else serves its class", true, true, 0, none, false, OwnedByPodgate},
		"NoLease":        {"nobody else is there", false, false, 0, none, true, OwnedByPodgate},
		"NotKnown":       {"somebody may be there", true, false, 0, none, true, Unknown},
		"Lives":          {"somebody is there", true, true, 0, none, true, OwnedByLBC},
		"Silent":         {"nobody is there any more", true, false, 2 * time.Minute, none, true, OwnedByPodgate},
		"HeldNotKnown":   {"somebody has it, and may be there", true, false, 0, own, false, Unknown},
		"HeldNoLease":    {"the lease may be elsewhere or not be made yet", false, false, 0, own, true, Unknown},
		"Held":           {"somebody has it", true, true, 0, own, false, OwnedByLBC},
		"HeldOfGroup":    {"also as a member of a group", true, true, 0, group, true, OwnedByLBC},
		"HeldAbandoned":  {"somebody had it", true, false, 2 * time.Minute, own, false, Abandoned},
		"HeldNeverThere": {"whose lease is gone as well", false, false, 2 * time.Minute, group, true, Abandoned},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			i := NewIngresses(w, "kube-system", func() time.Time { return w.clock })
			ing := &networkingv1.Ingress{}
			if tc.finalizer != none {
				ing.Finalizers = []string{"example.com/other", tc.finalizer}
			}
			look := func() Ownership {
				got, err := i.Of(t.Context(), ing, tc.shared)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}

			if tc.lease {
				w.renew(0)
			}
			got := look()
			if tc.renewed {
				w.clock = w.clock.Add(10 * time.Second)
				w.renew(0)
				got = look()
			}
			for waited := time.Duration(0); waited < tc.wait; waited += 10 * time.Second {
				w.clock = w.clock.Add(10 * time.Second)
				got = look()
			}
			if got != tc.want {
				t.Errorf("%s: got %d, want %d", tc.reason, got, tc.want)
			}
			if i.Poll() > Poll {
				t.Errorf("looks again after %s", i.Poll())
			}
		})
	}
}

// TestOwnerOfIngressUnread: without an answer nobody acts.
func TestOwnerOfIngressUnread(t *testing.T) {
	w := newWorld()
	w.refused = errors.New("refused")
	i := NewIngresses(w, "kube-system", func() time.Time { return w.clock })
	if got, err := i.Of(t.Context(), &networkingv1.Ingress{}, true); got != Unknown || err == nil {
		t.Errorf("got %d, %v", got, err)
	}
	if got, err := i.Of(t.Context(), &networkingv1.Ingress{}, false); got != OwnedByPodgate || err != nil {
		t.Errorf("of nobody else's class: got %d, %v", got, err)
	}
}
