// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// running runs a clock in a bubble of fake time until stop is called.
func running(t *testing.T, scale float64, test func(c *Clock, stop func())) {
	synctest.Test(t, func(t *testing.T) {
		c := New(scale)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, func() {}) }()
		synctest.Wait()

		stopped := false
		stop := func() {
			if stopped {
				return
			}
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		}

		test(c, stop)
		stop()
	})
}

// after has something happen, and returns whether it has.
func after(c *Clock, d time.Duration) func() bool {
	happened := false
	c.Lock()
	defer c.Unlock()
	c.After(d, func() { happened = true })

	return func() bool {
		c.Lock()
		defer c.Unlock()
		return happened
	}
}

func TestAfter(t *testing.T) {
	running(t, 10, func(c *Clock, stop func()) {
		if !after(c, 0)() {
			t.Error("without a delay it did not happen at once")
		}

		happened := after(c, 10*time.Second)
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if happened() {
			t.Error("it happened before its time")
		}

		time.Sleep(time.Millisecond)
		synctest.Wait()
		if !happened() {
			t.Error("after 10 s of simulated time, ten times as fast, it has not happened")
		}

		never := after(c, time.Minute)
		stop()
		if never() {
			t.Error("it happened at the end of the clock")
		}
	})
}

// TestNothingHappensBeforeRun: what is begun before Run waits for it, and what is begun after its end does not begin.
func TestNothingHappensBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(1)
		happened := after(c, time.Second)
		time.Sleep(time.Hour)
		synctest.Wait()
		if happened() {
			t.Error("it happened while the clock stood still")
		}

		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, func() {}) }()
		time.Sleep(time.Second)
		synctest.Wait()
		if !happened() {
			t.Error("a second after Run began it has not happened")
		}

		if err := c.Run(t.Context(), func() {}); err == nil {
			t.Error("a second Run: want an error")
		}

		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}

		c.Lock()
		defer c.Unlock()
		c.Go(func() { t.Error("begun after the end") })
		if !c.Ended() {
			t.Error("the clock does not say that it has ended")
		}
	})
}

func TestSocketTimeout(t *testing.T) {
	c := New(100)
	for d, want := range map[time.Duration]time.Duration{
		time.Hour:              36 * time.Second,
		10 * time.Second:       time.Second,
		100 * time.Millisecond: 100 * time.Millisecond,
	} {
		if got := c.SocketTimeout(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
