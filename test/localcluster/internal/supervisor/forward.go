// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"io"
	"net"
	"os"
	"strconv"
	"sync"
)

// forward carries connections from the host's loopback to the API server. The listening socket was made in the host's network and stays there;
// what this process dials is in the cluster's.
func (s *supervisor) forward() {
	if s.ForwardFD == 0 {
		return
	}

	file := os.NewFile(uintptr(s.ForwardFD), "forward")
	listener, err := net.FileListener(file)
	_ = file.Close()

	if err != nil {
		s.cancel(err)
		return
	}

	to := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.APIPort))
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go carry(from.(*net.TCPConn), to)
		}
	}()
}

// carry copies both ways and passes on each end's half-close. Where nobody listens the connection is reset, as the kernel would
// have done.
func carry(from *net.TCPConn, to string) {
	defer func() { _ = from.Close() }()
	dialed, err := net.Dial("tcp", to)
	if err != nil {
		_ = from.SetLinger(0)
		return
	}

	other := dialed.(*net.TCPConn)
	defer func() { _ = other.Close() }()
	var both sync.WaitGroup
	for _, pair := range [][2]*net.TCPConn{{from, other}, {other, from}} {
		both.Go(func() {
			_, _ = io.Copy(pair[1], pair[0])
			_ = pair[1].CloseWrite()
		})
	}

	both.Wait()
}
