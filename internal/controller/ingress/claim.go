// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/lbc"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// stacksOf are the stacks that may have something of an Ingress. Of one that lost the annotation it is that which it asks for.
func stacksOf(ing *networkingv1.Ingress) []string {
	if !controllerutil.ContainsFinalizer(ing, v1alpha1.IngressFinalizer) {
		return nil
	}
	stacks := strings.FieldsFunc(ing.Annotations[v1alpha1.StacksAnnotation], func(r rune) bool { return r == ',' })
	if len(stacks) == 0 {
		stacks = []string{routes.StackOf(keyOf(ing, ing.Annotations[groupAnnotation]))}
	}
	return stacks
}

// holds reports whether a group's stack may have something of an Ingress.
func holds(group Key, ing *networkingv1.Ingress) bool {
	return slices.Contains(stacksOf(ing), routes.StackOf(group))
}

// claim notes on an Ingress, before the first call to AWS, that a group's stack may have something of it. Finalizers of AWS
// Load Balancer Controller go in the same write where it is taken over, so that there is always one.
func claim(ctx context.Context, c client.Writer, ing *networkingv1.Ingress, group Key, takeOver bool) error {
	stacks := stacksOf(ing)
	theirs := lbc.IngressFinalizers(ing)
	noted := ing.Annotations[v1alpha1.StacksAnnotation] == strings.Join(stacks, ",")
	if slices.Contains(stacks, routes.StackOf(group)) && noted && (!takeOver || theirs == nil) {
		return nil
	}

	if !slices.Contains(stacks, routes.StackOf(group)) {
		stacks = append(stacks, routes.StackOf(group))
	}
	return patch(ctx, c, ing, func() {
		mark(ing, stacks)
		if takeOver {
			drop(ing, theirs...)
		}
	})
}

// letGo notes that a group's stack has nothing of an Ingress any more. The last one takes the finalizer off.
func letGo(ctx context.Context, c client.Writer, ing *networkingv1.Ingress, group Key, takenOver bool) error {
	stacks := slices.DeleteFunc(stacksOf(ing), func(stack string) bool { return stack == routes.StackOf(group) })
	err := patch(ctx, c, ing, func() {
		mark(ing, stacks)
		if takenOver {
			drop(ing, lbc.IngressFinalizers(ing)...)
		}
	})
	return client.IgnoreNotFound(err)
}

func mark(ing *networkingv1.Ingress, stacks []string) {
	if len(stacks) == 0 {
		controllerutil.RemoveFinalizer(ing, v1alpha1.IngressFinalizer)
		delete(ing.Annotations, v1alpha1.StacksAnnotation)
		return
	}
	controllerutil.AddFinalizer(ing, v1alpha1.IngressFinalizer)
	metav1.SetMetaDataAnnotation(&ing.ObjectMeta, v1alpha1.StacksAnnotation, strings.Join(stacks, ","))
}

func drop(ing *networkingv1.Ingress, finalizers ...string) {
	for _, f := range finalizers {
		controllerutil.RemoveFinalizer(ing, f)
	}
}

// patch writes what a function changes, unless somebody else wrote the Ingress in between.
func patch(ctx context.Context, c client.Writer, ing *networkingv1.Ingress, change func()) error {
	before := ing.DeepCopy()
	change()
	if err := c.Patch(ctx, ing, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		before.DeepCopyInto(ing)
		return fmt.Errorf("write Ingress %s: %w", client.ObjectKeyFromObject(ing), err)
	}
	return nil
}
