// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

var kinds = []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, elbv2.AddToScheme, v1alpha1.AddToScheme}

// Requests a second that a command makes at most, and at once.
const (
	requestRate  = 50
	requestBurst = 100
)

// connection finds the API server as kubectl does.
type connection struct {
	rules     clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
	// home is podgate's own namespace, where it cannot be found out.
	home string
	// config replaces what the flags say; tests have one.
	config *rest.Config
}

func (c *connection) bind(fs *pflag.FlagSet) {
	c.rules = *clientcmd.NewDefaultClientConfigLoadingRules()
	fs.StringVar(&c.rules.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "path of the kubeconfig file")
	clientcmd.BindOverrideFlags(&c.overrides, fs, clientcmd.RecommendedConfigOverrideFlags(""))
	// The others are kubectl's, too, and seldom asked for.
	fs.VisitAll(func(f *pflag.Flag) {
		f.Hidden = !slices.Contains([]string{clientcmd.RecommendedConfigPathFlag, clientcmd.FlagContext, clientcmd.FlagNamespace, clientcmd.FlagImpersonate}, f.Name)
	})
	fs.Lookup(clientcmd.FlagNamespace).Usage = "namespace to ask about; that of the context when absent"
	fs.StringVar(&c.home, "podgate-namespace", "podgate-system", "podgate's own namespace, where the webhook's configuration does not tell")
}

func (c *connection) clientConfig() clientcmd.ClientConfig {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&c.rules, &c.overrides)
}

// namespace is the one that a command is about.
func (c *connection) namespace() (string, error) {
	if c.overrides.Context.Namespace != "" {
		return c.overrides.Context.Namespace, nil
	}
	namespace, _, err := c.clientConfig().Namespace()
	if err != nil {
		return "", fmt.Errorf("read kubeconfig: %w", err)
	}
	return namespace, nil
}

func (c *connection) restConfig() (*rest.Config, error) {
	if c.config != nil {
		return c.config, nil
	}
	config, err := c.clientConfig().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS, config.Burst = requestRate, requestBurst
	return config, nil
}

// client talks to the API server itself.
func (c *connection) client() (client.WithWatch, error) {
	config, err := c.restConfig()
	if err != nil {
		return nil, err
	}

	s, err := scheme()
	if err != nil {
		return nil, err
	}

	kube, err := client.NewWithWatch(config, client.Options{Scheme: s, FieldOwner: Name, FieldValidation: "Strict"})
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}

	return kube, nil
}

// here is a client, and the namespace that a command is about.
func (c *connection) here() (client.WithWatch, string, error) {
	kube, err := c.client()
	if err != nil {
		return nil, "", err
	}
	namespace, err := c.namespace()
	return kube, namespace, err
}
