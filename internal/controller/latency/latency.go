// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package latency remembers when something began that ends elsewhere, so that a metric
// can tell how long it took: a pod's target is registered by one controller, and its
// gate opened by another. It decides nothing; what is lost here is a number.
package latency

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Registration is a pod's in a target group.
type Registration struct {
	Pod types.UID
	// Group is the provider's identifier.
	Group string
}

// kept is how long a beginning is remembered whose end does not come.
const kept = time.Hour

// Times holds beginnings by what began. Its zero value is ready to use.
type Times[K comparable] struct {
	mu     sync.Mutex
	of     map[K]beginning
	tidied time.Time
}

type beginning struct {
	at, noted time.Time
}

// Note remembers that key began at a time; one that is remembered already stays.
func (t *Times[K]) Note(key K, at, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[K]beginning{}
	}
	if now.Sub(t.tidied) > kept/4 {
		t.tidied = now
		maps.DeleteFunc(t.of, func(_ K, b beginning) bool { return now.Sub(b.noted) > kept })
	}
	if _, known := t.of[key]; !known {
		t.of[key] = beginning{at: at, noted: now}
	}
}

// Take forgets a key and gives for how long it had been; false when it is not remembered.
func (t *Times[K]) Take(key K, now time.Time) (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, known := t.of[key]
	delete(t.of, key)
	return max(now.Sub(b.at), 0), known
}

// Sweep takes the keys for which ended is true, and gives for how long each had been.
func (t *Times[K]) Sweep(now time.Time, ended func(key K, noted time.Time) bool) []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lasted []time.Duration
	for key, b := range t.of {
		if ended(key, b.noted) {
			lasted = append(lasted, max(now.Sub(b.at), 0))
			delete(t.of, key)
		}
	}
	return lasted
}
