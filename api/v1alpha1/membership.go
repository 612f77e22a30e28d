// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

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
