// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

// BalancerEvent is an event on an object that asks for a load balancer.
type BalancerEvent struct {
	Type    string      `json:"type"`
	Reason  string      `json:"reason"`
	Message string      `json:"message"`
	At      metav1.Time `json:"at"`

	// place is where the catalog has its reason.
	place v1alpha1.Place
}

// sentence is what an event says of a load balancer.
func (e *BalancerEvent) sentence() string {
	return e.Reason + ": " + strings.TrimSuffix(e.Message, ".")
}

// next is what to do about it; empty where it is not podgate's.
func (e *BalancerEvent) next() string {
	fix, _ := v1alpha1.Explain(e.place, e.Reason)
	return fix.Fix
}

// balancerPlaces are where the catalog has the reasons of events, by the kind of object.
var balancerPlaces = map[string]v1alpha1.Place{kindIngress: v1alpha1.OnIngressEvent, kindService: v1alpha1.OnServiceEvent}

// The kinds of objects that ask for load balancers.
const (
	kindIngress = "Ingress"
	kindService = "Service"
)

// balancerEvents are those on the objects of a kind in a namespace, or in all, the latest first, by the UID of the object.
func balancerEvents(ctx context.Context, r *snapshot, kind, namespace string) (map[types.UID][]BalancerEvent, error) {
	var list corev1.EventList
	var reader client.Reader = r
	options := []client.ListOption{client.InNamespace(namespace)}
	if !r.alone {
		reader, options = r.live, append(options, client.MatchingFields{"involvedObject.kind": kind})
	}
	if err := reader.List(ctx, &list, options...); err != nil {
		return nil, err
	}

	events := map[types.UID][]BalancerEvent{}
	for i := range list.Items {
		if e := &list.Items[i]; e.InvolvedObject.Kind == kind {
			uid := e.InvolvedObject.UID
			events[uid] = append(events[uid], BalancerEvent{Type: e.Type, Reason: e.Reason, Message: e.Message, At: lastSeen(e), place: balancerPlaces[kind]})
		}
	}
	for _, of := range events {
		slices.SortStableFunc(of, func(a, b BalancerEvent) int {
			return cmp.Or(b.At.Compare(a.At.Time), compare(a.Reason, b.Reason, a.Message, b.Message))
		})
	}
	return events, nil
}

// States of a load balancer that no event has for a reason.
const (
	// StatePublished: what asks for it has its name, and of late nothing was told of it.
	StatePublished = "Published"
	// StateRefused: nothing of what asks for it can be served as it is.
	StateRefused = "Refused"
	// StateDeleting: all that asks for it is being deleted.
	StateDeleting = "Deleting"
	// StateUnreported: nobody has said anything about it.
	StateUnreported = "Unreported"
)

// gravest are the reasons of events that tell how a load balancer is, the worst one first.
var gravest = []string{
	v1alpha1.ReasonNoSubnets, v1alpha1.ReasonLoadBalancerFailed, v1alpha1.ReasonLoadBalancerHeld, v1alpha1.ReasonLoadBalancerWaiting, v1alpha1.ReasonOwnedByLBC, v1alpha1.ReasonLoadBalancerReady,
}

// onePass is how far apart events are at most that were told at one look at a load balancer. They are made in one go, where another look
// reads AWS first. A longer time would let a failure that the next look has mended stand beside its success.
const onePass = 20 * time.Millisecond

// newest is the gravest of the events that tell how a load balancer is, of those of the latest look at it; nil: none does.
func newest(events []BalancerEvent) *BalancerEvent {
	var latest time.Time
	for _, e := range events {
		if slices.Contains(gravest, e.Reason) && e.At.After(latest) {
			latest = e.At.Time
		}
	}

	var found *BalancerEvent
	for i := range events {
		e := &events[i]
		if !slices.Contains(gravest, e.Reason) || latest.Sub(e.At.Time) > onePass {
			continue
		}
		if found == nil || slices.Index(gravest, e.Reason) < slices.Index(gravest, found.Reason) {
			found = e
		}
	}
	return found
}
