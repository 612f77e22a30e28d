// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestTake(t *testing.T) {
	var times Times[string]
	if _, known := times.Take("a", noon); known {
		t.Error("knows what never began")
	}

	times.Note("a", noon, noon.Add(time.Second))
	times.Note("a", noon.Add(time.Minute), noon.Add(time.Minute))

	if d, known := times.Take("a", noon.Add(90*time.Second)); !known || d != 90*time.Second {
		t.Errorf("want 90 s since it first began, got %s (known: %t)", d, known)
	}

	if _, known := times.Take("a", noon.Add(time.Hour)); known {
		t.Error("ended twice")
	}

	times.Note("a", noon.Add(time.Second), noon.Add(time.Second))
	if d, _ := times.Take("a", noon); d != 0 {
		t.Errorf("a clock that went back makes %s", d)
	}
}

func TestSweep(t *testing.T) {
	var times Times[string]
	times.Note("a", noon, noon)
	times.Note("b", noon, noon)
	got := times.Sweep(noon.Add(time.Second), func(key string, _ time.Time) bool { return key == "a" })
	if len(got) != 1 || got[0] != time.Second {
		t.Errorf("want a's second, got %v", got)
	}
	if _, known := times.Take("b", noon); !known {
		t.Error("b ended with a")
	}
}

// TestForgets: what never ends does not stay for ever.
func TestForgets(t *testing.T) {
	var times Times[string]
	times.Note("a", noon, noon)
	times.Note("b", noon.Add(2*time.Hour), noon.Add(2*time.Hour))
	if len(times.of) != 1 {
		t.Errorf("%d remembered after two hours, want b alone", len(times.of))
	}
}
