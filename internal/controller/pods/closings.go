// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// closings bounds how many gates of a binding close for their targets' health. Workers
// decide at the same time, each from a cache that does not show what another has just
// written, so a gate that was let close counts as closed from then on. Its zero value is
// ready to use.
type closings struct {
	mu sync.Mutex
	// of is when which pods' gates of a binding were let close.
	of map[types.NamespacedName]map[types.NamespacedName]time.Time
}

// room reports whether a pod's gate of a binding may close, and counts it as closed if so.
// standing is asked for the pods whose gates count, and whether each is open.
func (c *closings) room(binding, pod types.NamespacedName, floor gate.Floor, now time.Time, standing func() (map[types.NamespacedName]bool, error)) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pods, err := standing()
	if err != nil {
		return false, err
	}

	closing := c.of[binding]
	for other, at := range closing {
		// By then the cache shows it, unless the write failed.
		if now.Sub(at) >= believed {
			delete(closing, other)
		}
	}

	open := 1
	for other, isOpen := range pods {
		if _, closes := closing[other]; isOpen && !closes && other != pod {
			open++
		}
	}

	if !floor.Allows(open, len(pods)) {
		return false, nil
	}

	if closing == nil {
		closing = map[types.NamespacedName]time.Time{}
	}

	if c.of == nil {
		c.of = map[types.NamespacedName]map[types.NamespacedName]time.Time{}
	}

	closing[pod] = now
	c.of[binding] = closing
	return true, nil
}
