// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// sink takes what an API server would get.
type sink struct {
	events.EventSink
	notes chan string
}

// Create implements events.EventSink.
func (s sink) Create(_ context.Context, e *eventsv1.Event) (*eventsv1.Event, error) {
	s.notes <- e.Note
	return e, nil
}

// Patch implements events.EventSink. What it is told of an event says nothing new.
func (s sink) Patch(_ context.Context, e *eventsv1.Event, _ []byte) (*eventsv1.Event, error) {
	return e, nil
}

// TestTellReachesTheAPIServer: client-go makes a series of events that are alike, and neither another message nor the end of a
// wait that comes again may be lost in one.
func TestTellReachesTheAPIServer(t *testing.T) {
	s := sink{notes: make(chan string, 20)}
	broadcaster := events.NewBroadcaster(s)
	defer broadcaster.Shutdown()
	if err := broadcaster.StartRecordingToSinkWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}

	teller, group := newTeller(broadcaster.NewRecorder(scheme(t), "test")), Key{Name: "shop"}
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "1"}}
	var want, got []string
	for range 3 {
		for _, n := range []note{
			{"Normal", v1alpha1.ReasonLoadBalancerWaiting, "it waits"},
			{"Normal", v1alpha1.ReasonLoadBalancerWaiting, "it waits for something else"},
			{"Normal", v1alpha1.ReasonLoadBalancerReady, "it is ready"},
		} {
			teller.tell(group, ing, []note{n})
			want = append(want, n.message)
			select {
			case note := <-s.notes:
				got = append(got, note)
			case <-time.After(10 * time.Second):
				t.Fatalf("after %q nothing came", got)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}

	teller.forget(group, nil)
	if len(teller.said)+len(teller.times) > 0 {
		t.Errorf("it remembers %v and %v", teller.said, teller.times)
	}
}
