// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

// fieldManager is podgate's, with which all of its parts write.
const fieldManager = "podgate"

// OthersSet reports whether controllers beside podgate set gates of a type by rules of their own: those that bindings share,
// and legacy ones.
func OthersSet(conditionType string) bool {
	return binding.SharedGate(conditionType) || strings.HasPrefix(conditionType, elbv2.LegacyGatePrefix)
}

// OtherWriter returns the field manager of another controller that wrote a pod's condition after
// podgate, or a part of it; empty when none did. It is asked only of gates that other controllers
// set, too.
func OtherWriter(pod *corev1.Pod, conditionType string) string {
	if !OthersSet(conditionType) {
		return ""
	}
	return Writer(pod, conditionType)
}

// Writer returns the field manager that wrote a pod's condition after podgate, or a part of it; empty when none did. Caches
// do not keep what it reads.
func Writer(pod *corev1.Pod, conditionType string) string {
	for _, e := range pod.ManagedFields {
		if e.Manager != fieldManager && writes(e, conditionType) {
			return e.Manager
		}
	}
	return ""
}

// OtherWriters returns what OtherWriter reads of a pod's managed fields, for caches that keep no more.
func OtherWriters(pod *corev1.Pod) []metav1.ManagedFieldsEntry {
	var kept []metav1.ManagedFieldsEntry
	for _, g := range pod.Spec.ReadinessGates {
		if by := OtherWriter(pod, string(g.ConditionType)); by != "" {
			kept = append(kept, metav1.ManagedFieldsEntry{Manager: by, FieldsV1: metav1.NewFieldsV1(written(string(g.ConditionType)))})
		}
	}
	return kept
}

// statusFields are managed fields as far as they are about conditions: by the key of each, its fields.
type statusFields struct {
	Status struct {
		Conditions map[string]map[string]any `json:"f:conditions"`
	} `json:"f:status"`
}

// writes reports whether managed fields hold what a condition says: its status, reason or message.
func writes(e metav1.ManagedFieldsEntry, conditionType string) bool {
	var f statusFields
	if e.FieldsV1 == nil || json.Unmarshal(e.FieldsV1.GetRawBytes(), &f) != nil {
		return false
	}

	of := f.Status.Conditions[conditionKey(conditionType)]
	for _, field := range []string{"f:status", "f:reason", "f:message"} {
		if _, held := of[field]; held {
			return true
		}
	}
	return false
}

// conditionKey is how managed fields name a condition.
func conditionKey(conditionType string) string { return fmt.Sprintf(`k:{"type":%q}`, conditionType) }

// written is what managed fields are of a manager that wrote a condition's status and nothing else.
func written(conditionType string) string {
	return fmt.Sprintf(`{"f:status":{"f:conditions":{%q:{"f:status":{}}}}}`, conditionKey(conditionType))
}
