// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// completeGates gives a shell the names of pods, then of the pod's gates, then what a gate can be.
func (e *environment) completeGates(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return e.completePods(cmd, args, begun)
	case 2:
		return []string{"true", "false"}, cobra.ShellCompDirectiveNoFileComp
	case 1:
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	kube, namespace, err := e.here()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	var pod corev1.Pod
	if err := kube.Get(cmd.Context(), client.ObjectKey{Namespace: namespace, Name: args[0]}, &pod); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	var names []string
	for _, g := range pod.Spec.ReadinessGates {
		if strings.HasPrefix(string(g.ConditionType), begun) {
			names = append(names, string(g.ConditionType))
		}
	}

	return names, cobra.ShellCompDirectiveNoFileComp
}

// completePods gives a shell the names of pods.
func (e *environment) completePods(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	kube, namespace, err := e.here()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	var pods corev1.PodList
	if err := kube.List(cmd.Context(), &pods, client.InNamespace(namespace), client.Limit(page)); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	var names []string
	for i := range pods.Items {
		if strings.HasPrefix(pods.Items[i].Name, begun) {
			names = append(names, pods.Items[i].Name)
		}
	}

	return names, cobra.ShellCompDirectiveNoFileComp
}
