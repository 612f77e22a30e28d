// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"errors"
	"net/netip"
	"testing"
	"time"
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
	const established, closeWait, lastAck State = 1, 8, 9
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
					q.sample(now, web, nil, nil)
				default:
					now = now.Add(tc.pause)
					q.sample(now, web, tc.third, tc.err)
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
		q.sample(now, web, []Socket{socket(8080, balance, timeWait)}, nil)
		now = now.Add(sampleEvery)
	}

	if got := q.lasted(); got != 6*time.Second {
		t.Errorf("quiet for %s, want 6s", got)
	}

	q.sample(now, []int32{8080, 8443}, nil, nil)
	if got := q.lasted(); got != 0 {
		t.Errorf("quiet for %s at a port that nobody looked at before, want 0s", got)
	}

	q.sample(now.Add(sampleEvery), nil, nil, nil)
	if got := q.lasted(); got != 0 {
		t.Errorf("quiet for %s at no port, want 0s", got)
	}
}
