// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bufio"
	"net"
	"sync"
	"syscall"
	"time"
)

// targetConn is a connection to a target.
type targetConn struct {
	net.Conn
	raw   net.Conn // below TLS
	r     *bufio.Reader
	w     *bufio.Writer
	since time.Time // idle since
}

// pool keeps the idle connections to one target. The zero value is ready.
type pool struct {
	mu     sync.Mutex
	idle   []*targetConn
	closed bool
}

// maxIdle bounds what is kept to one target.
const maxIdle = 128

// get takes the connection that was used last, passing over those that have
// been idle too long or that the target has closed meanwhile. nil: none.
func (p *pool) get(longest time.Duration) *targetConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		last := len(p.idle) - 1
		c := p.idle[last]
		p.idle = p.idle[:last]
		if time.Since(c.since) < longest && c.quiet() {
			return c
		}
		_ = c.Close() // nothing is under way on it
	}
	return nil
}

func (p *pool) put(c *targetConn) {
	c.since = time.Now()
	_ = c.SetDeadline(time.Time{}) // a closed connection shows at its next use
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= maxIdle {
		_ = c.Close() // nothing is under way on it
		return
	}
	p.idle = append(p.idle, c)
}

// close closes what is idle, and whatever is put back later.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		_ = c.Close() // nothing is under way on it
	}
	p.idle, p.closed = nil, true
}

// quiet looks, without waiting and without taking anything, whether an idle
// connection is still good: no end of stream, no error, no stray bytes. A
// target that closes after this look costs the request: that is a 502, at a
// real load balancer too.
func (c *targetConn) quiet() bool {
	conn, ok := c.raw.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	waiting := false
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		waiting = err == syscall.EAGAIN || err == syscall.EINTR
		return true
	})
	return err == nil && waiting
}
