// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Maker is what makes a pod, as far as advice about the pod depends on it: not everything that makes pods can be restarted
// in the same way, and a pod that nothing makes has no template. The zero value makes nothing again.
type Maker struct {
	// Namespace is the pod's. Kind and Name are the workload's: a Deployment's rather than its ReplicaSet's.
	Namespace, Kind, Name string
	// Custom: the kind is none of Kubernetes' own.
	Custom bool
	// Anew says how the pods are made anew, by somebody who knows more of the workload than a pod tells; may be empty.
	Anew string
}

// MakerOf is what makes a pod.
func MakerOf(pod *corev1.Pod) Maker {
	owner := Owner(pod)
	if owner == nil {
		return Maker{Namespace: pod.Namespace}
	}

	m := Maker{Namespace: pod.Namespace, Kind: owner.Kind, Name: owner.Name}
	group := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).Group
	m.Custom = !slices.Contains([]string{"", "apps", "batch"}, group)
	if m.Custom || m.Kind != "ReplicaSet" {
		return m
	}

	for i, kind := range []string{"Deployment", "Rollout"} {
		hash := pod.Labels[templateHashes[i]]
		if name, made := strings.CutSuffix(m.Name, "-"+hash); made && hash != "" {
			m.Kind, m.Name, m.Custom = kind, name, kind == "Rollout"
			break
		}
	}

	return m
}

// Restart says how to make the pods anew.
func (m Maker) Restart() string {
	object := fmt.Sprintf("-n %s %s/%s", m.Namespace, strings.ToLower(m.Kind), m.Name)
	switch {
	case m.Anew != "":
		return m.Anew
	case m.Kind == "":
		return "replace the pod: delete it and create it again"
	case m.Custom:
		return "restart the pods by the means of their " + m.Kind
	}

	switch m.Kind {
	case "Deployment":
		return "restart the pods (kubectl rollout restart " + object + ")"
	case "StatefulSet", "DaemonSet":
		return "restart the pods (kubectl rollout restart " + object + ", or delete them one after the other where its update strategy is OnDelete)"
	case "Job":
		return "delete the pod: its Job makes another"
	case "Node":
		return "change the file that the kubelet of its node runs it from"
	}
	return "delete the pods of " + m.Kind + " " + m.Name + " one after the other"
}

// Say puts into advice what is right for the pods of this maker: how they are made anew, and where their manifest is.
func (m Maker) Say(advice string) string {
	where := "pod template"
	switch m.Kind {
	case "":
		where = "pod's manifest"
	case "Node":
		where = "pod's file on its node"
	}
	return strings.NewReplacer(v1alpha1.RestartPods, m.Restart(), "pod template", where).Replace(advice)
}
