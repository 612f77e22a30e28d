// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"context"
	"io"
	"net"
	"sync"
)

// Carry connects a client with its target until both have ended. A client
// whose target cannot be had sees a reset.
func Carry(ctx context.Context, client net.Conn, to Upstream) {
	dialer := net.Dialer{Timeout: to.Connect}
	server, err := dialer.DialContext(ctx, "tcp", to.Address)
	if err != nil {
		Reset(client)
		return
	}

	held, err := to.Pool.add(&targetConn{Conn: server, raw: server})
	if err != nil {
		Reset(client)
		return
	}

	defer to.Pool.drop(held)
	defer context.AfterFunc(ctx, func() {
		Reset(client)
		Reset(server)
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
	Reset(to)
	_ = from.Close() // the other direction ends with it
}

// Reset closes a connection so that its peer sees a reset.
func Reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it is an ordinary end, which the close below makes
	}
	_ = conn.Close()
}
