// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package standby

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index"
)

// maxBackoff bounds the wait after a binding's calls failed: the pods end meanwhile.
const maxBackoff = 5 * time.Second

// takeover is what is done in one silence. Bindings do not wait for each other.
type takeover struct {
	cache       client.Reader
	urgent      Urgent
	log         logr.Logger
	metrics     *metrics
	retryPeriod time.Duration

	ctx    context.Context
	cancel context.CancelFunc
	calls  sync.WaitGroup

	mu       sync.Mutex
	attempts map[types.NamespacedName]attempt
}

// attempt is how a binding stands: whether its calls are under way, and when they may be made next.
type attempt struct {
	busy     bool
	failures int
	next     time.Time
}

// takeOver begins a takeover, which has done nothing yet.
func (s *Standby) takeOver(ctx context.Context) *takeover {
	t := &takeover{
		cache: s.cache, urgent: s.urgent, log: s.log, metrics: s.metrics, retryPeriod: s.lease.RetryPeriod,
		attempts: map[types.NamespacedName]attempt{},
	}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

// end cancels what is under way and waits for it.
func (t *takeover) end() {
	t.cancel()
	t.calls.Wait()
}

// pass begins the calls for every binding of a terminating pod that has none under
// way and did not fail a moment ago. It does not wait for them.
func (t *takeover) pass() {
	keys, err := t.pressing()
	if err != nil {
		t.log.Error(err, "Finding the bindings of terminating pods failed")
	}

	for key := range keys {
		if t.take(key) {
			t.calls.Go(func() { t.serve(key) })
		}
	}
}

// pressing are the bindings that have a terminating pod.
func (t *takeover) pressing() (map[types.NamespacedName]struct{}, error) {
	pods, err := index.PodsLeaving(t.ctx, t.cache)
	if err != nil {
		return nil, err
	}

	keys := map[types.NamespacedName]struct{}{}
	for i := range pods {
		// What has ended, or never had an address, has no target that gets requests.
		pod := &pods[i]
		if binding.Over(pod) || len(pod.Status.PodIPs) == 0 {
			continue
		}
		bindings, err := binding.ForPod(t.ctx, t.cache, pod)
		if err != nil {
			return keys, err
		}
		for j := range bindings {
			keys[bindings[j].Key()] = struct{}{}
		}
	}

	return keys, nil
}

// take reports whether a binding's calls may be made now, and makes it busy if so.
func (t *takeover) take(key types.NamespacedName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	a := t.attempts[key]
	if a.busy || time.Now().Before(a.next) {
		return false
	}

	a.busy = true
	t.attempts[key] = a
	return true
}

// serve makes one binding's calls.
func (t *takeover) serve(key types.NamespacedName) {
	n, err := t.urgent(t.ctx, key)
	t.metrics.deregistered.Add(float64(n))

	if n > 0 {
		t.log.Info("Deregistered targets of terminating pods in the leader's place", "binding", key, "targets", n)
	}

	// Not busy any longer, so that the next pass may call again.
	t.mu.Lock()
	defer t.mu.Unlock()

	a := attempt{failures: t.attempts[key].failures}
	if err != nil && t.ctx.Err() == nil {
		t.metrics.failures.Inc()
		t.log.Error(err, "Deregistering in the leader's place failed", "binding", key)
		wait := min(t.retryPeriod<<min(a.failures, 5), maxBackoff)
		a.next = time.Now().Add(wait - rand.N(wait/5+1)) // bindings that failed together do not come back together
		a.failures++
	}

	if err == nil {
		a.failures = 0
	}

	t.attempts[key] = a
}
