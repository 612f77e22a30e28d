// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is who applies what this package applies.
const fieldOwner = client.FieldOwner("podgate-test")

// Cluster is a Kubernetes API server. Its client knows the built-in kinds and reads
// straight from the server.
type Cluster struct {
	client.WithWatch
	// Config is how it was connected to.
	Config *rest.Config
}

// Connect uses a kubeconfig file, or the one that KUBECONFIG names when file is empty.
func Connect(file string) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}

	config.QPS, config.Burst = 100, 200
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("build scheme: %w", err)
	}

	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
	}

	return &Cluster{WithWatch: c, Config: config}, nil
}

// ApplyObjects applies objects in order, server-side, and takes over fields that others own.
func (c *Cluster) ApplyObjects(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, o := range objects {
		// Apply writes the answer into what it is given.
		u := client.ApplyConfigurationFromUnstructured(o.DeepCopy())
		if err := c.Apply(ctx, u, fieldOwner, client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %s %s: %w", o.GetKind(), client.ObjectKeyFromObject(o), err)
		}
	}
	return nil
}
