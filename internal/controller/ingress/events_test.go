// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/tools/events"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestTell: what holds is said once, and that a load balancer is ready again when what kept it from that is over.
func TestTell(t *testing.T) {
	ready := note{"Normal", v1alpha1.ReasonLoadBalancerReady, "it is ready"}
	waits := note{"Normal", v1alpha1.ReasonLoadBalancerWaiting, "it waits"}
	waitsOn := note{"Normal", v1alpha1.ReasonLoadBalancerWaiting, "it waits for something else"}
	failed := note{"Warning", v1alpha1.ReasonLoadBalancerFailed, "it failed"}
	held := note{"Warning", v1alpha1.ReasonLoadBalancerHeld, "it is held"}
	notice := note{"Warning", v1alpha1.ReasonClassConflict, "it is odd"}

	teller, group, ing := newTeller(events.NewFakeRecorder(100)), Key{Name: "shop"}, &networkingv1.Ingress{}
	for i, look := range []struct{ notes, want []note }{
		{[]note{waits}, []note{waits}},
		{[]note{waits, waits}, nil},
		{[]note{ready}, []note{ready}},
		{[]note{ready}, nil},
		{[]note{waits, ready}, []note{waits}},
		{[]note{waits, ready}, nil},
		{[]note{waitsOn, ready}, []note{waitsOn, ready}},
		{[]note{ready}, []note{ready}},
		{[]note{ready, failed}, []note{failed}},
		{[]note{ready}, []note{ready}},
		{[]note{ready, held, notice}, []note{held, notice}},
		{[]note{ready, notice}, []note{ready}},
		{[]note{ready}, nil},
	} {
		if diff := cmp.Diff(look.want, teller.tell(group, ing, look.notes), cmp.AllowUnexported(note{})); diff != "" {
			t.Errorf("look %d: -want +got\n%s", i, diff)
		}
	}
}
