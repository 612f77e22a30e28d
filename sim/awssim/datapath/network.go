// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"context"
	"net"
	"sync"
	"time"
)

// serveTCP serves a listener of a network load balancer: connection by
// connection, without looking inside.
func (k *Socket) serveTCP(bound net.Listener) {
	clock := k.path.clock
	ctx, cancel := context.WithCancel(clock.Context())
	k.shut = func() {
		cancel()
		_ = bound.Close() // it ends the loop below; there is nobody to tell
	}

	clock.Go(func() {
		var connections sync.WaitGroup
		defer connections.Wait()

		for {
			client, err := bound.Accept()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if !clock.Wait(ctx, 10*time.Millisecond) { // out of files, most likely
					return
				}
				continue
			}
			connections.Go(func() { k.connect(ctx, client) })
		}
	})
}

// connect carries one connection. A client whose target cannot be had sees a
// reset.
func (k *Socket) connect(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()

	clock := k.path.clock
	clock.Lock()
	var target *route
	if len(k.rules) > 0 { // a listener that is being deleted has none
		if g := k.path.weighted(k.rules[0].Actions[0].ForwardConfig.TargetGroups); g != nil {
			target = g.pick()
		}
	}
	clock.Unlock()

	if target == nil {
		reset(client)
		return
	}

	carry(ctx, client, upstream{Address: target.address, Pool: target.pool, Connect: clock.SocketTimeout(connectTimeout)})
}
