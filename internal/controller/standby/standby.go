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

// Lease is how a Standby sees the leader.
type Lease struct {
	// Reader reads the lease; it is uncached.
	Reader client.Reader
	// Name is the lease's.
	Name types.NamespacedName
	// RetryPeriod is the time between two renewals of the lease.
	RetryPeriod time.Duration
	// Elected is closed when this replica leads.
	Elected <-chan struct{}
}

// Urgent deregisters the targets of a binding's terminating pods, and returns how many. It has to be
// idempotent, and safe beside a leader that is alive after all.
type Urgent func(ctx context.Context, binding types.NamespacedName) (int, error)

// Options are what a Standby may be given beside what it requires. Each of them has a default that works.
type Options struct {
	Metrics prometheus.Registerer
	// Log is discarded by default.
	Log logr.Logger
}

// withDefaults fills in what is not given.
func (o Options) withDefaults() Options {
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}

	if o.Log.GetSink() == nil {
		o.Log = logr.Discard()
	}

	return o
}

// Standby stands in for a silent leader. It is a manager's Runnable.
type Standby struct {
	lease   Lease
	cache   client.Reader
	urgent  Urgent
	log     logr.Logger
	metrics *metrics
	silence silence
	// takeover is what is under way in the present silence; nil while the leader is heard.
	takeover *takeover
}

// New makes a Standby. The cache holds pods, Services and bindings.
func New(lease Lease, cache client.Reader, urgent Urgent, o Options) (*Standby, error) {
	o = o.withDefaults()
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register standby metrics: %w", err)
	}

	return &Standby{
		lease: lease, cache: cache, urgent: urgent, log: o.Log, metrics: m,
		// A leader that missed two renewals in a row; the third would be late by half.
		silence: silence{patience: lease.RetryPeriod * 5 / 2},
	}, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (s *Standby) NeedLeaderElection() bool { return false }

// Start watches the lease until this replica leads or ctx ends, and returns when no
// call is under way any more.
func (s *Standby) Start(ctx context.Context) error {
	defer s.rest()

	ticker := time.NewTicker(s.lease.RetryPeriod / 2)
	defer ticker.Stop()

	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-s.lease.Elected:
			return nil
		case <-ticker.C:
		}
	}
}

// look reads the lease and acts while its holder is silent. A lease that cannot be
// read says nothing: what is under way goes on, nothing is begun.
func (s *Standby) look(ctx context.Context) {
	lease, err := s.read(ctx)
	if err != nil {
		return
	}

	if !s.silence.observe(lease, time.Now()) {
		s.rest()
		return
	}

	if s.takeover == nil {
		s.takeover = s.takeOver(ctx)
		s.metrics.acting.Set(1)
		s.log.Info("Leader is silent: deregistering terminating pods in its place", "holder", s.silence.holder)
	}

	s.takeover.pass()
}

// read reads the leader's lease.
func (s *Standby) read(ctx context.Context) (*coordinationv1.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, s.lease.RetryPeriod)
	defer cancel()
	var lease coordinationv1.Lease
	return &lease, s.lease.Reader.Get(ctx, s.lease.Name, &lease)
}

// rest ends what is under way: the leader is back, or leads here.
func (s *Standby) rest() {
	if s.takeover == nil {
		return
	}

	s.takeover.end()
	s.takeover = nil
	s.metrics.acting.Set(0)
	s.log.Info("Leader is no longer stood in for")
}
