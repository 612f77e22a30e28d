// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// allowed tells what bindings and Ingresses may name, by the labels of their namespace; nil when they may
// name everything.
func allowed(r client.Reader, c Config) func(ctx context.Context, namespace string, things []string) (string, error) {
	if len(c.AllowTargets) == 0 {
		return nil
	}

	of := labels(r, c)
	return func(ctx context.Context, namespace string, things []string) (string, error) {
		has, err := of(ctx, namespace)
		if err != nil {
			return "", err
		}
		return c.AllowTargets.Refused(has, things), nil
	}
}

// labels returns the labels of namespaces. A podgate of one namespace may not read it, and knows its name.
func labels(r client.Reader, c Config) func(ctx context.Context, namespace string) (map[string]string, error) {
	return func(ctx context.Context, namespace string) (map[string]string, error) {
		if c.WatchNamespace != "" {
			return map[string]string{corev1.LabelMetadataName: namespace}, nil
		}
		ns := &metav1.PartialObjectMetadata{}
		ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := r.Get(ctx, types.NamespacedName{Name: namespace}, ns); err != nil {
			return nil, err
		}
		return ns.Labels, nil
	}
}
