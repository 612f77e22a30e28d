// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package standby runs on the replicas that do not lead. While the leader is silent it
// has the targets of terminating pods deregistered, which cannot wait for an election:
// the pods end meanwhile. It registers nothing, writes nothing to the cluster, and
// never bids for the lead.
package standby

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Options are what New needs. All are required.
type Options struct {
	// Leases reads the leader's lease; it is uncached.
	Leases client.Reader
	// Lease is the leader's.
	Lease types.NamespacedName
	// RetryPeriod is the time between two renewals of the lease.
	RetryPeriod time.Duration
	// Elected is closed when this replica leads.
	Elected <-chan struct{}
	// Cache holds pods, Services and bindings.
	Cache client.Reader
	// Urgent deregisters the targets of a binding's terminating pods, and gives how many. It has to be
	// idempotent, and safe beside a leader that is alive after all.
	Urgent  func(ctx context.Context, binding types.NamespacedName) (int, error)
	Metrics prometheus.Registerer
	Log     logr.Logger
}

// Standby stands in for a silent leader. It is a manager's Runnable.
type Standby struct {
	Options
	metrics *metrics
	silence silence
	// acting is what is under way in the present silence; nil while the leader is heard.
	acting *stint
}

// New makes a Standby.
func New(o Options) (*Standby, error) {
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register standby metrics: %w", err)
	}
	// A leader that missed two renewals in a row; the third would be late by half.
	return &Standby{Options: o, metrics: m, silence: silence{patience: o.RetryPeriod * 5 / 2}}, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (s *Standby) NeedLeaderElection() bool { return false }

// Start watches the lease until this replica leads or ctx ends, and returns when no
// call is under way any more.
func (s *Standby) Start(ctx context.Context) error {
	defer s.rest()
	ticker := time.NewTicker(s.RetryPeriod / 2)
	defer ticker.Stop()

	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-s.Elected:
			return nil
		case <-ticker.C:
		}
	}
}

// look reads the lease and acts while its holder is silent. A lease that cannot be
// read tells nothing: what is under way goes on, nothing is begun.
func (s *Standby) look(ctx context.Context) {
	lease, err := s.lease(ctx)
	if err != nil {
		return
	}

	if !s.silence.observe(lease, time.Now()) {
		s.rest()
		return
	}

	if s.acting == nil {
		s.acting = newStint(ctx, s.Options, s.metrics)
		s.metrics.acting.Set(1)
		s.Log.Info("Leader is silent: deregistering terminating pods in its place", "holder", s.silence.holder)
	}

	s.acting.round()
}

func (s *Standby) lease(ctx context.Context) (*coordinationv1.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, s.RetryPeriod)
	defer cancel()
	var lease coordinationv1.Lease
	return &lease, s.Leases.Get(ctx, s.Lease, &lease)
}

// rest ends what is under way: the leader is back, or leads here.
func (s *Standby) rest() {
	if s.acting == nil {
		return
	}
	s.acting.end()
	s.acting = nil
	s.metrics.acting.Set(0)
	s.Log.Info("Leader is no longer stood in for")
}
