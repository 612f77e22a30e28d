// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/index"
)

// Pods looks up pods in a cache with the indexes of package index. Together with the gates it makes a Cluster.
type Pods struct{ Reader client.Reader }

// Pod returns a pod that runs; false when there is none, or when the cache cannot be read.
func (p Pods) Pod(ctx context.Context, key types.NamespacedName) (Pod, bool) {
	var pod corev1.Pod
	if err := p.Reader.Get(ctx, key, &pod); err != nil || !pod.DeletionTimestamp.IsZero() || binding.Over(&pod) {
		return Pod{}, false
	}

	found := Pod{Subject: SubjectOf(&pod)}
	if c := binding.Condition(&pod, corev1.ContainersReady); c != nil && c.Status == corev1.ConditionTrue {
		found.ReadySince = c.LastTransitionTime.Time
	}

	found.Contested = pod.Spec.HostNetwork && p.contested(ctx, found.Subject)
	return found, true
}

// SubjectOf is what checks are asked about a pod.
func SubjectOf(pod *corev1.Pod) check.Subject {
	s := check.Subject{UID: pod.UID, HostNetwork: pod.Spec.HostNetwork, Ports: binding.Ports(&pod.Spec), Pod: pod}
	for _, ip := range pod.Status.PodIPs {
		if addr, err := netip.ParseAddr(ip.IP); err == nil {
			s.Addrs = append(s.Addrs, addr.Unmap())
		}
	}
	return s
}

// contested reports whether a pod that is ending has an address and a port of a pod on its node's network. Nobody knows while
// the cache cannot be read.
func (p Pods) contested(ctx context.Context, pod check.Subject) bool {
	for _, addr := range pod.Addrs {
		others, err := index.PodsAt(ctx, p.Reader, "", addr)
		if err != nil {
			return true
		}
		for i := range others {
			if ends(&others[i]) && others[i].UID != pod.UID && shares(binding.Ports(&others[i].Spec), pod.Ports) {
				return true
			}
		}
	}
	return false
}

// ends reports whether a pod is being deleted and may answer still.
func ends(pod *corev1.Pod) bool { return !pod.DeletionTimestamp.IsZero() && !binding.Over(pod) }

// shares reports whether two pods declare the same port.
func shares(a, b []corev1.ContainerPort) bool {
	return slices.ContainsFunc(a, func(one corev1.ContainerPort) bool {
		return slices.ContainsFunc(b, func(other corev1.ContainerPort) bool {
			return one.ContainerPort == other.ContainerPort && (one.Protocol == other.Protocol || one.Protocol == "" || other.Protocol == "")
		})
	})
}
