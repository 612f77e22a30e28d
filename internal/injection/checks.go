// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/podgate/podgate/api/v1alpha1"
)

// OfChecks is the kind of gates of which every ReadinessGate has one.
type OfChecks struct{}

// Owns implements Kind.
func (OfChecks) Owns(conditionType string) bool {
	name, found := strings.CutPrefix(conditionType, v1alpha1.CheckPrefix)
	return found && name != ""
}

// Wanted implements Kind: one gate for every ReadinessGate whose selector matches the pod.
func (OfChecks) Wanted(pod Pod, c Candidates) map[string]Cause {
	wanted := map[string]Cause{}
	for i := range c.ReadinessGates {
		if g := &c.ReadinessGates[i]; gates(g) && matches(g.Spec.Selector, pod.Labels) {
			wanted[v1alpha1.CheckPrefix+g.Name] = Cause{Gate: g}
		}
	}
	return wanted
}

// gates reports whether new pods get a gate of a ReadinessGate: not in a dry run, not while it is being deleted, and not while
// its author has to correct it first, since then the gate could not open.
func gates(g *v1alpha1.ReadinessGate) bool {
	return g.DeletionTimestamp.IsZero() && !g.Spec.DryRun && !invalid(g)
}

// invalid reports whether podgate has found that the spec, as it is now, can never be served.
func invalid(g *v1alpha1.ReadinessGate) bool {
	for _, c := range g.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonInvalidSpec && c.ObservedGeneration == g.Generation
		}
	}
	return false
}

// matches reports whether a selector matches labels. Without a selector it matches none, and neither does one that is none.
func matches(selector *metav1.LabelSelector, of map[string]string) bool {
	if selector == nil {
		return false
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && !s.Empty() && s.Matches(labels.Set(of))
}
