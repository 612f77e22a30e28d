// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// coverage is which pods the API server shows to the webhook by an entry of its configuration.
type coverage struct{ namespaces, pods labels.Selector }

// unconfigured is what asks for gates where no entry tells.
var unconfigured = []coverage{
	{labels.SelectorFromSet(labels.Set{elbv2.InjectLabel: elbv2.InjectEnabled}), labels.Everything()},
	{labels.SelectorFromSet(labels.Set{elbv2.PodgateInjectLabel: elbv2.InjectEnabled}), labels.Everything()},
	{labels.Everything(), labels.SelectorFromSet(labels.Set{elbv2.PodgateInjectLabel: elbv2.InjectEnabled})},
}

// covered tells whether the webhook is asked about a pod, by its configuration as it is:
// people edit its selectors, and what they leave out they know of.
func (r *Reconciler) covered(ctx context.Context, pod *corev1.Pod) (bool, error) {
	ns := namespaceOf()
	if err := r.asked.Get(ctx, types.NamespacedName{Name: pod.Namespace}, ns); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	var c admissionv1.MutatingWebhookConfiguration
	if err := r.asked.Get(ctx, types.NamespacedName{Name: r.configuration}, &c); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("get webhook configuration: %w", err)
	}
	entries, err := coverageOf(&c, r.path)
	return slices.ContainsFunc(entries, func(e coverage) bool {
		return e.namespaces.Matches(labels.Set(ns.Labels)) && e.pods.Matches(labels.Set(pod.Labels))
	}), err
}

// coverageOf reads the selectors of the entries that ask for gates, those with the path.
func coverageOf(c *admissionv1.MutatingWebhookConfiguration, path string) ([]coverage, error) {
	var entries []coverage
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
		entries = append(entries, coverage{namespaces, pods})
	}
	if entries == nil {
		return unconfigured, nil
	}
	return entries, nil
}

// selector is one as admission reads it: none selects everything.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}

// alike tells whether by two configurations the webhook is asked about the same pods.
func alike(a, b *admissionv1.MutatingWebhookConfiguration, path string) bool {
	before, errA := coverageOf(a, path)
	after, errB := coverageOf(b, path)
	return errA == nil && errB == nil && slices.EqualFunc(before, after, func(x, y coverage) bool {
		return x.namespaces.String() == y.namespaces.String() && x.pods.String() == y.pods.String()
	})
}
