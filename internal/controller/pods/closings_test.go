// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestClosingsAtOnce: workers that ask at the same time, all from a cache in which every
// gate is open, get no more than the floor allows.
func TestClosingsAtOnce(t *testing.T) {
	var c closings
	standing := map[types.NamespacedName]bool{}
	for i := range 20 {
		standing[types.NamespacedName{Namespace: "shop", Name: fmt.Sprint(i)}] = true
	}

	var granted atomic.Int32
	var workers sync.WaitGroup
	for pod := range standing {
		workers.Go(func() {
			ok, err := c.room(pod, []floor{{open: func() (map[types.NamespacedName]bool, error) { return standing, nil }}}, noon)
			if err != nil {
				t.Error(err)
			}
			if ok {
				granted.Add(1)
			}
		})
	}

	workers.Wait()
	if n := granted.Load(); n != 10 {
		t.Errorf("%d of 20 gates were let close, want 10", n)
	}
}

func TestClosings(t *testing.T) {
	a, b := types.NamespacedName{Name: "a"}, types.NamespacedName{Name: "b"}
	standing := func() (map[types.NamespacedName]bool, error) {
		return map[types.NamespacedName]bool{a: true, b: true}, nil
	}

	steps := []struct {
		reason string
		pod    types.NamespacedName
		after  time.Duration
		want   bool
	}{
		{"one of two may close", a, 0, true},
		{"the other is the last, whichever of its gates it is", b, time.Second, false},
		{"the same one may still, if its write failed", a, time.Second, true},
		{"by then the cache is right: the gate was opened again", b, believed + 2*time.Second, true},
	}

	var c closings
	for _, s := range steps {
		got, err := c.room(s.pod, []floor{{open: standing}}, noon.Add(s.after))
		if err != nil || got != s.want {
			t.Errorf("%s: want %t, got %t, %v", s.reason, s.want, got, err)
		}
	}

	_, err := c.room(a, []floor{{open: func() (map[types.NamespacedName]bool, error) { return nil, errors.New("no cache") }}}, noon)
	if err == nil {
		t.Error("a gate was let close although nobody knows how many are open")
	}
}
