// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds podgate's own kinds. It holds types and names only: what they
// lead to is the controllers' business.
//
// +kubebuilder:object:generate=true
// +groupName=podgate.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of this package's kinds.
var GroupVersion = schema.GroupVersion{Group: "podgate.dev", Version: "v1alpha1"}

// GatePrefix and a TargetBinding's name make the condition type of its gate.
const GatePrefix = "targets.podgate.dev/"

// CheckPrefix and a ReadinessGate's name make the condition type of its gate.
const CheckPrefix = "checks.podgate.dev/"

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &TargetBinding{}, &TargetBindingList{}, &ReadinessGate{}, &ReadinessGateList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
