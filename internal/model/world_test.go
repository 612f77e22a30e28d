// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package model tests the whole engine (both controllers, their queues and event
// filters, and the observer) against a model of a cluster and of a load balancer,
// under a virtual clock: random schedules of events with faults, each checked against
// the laws of docs/architecture.md. It is tests only. Its checker sees the calls that
// podgate makes, the conditions that it writes and the model's own truth; it shares
// no code with what decides in the product.
//go:build model

package model

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is a cluster, its pods' lives and a load balancer. Everything that happens by
// itself is a callback on one agenda, run by one goroutine, so that a seed gives the
// same schedule each time. What the engine calls takes the lock.
type world struct {
	t    *testing.T
	seed uint64

	mu sync.Mutex
	// rng makes the schedule; what the engine causes is drawn, see draw.
	rng    *rand.Rand
	agenda agenda
	added  int
	kick   chan struct{}

	*cluster
	*loadBalancer
	*kubelet
	*interview
	*checker
	engine *engine
	trace  []string
}

type entry struct {
	at  time.Time
	n   int
	run func()
}

type agenda []entry

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].n < a[j].n
	}
	return a[i].at.Before(a[j].at)
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *agenda) Push(x any) { *a = append(*a, x.(entry)) }

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)),
		kick: make(chan struct{}, 1),
	}
	w.cluster = newCluster(w)
	w.loadBalancer = newLoadBalancer(w)
	w.kubelet = newKubelet(w)
	w.interview = &interview{w: w, dependency: accepts}
	w.checker = newChecker(w)
	return w
}

// after puts a callback on the agenda; the lock is held, as it is when it runs.
func (w *world) after(d time.Duration, run func()) {
	w.added++
	heap.Push(&w.agenda, entry{time.Now().Add(d), w.added, run})
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// run lives through d of virtual time. After each step the engine does all that it
// does at that instant, and the laws are checked.
func (w *world) run(d time.Duration) {
	end := time.Now().Add(d)
	for !w.t.Failed() {
		w.mu.Lock()
		next, run := end, func() {}
		if len(w.agenda) > 0 && w.agenda[0].at.Before(next) {
			next, run = w.agenda[0].at, func() { heap.Pop(&w.agenda).(entry).run() }
		}

		if at, due := w.deploysAt(); due && at.Before(next) {
			next, run = at, w.deploy
		}

		if !next.After(time.Now()) {
			if next.Equal(end) {
				w.mu.Unlock()
				return
			}
			run()
			w.mu.Unlock()
			synctest.Wait()
			w.mu.Lock()
			w.step()
			w.mu.Unlock()
			continue
		}

		w.mu.Unlock()
		timer := time.NewTimer(time.Until(next))
		select {
		case <-timer.C:
		case <-w.kick:
		}

		timer.Stop()
	}
}

// note adds a line to what is printed of a failing schedule.
func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%9.3f  ", time.Since(w.born).Seconds())+fmt.Sprintf(format, args...))
}

// between gives a random duration of the schedule.
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

// draw gives a random number for something at this instant. It depends on nothing
// else, so it is the same in whatever order the engine's workers come.
func (w *world) draw(what ...string) *rand.Rand {
	text := make([]byte, 0, 128)
	text = append(strconv.AppendUint(text, w.seed, 10), ' ')
	text = append(strconv.AppendInt(text, time.Now().UnixNano(), 10), " ["...)
	text = append(append(text, strings.Join(what, " ")...), ']')

	h := fnv.New64a()
	h.Write(text)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// noisy gives a random duration of what the engine causes.
func (w *world) noisy(low, high time.Duration, what ...string) time.Duration {
	return low + time.Duration(w.draw(what...).Int64N(int64(high-low)+1))
}

// chance reports whether something that the engine causes happens, with a probability.
func (w *world) chance(p float64, what ...string) bool { return w.draw(what...).Float64() < p }

// jitter is the engine's own randomness.
func (w *world) jitter(limit time.Duration) time.Duration {
	return time.Duration(w.draw("jitter", limit.String()).Int64N(int64(limit)))
}
