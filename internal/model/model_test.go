// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "replay this schedule and print what happens")
	baseFlag  = flag.Uint64("base", 1, "the first of the schedules' seeds")
	schedules = flag.Int("schedules", defaultSchedules, "how many schedules to try")
	keep      = flag.Bool("keep", false, "go on after a failing schedule")
)

// TestModel lives through random schedules. A failure prints its seed and the command
// that replays it.
func TestModel(t *testing.T) { explore(t, *schedules, func(*world) {}) }

// TestOtherGates does so where another controller has a gate on every pod, which it opens
// some time after the pod was made, and closes now and then.
func TestOtherGates(t *testing.T) { explore(t, *schedules/5, gatekept) }

func gatekept(w *world) { w.gatekept = true }

// explore lives through some schedules in a world that is prepared.
func explore(t *testing.T, schedules int, prepare func(*world)) {
	if *seedFlag != 0 {
		w := try(t, *seedFlag, prepare)
		t.Log("\n" + strings.Join(w.trace, "\n"))
		return
	}

	lanes := runtime.GOMAXPROCS(0)
	for lane := range lanes {
		t.Run(fmt.Sprintf("lane%d", lane), func(t *testing.T) {
			t.Parallel()
			for i := lane; i < schedules && (*keep || !t.Failed()); i += lanes {
				seed := *baseFlag + uint64(i)
				t.Run(fmt.Sprint(seed), func(t *testing.T) { try(t, seed, prepare) })
			}
		})
	}
}

// TestReplay: a seed gives the same story each time, whatever order the engine's
// workers ran in.
func TestReplay(t *testing.T) {
	for i := range uint64(replays) {
		seed := *baseFlag + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			prepare := []func(*world){func(*world) {}, gatekept}[seed%2]
			first, again := try(t, seed, prepare).story(), try(t, seed, prepare).story()
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("seed %d went another way when it was replayed:\n%s", seed, diff)
			}
		})
	}
}

// try lives through one schedule in a world that is prepared.
func try(t *testing.T, seed uint64, prepare func(*world)) *world {
	t.Helper()
	var w *world
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, seed)
		prepare(w)
		w.live()
		if t.Failed() {
			t.Logf("%s\nseed %d; replay: go test -tags model -v ./internal/model -run %s -seed %d", strings.Join(w.trace[max(0, len(w.trace)-400):], "\n"), seed, map[bool]string{false: "TestModel", true: "TestOtherGates"}[w.gatekept], seed)
		}
		// The queues' own goroutines end at their next tick.
		time.Sleep(time.Minute)
	})
	return w
}

// story is what happened; the order of what happened at one instant is nobody's.
func (w *world) story() []string { return slices.Sorted(slices.Values(w.trace)) }
