// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"sync"
	"time"

	"github.com/podgate/podgate/test/load"
)

// rate is in requests per second: half on new, half on kept-alive connections.
const rate = 200

// steady is for how many seconds of load requests are answered before anything is changed, and again after.
const steady = 3

// underLoad sends requests at a steady rate while change runs, and afterwards asserts
// that each was answered well at its first and only attempt. It returns what was seen.
func (s *service) underLoad(change func()) load.Summary {
	s.t.Helper()
	return s.underLoadWith(func(*load.Generator) { change() })
}

// underLoadWith is underLoad for a change that looks at the load.
func (s *service) underLoadWith(change func(*load.Generator)) load.Summary {
	s.t.Helper()
	sum := s.loaded(rate, change)
	s.assertNoneLost(sum)
	return sum
}

// loaded sends so many requests per second while change runs, and for a while before and
// after, and returns what became of them.
func (s *service) loaded(perSecond int, change func(*load.Generator)) load.Summary {
	s.t.Helper()
	return s.loadedBy(load.Config{URL: s.lb.URL, Host: s.lb.Host, Rate: float64(perSecond)}, change)
}

// loadedBy is loaded for another kind of load.
func (s *service) loadedBy(kind load.Config, change func(*load.Generator)) load.Summary {
	s.t.Helper()
	g, err := load.New(kind)
	s.must(err)
	perSecond := int(kind.Rate)
	ctx, cancel := context.WithCancel(s.ctx)
	results := make(chan load.Result, 1)
	begun := time.Now()
	go func() { results <- g.Run(ctx) }()
	var sum load.Summary
	end := sync.OnceFunc(func() {
		cancel()
		r := <-results
		sum = r.Summarize(begun)
		s.t.Logf("load: %d requests (%d on new connections, %d on reused ones), %d attempts, %d failed, outcomes %v, median %s, p99 %s, slowest %s, at most %s late",
			sum.Requests, sum.NewConnections, sum.Reused, sum.Attempts, sum.Failed, sum.Outcomes, sum.Median, sum.P99, sum.Slowest, r.Late)
	})

	// Also when the change fails, and the test with it.
	defer end()

	s.answeredMore(g, steady*perSecond)
	change(g)
	s.answeredMore(g, steady*perSecond)
	end()

	return sum
}

// answeredMore waits until so many requests that are sent from now on have ended, and
// with them all that were sent before.
func (s *service) answeredMore(g *load.Generator, n int) {
	s.t.Helper()
	s.answered(g, int(g.Progress().Sent)+n)
}

// answered waits until that many requests have ended.
func (s *service) answered(g *load.Generator, n int) {
	s.t.Helper()
	s.eventually("answers", func(context.Context) (bool, error) {
		p := g.Progress()
		return int(p.Answered+p.Failed) >= n, nil
	})
}

func (s *service) assertNoneLost(sum load.Summary) {
	s.t.Helper()
	if sum.Failed != 0 {
		s.t.Errorf("%d of %d requests failed, want none; longest outage %s", sum.Failed, sum.Requests, sum.LongestOutage)
		for _, each := range sum.Seconds {
			if len(each.Failed) > 0 {
				s.t.Logf("second %d of the load: good %v, failed %v", each.At, each.Good, each.Failed)
			}
		}
	}
	s.assertSound(sum)
}

// assertSound asserts that the load was what it should be: nothing was tried again, and
// both kinds of connections were used.
func (s *service) assertSound(sum load.Summary) {
	s.t.Helper()
	if sum.Attempts != sum.Requests {
		s.t.Errorf("%d attempts for %d requests: something was tried again", sum.Attempts, sum.Requests)
	}
	if sum.Reused == 0 || sum.NewConnections == 0 {
		s.t.Errorf("%d requests on new connections and %d on reused ones: want both", sum.NewConnections, sum.Reused)
	}
}

// versions counts the good answers by version.
func versions(sum load.Summary) map[string]int {
	all := map[string]int{}
	for _, each := range sum.Seconds {
		for version, n := range each.Good {
			all[version] += n
		}
	}
	return all
}
