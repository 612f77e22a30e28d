// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package standby

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index"
)

// maxBackoff bounds the wait after a binding's calls failed: the pods end meanwhile.
const maxBackoff = 5 * time.Second

// stint is what is done in one silence. Bindings do not wait for each other.
type stint struct {
	Options
	metrics *metrics
	ctx     context.Context
	cancel  context.CancelFunc
	calls   sync.WaitGroup

	mu    sync.Mutex
	turns map[types.NamespacedName]turn
}

// turn is how a binding stands.
type turn struct {
	busy     bool
	failures int
	next     time.Time
}

func newStint(ctx context.Context, o Options, m *metrics) *stint {
	s := &stint{Options: o, metrics: m, turns: map[types.NamespacedName]turn{}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// end cancels what is under way and waits for it.
func (s *stint) end() {
	s.cancel()
	s.calls.Wait()
}

// round begins the calls for every binding of a terminating pod that has none under
// way and did not fail a moment ago. It does not wait for them.
func (s *stint) round() {
	keys, err := s.pressing()
	if err != nil {
		s.Log.Error(err, "Finding the bindings of terminating pods failed")
	}
	for key := range keys {
		if s.take(key) {
			s.calls.Go(func() { s.serve(key) })
		}
	}
}

// pressing are the bindings that have a terminating pod.
func (s *stint) pressing() (map[types.NamespacedName]struct{}, error) {
	pods, err := index.PodsPressing(s.ctx, s.Cache)
	if err != nil {
		return nil, err
	}

	keys := map[types.NamespacedName]struct{}{}
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp.IsZero() || binding.Over(pod) || len(pod.Status.PodIPs) == 0 {
			continue
		}
		bindings, err := binding.ForPod(s.ctx, s.Cache, pod)
		if err != nil {
			return keys, err
		}
		for j := range bindings {
			keys[bindings[j].Key()] = struct{}{}
		}
	}

	return keys, nil
}

// take reports whether it is a binding's turn, and makes it busy.
func (s *stint) take(key types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.turns[key]
	if t.busy || time.Now().Before(t.next) {
		return false
	}
	t.busy = true
	s.turns[key] = t
	return true
}

// serve makes one binding's calls.
func (s *stint) serve(key types.NamespacedName) {
	n, err := s.Urgent(s.ctx, key)
	s.metrics.deregistered.Add(float64(n))

	if n > 0 {
		s.Log.Info("Deregistered targets of terminating pods in the leader's place", "binding", key, "targets", n)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	t := turn{failures: s.turns[key].failures}
	if err != nil && s.ctx.Err() == nil {
		s.metrics.failures.Inc()
		s.Log.Error(err, "Deregistering in the leader's place failed", "binding", key)
		wait := min(s.RetryPeriod<<min(t.failures, 5), maxBackoff)
		t.next = time.Now().Add(wait - rand.N(wait/5+1)) // bindings that failed together do not come back together
		t.failures++
	}

	if err == nil {
		t.failures = 0
	}

	s.turns[key] = t
}
