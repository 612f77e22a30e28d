// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// ofSlice gives the bindings of ip targets of an EndpointSlice's Service.
func (r *reconciler) ofSlice(ctx context.Context, o client.Object) []reconcile.Request {
	var list elbv2.TargetGroupBindingList
	if err := r.List(ctx, &list, client.InNamespace(o.GetNamespace())); err != nil {
		return nil // from a cache: it does not fail
	}
	var found []reconcile.Request
	for i := range list.Items {
		b := &list.Items[i]
		if b.Spec.ServiceRef.Name == o.GetLabels()[discoveryv1.LabelServiceName] && ofIP(b) {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(b)})
		}
	}
	return found
}

func ofIP(b *elbv2.TargetGroupBinding) bool {
	return b.Spec.TargetType != nil && *b.Spec.TargetType == elbv2.TargetTypeIP
}

// slicesChanged lets a slice pass only when its ports or endpoints changed.
func slicesChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*discoveryv1.EndpointSlice), e.ObjectNew.(*discoveryv1.EndpointSlice)
		return !equality.Semantic.DeepEqual(before.Ports, after.Ports) || !equality.Semantic.DeepEqual(before.Endpoints, after.Endpoints)
	}}
}

// ofPod gives the bindings that a pod's gates name, be they there or not.
func ofPod(_ context.Context, o client.Object) []reconcile.Request {
	pod := o.(*corev1.Pod)
	var found []reconcile.Request
	for _, name := range elbv2.Gates(pod) {
		found = append(found, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: pod.Namespace, Name: name}})
	}
	return found
}

// podsChanged lets a pod pass only when what is kept of it changed, and never because it
// is gone: the EndpointSlices tell that.
func podsChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			return !equality.Semantic.DeepEqual(keptOf(e.ObjectOld.(*corev1.Pod)), keptOf(e.ObjectNew.(*corev1.Pod)))
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

// kept is what that controller keeps of a pod. Its deletion's beginning is not in it.
type kept struct {
	UID        types.UID
	Node, IP   string
	Gates      []corev1.PodReadinessGate
	Conditions []corev1.PodCondition
}

func keptOf(pod *corev1.Pod) kept {
	return kept{UID: pod.UID, Node: pod.Spec.NodeName, IP: pod.Status.PodIP, Gates: pod.Spec.ReadinessGates, Conditions: pod.Status.Conditions}
}
