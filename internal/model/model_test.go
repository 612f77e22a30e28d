// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "replay this schedule, some times over, and print what happens")
	schedules = flag.Int("schedules", 0, "how many schedules to try; 0 means as many as suit")
	keep      = flag.Bool("keep", false, "go on after a failing schedule")
)

// TestModel lives through random schedules. A failure names its seed; replay it with
//
//	go test ./internal/model -run TestModel -seed N
//
// The schedule is the seed's. The engine's own jitter and the order in which its
// workers run are not, so a replay runs the schedule several times.
func TestModel(t *testing.T) {
	if *seedFlag != 0 {
		for i := range 10 {
			t.Run(fmt.Sprint(i), func(t *testing.T) { try(t, *seedFlag, i == 0) })
		}
		return
	}
	n := *schedules
	if n == 0 {
		n = defaultSchedules
	}
	lanes := runtime.GOMAXPROCS(0)
	for lane := range lanes {
		t.Run(fmt.Sprintf("lane%d", lane), func(t *testing.T) {
			t.Parallel()
			for seed := uint64(lane + 1); seed <= uint64(n) && (*keep || !t.Failed()); seed += uint64(lanes) {
				t.Run(fmt.Sprint(seed), func(t *testing.T) { try(t, seed, false) })
			}
		})
	}
}

// try lives through one schedule.
func try(t *testing.T, seed uint64, tell bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		w.live()
		if t.Failed() || tell {
			t.Logf("seed %d; replay: go test ./internal/model -run TestModel -seed %d\n%s", seed, seed, strings.Join(w.trace[max(0, len(w.trace)-400):], "\n"))
		}
		// The queues' own goroutines end at their next tick.
		time.Sleep(time.Minute)
	})
}
