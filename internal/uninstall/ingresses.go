// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"errors"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

// letIngressesGo takes podgate's finalizer off every Ingress. Their load balancers serve on, and whoever serves the Ingresses next
// finds them by their tags.
func (o Options) letIngressesGo(ctx context.Context) error {
	var left []error
	err := each(ctx, o, func() *metav1.PartialObjectMetadataList {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("IngressList"))
		return list
	}, func(list *metav1.PartialObjectMetadataList) {
		for i := range list.Items {
			ing := &list.Items[i]
			ing.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
			if err := o.release(ctx, ing, v1alpha1.IngressFinalizer); err != nil {
				left = append(left, fmt.Errorf("take the finalizer off Ingress %s: %w", client.ObjectKeyFromObject(ing), err))
			}
		}
	})
	// The clean-up may read Ingresses only where podgate served them.
	if err != nil && !apierrors.IsForbidden(err) {
		left = append(left, err)
	}
	return errors.Join(left...)
}
