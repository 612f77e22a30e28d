// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many events of one type a namespace has for gates that checks open and close: 10,000 pods may do so at the same time, and
// their conditions say it, too. The burst is small, since all namespaces share the queue of the recorder, which drops what is too much.
const (
	checkEventsPerSecond = 1
	checkEventBurst      = 25
)

// eventLimits bounds the events of each namespace by their type, so that no namespace takes the events of another, and what is
// routine takes none of the warnings. The zero value is ready to use.
type eventLimits struct {
	mu    sync.Mutex
	of    map[eventsOf]*rate.Limiter
	swept time.Time
}

// eventsOf are the events of a type in a namespace.
type eventsOf struct{ namespace, kind string }

// allow reports whether a namespace may have one more event of a type now.
func (l *eventLimits) allow(namespace, kind string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)

	key := eventsOf{namespace, kind}
	if l.of[key] == nil {
		l.of[key] = rate.NewLimiter(checkEventsPerSecond, checkEventBurst)
	}
	return l.of[key].AllowN(now, 1)
}

// sweep forgets, once in a while, what is full again: it is as if it were new.
func (l *eventLimits) sweep(now time.Time) {
	const pause = time.Second * checkEventBurst / checkEventsPerSecond
	if l.of != nil && now.Sub(l.swept) < pause {
		return
	}

	kept := map[eventsOf]*rate.Limiter{}
	for key, limiter := range l.of {
		if limiter.TokensAt(now) < checkEventBurst {
			kept[key] = limiter
		}
	}
	l.of, l.swept = kept, now
}
