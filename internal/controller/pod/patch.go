// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// patch is a strategic merge patch of pods/status that holds nothing but our own
// conditions and annotation. The UID makes it fail (409) on a pod that was made
// anew under the same name.
type patch struct {
	Metadata patchMeta    `json:"metadata"`
	Status   *patchStatus `json:"status,omitempty"`
}

type patchMeta struct {
	UID         types.UID          `json:"uid"`
	Annotations map[string]*string `json:"annotations,omitempty"`
}

type patchStatus struct {
	Conditions []corev1.PodCondition `json:"conditions"`
}

// makePatch gives the patch that writes conditions and the proven record; nil when
// there is nothing to write.
func makePatch(pod *corev1.Pod, conditions []corev1.PodCondition, p proven) ([]byte, error) {
	out := patch{Metadata: patchMeta{UID: pod.UID}}
	next, err := p.encode()
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", elbv2.ProvenAnnotation, err)
	}
	if before, had := pod.Annotations[elbv2.ProvenAnnotation]; before != next {
		out.Metadata.Annotations = map[string]*string{elbv2.ProvenAnnotation: &next}
		if next == "" && had {
			out.Metadata.Annotations[elbv2.ProvenAnnotation] = nil
		}
	}
	if len(conditions) > 0 {
		out.Status = &patchStatus{Conditions: conditions}
	}
	if out.Status == nil && out.Metadata.Annotations == nil {
		return nil, nil
	}
	return json.Marshal(out)
}
