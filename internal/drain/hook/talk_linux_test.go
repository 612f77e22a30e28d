// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// TestAnswersOfTheKernel: however quickly requests follow each other on the kernel's own connections, one that waits is never
// taken for answered, nor one that is answered for one that waits. Where none waits, that is mostly certain.
func TestAnswersOfTheKernel(t *testing.T) {
	const connections = 60
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var all sync.WaitGroup
	defer all.Wait()
	var open []net.Conn
	defer func() {
		_ = l.Close()
		for _, c := range open {
			_ = c.Close()
		}
	}()

	// The application answers all requests but one of 'w'.
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				for b := make([]byte, 1); ; {
					if _, err := c.Read(b); err != nil {
						return
					}
					if b[0] != 'w' {
						_, _ = c.Write(b)
					}
				}
			})
		}
	})

	var asked sync.WaitGroup
	waits := map[netip.AddrPort]bool{}
	for i := range connections {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		last := []byte{"aw"[i%2]}
		waits[netip.MustParseAddrPort(c.LocalAddr().String())] = last[0] == 'w'

		asked.Go(func() {
			pause, answer := time.Duration(rand.IntN(3))*15*time.Millisecond, make([]byte, 1)
			for range rand.IntN(40) {
				_, _ = c.Write([]byte("a"))
				_, _ = io.ReadFull(c, answer)
				time.Sleep(pause)
			}
			_, _ = c.Write(last)
		})
	}

	done := make(chan struct{})
	go func() {
		asked.Wait()
		close(done)
	}()

	server := netip.MustParseAddrPort(l.Addr().String())
	talks := map[netip.AddrPort]talk{}
	look := func() (certain int) {
		sockets, err := diagSockets()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sockets {
			if s.Local != server || s.Data == nil {
				continue
			}
			talks[s.Remote] = talks[s.Remote].next(*s.Data)
			if talks[s.Remote].answered {
				certain++
			}
		}
		return certain
	}

	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(sampleEvery):
		}
		look()
	}

	// What the kernels put off has happened by then.
	certain := 0
	for range 8 {
		time.Sleep(100 * time.Millisecond)
		certain = look()
	}

	t.Logf("%d of %d that were answered are known to be", certain, connections/2)
	for peer, wait := range waits {
		if wait && talks[peer].answered {
			t.Errorf("%s waits for its answer and was taken for answered", peer)
		}
		if !wait && talks[peer].owes {
			t.Errorf("%s has its answer and was taken for one that waits", peer)
		}
	}
	if certain == 0 {
		t.Error("no answer is certain")
	}
}
