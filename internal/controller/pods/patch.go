// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
)

// patch is a strategic merge patch of pods/status that holds nothing but what is to change.
// The UID makes it fail (409) on a pod that was made anew under the same name.
type patch struct {
	Metadata patchMeta    `json:"metadata"`
	Status   *patchStatus `json:"status,omitempty"`
}

type patchMeta struct {
	UID         types.UID          `json:"uid"`
	Version     string             `json:"resourceVersion,omitempty"`
	Annotations map[string]*string `json:"annotations,omitempty"`
}

type patchStatus struct {
	Conditions []patchCondition `json:"conditions"`
}

// patchCondition always holds a reason and a message: a strategic merge keeps
// what a patch leaves out, and so an earlier state's message would stay on an open
// gate.
type patchCondition struct {
	Type               corev1.PodConditionType `json:"type"`
	Status             corev1.ConditionStatus  `json:"status"`
	Reason             string                  `json:"reason"`
	Message            string                  `json:"message"`
	LastTransitionTime metav1.Time             `json:"lastTransitionTime"`
}

// Patch returns the body of a strategic merge patch of a pod's status that writes these
// conditions and annotations, of which a nil one is removed, on the pod with the UID and on
// no other; nil when there is nothing to write. With a version it fails on a pod that was written since.
func Patch(uid types.UID, version string, annotations map[string]*string, conditions []corev1.PodCondition) ([]byte, error) {
	out := patch{Metadata: patchMeta{UID: uid, Version: version, Annotations: annotations}}
	if len(conditions) > 0 {
		out.Status = &patchStatus{}
		for _, c := range conditions {
			out.Status.Conditions = append(out.Status.Conditions, patchCondition{
				Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message, LastTransitionTime: c.LastTransitionTime,
			})
		}
	}

	if out.Status == nil && out.Metadata.Annotations == nil {
		return nil, nil
	}

	return json.Marshal(out)
}

// makePatch returns the patch that writes conditions and the proven record; nil when
// there is nothing to write.
func makePatch(pod *corev1.Pod, conditions []corev1.PodCondition, p proven) ([]byte, error) {
	next, err := p.encode()
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", v1alpha1.ProvenAnnotation, err)
	}
	var annotations map[string]*string
	if before, had := pod.Annotations[v1alpha1.ProvenAnnotation]; before != next {
		annotations = map[string]*string{v1alpha1.ProvenAnnotation: &next}
		if next == "" && had {
			annotations[v1alpha1.ProvenAnnotation] = nil
		}
	}
	return Patch(pod.UID, "", annotations, conditions)
}
