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
// written, so a pod whose gate was let close, whichever of its gates, counts as held back from then on. Its zero value is
// ready to use.
type closings struct {
	mu sync.Mutex
	// of is when which pods' gates were let close.
	of map[types.NamespacedName]time.Time
}

// floor is how many gates must stay open for the sake of one owner.
type floor struct {
	keep gate.Floor
	// open returns the pods whose gates count, and whether each is open.
	open func() (map[types.NamespacedName]bool, error)
}

// room reports whether a pod's gate may close by all of its floors, and counts it as closed
// if so.
func (c *closings) room(pod types.NamespacedName, floors []floor, now time.Time) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	for other, at := range c.of {
		// By then the cache shows it, unless the write failed.
		if now.Sub(at) >= believed {
			delete(c.of, other)
		}
	}

	for _, f := range floors {
		allowed, err := c.allows(pod, f)
		if err != nil || !allowed {
			return false, err
		}
	}

	// Counted only now: a gate that one floor keeps open takes no room at the others.
	if c.of == nil {
		c.of = map[types.NamespacedName]time.Time{}
	}
	c.of[pod] = now
	return true, nil
}

// allows reports whether a pod's gate may close by one floor; mu is held.
func (c *closings) allows(pod types.NamespacedName, f floor) (bool, error) {
	pods, err := f.open()
	if err != nil {
		return false, err
	}

	open := 1
	for other, isOpen := range pods {
		if _, closes := c.of[other]; isOpen && !closes && other != pod {
			open++
		}
	}

	return f.keep.Allows(open, len(pods)), nil
}
