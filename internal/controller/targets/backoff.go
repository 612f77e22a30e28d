// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
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
	random   func(time.Duration) time.Duration
	pressing *pressing
}

func newRateLimiter(random func(time.Duration) time.Duration, p *pressing) rateLimiter {
	return rateLimiter{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](200*time.Millisecond, maxBackoff), random, p}
}

// When implements workqueue.TypedRateLimiter.
func (l rateLimiter) When(req reconcile.Request) time.Duration {
	d := l.TypedRateLimiter.When(req)
	if l.pressing.has(req.NamespacedName) {
		d = min(d, maxPressing)
	}
	return d - l.random(d/5+1)
}

// pressingError keeps the target of a pod in its group that is being deleted, or gone.
type pressingError struct{ error }

// Unwrap gives the cause.
func (e pressingError) Unwrap() error { return e.error }

// press marks an error as pressing.
func press(err error) error {
	if err == nil {
		return nil
	}
	return pressingError{err}
}

// pressing are the bindings whose latest reconciliation failed with such an error. The
// zero value is ready to use.
type pressing struct {
	mu sync.Mutex
	of map[types.NamespacedName]bool
}

func (p *pressing) note(key types.NamespacedName, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var e pressingError
	if !errors.As(err, &e) {
		delete(p.of, key)
		return
	}
	if p.of == nil {
		p.of = map[types.NamespacedName]bool{}
	}
	p.of[key] = true
}

func (p *pressing) has(key types.NamespacedName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of[key]
}
