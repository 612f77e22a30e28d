// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// readAllocs is how often a read may allocate, a seventh more than it did when that was set.
const readAllocs = 3

// TestAllocationsOfARead: what a read of a group makes in which nothing has changed, its answer aside, must not grow.
func TestAllocationsOfARead(t *testing.T) {
	healthy := map[gate.Target]gate.Health{}
	o := New(reader(func() Snapshot { return Snapshot{Started: time.Now(), Targets: healthy} }), Options{})
	o.Track(group1, user, described)
	for n := range 10 {
		at := target(fmt.Sprint("10.0.0.", n))
		healthy[at] = gate.Health{State: gate.Healthy}
		o.Keep(types.NamespacedName{Namespace: "shop", Name: fmt.Sprint(n)}, Interest{Subject: group1, Target: at})
	}

	s := o.subjects[group1]
	allocs := testing.AllocsPerRun(1000, func() {
		o.read(t.Context(), s)
		o.looks.Wait()
	})
	if allocs > readAllocs {
		t.Errorf("a read allocates %.0f times, want at most %d", allocs, readAllocs)
	}
	t.Logf("a read allocates %.0f times", allocs)
}

// TestAnswerIsKeptOnce: who keeps an answer before, keeps the same map as the observer while nothing changes.
func TestAnswerIsKeptOnce(t *testing.T) {
	var answers []map[gate.Target]gate.Health
	o := New(reader(func() Snapshot {
		next := map[gate.Target]gate.Health{atA: {State: gate.Healthy}}
		if len(answers) == 2 {
			next[atB] = gate.Health{State: gate.Initial}
		}
		answers = append(answers, next)
		return Snapshot{Started: time.Now(), Targets: next}
	}), Options{})
	o.Track(group1, user, described)

	for n, want := range []int{0, 0, 2} {
		o.read(t.Context(), o.subjects[group1])
		o.looks.Wait()
		if got := reflect.ValueOf(o.View(group1).Snapshot.Targets).Pointer(); got != reflect.ValueOf(answers[want]).Pointer() {
			t.Errorf("after read %d, want the map of read %d kept", n, want)
		}
	}
}

// reader is a Reader.
type reader func() Snapshot

// Read implements Reader.
func (r reader) Read(context.Context, Request) (Snapshot, error) { return r(), nil }
