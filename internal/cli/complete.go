// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// completePods gives a shell the names of pods.
func (e *environment) completePods(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	kube, err := e.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	namespace, err := e.namespace()
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
