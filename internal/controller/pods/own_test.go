// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/gate"
)

// TestLaw9CacheThatLagsCloses: the Service goes before the cache shows that the gate was
// opened. Seen from that cache the gate is closed and nothing claims it.
func TestLaw9CacheThatLagsCloses(t *testing.T) {
	w := newWorld(t)
	w.pod.ResourceVersion = "99"
	w.see(sighting(gate.Healthy, "", true))
	before := w.pod.DeepCopy()
	w.reconcile()
	w.pod.ResourceVersion = "100"
	w.own.note(key, "100", w.clock) // the fake API server gives no versions
	after := w.pod

	w.pod, w.service = before, nil
	res, patches := w.reconcile()
	if patches != 0 || res.RequeueAfter != behindPoll {
		t.Errorf("the cache is behind: want no write and another look, got %d writes and %s", patches, res.RequeueAfter)
	}

	w.pod = after
	if _, patches := w.reconcile(); patches != 0 || w.condition().Status != corev1.ConditionTrue {
		t.Errorf("the cache caught up: want the gate open and no write, got %d writes and %s", patches, w.condition().Status)
	}
}

func TestOwnWrites(t *testing.T) {
	cases := map[string]struct {
		reason  string
		version string
		age     time.Duration
		want    bool
	}{
		"Older":       {reason: "The cache does not show the write.", version: "99", want: true},
		"Same":        {reason: "The cache shows it.", version: "100"},
		"Newer":       {reason: "The cache shows more.", version: "101"},
		"OlderLong":   {reason: "Versions that went back must not stop podgate.", version: "99", age: believed},
		"NoComparing": {reason: "Versions that are no numbers tell nothing.", version: "x"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var o ownWrites
			if o.unseen(key, tc.version, noon) {
				t.Error("nothing was written")
			}

			o.note(key, "100", noon)
			if got := o.unseen(key, tc.version, noon.Add(tc.age)); got != tc.want {
				t.Errorf("%s want %t, got %t", tc.reason, tc.want, got)
			}

			o.note(key, "100", noon)
			o.forget(key)

			if o.unseen(key, tc.version, noon) {
				t.Error("it was forgotten")
			}
		})
	}
}
