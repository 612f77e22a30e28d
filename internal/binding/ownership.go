// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import "github.com/podgate/podgate/api/v1alpha1"

// Ownership says which TargetGroupBindings podgate serves: registers targets for, writes
// conditions for, and injects gates for. The zero value serves none.
type Ownership string

// The ownerships that --target-group-bindings takes.
const (
	// OwnAll serves every binding.
	OwnAll Ownership = "all"
	// OwnAnnotated serves bindings that carry ManageAnnotation.
	OwnAnnotated Ownership = "annotated"
	// OwnNone serves none.
	OwnNone Ownership = "none"
)

// Serves reports whether a binding is served. One that AWS Load Balancer Controller does not
// know always is: nobody else would serve it.
func (o Ownership) Serves(b *Binding) bool {
	if !b.OfLBC {
		return true
	}
	switch o {
	case OwnAll:
		return true
	case OwnAnnotated:
		return b.Annotations[v1alpha1.ManageAnnotation] == "true"
	}
	return false
}
