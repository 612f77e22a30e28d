// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// openTCP serves a listener of a network load balancer: connection by
// connection, without looking inside.
func (s *Sim) openTCP(l *listener, bound net.Listener) {
	ctx, cancel := context.WithCancel(s.base)
	l.shut = func() {
		cancel()
		_ = bound.Close() // it ends the loop below; there is nobody to tell
	}
	s.spawn(func() {
		var connections sync.WaitGroup
		defer connections.Wait()
		for {
			client, err := bound.Accept()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if !s.wait(ctx, 10*time.Millisecond) { // out of files, most likely
					return
				}
				continue
			}
			connections.Go(func() { s.connect(ctx, l, client) })
		}
	})
}

// connect carries one connection. A client whose target cannot be had sees a
// reset.
func (s *Sim) connect(ctx context.Context, l *listener, client net.Conn) {
	defer func() { _ = client.Close() }()
	s.mu.Lock()
	var target *route
	if g := s.groups[s.weighted(l.table[0].view.Actions[0].ForwardConfig.TargetGroups)]; g != nil {
		target = g.pick()
	}
	s.mu.Unlock()
	if target == nil {
		reset(client)
		return
	}
	dialer := net.Dialer{Timeout: s.socketTimeout(connectTimeout)}
	server, err := dialer.DialContext(ctx, "tcp", target.address)
	if err != nil {
		reset(client)
		return
	}
	held, err := target.pool.add(&targetConn{Conn: server, raw: server})
	if err != nil {
		reset(client)
		return
	}
	defer target.pool.drop(held)
	defer context.AfterFunc(ctx, func() {
		reset(client)
		reset(server)
	})()

	var both sync.WaitGroup
	both.Go(func() { stream(server, client) })
	both.Go(func() { stream(client, server) })
	both.Wait()
}

// stream copies one direction and passes its end on; an error ends both.
func stream(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err == nil && ok && half.CloseWrite() == nil {
		return
	}
	reset(to)
	_ = from.Close() // the other direction ends with it
}

// reset closes a connection so that its peer sees a reset.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it is an ordinary end, which the close below makes
	}
	_ = conn.Close()
}
