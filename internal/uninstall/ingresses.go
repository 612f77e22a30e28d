// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// letIngressesGo takes podgate's finalizer off every Ingress. Their load balancers serve on, and whoever serves the Ingresses next
// finds them by their tags.
func (o Options) letIngressesGo(ctx context.Context) error {
	kind := networkingv1.SchemeGroupVersion.WithKind("Ingress")
	return o.letAllGo(ctx, kind, func(*metav1.PartialObjectMetadata) string { return v1alpha1.IngressFinalizer })
}

// letServicesGo does the same with Services of which podgate may have something: others have the same finalizer of AWS Load
// Balancer Controller.
func (o Options) letServicesGo(ctx context.Context) error {
	return o.letAllGo(ctx, corev1.SchemeGroupVersion.WithKind("Service"), func(of *metav1.PartialObjectMetadata) string {
		if _, ours := of.Annotations[v1alpha1.StacksAnnotation]; ours {
			return elbv2.LBCServiceFinalizer
		}
		return ""
	})
}

// letGatewaysGo does the same with Gateways, which a cluster may not know.
func (o Options) letGatewaysGo(ctx context.Context) error {
	kind := schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}
	return o.letAllGo(ctx, kind, func(*metav1.PartialObjectMetadata) string { return v1alpha1.GatewayFinalizer })
}

// letAllGo takes a finalizer off every object of a kind.
func (o Options) letAllGo(ctx context.Context, kind schema.GroupVersionKind, finalizer func(*metav1.PartialObjectMetadata) string) error {
	var left []error
	err := each(ctx, o, func() *metav1.PartialObjectMetadataList {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		return list
	}, func(list *metav1.PartialObjectMetadataList) {
		for i := range list.Items {
			of := &list.Items[i]
			of.SetGroupVersionKind(kind)
			if err := o.release(ctx, of, finalizer(of)); err != nil {
				left = append(left, fmt.Errorf("take the finalizer off %s %s: %w", kind.Kind, client.ObjectKeyFromObject(of), err))
			}
		}
	})
	// The clean-up may read these only where podgate made load balancers of them.
	if err != nil && !apierrors.IsForbidden(err) && !meta.IsNoMatchError(err) {
		left = append(left, err)
	}
	return errors.Join(left...)
}
