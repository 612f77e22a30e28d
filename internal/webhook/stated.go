// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	stdjson "encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/injection"
)

// managedFields is what is read of an entry of metadata.managedFields.
type managedFields struct {
	Operation string             `json:"operation"`
	Fields    stdjson.RawMessage `json:"fieldsV1"`
}

// stated is what the pod's manifest states, where somebody applies it to this very pod.
func (p pod) stated() injection.Stated {
	from := injection.Provenance{
		Annotations: p.Metadata.Annotations,
		Controlled:  slices.ContainsFunc(p.Metadata.OwnerReferences, func(o ownerReference) bool { return o.Controller }),
		Gates:       len(p.Spec.ReadinessGates) > 0,
	}
	for _, m := range p.Metadata.ManagedFields {
		if m.Operation == string(metav1.ManagedFieldsOperationApply) {
			from.Applies = append(from.Applies, m.Fields)
		}
	}
	return from.Stated()
}
