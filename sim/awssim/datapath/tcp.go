// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"context"
	"io"
	"net"
	"sync"
)

// carry connects a client with its target until both have ended. A client
// whose target cannot be had sees a reset.
func carry(ctx context.Context, client net.Conn, to upstream) {
	dialer := net.Dialer{Timeout: to.Connect}
	server, err := dialer.DialContext(ctx, "tcp", to.Address)
	if err != nil {
		reset(client)
		return
	}

	held, err := to.Pool.add(&targetConn{Conn: server, raw: server})
	if err != nil {
		reset(client)
		return
	}

	defer to.Pool.drop(held)
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
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // else it is an ordinary end, which the close below makes
	}
	_ = conn.Close()
}
