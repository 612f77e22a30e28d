// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"maps"
	"slices"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/injection"
)

// slimPod returns a function that keeps of a cached pod what podgate reads: memory grows
// with every pod in the cluster otherwise. Conditions and annotations of others are dropped,
// which is safe because podgate only ever patches its own.
func slimPod(kinds gates.Kinds) toolscache.TransformFunc {
	return func(o any) (any, error) {
		if pod, ok := o.(*corev1.Pod); ok {
			return slimmed(pod, kinds), nil
		}
		return o, nil
	}
}

func slimmed(pod *corev1.Pod, kinds gates.Kinds) *corev1.Pod {
	meta := metav1.ObjectMeta{
		Name: pod.Name, Namespace: canonical(pod.Namespace), UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		Labels: slimLabels(pod.Labels), CreationTimestamp: pod.CreationTimestamp,
		OwnerReferences:   slimOwners(pod.OwnerReferences),
		DeletionTimestamp: pod.DeletionTimestamp, DeletionGracePeriodSeconds: pod.DeletionGracePeriodSeconds,
	}

	// Ports of a Job's pod say whether it serves, and those on a node's network whose a target is.
	allPorts := pod.Spec.HostNetwork || binding.OfJob(pod)

	meta.Annotations = slimAnnotations(pod.Annotations)
	meta.ManagedFields = append(gates.OtherWriters(pod), injection.StatedOf(pod).ManagedFields()...)
	slim := &corev1.Pod{
		TypeMeta: pod.TypeMeta, ObjectMeta: meta,
		Spec: corev1.PodSpec{
			ReadinessGates: slimGates(pod.Spec.ReadinessGates),
			HostNetwork:    pod.Spec.HostNetwork,
			NodeName:       canonical(pod.Spec.NodeName),
			Containers:     slimContainers(pod.Spec.Containers, allPorts),
			InitContainers: slimContainers(pod.Spec.InitContainers, allPorts),
		},
		Status: corev1.PodStatus{
			Phase: canonical(pod.Status.Phase), PodIP: pod.Status.PodIP, PodIPs: pod.Status.PodIPs,
			Conditions: slimConditions(pod, kinds),
		},
	}

	drain.Keep(slim, injection.ManifestOf(pod))
	if kinds.See(pod) {
		see(slim, expr.Visible(pod))
	}
	return slim
}

// see adds what expressions of checks may see of a pod, beside what podgate noted on it.
func see(slim, visible *corev1.Pod) {
	annotations := maps.Clone(visible.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, slim.Annotations)
	if len(annotations) > 0 {
		slim.Annotations = annotations
	}
	slim.Generation, slim.Status = visible.Generation, visible.Status
}

// slimAnnotations keeps what podgate noted, and what a person ordered about gates.
func slimAnnotations(all map[string]string) map[string]string {
	var kept map[string]string
	for _, name := range []string{v1alpha1.ProvenAnnotation, v1alpha1.OverrideAnnotation} {
		value, there := all[name]
		if !there {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[name] = value
	}
	return kept
}

// canonical gives the one copy of a string that many pods have: each is decoded with copies of its own.
func canonical[T ~string](s T) T { return unique.Make(s).Value() }

func slimLabels(all map[string]string) map[string]string {
	kept := make(map[string]string, len(all))
	for k, v := range all {
		kept[canonical(k)] = canonical(v)
	}
	return kept
}

func slimGates(all []corev1.PodReadinessGate) []corev1.PodReadinessGate {
	kept := make([]corev1.PodReadinessGate, len(all))
	for i, g := range all {
		kept[i].ConditionType = canonical(g.ConditionType)
	}
	return kept
}

// slimOwners keeps the one that manages the pod: it is told what happens to it.
func slimOwners(all []metav1.OwnerReference) []metav1.OwnerReference {
	for _, o := range all {
		if o.Controller != nil && *o.Controller {
			return []metav1.OwnerReference{{
				APIVersion: canonical(o.APIVersion), Kind: canonical(o.Kind), Name: canonical(o.Name), UID: canonical(o.UID), Controller: o.Controller,
			}}
		}
	}
	return nil
}

// slimContainers keeps those with named ports, which are looked up, or with any.
func slimContainers(all []corev1.Container, allPorts bool) []corev1.Container {
	var kept []corev1.Container
	for _, c := range all {
		var named []corev1.ContainerPort
		for _, p := range c.Ports {
			if p.Name != "" || allPorts {
				named = append(named, p)
			}
		}
		if named != nil {
			kept = append(kept, corev1.Container{Name: c.Name, Ports: named, RestartPolicy: c.RestartPolicy})
		}
	}

	return kept
}

// slimConditions keeps the kubelet's two, those of gates, and that of a pod that is being ended. What others
// say of their gates is not read.
func slimConditions(pod *corev1.Pod, kinds gates.Kinds) []corev1.PodCondition {
	all := pod.Status.Conditions
	whole := func(c corev1.PodCondition) bool {
		return kinds.Owns(string(c.Type)) || c.Type == corev1.ContainersReady || c.Type == corev1.PodReady || c.Type == corev1.DisruptionTarget
	}
	read := func(c corev1.PodCondition) bool {
		return whole(c) || slices.Contains(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: c.Type})
	}

	n := 0
	for i := range all {
		if read(all[i]) {
			n++
		}
	}

	kept := make([]corev1.PodCondition, 0, n)
	for _, c := range all {
		if !read(c) {
			continue
		}
		if !whole(c) {
			c.Reason, c.Message = "", ""
		}
		kept = append(kept, corev1.PodCondition{
			Type: canonical(c.Type), Status: canonical(c.Status), Reason: canonical(c.Reason), Message: canonical(c.Message),
			LastTransitionTime: c.LastTransitionTime,
		})
	}

	return kept
}
