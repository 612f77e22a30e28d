// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// slimPod keeps of a cached pod what podgate reads: memory grows with every pod in
// the cluster otherwise. Conditions and annotations of others are dropped, which is
// safe because podgate only ever patches its own.
func slimPod(o any) (any, error) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	meta := metav1.ObjectMeta{
		Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		Labels: pod.Labels, CreationTimestamp: pod.CreationTimestamp,
		DeletionTimestamp: pod.DeletionTimestamp, DeletionGracePeriodSeconds: pod.DeletionGracePeriodSeconds,
	}
	if proven, ok := pod.Annotations[elbv2.ProvenAnnotation]; ok {
		meta.Annotations = map[string]string{elbv2.ProvenAnnotation: proven}
	}
	return &corev1.Pod{
		TypeMeta: pod.TypeMeta, ObjectMeta: meta,
		Spec: corev1.PodSpec{
			ReadinessGates: pod.Spec.ReadinessGates,
			Containers:     slimContainers(pod.Spec.Containers),
			InitContainers: slimContainers(pod.Spec.InitContainers),
		},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase, PodIP: pod.Status.PodIP, PodIPs: pod.Status.PodIPs,
			Conditions: slimConditions(pod.Status.Conditions),
		},
	}, nil
}

// slimContainers keeps those with named ports: only they are looked up.
func slimContainers(all []corev1.Container) []corev1.Container {
	var kept []corev1.Container
	for _, c := range all {
		var named []corev1.ContainerPort
		for _, p := range c.Ports {
			if p.Name != "" {
				named = append(named, p)
			}
		}
		if named != nil {
			kept = append(kept, corev1.Container{Name: c.Name, Ports: named, RestartPolicy: c.RestartPolicy})
		}
	}
	return kept
}

func slimConditions(all []corev1.PodCondition) []corev1.PodCondition {
	var kept []corev1.PodCondition
	for _, c := range all {
		if c.Type == corev1.ContainersReady || c.Type == corev1.PodReady || strings.HasPrefix(string(c.Type), elbv2.GatePrefix) {
			kept = append(kept, c)
		}
	}
	return kept
}
