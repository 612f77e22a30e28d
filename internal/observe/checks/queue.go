// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"container/heap"
	"time"
)

// class says which of the questions that are due is asked first.
type class int

// The classes. What a pod was never asked may open its gate at once, and a pod that follows is in service already.
const (
	first class = iota
	again
	follow
	classes
)

// item is one question that is to be asked again and again: a check about a pod, or about all of them.
type item struct {
	// pod is whose question it is; nil where all pods share it.
	pod *interest
	// due is when the question is to be asked, by its class, and in the part of a queue that it is in; nil when in none.
	due   time.Time
	class class
	in    *byDue
	index int
	// asking: the question is under way.
	asking bool
}

// queue holds what is to be asked. Its zero value is ready to use.
type queue struct {
	later byDue
	ready [classes]byDue
}

// put has an item asked at a time.
func (q *queue) put(it *item, due time.Time, c class) {
	q.remove(it)
	it.due, it.class = due, c
	q.later.add(it)
}

// remove has an item not asked.
func (q *queue) remove(it *item) {
	if it.in != nil {
		heap.Remove(it.in, it.index)
	}
}

// next takes out the item that is to be asked now; nil when none is due.
func (q *queue) next(now time.Time) *item {
	q.advance(now)
	for c := range q.ready {
		if len(q.ready[c]) > 0 {
			return heap.Pop(&q.ready[c]).(*item)
		}
	}
	return nil
}

// wait returns how long to wait until an item is due; false when there is none at all.
func (q *queue) wait(now time.Time) (time.Duration, bool) {
	q.advance(now)
	for c := range q.ready {
		if len(q.ready[c]) > 0 {
			return 0, true
		}
	}

	if len(q.later) == 0 {
		return 0, false
	}
	return q.later[0].due.Sub(now), true
}

// late is how long the item has been due that has been due for longest.
func (q *queue) late(now time.Time) time.Duration {
	q.advance(now)
	var late time.Duration
	for c := range q.ready {
		if len(q.ready[c]) > 0 {
			late = max(late, now.Sub(q.ready[c][0].due))
		}
	}
	return late
}

// advance makes ready what is due.
func (q *queue) advance(now time.Time) {
	for len(q.later) > 0 && !now.Before(q.later[0].due) {
		it := heap.Pop(&q.later).(*item)
		q.ready[it.class].add(it)
	}
}

// byDue is a heap of items, the one that is due first on top.
type byDue []*item

func (h *byDue) add(it *item) { heap.Push(h, it) }

// Len implements heap.Interface.
func (h byDue) Len() int { return len(h) }

// Less implements heap.Interface.
func (h byDue) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

// Swap implements heap.Interface.
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *byDue) Push(x any) {
	it := x.(*item)
	it.in, it.index = h, len(*h)
	*h = append(*h, it)
}

// Pop implements heap.Interface.
func (h *byDue) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	it.in = nil
	return it
}
