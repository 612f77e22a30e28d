// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package profile

import (
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Coverage is which pods the API server shows to the webhook by an entry of its
// configuration, and at which path.
type Coverage struct {
	path             string
	namespaces, pods labels.Selector
}

// coverage is that of a profile, without the namespaces of which another entry takes care.
func (p Profile) coverage() Coverage {
	labelled := labels.SelectorFromSet(labels.Set{p.Label: Enabled})
	if p.OnPod {
		return Coverage{p.Path, labels.Everything(), labelled}
	}
	return Coverage{p.Path, labelled, labels.Everything()}
}

// Labelled is what the labels ask for, whatever a configuration's selectors say.
func Labelled() []Coverage {
	var asked []Coverage
	for _, p := range All() {
		asked = append(asked, p.coverage())
	}
	return asked
}

// CoverageOf reads the selectors of a configuration's entries; for a path of which it has
// none, they are what the labels ask for.
func CoverageOf(c *admissionv1.MutatingWebhookConfiguration) ([]Coverage, error) {
	entries, err := Entries(c)
	if err != nil {
		return nil, err
	}

	configured := Of(entries)
	for _, asked := range Labelled() {
		if !slices.Contains(configured, asked.path) {
			entries = append(entries, asked)
		}
	}

	return entries, nil
}

// Of lists the paths of entries.
func Of(entries []Coverage) []string {
	var paths []string
	for _, e := range entries {
		paths = append(paths, e.path)
	}
	return paths
}

// Entries reads the selectors of a configuration's entries, those of podgate's paths.
func Entries(c *admissionv1.MutatingWebhookConfiguration) ([]Coverage, error) {
	var entries []Coverage
	for _, w := range c.Webhooks {
		path := PathOf(&w)
		if path == "" {
			continue
		}

		namespaces, err := selector(w.NamespaceSelector)
		if err != nil {
			return nil, fmt.Errorf("namespaceSelector of %s: %w", w.Name, err)
		}

		pods, err := selector(w.ObjectSelector)
		if err != nil {
			return nil, fmt.Errorf("objectSelector of %s: %w", w.Name, err)
		}

		entries = append(entries, Coverage{path, namespaces, pods})
	}

	return entries, nil
}

// PathOf is which of podgate's paths an entry of a configuration asks at; empty when none.
func PathOf(w *admissionv1.MutatingWebhook) string {
	s := w.ClientConfig.Service
	if s == nil || s.Path == nil || !slices.Contains(Paths(), *s.Path) {
		return ""
	}
	return *s.Path
}

// Reviews are the paths at which the API server asks the webhook about a pod.
type Reviews []string

// ReviewsOf are those by which entries show a pod to the webhook, by its labels and its
// namespace's.
func ReviewsOf(entries []Coverage, namespace, pod map[string]string) Reviews {
	var reviews Reviews
	for _, e := range entries {
		if e.namespaces.Matches(labels.Set(namespace)) && e.pods.Matches(labels.Set(pod)) {
			reviews = append(reviews, e.path)
		}
	}
	return reviews
}

// Without returns the reviews but for those at the paths, which are switched off.
func (r Reviews) Without(off []string) Reviews {
	return slices.DeleteFunc(slices.Clone(r), func(path string) bool { return slices.Contains(off, path) })
}

// Hooks reports whether preStop hooks are asked for.
func (r Reviews) Hooks() bool { return slices.Contains(r, DrainPath) }

// Gates reports whether any gate is asked for.
func (r Reviews) Gates() bool { return slices.ContainsFunc(r, AsksForGates) }

// Gate reports whether the gate of a condition type is asked for.
func (r Reviews) Gate(conditionType string) bool {
	return slices.ContainsFunc(r, func(path string) bool { return AsksForGate(path, conditionType) })
}

// Alike reports whether by two configurations the webhook is asked the same about all pods.
func Alike(a, b *admissionv1.MutatingWebhookConfiguration) bool {
	before, err := CoverageOf(a)
	if err != nil {
		return false
	}

	after, err := CoverageOf(b)
	return err == nil && slices.EqualFunc(before, after, func(x, y Coverage) bool {
		return x.path == y.path && x.namespaces.String() == y.namespaces.String() && x.pods.String() == y.pods.String()
	})
}

// selector is one as admission reads it: none selects everything.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}
