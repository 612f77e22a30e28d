// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"context"
	"net/netip"
	"time"
)

const (
	// askEvery is the time between two questions.
	askEvery = time.Second
	// askTimeout bounds one.
	askTimeout = 3 * time.Second
)

// Watcher finds out when a pod may end.
type Watcher struct {
	// Ask puts the pod's question to podgate.
	Ask func(context.Context) (Answer, error)
	// Sockets gives the pod's.
	Sockets func() ([]Socket, error)
	// Node are the addresses that the kubelet probes from.
	Node map[netip.Addr]bool
}

// Wait returns nil as soon as the pod may end, and else when ctx does.
func (w Watcher) Wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan *Answer)
	go w.poll(ctx, answers)
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	q := quiet{node: w.Node}
	var ports []int32
	released, restart, turns := false, false, false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-answers:
			if a == nil {
				released = false
				continue
			}

			// The kubelet's word that it stops the container for good may come a moment later than that a probe failed.
			if a.Restart && restart {
				return nil
			}
			released, restart, turns = a.Released, a.Restart, a.Turns
			if len(a.Ports) > 0 {
				ports = a.Ports
			}

		case <-tick.C:
			sockets, err := w.Sockets()
			q.sample(time.Now(), ports, turns, sockets, err)
			if released && q.lasted() >= QuietFor {
				return nil
			}
		}
	}
}

// poll hands on every answer, nil for a question without one.
func (w Watcher) poll(ctx context.Context, answers chan<- *Answer) {
	for ctx.Err() == nil {
		asked, cancel := context.WithTimeout(ctx, askTimeout)
		a, err := w.Ask(asked)
		cancel()

		answer := &a
		if err != nil {
			answer = nil
		}

		select {
		case answers <- answer:
		case <-ctx.Done():
			return
		}

		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
		}
	}
}
