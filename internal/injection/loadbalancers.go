// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"cmp"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/binding"
)

// OfLoadBalancers is the kind of gates of which a pod has one for all of its groups of a kind of
// load balancer.
type OfLoadBalancers struct{}

// Owns implements Kind.
func (OfLoadBalancers) Owns(conditionType string) bool { return binding.SharedGate(conditionType) }

// Wanted implements Kind: one gate for all bindings that share it and make targets of the pod. It
// is for the sake of the one that has asked for it longest.
func (OfLoadBalancers) Wanted(pod Pod, c Candidates) map[string]Cause {
	wanted := map[string]Cause{}
	for _, b := range c.Claiming(pod) {
		if !b.SharesGate() {
			continue
		}
		if other := wanted[b.Gate()].Binding; other == nil || c.asksBefore(pod, b, other) {
			wanted[b.Gate()] = Cause{Binding: b}
		}
	}
	return wanted
}

// asksBefore reports whether a binding asked for a gate before another did. One whose port the pod
// lacks asks for none in the end, so it comes last.
func (c Candidates) asksBefore(pod Pod, b, other *binding.Binding) bool {
	if lacks := c.lacksPort(pod, b); lacks != c.lacksPort(pod, other) {
		return !lacks
	}
	return cmp.Or(c.since(b).Compare(c.since(other)), strings.Compare(b.Key().Name, other.Key().Name)) < 0
}

// since is when both a binding and its Service were there.
func (c Candidates) since(b *binding.Binding) time.Time {
	since := b.CreationTimestamp.Time
	if svc := c.service(b); svc != nil && svc.CreationTimestamp.After(since) {
		return svc.CreationTimestamp.Time
	}
	return since
}
