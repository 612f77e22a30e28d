// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	stdjson "encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// helmAnnotation is on every object of a Helm release.
const helmAnnotation = "meta.helm.sh/release-name"

// Provenance is what of a pod tells whether somebody applies its manifest to this very pod again, and what that states.
type Provenance struct {
	// Annotations are the pod's, and Applies the fields that server-side applies own, as in managedFields.
	Annotations map[string]string
	Applies     [][]byte
	// Controlled: a controller makes the pod.
	Controlled bool
	// Gates: the pod has readiness gates that podgate did not add.
	Gates bool
}

// Stated is what the pod's manifest states. A pod that was only created, or that a controller makes of a template, is not
// applied again.
func (p Provenance) Stated() Stated {
	var s Stated
	for _, fields := range p.Applies {
		s = s.Or(statedByFields(fields))
	}

	// A template may carry the annotations of a pod that it was copied from.
	if s.Applied || p.Controlled {
		return s
	}

	if text, ok := p.Annotations[corev1.LastAppliedConfigAnnotation]; ok {
		return statedByManifest([]byte(text))
	}

	// Helm 3 keeps the manifest to itself, and the API server's default looks like a grace period that is stated.
	if _, ok := p.Annotations[helmAnnotation]; ok {
		return Stated{Applied: true, Gates: p.Gates, End: true}
	}

	return s
}

// StatedOf is what the manifest of a pod that exists states. What the webhook noted on a pod is believed only where the pod
// itself is applied: a template may carry the note of a pod that it was copied from.
func StatedOf(pod *corev1.Pod) Stated {
	p := Provenance{Annotations: pod.Annotations, Controlled: binding.Owner(pod) != nil}
	for _, m := range pod.ManagedFields {
		if m.Operation == metav1.ManagedFieldsOperationApply && m.Subresource == "" {
			p.Applies = append(p.Applies, rawOf(m))
		}
	}
	p.Gates = slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool {
		return !binding.IsGate(string(g.ConditionType))
	})

	s := p.Stated()
	if !s.Applied {
		return s
	}

	left := strings.Split(pod.Annotations[v1alpha1.LeftOutAnnotation], ",")
	return s.Or(Stated{Gates: slices.Contains(left, v1alpha1.LeftOutGates), End: slices.Contains(left, v1alpha1.LeftOutHooks)})
}

func rawOf(m metav1.ManagedFieldsEntry) []byte {
	if m.FieldsV1 == nil {
		return nil
	}
	return m.FieldsV1.GetRawBytes()
}

// ManagedFields are as little as StatedOf needs to say the same again of a pod that is cached without what it read; none
// where nobody applies the pod.
func (s Stated) ManagedFields() []metav1.ManagedFieldsEntry {
	if !s.Applied {
		return nil
	}

	fields := map[string]any{}
	if s.Gates {
		fields["f:readinessGates"] = map[string]any{}
	}
	if s.End {
		fields["f:terminationGracePeriodSeconds"] = map[string]any{}
	}

	raw, _ := stdjson.Marshal(map[string]any{"f:spec": fields}) // It has nothing that JSON lacks.
	return []metav1.ManagedFieldsEntry{{Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(string(raw))}}
}

// statedByFields reads the fields that a server-side apply owns. One that is empty was applied as null, which takes away
// what podgate adds.
func statedByFields(raw []byte) Stated {
	var fields struct {
		Spec struct {
			Gates      stdjson.RawMessage                       `json:"f:readinessGates"`
			Grace      stdjson.RawMessage                       `json:"f:terminationGracePeriodSeconds"`
			Containers map[string]map[string]stdjson.RawMessage `json:"f:containers"`
		} `json:"f:spec"`
	}
	if json.UnmarshalCaseSensitivePreserveInts(raw, &fields) != nil {
		return Stated{Applied: true, Gates: true, End: true}
	}

	s := Stated{Applied: true, Gates: fields.Spec.Gates != nil, End: fields.Spec.Grace != nil}
	for _, c := range fields.Spec.Containers {
		var lifecycle map[string]stdjson.RawMessage
		if c["f:lifecycle"] == nil || stdjson.Unmarshal(c["f:lifecycle"], &lifecycle) != nil {
			continue
		}
		s.End = s.End || len(lifecycle) == 0 || string(lifecycle["f:preStop"]) == "{}"
	}

	return s
}

// statedByManifest reads the manifest that kubectl apply keeps. The grace period counts as stated whatever it says: kubectl
// takes the API server's default for its own as soon as somebody goes over to server-side apply, and takes back what differs.
func statedByManifest(raw []byte) Stated {
	var manifest struct {
		Spec struct {
			Gates stdjson.RawMessage `json:"readinessGates"`
		} `json:"spec"`
	}
	unreadable := json.UnmarshalCaseSensitivePreserveInts(raw, &manifest) != nil
	return Stated{Applied: true, Gates: unreadable || manifest.Spec.Gates != nil, End: true}
}
