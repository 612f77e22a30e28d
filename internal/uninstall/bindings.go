// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// page bounds the objects of one answer.
const page = 500

// letGo takes podgate's finalizer off every binding and tells which TargetGroupBindings
// are AWS Load Balancer Controller's. Left are those that could not be written; with an
// error not all were found.
func (o Options) letGo(ctx context.Context) (theirs map[types.NamespacedName]bool, left []error, err error) {
	theirs = map[types.NamespacedName]bool{}
	for _, kind := range []schema.GroupVersionKind{elbv2.GroupVersion.WithKind("TargetGroupBinding"), v1alpha1.GroupVersion.WithKind("TargetBinding")} {
		err := each(ctx, o, func() *metav1.PartialObjectMetadataList {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
			return list
		}, func(list *metav1.PartialObjectMetadataList) {
			for i := range list.Items {
				b := &list.Items[i]
				b.SetGroupVersionKind(kind)
				if controllerutil.ContainsFinalizer(b, elbv2.LBCFinalizer) {
					theirs[client.ObjectKeyFromObject(b)] = true
				}
				if err := o.release(ctx, b, v1alpha1.Finalizer); err != nil {
					left = append(left, fmt.Errorf("take the finalizer off %s %s: %w", kind.Kind, client.ObjectKeyFromObject(b), err))
				}
			}
		})
		// Without the definition there are no bindings.
		if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
			return nil, left, err
		}
	}

	return theirs, left, nil
}

// each reads objects of a kind by pages.
func each[L client.ObjectList](ctx context.Context, o Options, empty func() L, use func(L)) error {
	for next := ""; ; {
		list := empty()
		if err := o.Client.List(ctx, list, client.InNamespace(o.WatchNamespace), client.Limit(page), client.Continue(next)); err != nil {
			return fmt.Errorf("list %T: %w", list, err)
		}
		use(list)
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}

// release takes podgate's finalizer off an object, and nobody else's.
func (o Options) release(ctx context.Context, b *metav1.PartialObjectMetadata, finalizer string) error {
	if !controllerutil.ContainsFinalizer(b, finalizer) {
		return nil
	}

	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := o.Client.Get(ctx, client.ObjectKeyFromObject(b), b); err != nil {
			return err
		}
		before := b.DeepCopy()
		controllerutil.RemoveFinalizer(b, finalizer)
		// The resource version makes the patch fail when somebody else's finalizer came in between.
		return o.Client.Patch(ctx, b, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if client.IgnoreNotFound(err) != nil {
		return err
	}

	o.Log.Info("Let go of an object", "kind", b.Kind, "name", client.ObjectKeyFromObject(b))
	return nil
}
