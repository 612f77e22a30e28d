// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/index"
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

// LeftOut reports whether pods of a workload that lack the port are none that a binding's Service is meant to serve, as
// workers that share the labels of those that are: others of its pods have the port, and none of these is of the same
// workload. Where pods of one workload have the port and others lack it, a rollout gives it another name or has
// lost it, and must not go on before that is mended. No pod is looked at but the first that has the port.
func LeftOut(ctx context.Context, r client.Reader, workload string, svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference) (bool, error) {
	// A port that is missing, or has a number, is named by no pod, and no pod lacks it.
	port, _ := ServicePort(svc, ref.Port, group.Protocol)
	name := portKey(port.TargetPort.StrVal, port.Protocol)
	if rollout, err := byPort.AnyOf(ctx, r, svc, ofWorkload(name, workload)); rollout || err != nil {
		return false, err
	}
	return byPort.AnyOf(ctx, r, svc, name)
}

// byPort finds pods by the names of their ports, alone and with their workload. What has ended, or belongs to a Job, serves
// nobody.
var byPort = index.Ports(func(pod *corev1.Pod) []string {
	if Over(pod) || OfJob(pod) {
		return nil
	}

	workload := Workload(pod)
	var values []string
	for _, p := range Ports(&pod.Spec) {
		if p.Name != "" {
			name := portKey(p.Name, p.Protocol)
			values = append(values, name, ofWorkload(name, workload))
		}
	}
	return values
})

// portKey and ofWorkload are unambiguous since neither a protocol nor a port's name holds a "/".
func portKey(name string, protocol corev1.Protocol) string {
	return name + "/" + string(orTCP(protocol))
}

func ofWorkload(port, workload string) string { return port + "/" + workload }

// PodIndexes returns what registers all indexes of pods, before the cache starts.
func PodIndexes(owns index.Owner) func(ctx context.Context, c client.FieldIndexer) error {
	return func(ctx context.Context, c client.FieldIndexer) error {
		if err := index.Pods(owns)(ctx, c); err != nil {
			return err
		}
		return byPort.Register(ctx, c)
	}
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
