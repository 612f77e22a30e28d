// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"context"
	"os/exec"
	"time"
)

// Hook is one run of a preStop hook.
type Hook struct {
	// Max is how long it sleeps at most, and when anything goes wrong.
	Max time.Duration
	// Watch is the program that ends well when the pod may end. It is a process of its
	// own, so that nothing that befalls it, not even a fault that Go cannot recover from,
	// ends the sleep.
	Watch []string
}

// Run returns when Max is over or the program ended well.
func (h Hook) Run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, h.Max)
	defer cancel()
	// It is killed when the time is over: nothing of the hook may outlive it.
	err := exec.CommandContext(ctx, h.Watch[0], h.Watch[1:]...).Run()
	if err == nil {
		return
	}
	<-ctx.Done()
}

// Watch returns nil when the pod of dir's Config may end, and else when ctx does or when
// it cannot find out.
func Watch(ctx context.Context, dir string, q Question) error {
	c, err := ReadConfig(dir)
	if err != nil {
		return err
	}

	q.Namespace, q.Pod, q.UID = c.Namespace, c.Pod, c.UID
	podgate, err := newClient(c, q)
	if err != nil {
		return err
	}

	node := c.node()
	for _, addr := range gateways() {
		node[addr] = true
	}

	return Watcher{Ask: podgate.ask, Sockets: socketReader(), Node: node}.Wait(ctx)
}
