// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Clock is the time of a simulator. Its zero value is not usable; New makes one. What it guards is whatever the
// simulator changes: Lock and Unlock are for that.
type Clock struct {
	scale float64

	base    context.Context // ends when Run ends
	cancel  context.CancelFunc
	running sync.WaitGroup

	sync.Mutex
	state   state
	waiting []func() // goroutines that Run is to start
}

type state int

const (
	stateNew state = iota
	stateRunning
	stateEnded
)

// New makes a clock that runs scale times as fast as the wall's. It stands still until Run is called.
func New(scale float64) *Clock {
	c := &Clock{scale: scale}
	c.base, c.cancel = context.WithCancel(context.Background())
	return c
}

// Run lets time pass until ctx ends, then calls end with the lock held, and returns when all goroutines have
// stopped. It can be called once; a second call is an error.
func (c *Clock) Run(ctx context.Context, end func()) error {
	if err := c.start(); err != nil {
		return err
	}

	<-ctx.Done()

	c.Lock()
	c.state = stateEnded
	c.cancel()
	end()
	c.Unlock()

	c.running.Wait()
	return nil
}

// start starts what has been waiting for it.
func (c *Clock) start() error {
	c.Lock()
	defer c.Unlock()
	if c.state != stateNew {
		return fmt.Errorf("run simulator: it has been run before")
	}

	c.state = stateRunning
	for _, f := range c.waiting {
		c.running.Go(f)
	}

	c.waiting = nil
	return nil
}

// Context ends when Run does.
func (c *Clock) Context() context.Context { return c.base }

// Ended reports whether Run has ended. It needs the lock.
func (c *Clock) Ended() bool { return c.state == stateEnded }

// Go starts f as one of the goroutines that Run waits for, now or when Run is called. It needs the lock. f must end
// when Context does.
func (c *Clock) Go(f func()) {
	switch c.state {
	case stateNew:
		c.waiting = append(c.waiting, f)
	case stateRunning:
		c.running.Go(f)
	case stateEnded:
	}
}

// After calls f with the lock held once d of simulated time has passed. It needs the lock; without a delay f is
// called at once. f must look whether it has been overtaken: nothing stops it but the end of the simulator.
func (c *Clock) After(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}

	c.Go(func() {
		if !c.Wait(c.base, d) {
			return
		}
		c.Lock()
		defer c.Unlock()
		f()
	})
}

// Wait waits for d of simulated time; false means that ctx or the simulator ended.
func (c *Clock) Wait(ctx context.Context, d time.Duration) bool { return c.Sleep(ctx, c.Scaled(d)) }

// Sleep is Wait for d of real time.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()

	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	case <-c.base.Done():
		return false
	}
}

// Scaled is the real duration of d of simulated time.
func (c *Clock) Scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.scale)
}

// SocketTimeout is Scaled, but never so short that a machine under load would miss it: one second, or d itself where
// that is less.
func (c *Clock) SocketTimeout(d time.Duration) time.Duration {
	return max(c.Scaled(d), min(d, time.Second))
}
