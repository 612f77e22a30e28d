// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Selects reports whether a Service's selector matches labels. A Service without a
// selector selects nothing, nor does one of type ExternalName, whatever its selector says.
func Selects(svc *corev1.Service, labels map[string]string) bool {
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return false
	}
	for k, v := range svc.Spec.Selector {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return len(svc.Spec.Selector) > 0
}

// ServicesSelecting lists the Services of a namespace that select a pod with labels.
func ServicesSelecting(ctx context.Context, r client.Reader, namespace string, labels map[string]string) ([]corev1.Service, error) {
	var found []corev1.Service
	for k, v := range labels {
		var list corev1.ServiceList
		if err := find(ctx, r, &list, namespace, servicesByAnchor, pair(k, v)); err != nil {
			return nil, err
		}
		for i := range list.Items {
			svc := &list.Items[i]
			if Selects(svc, labels) && anchor(svc.Spec.Selector) == pair(k, v) {
				found = append(found, *svc)
			}
		}
	}

	return found, nil
}

// OfService lists the objects of the kind that refer to a Service.
func (k Kind) OfService(ctx context.Context, r client.Reader, service types.NamespacedName) ([]client.Object, error) {
	return k.find(ctx, r, service.Namespace, bindingsByService, service.Name, func(o client.Object) bool { return k.Service(o) == service.Name })
}

// Claiming lists the objects of the kind, of all namespaces, that are about a group or a part of one.
func (k Kind) Claiming(ctx context.Context, r client.Reader, claim string) ([]client.Object, error) {
	return k.find(ctx, r, "", bindingsByGroup, claim, func(o client.Object) bool { return slices.Contains(k.Claims(o), claim) })
}

// find lists the objects that an index has under a value, as far as they were asked for.
func (k Kind) find(ctx context.Context, r client.Reader, namespace, name, value string, asked func(client.Object) bool) ([]client.Object, error) {
	list := k.NewList()
	if err := find(ctx, r, list, namespace, name, value); err != nil {
		return nil, err
	}

	var found []client.Object
	err := meta.EachListItem(list, func(item runtime.Object) error {
		if o, ok := item.(client.Object); ok && asked(o) {
			found = append(found, o)
		}
		return nil
	})
	return found, err
}

// PodsOf lists the pods that a Service selects.
func PodsOf(ctx context.Context, r client.Reader, svc *corev1.Service) ([]corev1.Pod, error) {
	if len(svc.Spec.Selector) == 0 {
		return nil, nil
	}
	return pods(ctx, r, svc.Namespace, podsByLabel, anchor(svc.Spec.Selector), func(pod *corev1.Pod) bool { return Selects(svc, pod.Labels) })
}

// AnyOf reports whether a Service selects a pod that is found by a value. It looks at the first only.
func (p Ports) AnyOf(ctx context.Context, r client.Reader, svc *corev1.Service, value string) (bool, error) {
	if len(svc.Spec.Selector) == 0 {
		return false, nil
	}

	var list corev1.PodList
	if err := find(ctx, r, &list, svc.Namespace, podsByPort, value, client.MatchingLabels(svc.Spec.Selector), client.Limit(1)); err != nil {
		return false, err
	}

	return slices.ContainsFunc(list.Items, func(pod corev1.Pod) bool { return slices.Contains(p(&pod), value) && Selects(svc, pod.Labels) }), nil
}

// PodsWithGate lists the pods of a namespace that carry a readiness gate, or any of a family.
func PodsWithGate(ctx context.Context, r client.Reader, namespace, gate string) ([]corev1.Pod, error) {
	return pods(ctx, r, namespace, podsByGate, gate, func(pod *corev1.Pod) bool { return slices.Contains(podsGates(pod), gate) })
}

// PodsAt lists the pods of a namespace, or of all when it is empty, that have an address, which is several on a host's network.
func PodsAt(ctx context.Context, r client.Reader, namespace string, addr netip.Addr) ([]corev1.Pod, error) {
	value := addr.Unmap().String()
	return pods(ctx, r, "", podsByAddress, value, func(pod *corev1.Pod) bool {
		return (namespace == "" || pod.Namespace == namespace) && slices.Contains(podAddresses(pod), value)
	})
}

// PodsOn lists the pods of all namespaces on a node.
func PodsOn(ctx context.Context, r client.Reader, node string) ([]corev1.Pod, error) {
	return pods(ctx, r, "", podsByNode, node, func(pod *corev1.Pod) bool { return pod.Spec.NodeName == node })
}

// PodsLeaving lists the pods of all namespaces that are being deleted.
func PodsLeaving(ctx context.Context, r client.Reader) ([]corev1.Pod, error) {
	return pods(ctx, r, "", podsByPressure, leaving, leaves)
}

// PodsPressing lists the pods of all namespaces that are being deleted or have a gate
// of podgate's that is not open.
func PodsPressing(ctx context.Context, r client.Reader, owns Owner) ([]corev1.Pod, error) {
	gone, err := PodsLeaving(ctx, r)
	if err != nil {
		return nil, err
	}
	held, err := pods(ctx, r, "", podsByPressure, waiting, owns.waits)
	return append(gone, held...), err
}

func pods(ctx context.Context, r client.Reader, namespace, name, value string, asked func(*corev1.Pod) bool) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := find(ctx, r, &list, namespace, name, value); err != nil {
		return nil, err
	}
	return keep(list.Items, asked), nil
}

// keep gives the items that were asked for, and leaves the others where they are: a
// pair of a selector may find more than the selector selects.
func keep[T any](items []T, asked func(*T) bool) []T {
	n := 0
	for n < len(items) && asked(&items[n]) {
		n++
	}
	kept := items[:n:n]
	for i := n + 1; i < len(items); i++ {
		if asked(&items[i]) {
			kept = append(kept, items[i])
		}
	}
	return kept
}

// find lists what an index has under a value, as far as more options say; of all namespaces when none is given.
func find(ctx context.Context, r client.Reader, into client.ObjectList, namespace, name, value string, more ...client.ListOption) error {
	options := append([]client.ListOption{client.InNamespace(namespace), client.MatchingFields{name: value}, client.UnsafeDisableDeepCopy}, more...)
	if err := r.List(ctx, into, options...); err != nil {
		return fmt.Errorf("find %T by %s %q: %w", into, name, value, err)
	}
	return nil
}
