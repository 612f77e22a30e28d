// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"maps"
	"slices"
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

// completeNames gives a shell the names of the objects of a kind.
func (e *environment) completeNames(cmd *cobra.Command, args []string, begun string, list client.ObjectList) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	kube, namespace, err := e.here()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	if err := kube.List(cmd.Context(), list, client.InNamespace(namespace), client.Limit(page)); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	objects, err := items(list)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	var names []string
	for _, o := range objects {
		names = append(names, o.GetName())
	}
	return begunWith(begun, names), cobra.ShellCompDirectiveNoFileComp
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

// completeNamespaces gives a shell the names of namespaces, to whom may list them.
func (e *environment) completeNamespaces(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	kube, err := e.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	var namespaces corev1.NamespaceList
	if err := kube.List(cmd.Context(), &namespaces, client.Limit(page)); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range namespaces.Items {
		names = append(names, namespaces.Items[i].Name)
	}
	return begunWith(begun, names), cobra.ShellCompDirectiveNoFileComp
}

// completeContexts gives a shell the names of the kubeconfig's contexts.
func (e *environment) completeContexts(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	config, err := e.clientConfig().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return begunWith(begun, slices.Sorted(maps.Keys(config.Contexts))), cobra.ShellCompDirectiveNoFileComp
}

// completeManual gives a shell the names of ReadinessGates with a manual check.
func (e *environment) completeManual(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	kube, namespace, err := e.here()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	names, err := manualNames(cmd.Context(), kube, namespace)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	return begunWith(begun, names), cobra.ShellCompDirectiveNoFileComp
}

// completeWaiting gives a shell what waits for an approval at the ReadinessGate that was named, by what of a pod is asked for.
func (e *environment) completeWaiting(of func(carrier) string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}

		kube, namespace, err := e.here()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}

		gate, err := readManual(cmd.Context(), kube, client.ObjectKey{Namespace: namespace, Name: args[0]})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}

		var names []string
		for _, c := range gate.carriers {
			if !c.open && !slices.Contains(names, of(c)) {
				names = append(names, of(c))
			}
		}

		return begunWith(begun, names), cobra.ShellCompDirectiveNoFileComp
	}
}

// begunWith are the names that are not empty and begin so.
func begunWith(begun string, names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name == "" || !strings.HasPrefix(name, begun) })
}
