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

// allowed tells what bindings may name, by the labels of their namespace; nil when they may
// name everything. A podgate of one namespace may not read it, and knows its name.
func allowed(r client.Reader, c Config) func(ctx context.Context, namespace string, things []string) (string, error) {
	if len(c.AllowTargets) == 0 {
		return nil
	}

	return func(ctx context.Context, namespace string, things []string) (string, error) {
		if c.WatchNamespace != "" {
			return c.AllowTargets.Refused(map[string]string{corev1.LabelMetadataName: namespace}, things), nil
		}
		ns := &metav1.PartialObjectMetadata{}
		ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := r.Get(ctx, types.NamespacedName{Name: namespace}, ns); err != nil {
			return "", err
		}
		return c.AllowTargets.Refused(ns.Labels, things), nil
	}
}
