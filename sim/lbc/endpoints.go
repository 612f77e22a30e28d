// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// errNoBackend: the Service or its port does not exist.
var errNoBackend = errors.New("backend not found")

// endpoint is a pod that should be a target.
type endpoint struct {
	row row
	pod *corev1.Pod
}

// endpoints are the pods that should be targets of a binding, as the caches have them.
func (r *reconciler) endpoints(ctx context.Context, b *elbv2.TargetGroupBinding) ([]endpoint, error) {
	var svc corev1.Service
	err := r.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.Spec.ServiceRef.Name}, &svc)
	if apierrors.IsNotFound(err) {
		return nil, errNoBackend
	}
	if err != nil {
		return nil, err
	}

	port, ok := portOf(&svc, b.Spec.ServiceRef.Port)
	if !ok {
		return nil, errNoBackend
	}

	var list discoveryv1.EndpointSliceList
	err = r.List(ctx, &list, client.InNamespace(b.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: svc.Name})
	if err != nil {
		return nil, err
	}

	var found []endpoint
	for i := range list.Items {
		slice := &list.Items[i]
		if slice.AddressType != family(b) {
			continue
		}
		for _, p := range slice.Ports {
			if port == "" || p.Name != nil && *p.Name == port {
				found = append(found, r.inSlice(ctx, slice, *p.Port)...)
			}
		}
	}

	return found, nil
}

// portOf gives the name of a Service's port, empty when it has none.
func portOf(svc *corev1.Service, ref intstr.IntOrString) (string, bool) {
	for _, p := range svc.Spec.Ports {
		if ref.Type == intstr.Int && p.Port == ref.IntVal || ref.Type == intstr.String && p.Name == ref.StrVal {
			return p.Name, true
		}
	}
	return "", false
}

func family(b *elbv2.TargetGroupBinding) discoveryv1.AddressType {
	if f := b.Spec.IPAddressType; f != nil && *f == "ipv6" {
		return discoveryv1.AddressTypeIPv6
	}
	return discoveryv1.AddressTypeIPv4
}

// inSlice are those of one slice.
func (r *reconciler) inSlice(ctx context.Context, slice *discoveryv1.EndpointSlice, port int32) []endpoint {
	var found []endpoint
	for _, e := range slice.Endpoints {
		if e.TargetRef == nil || e.TargetRef.Kind != "Pod" || len(e.Addresses) == 0 {
			continue
		}
		pod := &corev1.Pod{}
		if r.Get(ctx, types.NamespacedName{Namespace: slice.Namespace, Name: e.TargetRef.Name}, pod) != nil {
			continue // not in this cache yet, or not any more
		}
		if counts(e, pod, r.nodeReady(ctx, pod.Spec.NodeName)) {
			found = append(found, endpoint{row: row{id: e.Addresses[0], port: port}, pod: pod})
		}
	}

	return found
}

// counts reports whether a pod is to be a target.
func counts(e discoveryv1.Endpoint, pod *corev1.Pod, nodeReady bool) bool {
	if e.Conditions.Ready == nil || *e.Conditions.Ready {
		return true
	}
	return isTrue(pod, corev1.ContainersReady) && nodeReady && (e.Conditions.Terminating == nil || !*e.Conditions.Terminating)
}

func (r *reconciler) nodeReady(ctx context.Context, name string) bool {
	var node corev1.Node
	if name == "" || r.Get(ctx, types.NamespacedName{Name: name}, &node) != nil {
		return false
	}
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func isTrue(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	c := condition(pod, kind)
	return c != nil && c.Status == corev1.ConditionTrue
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// checkpoint is a digest of what a binding says and of the pods that are to be its targets.
func checkpoint(b *elbv2.TargetGroupBinding, all []endpoint) (string, error) {
	var names []string
	for _, e := range all {
		names = append(names, fmt.Sprintf("%s:%d:%d", e.row.id, e.row.port, e.pod.CreationTimestamp.UnixMilli()))
	}
	slices.Sort(names)
	spec, err := json.Marshal(b.Spec)
	if err != nil {
		return "", fmt.Errorf("encode spec: %w", err)
	}
	return fmt.Sprintf("%x/%x", sha256.Sum256([]byte(strings.Join(names, ","))), sha256.Sum256(spec)), nil
}
