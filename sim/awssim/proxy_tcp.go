// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/podgate/podgate/sim/awssim/datapath"
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
		datapath.Reset(client)
		return
	}
	datapath.Carry(ctx, client, datapath.Upstream{Address: target.address, Pool: target.pool, Connect: s.socketTimeout(connectTimeout)})
}
