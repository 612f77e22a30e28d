// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/lbc"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// stacksOf are the stacks that may have something of an object. Of an Ingress that lost the annotation it is that which it asks
// for; a Service that lost it is as AWS Load Balancer Controller leaves one.
func stacksOf(ing client.Object) []string {
	if !controllerutil.ContainsFinalizer(ing, finalizerOf(ing)) {
		return nil
	}
	stacks := strings.FieldsFunc(ing.GetAnnotations()[v1alpha1.StacksAnnotation], func(r rune) bool { return r == ',' })
	if len(stacks) > 0 {
		return stacks
	}
	switch ing.(type) {
	case *networkingv1.Ingress:
		stacks = []string{routes.StackOf(keyOf(ing, ing.GetAnnotations()[groupAnnotation]))}
	case *gwv1.Gateway:
		stacks = []string{routes.StackOf(keyOf(ing, ""))}
	}
	return stacks
}

// holds reports whether a group's stack may have something of an Ingress.
func holds(group Key, ing client.Object) bool {
	return slices.Contains(stacksOf(ing), routes.StackOf(group))
}

// claim notes on an Ingress, before the first call to AWS, that a group's stack may have something of it. Finalizers of AWS
// Load Balancer Controller go in the same write where it is taken over, so that there is always one.
func claim(ctx context.Context, c client.Writer, ing client.Object, group Key, takeOver bool) error {
	stacks := stacksOf(ing)
	theirs := lbc.IngressFinalizers(ing)
	noted := ing.GetAnnotations()[v1alpha1.StacksAnnotation] == strings.Join(stacks, ",")
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

// claim puts finalizers on the members before the first call to AWS.
func (p *pass) claim(ctx context.Context) error {
	for _, m := range p.members {
		if m.standing != active && (m.standing != kept || !m.abandoned) {
			continue
		}
		if err := claim(ctx, p.client, m.Object, p.group, m.abandoned); err != nil {
			return err
		}
		if m.abandoned {
			p.log.Info("Took an object over from AWS Load Balancer Controller", strings.ToLower(nounOf(m.Object)), m.owner())
			p.note(m.owner(), corev1.EventTypeNormal, v1alpha1.ReasonTakenOverFromLBC, "podgate took this "+nounOf(m.Object)+" over from AWS Load Balancer Controller")
		}
	}
	return nil
}

// reclaim claims the members again where the stack has something: somebody may have written one without its finalizer, and then
// its deletion would leave all of that behind.
func (p *pass) reclaim(ctx context.Context) error {
	if len(p.seen.LoadBalancers)+len(p.seen.TargetGroups)+len(p.seen.SecurityGroups) == 0 {
		return nil
	}
	return p.claim(ctx)
}

// letGo notes that a group's stack has nothing of an Ingress any more. The last one takes the finalizer off.
func letGo(ctx context.Context, c client.Writer, ing client.Object, group Key, takenOver bool) error {
	stacks := slices.DeleteFunc(stacksOf(ing), func(stack string) bool { return stack == routes.StackOf(group) })
	err := patch(ctx, c, ing, func() {
		mark(ing, stacks)
		if takenOver {
			drop(ing, lbc.IngressFinalizers(ing)...)
		}
	})
	return client.IgnoreNotFound(err)
}

func mark(ing client.Object, stacks []string) {
	if len(stacks) == 0 {
		controllerutil.RemoveFinalizer(ing, finalizerOf(ing))
		left := maps.Clone(ing.GetAnnotations())
		delete(left, v1alpha1.StacksAnnotation)
		ing.SetAnnotations(left)
		return
	}
	controllerutil.AddFinalizer(ing, finalizerOf(ing))
	noted := map[string]string{}
	maps.Copy(noted, ing.GetAnnotations())
	noted[v1alpha1.StacksAnnotation] = strings.Join(stacks, ",")
	ing.SetAnnotations(noted)
}

func drop(ing client.Object, finalizers ...string) {
	for _, f := range finalizers {
		if f == finalizerOf(ing) {
			continue // Both controllers have the same one on Services.
		}
		controllerutil.RemoveFinalizer(ing, f)
	}
}

// patch writes what a function changes, unless somebody else wrote the Ingress in between.
func patch(ctx context.Context, c client.Writer, ing client.Object, change func()) error {
	before := copyOf(ing)
	change()
	if err := c.Patch(ctx, ing, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		set(ing, before)
		return fmt.Errorf("write %s %s: %w", nounOf(ing), client.ObjectKeyFromObject(ing), err)
	}
	return nil
}
