// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

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

// Serves reports whether a binding is served. A TargetBinding always is: it is podgate's own.
func (o Ownership) Serves(b client.Object) bool {
	if _, own := b.(*v1alpha1.TargetBinding); own {
		return true
	}
	switch o {
	case OwnAll:
		return true
	case OwnAnnotated:
		return b.GetAnnotations()[v1alpha1.ManageAnnotation] == "true"
	}
	return false
}
