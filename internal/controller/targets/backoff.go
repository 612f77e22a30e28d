// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/controller/backoff"
)

// maxPressing bounds the wait after an error while the target of a pod that ends is still to go: the load
// balancer sends it requests meanwhile. The budget of calls holds all the same.
const maxPressing = 5 * time.Second

func newRateLimiter(random func(time.Duration) time.Duration, s *states) backoff.Limiter {
	return backoff.New(200*time.Millisecond, s.longest, random)
}

// longest returns how long a binding waits at most after an error.
func (s *states) longest(req reconcile.Request) time.Duration {
	if s.get(req.NamespacedName).pressing {
		return maxPressing
	}
	return backoff.Most
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
