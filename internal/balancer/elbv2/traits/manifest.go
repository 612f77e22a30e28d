// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	lbc "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// manifest reads both kinds of objects that bind target groups: AWS Load Balancer
// Controller's and podgate's own.
func manifest(o any) (balancer.Manifest, bool) {
	switch o := o.(type) {
	case *lbc.TargetGroupBinding:
		return balancer.Manifest{Group: foreign(o.Spec)}, true
	case *v1alpha1.TargetBinding:
		if e := o.Spec.ELBv2; e != nil {
			ref := balancer.Ref{Group: e.TargetGroupARN, Region: e.Region, RoleARN: e.RoleARN, ExternalID: e.ExternalID}
			return balancer.Manifest{Group: balancer.Group{Ref: ref, Name: e.TargetGroupName}}, true
		}
	}
	return balancer.Manifest{}, false
}

// foreign returns what AWS Load Balancer Controller's kind says of a group.
func foreign(spec lbc.TargetGroupBindingSpec) balancer.Group {
	g := balancer.Group{
		Ref:  balancer.Ref{Group: spec.TargetGroupARN, RoleARN: spec.IamRoleArnToAssume, ExternalID: spec.AssumeRoleExternalId},
		Name: spec.TargetGroupName,
	}
	if t := spec.TargetType; t != nil {
		g.TargetType = string(*t)
	}
	if f := spec.IPAddressType; f != nil {
		g.IPAddressType = *f
	}
	if p := spec.TargetGroupProtocol; p != nil {
		g.Protocol = *p
	}
	return g
}
