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

// Coverage is which pods the API server shows to the webhook by an entry of its configuration.
type Coverage struct{ namespaces, pods labels.Selector }

// coverage is that of a profile, without the namespaces of which another entry takes care.
func (p Profile) coverage() Coverage {
	labelled := labels.SelectorFromSet(labels.Set{p.Label: Enabled})
	if p.OnPod {
		return Coverage{namespaces: labels.Everything(), pods: labelled}
	}
	return Coverage{namespaces: labelled, pods: labels.Everything()}
}

// CoverageOf reads the selectors of a configuration's entries with a path; where it has
// none, they are what the labels ask for.
func CoverageOf(c *admissionv1.MutatingWebhookConfiguration, path string) ([]Coverage, error) {
	entries, err := Entries(c, path)
	if err != nil || entries != nil {
		return entries, err
	}

	var asked []Coverage
	for _, p := range Of(path) {
		asked = append(asked, p.coverage())
	}
	return asked, nil
}

// Entries reads the selectors of the entries with a path; nil when there is none.
func Entries(c *admissionv1.MutatingWebhookConfiguration, path string) ([]Coverage, error) {
	var entries []Coverage
	for _, w := range c.Webhooks {
		if w.ClientConfig.Service == nil || w.ClientConfig.Service.Path == nil || *w.ClientConfig.Service.Path != path {
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

		entries = append(entries, Coverage{namespaces, pods})
	}

	return entries, nil
}

// Covers reports whether one of the entries shows a pod to the webhook, by its labels and
// its namespace's.
func Covers(entries []Coverage, namespace, pod map[string]string) bool {
	return slices.ContainsFunc(entries, func(e Coverage) bool {
		return e.namespaces.Matches(labels.Set(namespace)) && e.pods.Matches(labels.Set(pod))
	})
}

// Alike reports whether by two configurations the webhook is asked about the same pods.
func Alike(a, b *admissionv1.MutatingWebhookConfiguration, path string) bool {
	before, errA := CoverageOf(a, path)
	after, errB := CoverageOf(b, path)
	return errA == nil && errB == nil && slices.EqualFunc(before, after, func(x, y Coverage) bool {
		return x.namespaces.String() == y.namespaces.String() && x.pods.String() == y.pods.String()
	})
}

// selector is one as admission reads it: none selects everything.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}
