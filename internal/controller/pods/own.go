// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

const (
	// believed is how long the cache is waited for. It is a bound only for a cluster
	// whose versions went back, as one that was restored from a backup.
	believed = 30 * time.Second
	// behindPoll is when to look again if the cache's event does not come first.
	behindPoll = time.Second
)

// ownWrites remembers at which version of a pod podgate wrote to it, so that nothing
// is decided from a cache that does not show that yet: an open gate would pass for a
// closed one. Its zero value is ready to use.
type ownWrites struct {
	mu sync.Mutex
	of map[types.NamespacedName]ownWrite
}

type ownWrite struct {
	version string
	at      time.Time
}

// note remembers a write.
func (o *ownWrites) note(pod types.NamespacedName, version string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = map[types.NamespacedName]ownWrite{}
	}
	o.of[pod] = ownWrite{version: version, at: now}
}

// unseen reports whether a version of a pod is older than what was written to it.
func (o *ownWrites) unseen(pod types.NamespacedName, version string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	w, ok := o.of[pod]
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(version, w.version)
	if err == nil && order < 0 && now.Sub(w.at) < believed {
		return true
	}
	delete(o.of, pod)
	return false
}

func (o *ownWrites) forget(pod types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.of, pod)
}
