// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// LacksPort reports whether none of some ports has the name that a binding's Service port has as its target.
func LacksPort(ports []corev1.ContainerPort, svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference) bool {
	port, ok := ServicePort(svc, ref.Port, group.Protocol)
	if !ok {
		return false
	}
	if _, ok := numbered(port); ok {
		return false
	}
	_, has := namedPort(ports, port)
	return !has
}

// LeftOut reports whether pods that lack the port are none that a binding's Service is meant to serve, as workers
// that share the labels of those that are: others of its pods have the port, and none of these is of the same
// workload. Where pods of one workload have the port and others lack it, a rollout gives it another name or has
// lost it, and must not go on before that is mended.
func LeftOut(workload string, svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference, pods []corev1.Pod) bool {
	served := false
	for i := range pods {
		p := &pods[i]
		if Over(p) || OfJob(p) || LacksPort(Ports(&p.Spec), svc, group, ref) {
			continue
		}
		if Workload(p) == workload {
			return false
		}
		served = true
	}
	return served
}

// templateHashes are the labels whose values end the names of the ReplicaSets that a Deployment, and a Rollout of
// Argo, makes for each revision.
var templateHashes = []string{"pod-template-hash", "rollouts-pod-template-hash"}

// Workload names what a pod is one of, whatever its revision; empty when nothing manages the pod.
func Workload(pod *corev1.Pod) string {
	owner := Owner(pod)
	if owner == nil {
		return ""
	}
	return WorkloadOf(owner.Kind, owner.Name, pod.Labels)
}

// WorkloadOf is Workload for pods with some labels of an owner.
func WorkloadOf(kind, name string, labels map[string]string) string {
	for _, label := range templateHashes {
		if hash := labels[label]; hash != "" {
			name = strings.TrimSuffix(name, "-"+hash)
		}
	}
	return kind + "/" + name
}
