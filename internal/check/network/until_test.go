// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// pair is a connection, as the guard makes it, and its server's end.
func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()

	client, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = client.(*net.TCPConn).SetLinger(lingerSeconds)
	server, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, conn := range []net.Conn{client, server} {
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}

// TestLaw7APodThatIsSilentHoldsNoConnection: who waits for the server is woken by the context's end, and the server is told without waiting for it.
func TestLaw7APodThatIsSilentHoldsNoConnection(t *testing.T) {
	client, server := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	conn := Until(ctx, client)
	defer func() { _ = conn.Close() }()

	go cancel()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the client gets the error %v", err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server gets the error %v, want a reset", err)
	}
}

// TestUntilIsClosed: a connection that is closed before is closed in good order.
func TestUntilIsClosed(t *testing.T) {
	client, server := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	conn := Until(ctx, client)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	cancel()

	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the server gets the error %v, want the end", err)
	}
}
