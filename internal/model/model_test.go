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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "replay this schedule and print what happens")
	baseFlag  = flag.Uint64("base", 1, "the first of the schedules' seeds; 0 draws one that nobody has seen")
	schedules = flag.Int("schedules", defaultSchedules, "how many schedules to try")
	keep      = flag.Bool("keep", false, "go on after a failing schedule")
	last      = flag.Duration("for", 0, "begin no schedule after this time; 0 has no limit")
)

// TestModel lives through random schedules. A failure prints its seed and the command
// that replays it.
func TestModel(t *testing.T) { explore(t, *schedules, ordinary) }

func ordinary(*world) {}

// TestOtherGates does so where another controller has a gate on every pod, which it opens
// some time after the pod was made, and closes now and then.
func TestOtherGates(t *testing.T) { explore(t, *schedules/5, gatekept) }

func gatekept(w *world) { w.gatekept = true }

// TestChecks does so where pods have the gate of a ReadinessGate, whose checks pass some time after the pod was made, and do
// not now and then. In every fourth schedule another controller has gates, too.
func TestChecks(t *testing.T) { explore(t, *schedules/5, checked) }

func checked(w *world) { w.checked, w.gatekept = true, w.seed%4 == 0 }

// explore lives through some schedules in a world that is prepared.
func explore(t *testing.T, schedules int, prepare func(*world)) {
	if *seedFlag != 0 {
		w := try(t, *seedFlag, prepare)
		t.Log("\n" + strings.Join(w.trace, "\n"))
		return
	}

	s := newSeries(t.Name())
	t.Cleanup(s.report)

	lanes := runtime.GOMAXPROCS(0)
	for lane := range lanes {
		t.Run(fmt.Sprintf("lane%d", lane), func(t *testing.T) {
			t.Parallel()
			for i := lane; i < schedules && (*keep || !t.Failed()) && !s.over(); i += lanes {
				seed := s.base + uint64(i)
				s.note(seed, t.Run(fmt.Sprint(seed), func(t *testing.T) { try(t, seed, prepare) }))
			}
		})
	}
}

// TestSeeds lives through schedules that broke a law once.
func TestSeeds(t *testing.T) {
	for seed, prepare := range map[uint64]func(*world){
		5121: ordinary, 7704949: ordinary, 8800285: ordinary, 8800386: ordinary, 1796002963471770023: ordinary,
		6687429460: ordinary, 6687452516: ordinary, 6687473052: ordinary,
		2695357279373788: gatekept, 201: checked, 1102: checked,
	} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			try(t, seed, prepare)
		})
	}
}

// series is many schedules in a row. It prints at once what a test prints only at its end, which a run of hours may not
// come to.
type series struct {
	name  string
	base  uint64
	begun time.Time

	mu     sync.Mutex
	lived  int
	failed []uint64
}

func newSeries(name string) *series {
	s := &series{name: name, base: *baseFlag, begun: time.Now()}
	if s.base == 0 {
		s.base = uint64(s.begun.UnixNano())
	}
	fmt.Printf("%s: schedules from base %d\n", s.name, s.base)
	return s
}

// over reports whether the time for schedules is over.
func (s *series) over() bool { return *last > 0 && time.Since(s.begun) >= *last }

// note prints a schedule that failed, and now and then how many there were.
func (s *series) note(seed uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lived++
	if !ok {
		s.failed = append(s.failed, seed)
		fmt.Printf("%s: seed %d fails\n", s.name, seed)
	}
	if s.lived%1_000 == 0 {
		fmt.Printf("%s: %d schedules so far\n", s.name, s.lived)
	}
}

// report prints how it went.
func (s *series) report() {
	fmt.Printf("%s: %d schedules from base %d in %s, %d failed: %v\n", s.name, s.lived, s.base, time.Since(s.begun).Round(time.Second), len(s.failed), s.failed)
}

// TestReplay: a seed gives the same story each time, whatever order the engine's
// workers ran in.
func TestReplay(t *testing.T) {
	for i := range uint64(replays) {
		seed := *baseFlag + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			prepare := []func(*world){ordinary, gatekept, checked}[seed%3]
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
			t.Logf("%s\nseed %d; replay: go test -tags model -v ./internal/model -run %s -seed %d", strings.Join(w.trace[max(0, len(w.trace)-400):], "\n"), seed, t.Name()[:strings.Index(t.Name()+"/", "/")], seed)
		}
		// The queues' own goroutines end at their next tick.
		time.Sleep(time.Minute)
	})
	return w
}

// story is what happened; the order of what happened at one instant is nobody's.
func (w *world) story() []string { return slices.Sorted(slices.Values(w.trace)) }
