// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"slices"
	"strings"
)

// ID names the backend at its instances: who uses the same backend of the same
// instances uses the same group, except that those who only observe it have one of
// their own.
func (h HAProxy) ID(observed bool) string {
	instances := slices.Sorted(slices.Values(h.Instances))
	id := h.Backend + "@" + strings.Join(slices.Compact(instances), ",")
	if observed {
		return id + " (observed)"
	}
	return id
}

// Claims lists what no two bindings may have podgate register targets in: a backend at
// each of its instances, or the target group. Who only observes claims nothing.
func (b *TargetBinding) Claims() []string {
	switch {
	case b.External():
		return nil
	case b.Spec.HAProxy != nil:
		return b.Spec.HAProxy.claims()
	case b.GroupID() != "":
		return []string{b.GroupID()}
	}
	return nil
}

// Claim is a backend at one instance, whose spelling counts.
func Claim(backend, instance string) string { return backend + "@" + instance }

func (h HAProxy) claims() []string {
	claims := make([]string, 0, len(h.Instances))
	for _, instance := range h.Instances {
		claims = append(claims, Claim(h.Backend, instance))
	}
	slices.Sort(claims)
	return slices.Compact(claims)
}

// External reports whether somebody else registers the targets.
func (b *TargetBinding) External() bool { return b.Spec.Membership == MembershipExternal }

// WokenBy is how somebody else who registers the targets is woken; empty when nobody is to be.
func (b *TargetBinding) WokenBy() Wake {
	switch {
	case !b.External() || b.Spec.ELBv2 == nil:
		return ""
	case b.Spec.Wake == "":
		return WakeGate
	}
	return b.Spec.Wake
}

// Group is the target group's ARN as far as the manifest or what was resolved tells it, or
// else its name; empty of other providers.
func (b *TargetBinding) Group() string {
	if b.Spec.ELBv2 == nil {
		return ""
	}
	if id := b.GroupID(); id != "" {
		return id
	}
	return b.Spec.ELBv2.TargetGroupName
}

// GroupID is the provider's identifier of the binding's group: what the manifest says,
// or else what was resolved; empty when neither has said it.
func (b *TargetBinding) GroupID() string {
	switch {
	case b.Spec.HAProxy != nil:
		return b.Spec.HAProxy.ID(b.External())
	case b.Spec.ELBv2 != nil && b.Spec.ELBv2.TargetGroupARN != "":
		return b.Spec.ELBv2.TargetGroupARN
	case b.Status.Group != nil:
		return b.Status.Group.ID
	}
	return ""
}
