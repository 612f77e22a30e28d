// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	admissioninformers "k8s.io/client-go/informers/admissionregistration/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// watch calls changed at every change of the Secrets and the configuration, until ctx ends. The watches are
// restricted to these objects, as podgate's permissions are.
func watch(ctx context.Context, client kubernetes.Interface, namespace string, secrets []string, changed func()) error {
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { changed() },
		UpdateFunc: func(any, any) { changed() },
		DeleteFunc: func(any) { changed() },
	}

	informers := map[string]cache.SharedIndexInformer{
		ConfigurationName: admissioninformers.NewFilteredMutatingWebhookConfigurationInformer(client, 0, cache.Indexers{}, only(ConfigurationName)),
	}
	for _, secret := range secrets {
		informers[secret] = coreinformers.NewFilteredSecretInformer(client, namespace, 0, cache.Indexers{}, only(secret))
	}

	var group errgroup.Group
	for what, informer := range informers {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch %q: %w", what, err)
		}
		group.Go(func() error { informer.RunWithContext(ctx); return nil })
	}

	return group.Wait()
}

// only selects an object by name.
func only(name string) func(*metav1.ListOptions) {
	return func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
	}
}
