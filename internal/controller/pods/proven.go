// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"encoding/json"
	"maps"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
)

// proven is the record, on the pod, of the addresses at which its gates were proven
// to be about it, and of what else a new leader has to know. It counts only on the pod that it was written for: a pod made
// from another's manifest carries the annotation along.
type proven struct {
	UID types.UID `json:"uid"`
	// Gates are by gate; those of a gate of several sources are by gate and source, as sourceKey says.
	Gates map[string]netip.Addr `json:"gates"`
	// Closed is when podgate closed gates while the containers were ready: time-outs count from there.
	Closed map[string]time.Time `json:"closed,omitempty"`
	// TimedOut are the gates whose time-out has passed and that stay closed: that is reported once.
	TimedOut map[string]bool `json:"timedOut,omitempty"`
	// Waits are the sources, by name, of gates of several that are closed: one that is missing may be so for a moment only.
	Waits map[string][]string `json:"waits,omitempty"`
}

// readProven returns the pod's own record; an empty one when it has none.
func readProven(pod *corev1.Pod) proven {
	p := proven{}
	err := json.Unmarshal([]byte(pod.Annotations[v1alpha1.ProvenAnnotation]), &p)
	if err != nil || p.UID != pod.UID {
		p = proven{UID: pod.UID}
	}

	if p.Gates == nil {
		p.Gates = map[string]netip.Addr{}
	}

	if p.Closed == nil {
		p.Closed = map[string]time.Time{}
	}

	if p.TimedOut == nil {
		p.TimedOut = map[string]bool{}
	}

	if p.Waits == nil {
		p.Waits = map[string][]string{}
	}

	return p
}

// sourceKey is the key of a gate's source; "#" is in no condition type.
func sourceKey(gateType, source string) string {
	if source == "" {
		return gateType
	}
	return gateType + "#" + source
}

// of returns the address at which a source of a gate was proven; invalid when it never was.
func (p proven) of(gateType, source string) netip.Addr { return p.Gates[sourceKey(gateType, source)] }

// set notes an address for a source of a gate, or forgets it when the address is invalid.
func (p proven) set(gateType, source string, addr netip.Addr) {
	if !addr.IsValid() {
		delete(p.Gates, sourceKey(gateType, source))
		return
	}
	p.Gates[sourceKey(gateType, source)] = addr
}

// drop forgets the addresses of all sources of a gate.
func (p proven) drop(gateType string) {
	maps.DeleteFunc(p.Gates, func(key string, _ netip.Addr) bool {
		gate, _, _ := strings.Cut(key, "#")
		return gate == gateType
	})
}

// closed notes when a gate was closed, or forgets it when the time is zero.
func (p proven) closed(gateType string, at time.Time) {
	if at.IsZero() {
		delete(p.Closed, gateType)
		return
	}
	p.Closed[gateType] = at.UTC().Truncate(time.Second)
}

// timedOut notes whether a gate stays closed after its time-out.
func (p proven) timedOut(gateType string, is bool) {
	if !is {
		delete(p.TimedOut, gateType)
		return
	}
	p.TimedOut[gateType] = true
}

// waits notes which sources a closed gate waits for, or forgets it when there are none.
func (p proven) waits(gateType string, sources []string) {
	if len(sources) == 0 {
		delete(p.Waits, gateType)
		return
	}
	p.Waits[gateType] = sources
}

// encode returns the annotation's value, empty when nothing is proven.
func (p proven) encode() (string, error) {
	if len(p.Gates)+len(p.Closed)+len(p.TimedOut)+len(p.Waits) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(p)
	return string(raw), err
}
