// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package override reads and writes what a person ordered about a pod's gates: the
// annotation podgate.dev/override. It is pure. An order counts only for the pod whose UID
// is beside it, so that none comes with a template or a copied manifest, and it refuses to
// last: what has no end within Max of its beginning is no order.
//
// Who may patch pods, or their status, may make an order. Neither gives more by that than it
// does anyway: the former may replace a container's image, the latter set any condition.
package override

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

const (
	// Max is the longest that an order lasts.
	Max = 24 * time.Hour
	// MaxReason is the longest reason, in bytes: it becomes part of a condition's message.
	MaxReason = 500
)

// Record is all that was ordered about a pod's gates. Its zero value orders nothing.
type Record struct {
	// UID is the pod's.
	UID types.UID `json:"uid"`
	// Gates are the orders by condition type.
	Gates map[string]Order `json:"gates"`
}

// Order is about one gate.
type Order struct {
	// Status is "True" or "False".
	Status gate.Status `json:"status"`
	// Reason says why, for people.
	Reason string `json:"reason"`
	// By is who gave the order, as they say themselves; the API server's audit log knows.
	By string `json:"by,omitempty"`
	// At is when it was given, Until when it ends.
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
}

// Check tells what is wrong with an order.
func (o Order) Check() error {
	switch {
	case o.Status != gate.StatusTrue && o.Status != gate.StatusFalse:
		return fmt.Errorf("status %q is neither True nor False", o.Status)
	case strings.TrimSpace(o.Reason) == "":
		return errors.New("it gives no reason")
	case len(o.Reason) > MaxReason:
		return fmt.Errorf("its reason has more than %d bytes", MaxReason)
	case !o.Until.After(o.At):
		return errors.New("it ends before it begins")
	case o.Until.Sub(o.At) > Max:
		return fmt.Errorf("it lasts longer than %s", Max)
	}

	return nil
}

// Of reads what was ordered about a pod; nothing where the annotation cannot be read or is
// another pod's.
func Of(pod *corev1.Pod) Record {
	raw, ordered := pod.Annotations[v1alpha1.OverrideAnnotation]
	if !ordered {
		return Record{UID: pod.UID}
	}
	var r Record
	if json.Unmarshal([]byte(raw), &r) != nil || r.UID != pod.UID {
		return Record{UID: pod.UID}
	}
	return r
}

// Gate is what counts of a gate's order.
func (r Record) Gate(gateType string) gate.Override {
	o, ordered := r.Gates[gateType]
	if !ordered || o.Check() != nil {
		return gate.Override{}
	}
	return gate.Override{Status: o.Status, Reason: o.Reason, By: o.By, Set: o.At, Until: o.Until}
}

// With is the record with one order more, or with one less where there is none, and
// without those that have ended.
func (r Record) With(gateType string, o *Order, now time.Time) Record {
	next := Record{UID: r.UID, Gates: map[string]Order{}}
	maps.Copy(next.Gates, r.Gates)
	delete(next.Gates, gateType)
	for name, other := range next.Gates {
		if other.Check() != nil || !now.Before(other.Until) {
			delete(next.Gates, name)
		}
	}
	if o != nil {
		next.Gates[gateType] = *o
	}
	return next
}

// Value is the annotation's; empty when nothing is ordered.
func (r Record) Value() (string, error) {
	if len(r.Gates) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(r)
	return string(raw), err
}

// Problems tells what is wrong with a pod's annotation, for people; orders that ended are
// no problem.
func Problems(pod *corev1.Pod) []string {
	raw, ordered := pod.Annotations[v1alpha1.OverrideAnnotation]
	if !ordered {
		return nil
	}

	var r Record
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		return []string{fmt.Sprintf("annotation %s cannot be read, so it orders nothing: %v", v1alpha1.OverrideAnnotation, err)}
	}

	if r.UID != pod.UID {
		return []string{fmt.Sprintf("annotation %s is of another pod (UID %q), so it orders nothing here", v1alpha1.OverrideAnnotation, r.UID)}
	}

	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.Gates)) {
		if err := r.Gates[name].Check(); err != nil {
			all = append(all, fmt.Sprintf("annotation %s orders nothing about %s: %v", v1alpha1.OverrideAnnotation, name, err))
		}
	}

	return all
}
