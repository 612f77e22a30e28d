// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// policy returns the condition that says how a binding's policies are understood, nil when
// there is nothing to say. What is wrong with them is reported as an event, too.
func (r *reporter) policy(b *binding.Binding) *metav1.Condition {
	_, problems := b.Settings()
	before := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionPolicyAccepted)
	var all []string
	for _, p := range problems {
		all = append(all, p.String()+".")
	}

	message := strings.Join(all, " ")
	r.policyEvent(b, before, message)

	if message != "" {
		return &metav1.Condition{Type: v1alpha1.ConditionPolicyAccepted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInvalidPolicy, Message: message}
	}
	if before == nil && !b.StatesPolicy() {
		return nil
	}

	return &metav1.Condition{Type: v1alpha1.ConditionPolicyAccepted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccepted, Message: "The binding's policies are in force."}
}

// policyEvent reports what is wrong with a binding's policies when that has changed. After
// a restart the condition shows what was reported before.
func (r *reporter) policyEvent(b *binding.Binding, before *metav1.Condition, message string) {
	var last string
	r.states.report(b, func(known *reported) {
		switch {
		case known.problems != nil:
			last = *known.problems
		case before != nil && before.Status == metav1.ConditionFalse:
			last = before.Message
		}
		if known.problems != nil || message != "" {
			known.problems = &message
		}
	})

	if message != "" && message != last {
		r.recorder.Eventf(b.Object, nil, corev1.EventTypeWarning, v1alpha1.ReasonInvalidPolicy, "Reconcile", "%s", message)
	}
}
