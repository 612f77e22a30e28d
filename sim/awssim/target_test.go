// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bufio"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// backend is a target that counts at its socket what really arrives.
type backend struct {
	Target
	accepted atomic.Int64 // connections
	requests atomic.Int64 // requests read off them
	health   atomic.Int64 // health checks read off them; not in requests
}

// answer does something with one request; false closes the connection.
type answer func(conn net.Conn, r *http.Request, n int64) bool

// say answers 200 with a text and keeps the connection.
func say(text string) answer {
	return func(conn net.Conn, _ *http.Request, _ int64) bool {
		_, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\n\r\n" + text))
		return err == nil
	}
}

// hangUp closes the connection without an answer.
func hangUp(net.Conn, *http.Request, int64) bool { return false }

// serve starts a target on an address of its own, so that several can share a
// port number if a test wants that.
func serve(t *testing.T, f answer) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &backend{Target: Target{ID: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	ended := false
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			if ended {
				_ = conn.Close()
			}
			mu.Unlock()
			running.Go(func() { b.converse(conn, f) })
		}
	})

	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		ended = true
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})

	return b
}

func (b *backend) converse(conn net.Conn, f answer) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	first := true
	for {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}

		if request.UserAgent() == "ELB-HealthChecker/2.0" {
			b.health.Add(1)
			say("")(conn, request, 0)
			return
		}

		if first {
			b.accepted.Add(1)
			first = false
		}

		if !f(conn, request, b.requests.Add(1)) {
			return
		}
	}
}

// vacant is an address where nothing listens.
func vacant(t *testing.T) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return Target{ID: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}
