// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestStatedByApply: what a server-side apply owns is stated. It takes the place of what annotations say, which a template
// may carry, and what a controller makes is not applied.
func TestStatedByApply(t *testing.T) {
	all, kept := Stated{Applied: true, Gates: true, End: true}, map[string]string{corev1.LastAppliedConfigAnnotation: `{"spec":{"readinessGates":[]}}`}
	for name, tc := range map[string]struct {
		fields      string
		annotations map[string]string
		controlled  bool
		want        Stated
	}{
		"nothing of ours":           {fields: `{"f:metadata":{}}`, want: Stated{Applied: true}},
		"gates":                     {fields: `{"f:spec":{"f:readinessGates":{}}}`, want: Stated{Applied: true, Gates: true}},
		"a grace period":            {fields: `{"f:spec":{"f:terminationGracePeriodSeconds":{}}}`, want: Stated{Applied: true, End: true}},
		"unreadable":                {fields: `{`, want: all},
		"a container":               {fields: `{"f:spec":{"f:containers":{"k":{"f:image":{}}}}}`, want: Stated{Applied: true}},
		"no lifecycle":              {fields: `{"f:spec":{"f:containers":{"k":{"f:lifecycle":{}}}}}`, want: Stated{Applied: true, End: true}},
		"no hook":                   {fields: `{"f:spec":{"f:containers":{"k":{"f:lifecycle":{"f:preStop":{}}}}}}`, want: Stated{Applied: true, End: true}},
		"a hook":                    {fields: `{"f:spec":{"f:containers":{"k":{"f:lifecycle":{"f:preStop":{"f:exec":{}}}}}}}`, want: Stated{Applied: true}},
		"a lifecycle of another":    {fields: `{"f:spec":{"f:containers":{"k":{"f:lifecycle":"x"}}}}`, want: Stated{Applied: true}},
		"a grace period and a hook": {fields: `{"f:spec":{"f:terminationGracePeriodSeconds":{},"f:containers":{"k":{"f:lifecycle":{"f:preStop":{"f:exec":{}}}}}}}`, want: Stated{Applied: true, End: true}},
		"fields before annotations": {fields: `{"f:metadata":{}}`, annotations: kept, want: Stated{Applied: true}},
		"a template's annotations":  {annotations: kept, controlled: true},
		"kubectl apply":             {annotations: kept, want: all},
		"kubectl apply, no gates":   {annotations: map[string]string{corev1.LastAppliedConfigAnnotation: `{"spec":{}}`}, want: Stated{Applied: true, End: true}},
		"kubectl apply, unreadable": {annotations: map[string]string{corev1.LastAppliedConfigAnnotation: `{`}, want: all},
		"Helm":                      {annotations: map[string]string{helmAnnotation: "web"}, want: Stated{Applied: true, End: true}},
		"created":                   {},
	} {
		p := Provenance{Annotations: tc.annotations, Controlled: tc.controlled}
		if tc.fields != "" {
			p.Applies = [][]byte{[]byte(tc.fields)}
		}
		if got := p.Stated(); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		}
	}
}

// TestStatedOfPod: only applies of the pod itself count, and the webhook's note counts only where there is one. A cached
// pod says the same.
func TestStatedOfPod(t *testing.T) {
	applied := func(subresource string, op metav1.ManagedFieldsOperationType, fields *metav1.FieldsV1) []metav1.ManagedFieldsEntry {
		return []metav1.ManagedFieldsEntry{{Operation: op, Subresource: subresource, FieldsV1: fields}}
	}
	gates := metav1.NewFieldsV1(`{"f:spec":{"f:readinessGates":{}}}`)
	note := map[string]string{v1alpha1.LeftOutAnnotation: v1alpha1.LeftOutGates + "," + v1alpha1.LeftOutHooks}
	helm := map[string]string{helmAnnotation: "web"}
	for name, tc := range map[string]struct {
		pod  corev1.Pod
		want Stated
	}{
		"applied":             {corev1.Pod{ObjectMeta: metav1.ObjectMeta{ManagedFields: applied("", metav1.ManagedFieldsOperationApply, gates)}}, Stated{Applied: true, Gates: true}},
		"updated":             {corev1.Pod{ObjectMeta: metav1.ObjectMeta{ManagedFields: applied("", metav1.ManagedFieldsOperationUpdate, gates)}}, Stated{}},
		"its status applied":  {corev1.Pod{ObjectMeta: metav1.ObjectMeta{ManagedFields: applied("status", metav1.ManagedFieldsOperationApply, gates)}}, Stated{}},
		"applied, no fields":  {corev1.Pod{ObjectMeta: metav1.ObjectMeta{ManagedFields: applied("", metav1.ManagedFieldsOperationApply, nil)}}, Stated{Applied: true, Gates: true, End: true}},
		"a note on a created": {corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: note}}, Stated{}},
		"a note on an applied": {corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Annotations: note, ManagedFields: applied("", metav1.ManagedFieldsOperationApply, metav1.NewFieldsV1(`{}`)),
		}}, Stated{Applied: true, Gates: true, End: true}},
		"Helm's, of a controller": {corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Annotations: helm, OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", Controller: new(true)}},
		}}, Stated{}},
		"Helm's, with a gate of somebody": {corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Annotations: helm},
			Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "example.com/checked"}}},
		}, Stated{Applied: true, Gates: true, End: true}},
		"Helm's, with podgate's gate": {corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Annotations: helm},
			Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "targets.podgate.dev/web"}}},
		}, Stated{Applied: true, End: true}},
	} {
		got := StatedOf(&tc.pod)
		if got != tc.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		}

		cached := corev1.Pod{ObjectMeta: metav1.ObjectMeta{ManagedFields: got.ManagedFields()}}
		if again := StatedOf(&cached); again != got || !got.Applied && cached.ManagedFields != nil {
			t.Errorf("%s, of a cached pod: got %+v by %v", name, again, cached.ManagedFields)
		}
	}
}
