// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"time"
)

// sockets opens connections and counts attempts where they cannot hide: a request head
// that is handed to a socket is one attempt, and so is a connection that was refused,
// since then its request had no socket to be written to.
type sockets struct {
	address  string
	dialer   net.Dialer
	attempts atomic.Int64
}

func newSockets(host, port string) *sockets {
	return &sockets{address: net.JoinHostPort(host, port)}
}

func (s *sockets) dial(deadline time.Time) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	c, err := s.dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		s.attempts.Add(1)
		return nil, err
	}
	return &countedConn{Conn: c, attempts: &s.attempts}, nil
}

// countedConn counts the request heads that are written to it.
type countedConn struct {
	net.Conn
	attempts *atomic.Int64
}

var endOfHead = []byte("\r\n\r\n")

func (c *countedConn) Write(p []byte) (int, error) {
	c.attempts.Add(int64(bytes.Count(p, endOfHead)))
	return c.Conn.Write(p)
}
