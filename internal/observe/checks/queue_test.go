// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueue(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	var q queue
	if _, some := q.wait(noon); some || q.next(noon) != nil || q.late(noon) != 0 {
		t.Error("an empty queue has something")
	}

	followed, repeated, early, never, later := &item{}, &item{}, &item{}, &item{}, &item{}
	q.put(followed, at(1), follow)
	q.put(repeated, at(2), again)
	q.put(early, at(3), first)
	q.put(never, at(1), first)
	q.put(later, at(9), follow)
	q.put(later, at(5), first)
	if wait, some := q.wait(noon); !some || wait != time.Second {
		t.Errorf("wait %s, %t", wait, some)
	}
	if q.next(noon) != nil {
		t.Error("taken before it is due")
	}
	if late := q.late(at(4)); late != 3*time.Second {
		t.Errorf("late by %s", late)
	}
	if wait, some := q.wait(at(4)); !some || wait != 0 {
		t.Errorf("due, and wait %s, %t", wait, some)
	}

	q.remove(never)
	q.remove(never)
	for i, want := range []*item{early, repeated, followed, nil} {
		if got := q.next(at(4)); got != want {
			t.Errorf("%d: got another one", i)
		}
	}
	if got := q.next(at(5)); got != later {
		t.Error("what was put off is not there")
	}
}

// TestBudget: a gate has its share, and quarters are kept for gates and for namespaces that ask nothing yet.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(Limits{Rate: 1e6, Concurrency: 8, PerGate: 3})
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		granted := map[string]int{}
		var failed atomic.Int32
		take := func(namespace, gate string, n int) {
			for range n {
				go func() {
					if b.take(ctx, Gate{Namespace: namespace, Name: gate}) != nil {
						failed.Add(1)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					granted[gate]++
				}()
				synctest.Wait()
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}

		take("shop", "a", 4)
		take("shop", "b", 2)
		take("shop", "c", 1)
		take("shop", "d", 1)
		take("pay", "e", 2)
		take("bank", "f", 1)
		take("post", "g", 1)
		if granted["a"] != 3 || granted["b"] != 1 || granted["c"] != 1 || granted["d"] != 1 || granted["e"] != 1 || granted["f"] != 1 || granted["g"] != 0 {
			t.Errorf("granted %v", granted)
		}

		b.give(Gate{Namespace: "shop", Name: "b"})
		synctest.Wait()
		time.Sleep(time.Second)
		if granted["g"] != 1 || granted["b"] != 1 {
			t.Errorf("when one was given back: %v", granted)
		}

		cancel()
		synctest.Wait()
		if failed.Load() != 3 || len(b.waiting) != 0 || b.used != 8 {
			t.Errorf("%d failed, %d wait, %d used", failed.Load(), len(b.waiting), b.used)
		}
	})
}

// TestBudgetKeepsThePace: so many per second, and a tenth of that at once.
func TestBudgetKeepsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(Limits{Rate: 50, Concurrency: 8, PerGate: 4})
		begun := time.Now()
		for range 105 {
			if err := b.take(t.Context(), Gate{}); err != nil {
				t.Fatal(err)
			}
			b.give(Gate{})
		}
		if took := time.Since(begun); took < 1990*time.Millisecond || took > 2010*time.Millisecond {
			t.Errorf("105 took %s", took)
		}
	})
}
