// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"net"
)

// Until returns the connection so that it is closed when the context ends, whatever waits for it then.
func Until(ctx context.Context, conn net.Conn) net.Conn {
	return until{conn, context.AfterFunc(ctx, func() { cut(conn) })}
}

// until is a connection that is cut when a context ends, unless it is closed before.
type until struct {
	net.Conn
	release func() bool
}

// Close implements net.Conn.
func (u until) Close() error {
	u.release()
	return u.Conn.Close()
}

// cut closes a connection at once: to linger would wait for a peer that does not answer.
func cut(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
