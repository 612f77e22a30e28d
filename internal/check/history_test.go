// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"net/netip"
	"testing"
	"time"
)

var (
	noon  = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	here  = netip.MustParseAddr("10.0.0.1")
	there = netip.MustParseAddr("10.0.0.2")
)

// said is one answer, so many seconds after noon.
type said struct {
	after   int
	verdict Verdict
	addr    netip.Addr
}

func (s said) answer() Answer {
	return Answer{Verdict: s.verdict, Word: HTTPStatus(200), Addr: s.addr}
}

func seconds(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }

func TestLaw1AnswersThatCount(t *testing.T) {
	latest := func(v Verdict) Answer { return said{verdict: v, addr: here}.answer() }
	waiting := Answer{Word: Waiting, Addr: here}
	for name, tc := range map[string]struct {
		reason string
		said   []said
		// begin moves before answer number restarted, so many seconds after noon.
		restarted, begin int
		period           time.Duration
		threshold        int
		now              int
		want             Answer
	}{
		"Nobody":           {reason: "Nothing was asked.", want: Answer{Word: Waiting}},
		"Pass":             {reason: "One is enough.", said: []said{{0, Pass, here}}, threshold: 1, want: latest(Pass)},
		"NoThreshold":      {reason: "One is enough where nobody says more.", said: []said{{0, Pass, here}}, want: latest(Pass)},
		"Fail":             {reason: "It failed.", said: []said{{0, Fail, here}}, threshold: 3, want: latest(Fail)},
		"FirstOfTwo":       {reason: "One is not two.", said: []said{{0, Pass, here}}, threshold: 2, want: waiting},
		"SecondOfTwo":      {reason: "Two in a row.", said: []said{{0, Pass, here}, {1, Pass, here}}, threshold: 2, want: latest(Pass)},
		"FailEndsTheRow":   {reason: "They are not in a row.", said: []said{{0, Pass, here}, {1, Fail, here}, {2, Pass, here}}, threshold: 2, want: waiting},
		"NoAnswerIsNoGap":  {reason: "No answer does not end the row.", said: []said{{0, Pass, here}, {1, NoAnswer, here}, {2, Pass, here}}, threshold: 2, want: latest(Pass)},
		"NoAnswerIsNoPass": {reason: "No answer does not count.", said: []said{{0, Pass, here}, {1, NoAnswer, here}}, threshold: 1, want: latest(NoAnswer)},
		"NoAnswerAddress":  {reason: "An answer without an address does not end the row.", said: []said{{0, Pass, here}, {1, NoAnswer, netip.Addr{}}, {2, Pass, here}}, threshold: 2, want: latest(Pass)},
		"OtherAddress":     {reason: "What passed was at another address.", said: []said{{0, Pass, there}, {1, Pass, here}}, threshold: 2, want: waiting},
		"Restarted":        {reason: "What passed were the containers before.", said: []said{{0, Pass, here}, {9, Pass, here}}, restarted: 1, begin: 5, threshold: 2, now: 9, want: waiting},
		"RestartedTwice":   {reason: "Two in a row since then.", said: []said{{0, Pass, here}, {5, Pass, here}, {6, Pass, here}}, restarted: 1, begin: 5, threshold: 2, now: 9, want: latest(Pass)},
		"BeforeRestart":    {reason: "Nobody asked since the restart.", said: []said{{0, Pass, here}}, restarted: 1, begin: 5, threshold: 1, now: 9, want: Answer{Word: Waiting}},
		"Late":             {reason: "It was asked before the restart, and answered later.", said: []said{{4, Pass, here}}, restarted: 0, begin: 5, threshold: 1, now: 9, want: Answer{Word: Waiting}},
		"Kept":             {reason: "Half a minute is not too old.", said: []said{{0, Pass, here}}, threshold: 1, period: time.Second, now: 30, want: latest(Pass)},
		"Old":              {reason: "More than half a minute is.", said: []said{{0, Pass, here}}, threshold: 1, period: time.Second, now: 31, want: Answer{Word: Outdated, Addr: here}},
		"KeptThreePeriods": {reason: "Three periods are not too old.", said: []said{{0, Pass, here}}, threshold: 1, period: time.Minute, now: 180, want: latest(Pass)},
		"OldThreePeriods":  {reason: "More than three periods are.", said: []said{{0, Fail, here}}, threshold: 1, period: time.Minute, now: 181, want: Answer{Word: Outdated, Addr: here}},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			var begin time.Time
			for i, s := range tc.said {
				if i == tc.restarted {
					begin = seconds(tc.begin)
				}
				h = h.Add(s.answer(), seconds(s.after), begin)
			}
			if tc.restarted == len(tc.said) {
				begin = seconds(tc.begin)
			}

			rules := Rules{Period: tc.period, SuccessThreshold: tc.threshold}
			if got := h.Answer(seconds(tc.now), begin, rules); got != tc.want {
				t.Errorf("%s\nwant %+v\ngot  %+v", tc.reason, tc.want, got)
			}
		})
	}
}

func TestBegin(t *testing.T) {
	if got := (Rules{}).Begin(noon); !got.Equal(noon) {
		t.Errorf("without a delay: got %s", got)
	}
	if got := (Rules{InitialDelay: 7 * time.Second}).Begin(noon); !got.Equal(seconds(7)) {
		t.Errorf("with a delay of 7 s: got %s", got)
	}
}
