// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
)

// resting are the groups for which the load balancer asked not to be called for a while when a registration failed. Where it
// throttles, the budget of calls holds the whole account instead. Deregistrations do not wait: a pod that ends is to get no
// requests. The zero value is empty.
type resting struct {
	mu     sync.Mutex
	groups map[balancer.Ref]rest
}

// rest is why a group is left alone, and until when.
type rest struct {
	because balancer.CallError
	until   time.Time
}

// note takes the error of a registration into account.
func (r *resting) note(ref balancer.Ref, err error, now time.Time) {
	after := balancer.RetryAfter(err)
	var call *balancer.CallError
	if after == 0 || !errors.As(err, &call) || errors.Is(err, balancer.ErrThrottled) {
		return
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.groups, func(_ balancer.Ref, known rest) bool { return !now.Before(known.until) })
	if r.groups == nil {
		r.groups = map[balancer.Ref]rest{}
	}
	r.groups[ref] = rest{*call, now.Add(after)}
}

// of returns the error because of which a group is left alone now, with the time that is left; nil when it is not.
func (r *resting) of(ref balancer.Ref, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, resting := r.groups[ref]
	if !resting || !now.Before(known.until) {
		return nil
	}
	known.because.RetryAfter = known.until.Sub(now)
	return &known.because
}
