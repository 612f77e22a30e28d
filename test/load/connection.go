// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// errUnused means that a connection turned out closed before anything was written to
// it; another one may be used for the same attempt.
var errUnused = errors.New("connection was closed while idle")

// errUnasked means that a server sent bytes that no request asked for.
var errUnasked = errors.New("bytes without a request")

// maxBody bounds an answer's body, in bytes.
const maxBody = 1 << 20

// connection is one HTTP/1.1 connection. From its first request on a goroutine reads it
// all the time, also while it is idle, so that a close by the server is seen before the
// next request is written. A new connection is written to in any case: what a server
// does to it is the request's result.
type connection struct {
	conn net.Conn
	read *bufio.Reader
	// done is closed when nothing more will be read.
	done chan struct{}

	mu      sync.Mutex
	reading bool
	closed  bool
	waiting chan answer
}

func newConnection(c net.Conn) *connection {
	return &connection{conn: c, read: bufio.NewReaderSize(c, 2048), done: make(chan struct{})}
}

// exchange writes one message and waits for its answer, until deadline.
func (k *connection) exchange(message string, deadline time.Time) answer {
	wait := make(chan answer, 1)
	if !k.expect(wait, deadline) {
		return answer{err: errUnused, last: true}
	}
	// A write that fails is seen by the reader too, which may even find an answer that the
	// server sent before it closed.
	_, _ = io.WriteString(k.conn, message)
	return <-wait
}

// expect announces a request to the reader, which it starts for the first one; false if
// the connection is closed.
func (k *connection) expect(wait chan answer, deadline time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.conn.SetDeadline(deadline) != nil {
		return false
	}
	k.waiting = wait
	if !k.reading {
		k.reading = true
		go k.loop()
	}
	return true
}

func (k *connection) usable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.closed
}

// loop reads answers until the connection ends.
func (k *connection) loop() {
	defer close(k.done)
	for {
		_, err := k.read.Peek(1)
		if !k.deliver(err) {
			return
		}
	}
}

// deliver hands the next answer, or the connection's end, to whoever waits; false when
// the connection is over.
func (k *connection) deliver(err error) bool {
	var a answer
	wait := k.awaited(err)
	switch {
	case err != nil:
		a = answer{err: err, last: true}
	case wait == nil:
		a = answer{err: errUnasked, last: true}
	default:
		a = readAnswer(k.read)
	}

	k.mu.Lock()
	defer k.mu.Unlock()

	if a.last || k.conn.SetDeadline(time.Time{}) != nil {
		k.closed = true
		_ = k.conn.Close()
	}

	k.waiting = nil
	if wait != nil {
		wait <- a
	}

	return !k.closed
}

// awaited is who waits for the bytes that arrived; an end without a waiter closes the
// connection for the next one.
func (k *connection) awaited(err error) chan answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waiting == nil || err != nil {
		k.closed = true
	}
	return k.waiting
}

// close ends the connection and its reader.
func (k *connection) close() {
	_ = k.conn.Close()
	k.mu.Lock()
	reading := k.reading
	k.mu.Unlock()
	if reading {
		<-k.done
	}
}

func readAnswer(r *bufio.Reader) answer {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return answer{err: fmt.Errorf("read answer: %w", err), last: true}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	err = errors.Join(err, resp.Body.Close())
	if err != nil {
		return answer{err: fmt.Errorf("read body: %w", err), last: true}
	}
	return answer{status: resp.StatusCode, body: body, last: resp.Close || len(body) == maxBody}
}
