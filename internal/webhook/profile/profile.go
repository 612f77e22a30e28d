// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package profile says which new pods the API server asks podgate about, and what for: by
// which labels as podgate is installed, and by which selectors as a cluster is configured.
// It reads nothing and answers no review; package webhook does.
package profile

import (
	"slices"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Paths at which the API server reaches the webhook.
const (
	// GatesPath is of the reviews that ask for readiness gates.
	GatesPath = "/mutate-v1-pod"
	// DrainPath is of those that ask for preStop hooks. Which pods get what is for the
	// selectors of the webhook configuration to say.
	DrainPath = "/mutate-v1-pod-drain"
)

// Enabled is the value with which a profile's label asks.
const Enabled = v1alpha1.InjectEnabled

// Profile is one entry of the webhook configuration as it is installed: a label that asks
// the webhook for something.
type Profile struct {
	// Name is the entry's.
	Name string
	// Path is what is asked for.
	Path string
	// Label asks, with the value Enabled: on a namespace for all of its pods, or OnPod.
	Label string
	OnPod bool
	// Unless are labels of the namespace by which another entry asks for the same, so that
	// no pod is reviewed twice.
	Unless []string
}

// All lists every profile, in the order of the configuration's entries. The chart renders
// the same.
func All() []Profile {
	return []Profile{
		{Name: "mpod.elbv2.k8s.aws", Path: GatesPath, Label: elbv2.InjectLabel},
		{Name: "inject.podgate.dev", Path: GatesPath, Label: v1alpha1.InjectLabel, Unless: []string{elbv2.InjectLabel}},
		{Name: "pod-inject.podgate.dev", Path: GatesPath, Label: v1alpha1.InjectLabel, OnPod: true, Unless: []string{v1alpha1.InjectLabel, elbv2.InjectLabel}},
		{Name: "drain.podgate.dev", Path: DrainPath, Label: v1alpha1.DrainLabel},
		{Name: "pod-drain.podgate.dev", Path: DrainPath, Label: v1alpha1.DrainLabel, OnPod: true, Unless: []string{v1alpha1.DrainLabel}},
	}
}

// Paths lists the paths of all profiles, each once.
func Paths() []string {
	var paths []string
	for _, p := range All() {
		if !slices.Contains(paths, p.Path) {
			paths = append(paths, p.Path)
		}
	}
	return paths
}

// Of lists the profiles of a path.
func Of(path string) []Profile {
	return slices.DeleteFunc(All(), func(p Profile) bool { return p.Path != path })
}

// asks reports whether the profile's label asks for a pod, on the pod or on its namespace.
func (p Profile) asks(namespace, pod map[string]string) bool {
	if p.OnPod {
		return pod[p.Label] == Enabled
	}
	return namespace[p.Label] == Enabled
}

// Asked reports whether labels ask for what a path is about, whatever the configuration's
// selectors say.
func Asked(path string, namespace, pod map[string]string) bool {
	return slices.ContainsFunc(Of(path), func(p Profile) bool { return p.asks(namespace, pod) })
}
