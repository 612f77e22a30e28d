// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	stdjson "encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"

	"github.com/podgate/podgate/internal/injection"
)

// helmAnnotation is on every object of a Helm release.
const helmAnnotation = "meta.helm.sh/release-name"

// managedFields is what is read of an entry of metadata.managedFields.
type managedFields struct {
	Operation string             `json:"operation"`
	Fields    stdjson.RawMessage `json:"fieldsV1"`
}

// stated is what the pod's manifest states, where somebody applies it to this very pod. A pod that was only created, or
// that a controller makes of a template, is not applied again.
func (p pod) stated() injection.Stated {
	var s injection.Stated
	for _, m := range p.Metadata.ManagedFields {
		if m.Operation == string(metav1.ManagedFieldsOperationApply) {
			s = s.Or(statedByFields(m.Fields))
		}
	}

	// A template may carry the annotations of a pod that it was copied from.
	controlled := slices.ContainsFunc(p.Metadata.OwnerReferences, func(o ownerReference) bool { return o.Controller })
	if s.Applied || controlled {
		return s
	}

	if text, ok := p.Metadata.Annotations[corev1.LastAppliedConfigAnnotation]; ok {
		return statedByManifest([]byte(text))
	}

	// Helm 3 keeps the manifest to itself, and the API server's default looks like a grace period that is stated.
	if _, ok := p.Metadata.Annotations[helmAnnotation]; ok {
		return injection.Stated{Applied: true, Gates: len(p.Spec.ReadinessGates) > 0, End: true}
	}

	return s
}

// statedByFields reads the fields that a server-side apply owns. One that is empty was applied as null, which takes away
// what podgate adds.
func statedByFields(raw stdjson.RawMessage) injection.Stated {
	var fields struct {
		Spec struct {
			Gates      stdjson.RawMessage                       `json:"f:readinessGates"`
			Grace      stdjson.RawMessage                       `json:"f:terminationGracePeriodSeconds"`
			Containers map[string]map[string]stdjson.RawMessage `json:"f:containers"`
		} `json:"f:spec"`
	}
	if json.UnmarshalCaseSensitivePreserveInts(raw, &fields) != nil {
		return injection.Stated{Applied: true, Gates: true, End: true}
	}

	s := injection.Stated{Applied: true, Gates: fields.Spec.Gates != nil, End: fields.Spec.Grace != nil}
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
func statedByManifest(raw []byte) injection.Stated {
	var manifest struct {
		Spec struct {
			Gates stdjson.RawMessage `json:"readinessGates"`
		} `json:"spec"`
	}
	unreadable := json.UnmarshalCaseSensitivePreserveInts(raw, &manifest) != nil
	return injection.Stated{Applied: true, Gates: unreadable || manifest.Spec.Gates != nil, End: true}
}
