// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1beta1 holds the kinds TargetGroupBinding and IngressClassParams as AWS Load
// Balancer Controller defines them, so that a manifest written for that controller applies
// unchanged. It adds no field: what is podgate's own is an annotation.
//
// +kubebuilder:object:generate=true
// +groupName=elbv2.k8s.aws
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of these kinds.
var GroupVersion = schema.GroupVersion{Group: "elbv2.k8s.aws", Version: "v1beta1"}

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &TargetGroupBinding{}, &TargetGroupBindingList{}, &IngressClassParams{}, &IngressClassParamsList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
