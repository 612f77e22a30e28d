// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// maxSpans and maxMarks bound what is kept of one condition, and of the events of one object.
	maxSpans = 64
	maxMarks = 64
	// resolution is how exact the times of objects are. A change that is seen within it is as old as it is seen.
	resolution = time.Second
	// fresh is for how long the reason of a condition counts as the one that it began with.
	fresh = 2 * time.Second
)

// sight is one look at a pod.
type sight struct {
	// created is when the pod was, at when it was looked at, and before when it was the last time; zero the first time.
	created, at, before time.Time
	// gap: nobody looked for a while before.
	gap bool
}

// follow folds in what a condition says now.
func (t *Track) follow(c corev1.PodCondition, s sight) {
	if len(t.Spans) == 0 {
		t.begin(c, s)
		return
	}

	last := &t.Spans[len(t.Spans)-1]
	since := c.LastTransitionTime.Time
	switch {
	case last.Status == string(c.Status) && s.gap && c.Status != "" && since.After(s.before):
		// It changed and changed back while nobody looked.
		t.end(s.before)
		t.add(Span{From: s.before, To: since})
		t.add(span(c, since, known(since, s.at)))

	case last.Status == string(c.Status) && last.Reason == c.Reason:
		last.Message = c.Message

	case last.Status == string(c.Status):
		if s.gap {
			last.Known = Bounded
		}
		t.end(s.at)
		t.add(span(c, s.at, Exact))

	default:
		from := changed(since, last.From, s.at)
		if s.gap {
			last.Known = Bounded
		}
		t.end(from)
		t.add(span(c, from, known(from, s.at)))
	}
}

// begin takes what is known at the first look. What was before the condition's latest change nobody remembers.
func (t *Track) begin(c corev1.PodCondition, s sight) {
	if c.Status == "" {
		t.add(span(c, s.created, Exact))
		return
	}

	from := changed(c.LastTransitionTime.Time, s.created, s.at)
	if c.LastTransitionTime.IsZero() {
		from = s.at
	}
	if from.Sub(s.created) >= resolution {
		t.add(Span{From: s.created, To: from})
	}
	t.add(span(c, from, known(from, s.at)))
}

func span(c corev1.PodCondition, from time.Time, k Knowledge) Span {
	return Span{From: from, Status: string(c.Status), Reason: c.Reason, Message: c.Message, Known: k}
}

// known is what is known of a span that has lasted since a time when it is seen: later, its reason may be another one.
func known(since, at time.Time) Knowledge {
	if at.Sub(since) > fresh {
		return Bounded
	}
	return Exact
}

// changed is when a condition changed that says so in whole seconds, between two times.
func changed(since, earliest, at time.Time) time.Time {
	if since.IsZero() || at.Sub(since) < resolution {
		return at
	}
	if since.Before(earliest) {
		return earliest
	}
	return since
}

// end closes the last span.
func (t *Track) end(at time.Time) {
	if n := len(t.Spans); n > 0 && t.Spans[n-1].To.IsZero() {
		t.Spans[n-1].To = at
	}
}

// add appends a span; the oldest goes where there are too many.
func (t *Track) add(s Span) {
	if len(t.Spans) >= maxSpans {
		t.Spans = append(t.Spans[:0], t.Spans[1:]...)
		t.Omitted++
	}
	t.Spans = append(t.Spans, s)
}
