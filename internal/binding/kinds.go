// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// From returns the Binding that an object says; nil when objects of its kind say none.
func From(o client.Object) *Binding {
	switch o := o.(type) {
	case *elbv2.TargetGroupBinding:
		return Of(o)
	case *v1alpha1.TargetBinding:
		return OfOwn(o)
	}
	return nil
}
