// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backoff says how long a controller waits after an error: twice as long each time,
// with jitter. It knows no object and no error.
package backoff

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Most bounds the wait after an error.
const Most = 30 * time.Second

// Limiter is a controller's rate limiter.
type Limiter struct {
	workqueue.TypedRateLimiter[reconcile.Request]
	most   func(reconcile.Request) time.Duration
	random func(time.Duration) time.Duration
}

// New returns a Limiter that waits for first after the first error. most returns the longest wait for an object, and may
// be nil for Most; random returns a duration below its argument.
func New(first time.Duration, most func(reconcile.Request) time.Duration, random func(time.Duration) time.Duration) Limiter {
	if most == nil {
		most = func(reconcile.Request) time.Duration { return Most }
	}
	return Limiter{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](first, Most), most, random}
}

// When implements workqueue.TypedRateLimiter. It takes up to a fifth off, so that many
// objects that failed together do not come back together.
func (l Limiter) When(req reconcile.Request) time.Duration {
	d := min(l.TypedRateLimiter.When(req), l.most(req))
	return d - l.random(d/5+1)
}
