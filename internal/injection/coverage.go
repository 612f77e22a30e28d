// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Coverage is which pods the API server shows to the webhook by an entry of its configuration.
type Coverage struct{ namespaces, pods labels.Selector }

// unconfigured is what asks for gates where no entry tells.
var unconfigured = []Coverage{
	{labels.SelectorFromSet(labels.Set{elbv2.InjectLabel: elbv2.InjectEnabled}), labels.Everything()},
	{labels.SelectorFromSet(labels.Set{v1alpha1.InjectLabel: elbv2.InjectEnabled}), labels.Everything()},
	{labels.Everything(), labels.SelectorFromSet(labels.Set{v1alpha1.InjectLabel: elbv2.InjectEnabled})},
}

// undrained is what asks for preStop hooks where no entry tells.
var undrained = []Coverage{
	{labels.SelectorFromSet(labels.Set{v1alpha1.DrainLabel: v1alpha1.DrainEnabled}), labels.Everything()},
	{labels.Everything(), labels.SelectorFromSet(labels.Set{v1alpha1.DrainLabel: v1alpha1.DrainEnabled})},
}

// CoverageOf reads the selectors of the entries that ask for gates, those with the path;
// where no entry tells, what the labels ask for.
func CoverageOf(c *admissionv1.MutatingWebhookConfiguration, path string) ([]Coverage, error) {
	entries, err := Entries(c, path)
	if err != nil {
		return nil, err
	}
	if entries == nil {
		return unconfigured, nil
	}
	return entries, nil
}

// DrainCoverageOf is the same of the entries that ask for preStop hooks.
func DrainCoverageOf(c *admissionv1.MutatingWebhookConfiguration, path string) ([]Coverage, error) {
	entries, err := Entries(c, path)
	if err != nil || entries != nil {
		return entries, err
	}
	return undrained, nil
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

// selector is one as admission reads it: none selects everything.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}

// Alike reports whether by two configurations the webhook is asked about the same pods.
func Alike(a, b *admissionv1.MutatingWebhookConfiguration, path string) bool {
	before, errA := CoverageOf(a, path)
	after, errB := CoverageOf(b, path)
	return errA == nil && errB == nil && slices.EqualFunc(before, after, func(x, y Coverage) bool {
		return x.namespaces.String() == y.namespaces.String() && x.pods.String() == y.pods.String()
	})
}
