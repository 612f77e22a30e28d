// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// origin is where a gate's answer comes from, found anew at every evaluation.
type origin struct {
	claim   gate.Claim
	trouble string
	group   balancer.Group
	ref     balancer.Ref
	target  gate.Target
	// service is the binding's, where it is claimed.
	service *corev1.Service
	policy  gate.Policy
	// foreign: another controller writes this gate, or may: whose it is is not known yet.
	foreign bool
}

func (o origin) watched() bool { return o.claim == gate.Claimed }

// source finds the binding, its policies, its group, and the target of one gate.
func (r *Reconciler) source(ctx context.Context, e *evaluation, name string) (origin, error) {
	key := types.NamespacedName{Namespace: e.pod.Namespace, Name: name}
	b, err := binding.Get(ctx, r.client, key)
	if err != nil && !apierrors.IsNotFound(err) {
		return origin{}, fmt.Errorf("get binding: %w", err)
	}

	o := origin{claim: gate.Unclaimed}
	if err == nil {
		if o, err = r.claim(ctx, e.pod, b); err != nil {
			return origin{}, err
		}
	}

	// What a policy says wrongly is told on the binding.
	settings, _ := b.Settings()
	o.policy = settings.Gate
	o.policy.OrphanGrace = r.orphanGrace
	return o, nil
}

// claim tells how a binding stands to a pod.
func (r *Reconciler) claim(ctx context.Context, pod *corev1.Pod, b *binding.Binding) (origin, error) {
	res, known := r.registry.Get(b.Key())
	if !known || res.Foreign {
		return origin{foreign: true}, nil
	}
	c, err := b.Claim(ctx, r.client, pod, res)
	return origin{claim: c.Kind, trouble: c.Trouble, group: c.Group, ref: c.Group.Ref, target: c.Target, service: c.Service}, err
}

// interest is that of a pod in the origin's target; the observer reads fast while the pod waits.
func (o origin) interest(pod types.NamespacedName, waiting bool) observe.Interest {
	return observe.Interest{Group: o.group, Pod: pod, Target: o.target, Waiting: waiting, Follow: o.policy.Mode == gate.Track}
}

// feed adds what was observed, and the pod's address.
func (r *Reconciler) feed(e *evaluation, gateType string, o origin, facts gate.Pod, current gate.Condition) gate.Feed {
	f := gate.Feed{Claim: o.claim, Trouble: o.trouble, Proven: e.proven.Gates[gateType]}
	f.UnclaimedSince = r.unclaimedSince(gateKey{pod: e.key, gate: gateType}, e, o.claim == gate.Unclaimed)
	if o.claim != gate.Claimed {
		f.Addr = address(e.pod, f.Proven)
		return f
	}

	f.Addr = o.target.Addr
	e.refs = append(e.refs, o.ref)
	s := r.observer.Watch(o.interest(e.key, facts.ContainersReady && current.Status != gate.StatusTrue))
	f.ReadAt, f.FailingSince = s.ReadAt, s.FailingSince
	f.Placed = s.PlacedFor == e.pod.UID
	f.Observed, f.Present, f.Health, f.SeenOtherwise = s.Observed, s.Present, s.Health, s.SeenOtherwise
	f.Detection = o.group.DetectionTime()
	if !f.Present {
		f.Health = balancer.Absent()
	}

	if s.Err != nil && !s.Observed {
		f.Trouble = "The target group cannot be read: " + balancer.Message(s.Err)
	}

	return f
}

// unclaimedSince remembers since when a pod's gate has no binding.
func (r *Reconciler) unclaimedSince(key gateKey, e *evaluation, missing bool) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !missing {
		delete(r.unclaimed, key)
		return time.Time{}
	}
	seen, known := r.unclaimed[key]
	if !known || seen.uid != e.pod.UID {
		seen = absence{uid: e.pod.UID, since: e.now}
		r.unclaimed[key] = seen
	}
	return seen.since
}

// address is the pod's: the one at which a gate was proven as long as the pod has
// it, else its first. A pod may have one address of each family.
func address(pod *corev1.Pod, proven netip.Addr) netip.Addr {
	for _, ip := range pod.Status.PodIPs {
		if addr, err := netip.ParseAddr(ip.IP); err == nil && addr.Unmap() == proven {
			return proven
		}
	}
	addr, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}
