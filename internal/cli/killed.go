// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// Killed is what podgate said last of a pod that ended before its load balancer had let go of it.
type Killed struct {
	Message string      `json:"message"`
	At      metav1.Time `json:"at"`
}

// killed finds what was said of one object, by its name or its UID; nil when nothing was.
func killed(ctx context.Context, r *snapshot, namespace, field, value string) (*Killed, error) {
	if r.alone {
		return nil, nil
	}

	var events corev1.EventList
	err := r.live.List(ctx, &events, client.InNamespace(namespace), client.MatchingFields{"reason": v1alpha1.ReasonKilledUndrained, field: value})
	if err != nil {
		return nil, err
	}

	var last *Killed
	for i := range events.Items {
		if at := lastSeen(&events.Items[i]); last == nil || last.At.Before(&at) {
			last = &Killed{Message: events.Items[i].Message, At: at}
		}
	}

	return last, nil
}

func lastSeen(e *corev1.Event) metav1.Time {
	switch {
	case e.Series != nil:
		return metav1.Time{Time: e.Series.LastObservedTime.Time}
	case !e.EventTime.IsZero():
		return metav1.Time{Time: e.EventTime.Time}
	}
	return e.LastTimestamp
}

// ended adds to an error about a pod that is not there what podgate said of its end.
func ended(ctx context.Context, r *snapshot, pod types.NamespacedName, err error) error {
	k, unread := killed(ctx, r, pod.Namespace, "involvedObject.name", pod.Name)
	if unread != nil || k == nil {
		return err
	}
	return fmt.Errorf("%w. %s at %s: %s", err, v1alpha1.ReasonKilledUndrained, k.At.UTC().Format(time.RFC3339), k.Message)
}

// siblings reports whether pods of the same owner ended too soon lately.
func (x *explanation) siblings(ctx context.Context) error {
	owner := binding.Owner(x.pod)
	if owner == nil {
		return nil
	}
	var err error
	if x.Drain.Killed, err = killed(ctx, x.reader, x.pod.Namespace, "involvedObject.uid", string(owner.UID)); err != nil {
		return x.Unknown.forgive(err, "whether pods like this one ended before they were drained")
	}
	return nil
}
