// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/drain"
)

var (
	web     = []int32{8080}
	balance = netip.MustParseAddrPort("10.0.9.9:40000")
	kubelet = netip.MustParseAddrPort("10.0.0.1:40000")
	pod     = netip.MustParseAddr("10.0.0.2")
)

func socket(port uint16, from netip.AddrPort, state State) Socket {
	return Socket{Local: netip.AddrPortFrom(pod, port), Remote: from, State: state}
}

// TestQuiet looks at the sockets every quarter of a second for six seconds; at the third
// of them something happens.
func TestQuiet(t *testing.T) {
	const closeWait, lastAck State = 8, 9
	cases := map[string]struct {
		reason string
		third  []Socket
		err    error
		pause  time.Duration
		want   time.Duration
	}{
		"Nothing":     {reason: "The count begins with the second look: the first cannot tell what is new.", want: 6 * time.Second},
		"Connection":  {reason: "Somebody is being served.", third: []Socket{socket(8080, balance, established)}, want: 3 * time.Second},
		"Probe":       {reason: "Whoever it is.", third: []Socket{socket(8080, kubelet, established)}, want: 3 * time.Second},
		"HalfClosed":  {reason: "The application may still answer.", third: []Socket{socket(8080, balance, closeWait)}, want: 3 * time.Second},
		"LastAck":     {reason: "The end of an answer is under way.", third: []Socket{socket(8080, balance, lastAck)}, want: 3 * time.Second},
		"NewAndGone":  {reason: "A connection came and went between two looks.", third: []Socket{socket(8080, balance, timeWait)}, want: 3 * time.Second},
		"ProbeIsGone": {reason: "The kubelet's probes go on.", third: []Socket{socket(8080, kubelet, timeWait)}, want: 6 * time.Second},
		"OtherPort":   {reason: "Another port is not the target's.", third: []Socket{socket(9090, balance, established)}, want: 6 * time.Second},
		"Outgoing":    {reason: "Nor is what the pod asks of others.", third: []Socket{socket(50001, netip.MustParseAddrPort("10.0.9.9:8080"), established)}, want: 6 * time.Second},
		"Listening":   {reason: "The application listens all the time.", third: []Socket{socket(8080, netip.AddrPort{}, listens)}, want: 6 * time.Second},
		"Unreadable":  {reason: "What cannot be seen is not quiet.", err: errors.New("no table"), want: 3 * time.Second},
		"HeldBack":    {reason: "Nobody looked for a while.", pause: 2 * time.Second, want: 3 * time.Second},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			q := quiet{node: map[netip.Addr]bool{kubelet.Addr(): true}}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for i := range 25 {
				switch {
				case i != 12:
					q.sample(now, web, false, nil, nil)
				default:
					now = now.Add(tc.pause)
					q.sample(now, web, false, tc.third, tc.err)
				}
				now = now.Add(sampleEvery)
			}

			if got := q.lasted(); got != tc.want {
				t.Errorf("%s\nquiet for %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

// TestQuietOldEnd: a connection that ended before is told once.
func TestQuietOldEnd(t *testing.T) {
	var q quiet
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 25 {
		q.sample(now, web, false, []Socket{socket(8080, balance, timeWait)}, nil)
		now = now.Add(sampleEvery)
	}

	if got := q.lasted(); got != 6*time.Second {
		t.Errorf("quiet for %s, want 6s", got)
	}

	q.sample(now, []int32{8080, 8443}, false, nil, nil)
	if got := q.lasted(); got != 0 {
		t.Errorf("quiet for %s at a port that nobody looked at before, want 0s", got)
	}

	q.sample(now.Add(sampleEvery), nil, false, nil, nil)
	if got := q.lasted(); got != 0 {
		t.Errorf("quiet for %s at no port, want 0s", got)
	}
}

// kept is an open connection on which data passed last at these times; the rest is that of one exchange.
func kept(now, received, sent time.Time) Socket {
	s := socket(8080, balance, established)
	s.Data = &Data{Sent: now.Sub(sent), Received: now.Sub(received), Acknowledged: now.Sub(sent), In: 1, Out: 1}
	return s
}

// TestQuietKept looks for twelve seconds at a connection that stays open. What passed on it last did so in the sixth.
func TestQuietKept(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	// exchange is a request at five seconds and its answer, after one long before.
	exchange := func(answered float64) func(time.Time) Socket {
		return func(now time.Time) Socket {
			switch {
			case now.Before(at(5)):
				return kept(now, at(-9), at(-9))
			case now.Before(at(answered)):
				return kept(now, at(5), at(-9))
			}
			return kept(now, at(5), at(answered))
		}
	}
	but := func(change func(*Socket)) func(time.Time) Socket {
		return func(now time.Time) Socket {
			s := exchange(5.1)(now)
			change(&s)
			return s
		}
	}

	cases := map[string]struct {
		reason string
		look   func(now time.Time) Socket
		many   bool
		want   float64
	}{
		"Answered": {reason: "It is quiet since the answer.", look: exchange(5.1), want: 6.9},
		"Almost":   {reason: "Just not slow.", look: exchange(5.999), want: 6.001},
		"Slow":     {reason: "Who let one wait for a second may let another wait that looks answered.", look: exchange(6)},
		"Waiting":  {reason: "Nobody answers.", look: exchange(99)},
		"Unread":   {reason: "The application may be asked.", look: but(func(s *Socket) { s.Data.Waits = true })},
		"Uncertain": {reason: "Nobody knows which came first.", look: but(func(s *Socket) {
			s.Data.Received, s.Data.Acknowledged, s.Data.In, s.Data.Acks = s.Data.Sent, s.Data.Sent, 2, 1
		})},
		"Sidecar": {reason: "A proxy in the pod keeps it, and somebody may wait there.", look: but(func(s *Socket) { s.Remote = netip.MustParseAddrPort("127.0.0.6:40000") })},
		"Itself":  {reason: "The same, at the pod's address.", look: but(func(s *Socket) { s.Remote = netip.AddrPortFrom(pod, 40000) })},
		"Untold":  {reason: "The kernel does not tell.", look: but(func(s *Socket) { s.Data = nil })},
		"Closing": {reason: "The load balancer has closed it, and the application not yet.", look: but(func(s *Socket) { s.State = 8 })},
		"Many":    {reason: "Requests take no turns.", look: exchange(5.1), many: true},
		"Pauses": {
			reason: "An answer that went on after a second may go on again.",
			look: func(now time.Time) Socket {
				if now.Before(at(4)) {
					return kept(now, at(-9), at(3))
				}
				return kept(now, at(-9), at(4))
			},
		},
		"AtLength": {
			reason: "An answer that goes on without pausing is one.",
			look: func(now time.Time) Socket {
				if now.Before(at(5)) {
					return kept(now, at(0), now)
				}
				return kept(now, at(0), at(5))
			}, want: 7,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var q quiet
			for now := begin; !now.After(at(12)); now = now.Add(sampleEvery) {
				q.sample(now, web, !tc.many, []Socket{tc.look(now)}, nil)
			}
			if got := q.lasted().Seconds(); got != tc.want {
				t.Errorf("%s\nquiet for %g s, want %g", tc.reason, got, tc.want)
			}
		})
	}
}

// TestQuietLeft: how long a connection must be still, on which one exchange is over, until the pod may leave it.
func TestQuietLeft(t *testing.T) {
	if inFlight != drain.MaxInFlight {
		t.Errorf("requests get %s, want %s", inFlight, drain.MaxInFlight)
	}

	uncertain := func(d *Data) { d.Received, d.In, d.Acks = d.Sent, 2, 1 }
	cases := map[string]struct {
		reason string
		took   time.Duration
		change func(*Data)
		want   time.Duration
	}{
		"Quick":           {reason: "It was answered.", took: 999 * time.Millisecond, want: QuietFor},
		"Uncertain":       {reason: "Somebody may wait, for as long as requests are given.", change: uncertain, want: inFlight},
		"Slow":            {reason: "The answer may go on, but hardly after so much longer than it took.", took: time.Second, want: 20 * time.Second},
		"Slower":          {reason: "The same.", took: 1500 * time.Millisecond, want: 30 * time.Second},
		"Slowest":         {reason: "The same.", took: 2 * time.Second, want: 40 * time.Second},
		"Waits":           {reason: "It is certain that somebody does.", change: func(d *Data) { d.Sent += time.Millisecond }},
		"NeverSent":       {reason: "It is certain that somebody waits.", change: func(d *Data) { d.Received, d.Out = d.Sent, 0 }},
		"NotAcknowledged": {reason: "The load balancer has not got it.", change: func(d *Data) { d.Waits = true }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var q quiet
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			var got time.Duration
			for after := time.Duration(0); after <= time.Minute && got == 0; after += sampleEvery {
				s := kept(begin.Add(after), begin.Add(-tc.took), begin)
				if tc.change != nil {
					tc.change(s.Data)
				}
				q.sample(begin.Add(after), web, true, []Socket{s}, nil)
				if q.lasted() >= QuietFor {
					got = after
				}
			}
			if got != tc.want {
				t.Errorf("%s\nleft after %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

// TestQuietUncertainOfSlow: where the pod takes its time on another connection, a request that may wait may do so for longer.
func TestQuietUncertainOfSlow(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{time.Second: inFlight, 2 * time.Second: 40 * time.Second} {
		var q quiet
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var got time.Duration
		for after := time.Duration(0); after <= time.Minute && got == 0; after += sampleEvery {
			now := begin.Add(after)
			uncertain, slow := kept(now, begin, begin), kept(now, begin.Add(-took), begin)
			uncertain.Data.In, uncertain.Data.Acks = 2, 1
			slow.Remote = netip.AddrPortFrom(balance.Addr(), 40001)
			open := []Socket{uncertain}
			if after == 0 {
				open = append(open, slow)
			}
			q.sample(now, web, true, open, nil)
			if q.lasted() >= QuietFor {
				got = after
			}
		}
		if got != want {
			t.Errorf("left after %s where an answer took %s, want %s", got, took, want)
		}
	}
}

// TestQuietSentAgain: an answer that is sent again in the same tick in which a request comes is not that request's.
func TestQuietSentAgain(t *testing.T) {
	var q quiet
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 28 {
		now := begin.Add(time.Duration(i) * sampleEvery)
		s := kept(now, begin, begin.Add(4*time.Millisecond))
		s.Data.Waits = i == 0
		if i > 0 {
			again := begin.Add(200 * time.Millisecond)
			s = kept(now, again, again)
			s.Data.In, s.Data.Out, s.Data.Acks = 2, 2, 1
		}
		q.sample(now, web, true, []Socket{s}, nil)
	}
	if got := q.lasted(); got != 0 {
		t.Errorf("quiet for %s while a request waits, want 0s", got)
	}
}

// TestQuietSlowForAll: one slow answer tells of the application, whichever connection it was on.
func TestQuietSlowForAll(t *testing.T) {
	var q quiet
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	quick, slow := kept(now, now.Add(-8*time.Second), now.Add(-8*time.Second)), kept(now, now.Add(-9*time.Second), now.Add(-8*time.Second))
	slow.Remote = netip.AddrPortFrom(balance.Addr(), 40001)
	q.sample(now, web, true, []Socket{quick, slow}, nil)
	q.sample(now.Add(sampleEvery), web, true, []Socket{quick}, nil)
	if got := q.lasted(); got != 0 {
		t.Errorf("quiet for %s, want 0s", got)
	}
	q.sample(now.Add(2*sampleEvery), web, true, nil, nil)
	if got := q.lasted(); got != sampleEvery {
		t.Errorf("quiet for %s after the last connection was gone, want %s", got, sampleEvery)
	}
}

// TestQuietSlowWithoutAnswer: so does a request that waits, on a connection that is gone with its answer.
func TestQuietSlowWithoutAnswer(t *testing.T) {
	var q quiet
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	quick, waits := kept(now, now.Add(-8*time.Second), now.Add(-8*time.Second)), kept(now, now.Add(-time.Second), now.Add(-9*time.Second))
	waits.Remote = netip.AddrPortFrom(balance.Addr(), 40001)
	q.sample(now, web, true, []Socket{quick, waits}, nil)
	q.sample(now.Add(sampleEvery), web, true, []Socket{quick}, nil)
	if got := q.lasted(); got != 0 {
		t.Errorf("quiet for %s, want 0s", got)
	}
}
