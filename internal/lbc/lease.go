// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get,resourceNames=aws-load-balancer-controller-leader

const (
	// LeaseMemo is for how long one read of the lease serves all bindings.
	LeaseMemo = 2 * time.Second
	// leasePatience is how many lease durations without a renewal mean that nobody renews it.
	leasePatience = 4
	// leaseGap is the longest time between two reads that watch without a gap. What was
	// not watched, such as an outage of the API server, does not count as silence.
	leaseGap = time.Minute
	// leaseDuration is that of a lease that names none, and of one that does not exist.
	leaseDuration = 15 * time.Second
)

// life is what a lease tells of its holder.
type life int

const (
	// lifeUnknown: not watched for long enough to tell.
	lifeUnknown life = iota
	// lifeRenewed: it was seen renewed, not long ago.
	lifeRenewed
	// lifeSilent: watched for leasePatience durations and not renewed once.
	lifeSilent
)

// lease watches AWS Load Balancer Controller's lease for all bindings together. It
// goes by whether the lease changes and by this process's clock alone: the renewal's
// own time is of another machine's clock.
type lease struct {
	// reader is uncached: one small object, read only while a binding is that controller's.
	reader    client.Reader
	namespace string
	now       func() time.Time

	mu sync.Mutex
	// asked and answered are when the latest read, and the latest that was answered, began.
	asked, answered time.Time
	latest          renewal
	// since is when the latest renewal was first seen, or another sign of life.
	since time.Time
	// renewed: it was seen to change.
	renewed bool
}

// renewal is what changes when a lease is renewed; its zero value is a lease that does not exist.
type renewal struct {
	holder   string
	at       int64
	duration time.Duration
}

// life reads the lease unless it was read a moment ago.
func (l *lease) life(ctx context.Context) (life, error) {
	if known, ok := l.remembered(); ok {
		return known, nil
	}
	return l.read(ctx)
}

// remembered returns what the latest read told, also while another caller reads anew.
func (l *lease) remembered() (life, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now().Sub(l.asked) < LeaseMemo {
		return l.judge(), true
	}
	l.asked = l.now()
	return lifeUnknown, false
}

// read asks the API server.
func (l *lease) read(ctx context.Context) (life, error) {
	begun := l.now()

	var found coordinationv1.Lease
	err := l.reader.Get(ctx, types.NamespacedName{Namespace: l.namespace, Name: elbv2.LBCLease}, &found)
	if err != nil && !apierrors.IsNotFound(err) {
		return lifeUnknown, fmt.Errorf("get lease %s/%s: %w", l.namespace, elbv2.LBCLease, err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(renewalOf(&found), begun)
	return l.judge(), nil
}

func (l *lease) note(seen renewal, begun time.Time) {
	first := l.answered.IsZero()
	switch {
	case !first && seen != l.latest:
		l.since, l.renewed = begun, seen.holder != ""
	case first, begun.Sub(l.answered) > leaseGap:
		l.since, l.renewed = begun, false
	}
	l.latest, l.answered = seen, begun
}

func (l *lease) judge() life {
	switch {
	case l.answered.IsZero():
		return lifeUnknown
	case l.answered.Sub(l.since) >= leasePatience*l.latest.lasts():
		return lifeSilent
	case l.renewed:
		return lifeRenewed
	}
	return lifeUnknown
}

// signOfLife notes that the controller did something that only a living one does.
func (l *lease) signOfLife() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = l.now()
}

// exists reports whether the latest read found a lease that somebody holds.
func (l *lease) exists() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest.holder != ""
}

// poll is how long to wait before the lease is worth another look.
func (l *lease) poll() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(Poll, l.latest.lasts())
}

func renewalOf(l *coordinationv1.Lease) renewal {
	var r renewal
	if l.Spec.HolderIdentity != nil {
		r.holder = *l.Spec.HolderIdentity
	}
	if l.Spec.RenewTime != nil {
		r.at = l.Spec.RenewTime.UnixMicro()
	}
	if l.Spec.LeaseDurationSeconds != nil {
		r.duration = time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
	}
	return r
}

func (r renewal) lasts() time.Duration {
	if r.duration <= 0 {
		return leaseDuration
	}
	return r.duration
}
