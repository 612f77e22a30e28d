// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package drain says how long a pod must go on serving after its deletion has begun, so
// that it ends only when its load balancer sends it nothing any more. It is pure, and it
// refuses to be optimistic: where a group is not known yet, its slowest kind counts.
package drain

import (
	"fmt"
	"time"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// What a drain consists of.
const (
	// Deregister is the longest from a pod's deletion until its deregistration is accepted,
	// when the leader dies at the same moment and a standby has to notice.
	Deregister = 5 * time.Second
	// DataPathALB is for how long an Application Load Balancer starts new requests at a
	// target that says draining: 17 s were seen (kubernetes-sigs/aws-load-balancer-controller#2366).
	DataPathALB = 20 * time.Second
	// DataPathNLB is the same of a Network Load Balancer and new connections: some 120 s were
	// seen, whatever the deregistration delay (same issue).
	DataPathNLB = 120 * time.Second
	// MaxInFlight bounds what is waited for requests that began last. The application's own
	// grace period, which stays as it was, comes after it.
	MaxInFlight = 30 * time.Second
	// MinTime and MaxTime bound what an annotation may ask for.
	MinTime = time.Second
	MaxTime = time.Hour
)

// Need is what a target needs after its deregistration was accepted.
type Need struct {
	// Routing is for how long the load balancer may still begin requests there.
	Routing time.Duration
	// InFlight is for how long the last of them may take.
	InFlight time.Duration
}

// Time is how long a pod serves on after its deletion has begun.
func (n Need) Time() time.Duration { return Deregister + n.Routing + n.InFlight }

// Routed is for how long of that it may get new requests; those that began last have the rest.
func (n Need) Routed() time.Duration { return Deregister + n.Routing }

// within is a need whose time somebody has set.
func (n Need) within(all time.Duration) Need {
	after := max(all-Deregister, 0)
	routing := min(n.Routing, after)
	return Need{Routing: routing, InFlight: after - routing}
}

// group is what a target group of a protocol, empty when it is not known, needs. Requests
// that are under way when the load balancer sends the last one get what the
// group's deregistration delay leaves them, up to MaxInFlight: what takes longer than the
// delay the load balancer cuts anyway.
func group(protocol string, deregistrationDelay time.Duration) Need {
	return Need{Routing: dataPath(protocol), InFlight: min(deregistrationDelay, MaxInFlight)}
}

// unresolved is what a group may need that nobody has resolved yet.
func unresolved(protocol string) Need { return group(protocol, MaxInFlight) }

func dataPath(protocol string) time.Duration {
	switch protocol {
	case "HTTP", "HTTPS":
		return DataPathALB
	default:
		return DataPathNLB
	}
}

// Of is how long pods serve on for a binding: what its annotation says, be it that podgate's
// recommendation counts, else what its published group needs, else the most that a group of the manifest's protocol may need.
func Of(b *elbv2.TargetGroupBinding) time.Duration { return termsOf(b).time() }

// NeedOf is the same by its parts.
func NeedOf(b *elbv2.TargetGroupBinding) Need { return termsOf(b).need() }

func computed(b *elbv2.TargetGroupBinding) Need {
	if p, ok := b.Published(); ok {
		return group(p.Protocol, time.Duration(p.DeregistrationDelaySeconds)*time.Second)
	}
	if b.Spec.TargetGroupProtocol != nil {
		return unresolved(*b.Spec.TargetGroupProtocol)
	}
	return unresolved("")
}

// OfOwn is Of for podgate's own kind. HAProxy sends a server that drains only
// requests that insist on it, and those for as long as the binding says.
func OfOwn(b *v1alpha1.TargetBinding) time.Duration { return termsOfOwn(b).time() }

// NeedOfOwn is the same by its parts.
func NeedOfOwn(b *v1alpha1.TargetBinding) Need { return termsOfOwn(b).need() }

func computedOwn(b *v1alpha1.TargetBinding) Need {
	switch g := b.Status.Group; {
	case b.Spec.HAProxy != nil:
		return Need{Routing: time.Duration(b.Spec.HAProxy.DrainSeconds) * time.Second, InFlight: MaxInFlight}
	case g != nil && g.ID == b.GroupID():
		return group(g.Protocol, time.Duration(g.DrainSeconds)*time.Second)
	}
	return unresolved("")
}

// Parse reads the annotation by which a binding's owner says how long its pods serve on.
func Parse(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < MinTime || d > MaxTime {
		return 0, fmt.Errorf("not a duration from %s to %s such as 45s", MinTime, MaxTime)
	}
	return d, nil
}
