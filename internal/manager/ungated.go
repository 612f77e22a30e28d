// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/controller/replace"
	"github.com/podgate/podgate/internal/controller/ungated"
	"github.com/podgate/podgate/internal/webhook"
)

// addUngated has the leader report which pods the webhook gave no gate, where it should, and replace those pods
// where their binding asks for it.
func addUngated(mgr ctrlmanager.Manager, engine Engine, metrics prometheus.Registerer, c Config) error {
	if !c.InjectGates {
		return nil
	}

	// A cache of its own, which selects by name: podgate may read no more than these objects.
	asked, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: asks(c.WatchNamespace),
	})
	if err != nil {
		return fmt.Errorf("make cache of namespaces: %w", err)
	}

	if err := mgr.Add(asked); err != nil {
		return err
	}

	inspector := &ungated.Inspector{
		Reader: mgr.GetClient(), Asked: asked, Serves: binding.Ownership(c.Bindings).Serves, Kinds: c.kinds().AtAdmission(),
		Configuration: certificate.ConfigurationName, Off: c.off(),
	}
	recorder := boundedRecorder{mgr.GetEventRecorder(name)}
	if err := ungated.Setup(mgr, asked, inspector, ungated.Options{Recorder: recorder, Metrics: metrics}); err != nil {
		return fmt.Errorf("set up ungated controller: %w", err)
	}

	hook := replace.Webhook{Reader: asked, Configuration: certificate.ConfigurationName, Ask: ask(mgr, c)}
	return replace.Setup(mgr, inspector, hook, engine.Observer, engine.Groups, replace.Options{
		Ownership: binding.Ownership(c.Bindings), Recorder: recorder, Metrics: metrics, AbsenceGrace: c.AbsenceGrace,
	})
}

// asks selects what podgate may read: its own webhook configuration, and with a single
// namespace that one.
func asks(namespace string) map[client.Object]cache.ByObject {
	all := map[client.Object]cache.ByObject{
		&admissionv1.MutatingWebhookConfiguration{}: {Field: fields.OneTermEqualSelector("metadata.name", certificate.ConfigurationName)},
	}
	if namespace != "" {
		all[&corev1.Namespace{}] = cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", namespace)}
	}
	return all
}

// ask asks the webhook as the API server does, unless a test says otherwise.
func ask(mgr ctrlmanager.Manager, c Config) func(context.Context, *admissionv1.MutatingWebhookConfiguration, *corev1.Pod, []string) error {
	if c.Parts.Ask != nil {
		return c.Parts.Ask
	}
	return func(ctx context.Context, configuration *admissionv1.MutatingWebhookConfiguration, pod *corev1.Pod, gates []string) error {
		return webhook.Ask(ctx, mgr.GetAPIReader(), configuration, pod, gates)
	}
}
