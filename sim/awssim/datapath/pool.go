// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bufio"
	"fmt"
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

// pool is the connections to one target. The zero value is ready.
type pool struct {
	mu   sync.Mutex
	idle []*targetConn
	busy map[net.Conn]bool
	over bool // nothing is kept any more
	gone bool // nothing is begun any more
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
			p.hold(c)
			return c
		}
		_ = c.Close() // nothing is under way on it
	}

	return nil
}

// add takes note of a new connection that is about to be used. It fails when
// the target is gone.
func (p *pool) add(c *targetConn) (*targetConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		_ = c.Close() // nothing is under way on it
		return nil, fmt.Errorf("connect to target %s: it is deregistered", c.RemoteAddr())
	}
	p.hold(c)
	return c, nil
}

func (p *pool) hold(c net.Conn) {
	if p.busy == nil {
		p.busy = map[net.Conn]bool{}
	}
	p.busy[c] = true
}

// put keeps a connection for later use.
func (p *pool) put(c *targetConn) {
	c.since = time.Now()
	_ = c.SetDeadline(time.Time{}) // a closed connection shows at its next use
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, c)
	if p.over || len(p.idle) >= maxIdle {
		_ = c.Close() // nothing is under way on it
		return
	}
	p.idle = append(p.idle, c)
}

// drop closes a connection that is used up.
func (p *pool) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, c)
	_ = c.Close() // what was to be said on it has been said
}

// close closes what is idle, and whatever is put back later.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		_ = c.Close() // nothing is under way on it
	}
	p.idle, p.over = nil, true
}

// cut closes what is in use.
func (p *pool) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.busy {
		_ = c.Close() // that it fails what is under way is the point
	}
}

// end closes everything, now and from now on.
func (p *pool) end() {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.close()
	p.cut()
}

// idling returns how many connections are kept, and how many of them the target
// has closed meanwhile.
func (p *pool) idling() (kept, closed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		if !c.quiet() {
			closed++
		}
	}
	return len(p.idle), closed
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
