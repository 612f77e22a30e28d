// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package profile says which new pods the API server asks podgate about, and what for: by
// which labels as podgate is installed, and by which selectors as a cluster is configured.
// It reads nothing and answers no review; package webhook does.
package profile

import (
	"slices"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Paths at which the API server reaches the webhook. Which pods get what is for the
// selectors of the webhook configuration to say.
const (
	// GatesPath is of the reviews that ask for readiness gates, but for those that have a path,
	// and so a label, of their own: a label of one controller asks for no gate of another's.
	GatesPath = "/mutate-v1-pod"
	// AllGatesPath is of those that ask for every readiness gate.
	AllGatesPath = "/mutate-v1-pod-all"
	// DrainPath is of those that ask for preStop hooks.
	DrainPath = "/mutate-v1-pod-drain"
)

// GatePath is the path of the reviews that ask for the gate of one condition type alone.
func GatePath(conditionType string) string { return GatesPath + "/" + conditionType }

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
	// Switched: the process answers only where it was told to; pods pass unchanged otherwise.
	Switched bool
}

// All lists every profile, in the order of the configuration's entries. The chart renders
// the same.
func All() []Profile {
	return []Profile{
		{Name: "mpod.elbv2.k8s.aws", Path: GatesPath, Label: elbv2.InjectLabel, Unless: []string{v1alpha1.InjectLabel}},
		{Name: gwc.Webhook, Path: GatePath(gwc.Gate), Label: gwc.InjectLabel, Unless: []string{v1alpha1.InjectLabel}, Switched: true},
		{Name: "inject.podgate.dev", Path: AllGatesPath, Label: v1alpha1.InjectLabel},
		{Name: "pod-inject.podgate.dev", Path: AllGatesPath, Label: v1alpha1.InjectLabel, OnPod: true, Unless: []string{v1alpha1.InjectLabel}},
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

// Switched lists the profiles that the process answers only where it was told to.
func Switched() []Profile {
	return slices.DeleteFunc(All(), func(p Profile) bool { return !p.Switched })
}

// AsksForGate reports whether a review at a path asks for the gate of a condition type.
func AsksForGate(path, conditionType string) bool {
	own := GatePath(conditionType)
	switch path {
	case AllGatesPath, own:
		return true
	case GatesPath:
		return !slices.Contains(Paths(), own)
	}
	return false
}

// AsksForGates reports whether a review at a path asks for any gate.
func AsksForGates(path string) bool { return path != DrainPath && slices.Contains(Paths(), path) }

// Asking lists the labels of namespaces that ask for the gate of a condition type.
func Asking(conditionType string) []string {
	var labels []string
	for _, p := range All() {
		if !p.OnPod && AsksForGate(p.Path, conditionType) {
			labels = append(labels, p.Label)
		}
	}
	return labels
}
