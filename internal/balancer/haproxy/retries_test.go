// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRetriedRequestsOutliveNoServer: a request whose connection was refused waits for up to
// a second before it is tried again, and counts as no connection meanwhile. HAProxy 2.6.12
// lets its server be deleted, and ends by a segmentation fault when the request goes on.
func TestRetriedRequestsOutliveNoServer(t *testing.T) {
	s := newSite(t)
	s.ports = append(s.ports, freePort(t))
	h := startHAProxy(t, backends(s.ports[0], 1)+"    retries 5\n")
	s.wires = append(s.wires, newWire(t, h, "unix"))
	cfg := s.config(backend)
	cfg.Check.Fall = 100 // A server that is down gets no requests.
	group := cfg.Group()
	target := s.serving(group, 1)[0]
	process := pid(h.say("show info"))
	s.ends[target]()
	var waiting atomic.Int64
	var clients sync.WaitGroup
	for i := range 20 {
		waiting.Add(1)
		clients.Go(func() {
			defer waiting.Add(-1)
			time.Sleep(time.Duration(i) * 50 * time.Millisecond) // so that at each moment some are to be tried again
			if status := s.get("/"); status != http.StatusServiceUnavailable {
				t.Errorf("a request to an application that is no more: status %d", status)
			}
		})
	}

	time.Sleep(time.Second)
	s.deregister(group, target)
	eventually(t, "the server is removed", func() bool {
		_ = s.health(group, target)
		return len(h.servers()) == 0
	})

	if n := waiting.Load(); n > 0 {
		t.Errorf("the server is removed before %d requests have had all their attempts there", n)
	}

	clients.Wait()
	if now := pid(h.say("show info")); now == "" || now != process {
		t.Errorf("HAProxy ended: it was %q and is %q", process, now)
	}
}

// TestListsOutliveServers: while somebody reads a list of servers slowly, podgate deletes them. HAProxy 2.6.12 keeps the
// server at which the list stands, but not the one after it, and ends by a segmentation fault when both were deleted in
// this order.
func TestListsOutliveServers(t *testing.T) {
	s := newSite(t, "unix")
	h, group := s.haproxys[0], s.config(backend).Group()
	process := pid(h.say("show info"))
	const servers, atOnce = 1500, 50
	for n := 0; n < servers; n += atOnce {
		var line strings.Builder
		for i := range atOnce {
			fmt.Fprintf(&line, "add server %s/podgate_%s_%d 127.0.0.1:%d weight 0;", backend, strings.Repeat("a", 100), n+i, 1+n+i)
		}
		h.say(line.String())
	}

	slow, err := net.Dial("unix", h.admin())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	if _, err := fmt.Fprintf(slow, "show stat %s 4 -1\n", backend); err != nil {
		t.Fatal(err)
	}

	eventually(t, "all servers are removed", func() bool {
		if err := s.provider.Tend(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		return len(h.servers()) == 0
	})

	if list, err := io.ReadAll(slow); err != nil || len(list) == 0 {
		t.Errorf("the list has %d bytes: %v", len(list), err)
	}
	if now := pid(h.say("show info")); now == "" || now != process {
		t.Errorf("HAProxy ended: it was %q and is %q", process, now)
	}
}

func pid(info string) string {
	i, err := parseInfo(info)
	if err != nil {
		return ""
	}
	return i.process
}
