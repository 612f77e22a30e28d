// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// maxBackoff bounds the wait after an error.
const maxBackoff = 30 * time.Second

// rateLimiter takes up to a fifth off another's delays, so that many pods that failed
// together do not come back together.
type rateLimiter struct {
	workqueue.TypedRateLimiter[reconcile.Request]
	random func(time.Duration) time.Duration
}

func newRateLimiter(random func(time.Duration) time.Duration) rateLimiter {
	return rateLimiter{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, maxBackoff), random}
}

// When implements workqueue.TypedRateLimiter.
func (l rateLimiter) When(req reconcile.Request) time.Duration {
	d := l.TypedRateLimiter.When(req)
	return d - l.random(d/5+1)
}
