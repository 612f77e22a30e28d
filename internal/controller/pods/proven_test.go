// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"encoding/json"
	"testing"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestProvenKeepsTimeOuts: that a time-out was reported survives a restart, and a record
// of before that was kept is read as one without.
func TestProvenKeepsTimeOuts(t *testing.T) {
	w := newWorld(t)
	p := readProven(w.pod)
	p.timedOut(gateWeb, true)
	raw, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}

	w.pod.Annotations = map[string]string{v1alpha1.ProvenAnnotation: raw}
	if p := readProven(w.pod); !p.TimedOut[gateWeb] {
		t.Errorf("forgotten: %s", raw)
	}

	old, err := json.Marshal(map[string]any{"uid": w.pod.UID, "gates": map[string]string{gateWeb: "10.0.0.7"}})
	if err != nil {
		t.Fatal(err)
	}

	w.pod.Annotations[v1alpha1.ProvenAnnotation] = string(old)
	p = readProven(w.pod)
	p.timedOut(gateWeb, false)

	if p.TimedOut[gateWeb] || !p.Gates[gateWeb].IsValid() {
		t.Errorf("an older record is read as %+v", p)
	}
}
