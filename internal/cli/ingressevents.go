// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

// IngressEvent is an event on an Ingress.
type IngressEvent struct {
	Type    string      `json:"type"`
	Reason  string      `json:"reason"`
	Message string      `json:"message"`
	At      metav1.Time `json:"at"`
}

// ingressEvents are those on the Ingresses of a namespace, or of all, the latest first, by the UID of the Ingress.
func ingressEvents(ctx context.Context, r *snapshot, namespace string) (map[types.UID][]IngressEvent, error) {
	var list corev1.EventList
	var reader client.Reader = r
	options := []client.ListOption{client.InNamespace(namespace)}
	if !r.alone {
		reader, options = r.live, append(options, client.MatchingFields{"involvedObject.kind": "Ingress"})
	}
	if err := reader.List(ctx, &list, options...); err != nil {
		return nil, err
	}

	events := map[types.UID][]IngressEvent{}
	for i := range list.Items {
		if e := &list.Items[i]; e.InvolvedObject.Kind == "Ingress" {
			uid := e.InvolvedObject.UID
			events[uid] = append(events[uid], IngressEvent{Type: e.Type, Reason: e.Reason, Message: e.Message, At: lastSeen(e)})
		}
	}
	for _, of := range events {
		slices.SortStableFunc(of, func(a, b IngressEvent) int {
			return cmp.Or(b.At.Compare(a.At.Time), compare(a.Reason, b.Reason, a.Message, b.Message))
		})
	}
	return events, nil
}

// States of a load balancer that no event has for a reason.
const (
	// StatePublished: the Ingresses have its name, and of late nothing was told of it.
	StatePublished = "Published"
	// StateRefused: none of its Ingresses can be served as it is.
	StateRefused = "Refused"
	// StateDeleting: all of its Ingresses are being deleted.
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
func newest(events []IngressEvent) *IngressEvent {
	var latest time.Time
	for _, e := range events {
		if slices.Contains(gravest, e.Reason) && e.At.After(latest) {
			latest = e.At.Time
		}
	}

	var found *IngressEvent
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
