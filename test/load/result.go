// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Request is what became of one request.
type Request struct {
	// Scheduled is when it was to start, since the load's start.
	Scheduled time.Duration
	// Latency is from the schedule to the last byte or the failure.
	Latency time.Duration
	// Outcome is the status code, or one of the classes of error.
	Outcome string
	// Version is the first line of a good answer, 64 bytes at most.
	Version string
	// KeepAlive tells that it belongs to the half on kept-alive connections.
	KeepAlive bool
	// Reused tells that its connection had carried a request before.
	Reused bool
}

// Failed reports whether the answer is anything but a whole one with a status of 2xx.
func (r Request) Failed() bool { return len(r.Outcome) != 3 || r.Outcome[0] != '2' }

// Result is one load.
type Result struct {
	// Start is the time of the first request's schedule.
	Start time.Time
	// Requests in the order of their schedule.
	Requests []Request
	// Attempts is what was counted at the sockets.
	Attempts int64
	// Late is by how much the latest request was started after its schedule: how far the
	// machine could not keep up with the load.
	Late time.Duration
}

func newResult(start time.Time, requests []Request, attempts int64, late time.Duration) Result {
	slices.SortFunc(requests, func(a, b Request) int { return cmp.Compare(a.Scheduled, b.Scheduled) })
	return Result{Start: start, Requests: requests, Attempts: attempts, Late: late}
}

// Summary is a result in numbers.
type Summary struct {
	// Requests, Failed and Attempts are counts.
	Requests, Failed, Attempts int
	// NewConnections and Reused count the requests that opened their connection and those
	// that were sent on one that had carried others.
	NewConnections, Reused int
	// Outcomes counts requests by status code or class of error.
	Outcomes map[string]int
	// LongestOutage is the longest run of requests that all failed: from the schedule of
	// its first to that of the next good one. 0 if none failed.
	LongestOutage time.Duration
	// Median, P99 and Slowest are latencies, failures included.
	Median, P99, Slowest time.Duration
	// Seconds are the answers by the second in which they were asked for, without gaps.
	Seconds []Second
}

// Second counts the requests that were scheduled in one second.
type Second struct {
	// At is the second's start, in seconds since the origin; it may be negative.
	At int
	// Good counts good answers by version.
	Good map[string]int
	// Failed counts failures by outcome.
	Failed map[string]int
}

// Summarize counts. Seconds are counted from origin.
func (r Result) Summarize(origin time.Time) Summary {
	s := Summary{Requests: len(r.Requests), Attempts: int(r.Attempts), Outcomes: map[string]int{}}
	var latencies []time.Duration
	for _, q := range r.Requests {
		s.Outcomes[q.Outcome]++
		latencies = append(latencies, q.Latency)
		if q.Failed() {
			s.Failed++
		}
		if q.Reused {
			s.Reused++
		}
	}

	s.NewConnections = s.Requests - s.Reused
	s.LongestOutage = longestOutage(r.Requests)
	s.Median, s.P99, s.Slowest = Quantile(latencies, 0.5), Quantile(latencies, 0.99), Quantile(latencies, 1)
	s.Seconds = seconds(r.Requests, r.Start.Sub(origin))
	return s
}

// longestOutage ends a run at the next good request; a run that no good one ends is
// taken to end one interval after its last.
func longestOutage(requests []Request) time.Duration {
	var longest, begin time.Duration
	down := false
	for i, q := range requests {
		end := q.Scheduled
		if q.Failed() && !down {
			down, begin = true, q.Scheduled
		}
		if q.Failed() && i == len(requests)-1 && i > 0 {
			end += q.Scheduled - requests[i-1].Scheduled
		}
		if down {
			longest = max(longest, end-begin)
		}
		down = q.Failed()
	}

	return longest
}

func seconds(requests []Request, offset time.Duration) []Second {
	var all []Second
	for _, q := range requests {
		at := int(math.Floor((offset + q.Scheduled).Seconds()))
		for len(all) == 0 || all[len(all)-1].At < at {
			next := at
			if len(all) > 0 {
				next = all[len(all)-1].At + 1
			}
			all = append(all, Second{At: next, Good: map[string]int{}, Failed: map[string]int{}})
		}

		last := all[len(all)-1]
		if q.Failed() {
			last.Failed[q.Outcome]++
			continue
		}

		last.Good[q.Version]++
	}

	return all
}

// Quantile is the smallest of values that at least the share q of them does not exceed
// (nearest rank); 0 of none.
func Quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}
