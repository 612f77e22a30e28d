// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// maxBackoff bounds the wait after an error.
const maxBackoff = 30 * time.Second

// maxPressing is the same while the target of a pod that ends is still to go: the load
// balancer sends it requests meanwhile. The budget of calls holds all the same.
const maxPressing = 5 * time.Second

// rateLimiter takes up to a fifth off another's delays, so that many groups that
// failed together do not come back together.
type rateLimiter struct {
	workqueue.TypedRateLimiter[reconcile.Request]
	random func(time.Duration) time.Duration
	states *states
}

func newRateLimiter(random func(time.Duration) time.Duration, s *states) rateLimiter {
	return rateLimiter{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](200*time.Millisecond, maxBackoff), random, s}
}

// When implements workqueue.TypedRateLimiter.
func (l rateLimiter) When(req reconcile.Request) time.Duration {
	d := l.TypedRateLimiter.When(req)
	if l.states.get(req.NamespacedName).pressing {
		d = min(d, maxPressing)
	}
	return d - l.random(d/5+1)
}

// pressingError keeps the target of a pod in its group that is being deleted, or gone.
type pressingError struct{ error }

// Unwrap returns the cause.
func (e pressingError) Unwrap() error { return e.error }

// press marks an error as pressing.
func press(err error) error {
	if err == nil {
		return nil
	}
	return pressingError{err}
}

// isPressing reports whether an error was marked as pressing.
func isPressing(err error) bool {
	var e pressingError
	return errors.As(err, &e)
}
