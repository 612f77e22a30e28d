// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"sync"
	"time"
)

// pool keeps connections open between requests. The one that was idle longest is used
// next, so that all of them are in use.
type pool struct {
	sockets *sockets
	size    int
	trusted time.Duration

	mu   sync.Mutex
	idle []idleConnection
	busy int
}

type idleConnection struct {
	*connection
	since time.Time
}

func newPool(s *sockets, size int, trusted time.Duration) *pool {
	return &pool{sockets: s, size: size, trusted: trusted}
}

// take returns an idle connection (reused), or a new one while fewer than the pool's
// size are open or all of them are busy.
func (p *pool) take(deadline time.Time) (k *connection, reused bool, err error) {
	k, dead := p.oldest()
	for _, d := range dead {
		d.close()
	}

	if k != nil {
		return k, true, nil
	}

	c, err := p.sockets.dial(deadline)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.busy--
		return nil, false, err
	}

	return newConnection(c), false, nil
}

// oldest picks an idle connection, or none if a new one is to be opened, and drops those
// that are closed or were idle too long. Either way one more connection is busy.
func (p *pool) oldest() (*connection, []*connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var dead []*connection
	good := p.idle[:0]
	for _, i := range p.idle {
		if !i.usable() || time.Since(i.since) > p.trusted {
			dead = append(dead, i.connection)
			continue
		}
		good = append(good, i)
	}

	p.idle = good
	p.busy++

	if len(p.idle) == 0 || len(p.idle)+p.busy <= p.size {
		return nil, dead
	}

	k := p.idle[0].connection
	p.idle = p.idle[1:]
	return k, dead
}

// put gives a connection back.
func (p *pool) put(k *connection) {
	if !p.keep(k) {
		k.close()
	}
}

// drop gives a connection back that is of no more use.
func (p *pool) drop(k *connection) {
	p.mu.Lock()
	p.busy--
	p.mu.Unlock()
	k.close()
}

func (p *pool) keep(k *connection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if !k.usable() || len(p.idle) >= p.size {
		return false
	}
	p.idle = append(p.idle, idleConnection{connection: k, since: time.Now()})
	return true
}

// close closes what is idle.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.idle {
		i.close()
	}
	p.idle = nil
}
