// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"slices"
	"strings"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

// OfLegacy is the kind of the gates that the ALB ingress controller v1 had. People wrote them into their manifests, and
// nobody adds one.
type OfLegacy struct{}

// Owns implements Kind.
func (OfLegacy) Owns(conditionType string) bool {
	name, found := strings.CutPrefix(conditionType, elbv2.LegacyGatePrefix)
	return found && name != ""
}

// Wanted implements Kind: no pod should have one.
func (OfLegacy) Wanted(Pod, Candidates) map[string]Cause { return nil }

// Named returns those of a namespace's bindings that a gate is about. The labels of a group of Ingresses do not say of which
// of them a binding is: all of the Service and port count, unless one is labelled as this Ingress's own and stays.
func (OfLegacy) Named(conditionType string, all []*binding.Binding) []*binding.Binding {
	ingress, service, port, ofIngress := elbv2.LegacyBackend(conditionType)
	var own, shared []*binding.Binding
	for _, b := range all {
		switch {
		case !b.OfLBC:
		case conditionType == elbv2.LegacyAnyGate:
			own = append(own, b)
		case !ofIngress || b.ServiceRef.Name != service || b.ServiceRef.Port.String() != port:
		case b.Labels[elbv2.IngressNameLabel] == ingress && b.Labels[elbv2.IngressNamespaceLabel] == b.Namespace:
			own = append(own, b)
		case b.Labels[elbv2.IngressGroupLabel] != "":
			shared = append(shared, b)
		}
	}

	if slices.ContainsFunc(own, func(b *binding.Binding) bool { return b.DeletionTimestamp.IsZero() }) {
		return own
	}
	return append(own, shared...)
}

// asks reports whether one of the pod's gates already asks the load balancer of a binding, though it is not the binding's own.
func (k OfLegacy) asks(pod Pod, b *binding.Binding) bool {
	return slices.ContainsFunc(pod.Gates, func(g string) bool {
		return k.Owns(g) && len(k.Named(g, []*binding.Binding{b})) > 0
	})
}
