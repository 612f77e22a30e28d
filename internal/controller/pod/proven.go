// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/json"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// proven is the record, on the pod, of the addresses at which its gates were proven
// to be about it. It counts only on the pod that it was written for: a pod made
// from another's manifest carries the annotation along.
type proven struct {
	UID   types.UID             `json:"uid"`
	Gates map[string]netip.Addr `json:"gates"`
}

// readProven gives the pod's own record; an empty one when it has none.
func readProven(pod *corev1.Pod) proven {
	p := proven{}
	err := json.Unmarshal([]byte(pod.Annotations[elbv2.ProvenAnnotation]), &p)
	if err != nil || p.UID != pod.UID || p.Gates == nil {
		return proven{UID: pod.UID, Gates: map[string]netip.Addr{}}
	}
	return p
}

// set notes an address for a gate, or forgets it when the address is invalid.
func (p proven) set(gateType string, addr netip.Addr) {
	if !addr.IsValid() {
		delete(p.Gates, gateType)
		return
	}
	p.Gates[gateType] = addr
}

// encode gives the annotation's value, empty when nothing is proven.
func (p proven) encode() (string, error) {
	if len(p.Gates) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(p)
	return string(raw), err
}
