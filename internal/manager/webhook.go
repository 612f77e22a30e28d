// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/webhook"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// addWebhook wires the admission webhook and its certificate, which run in every
// replica. A replica is not ready before both can serve.
func addWebhook(ctx context.Context, mgr ctrlmanager.Manager, pair *certificate.Keypair, nodes cache.Cache, metrics prometheus.Registerer, c Config) error {
	kube, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}

	policy := certificate.DefaultPolicy(c.Namespace)
	policy.CAValidity, policy.ServingValidity = c.Certificate.CAValidity, c.Certificate.ServingValidity
	policy.Propagation, policy.Overlap = c.Certificate.Propagation, c.Certificate.Overlap

	log := mgr.GetLogger()
	runner, err := certificate.New(kube, pair, certificate.Options{
		Namespace: c.Namespace, Provided: c.Certificate.Provided, Offered: certificate.OfferedName, Demanded: len(c.off()) == 0,
		Policy: policy, Registerer: metrics,
		Recorder: boundedRecorder{mgr.GetEventRecorder(name)}, Log: log.WithName("certificate"),
	})
	if err != nil {
		return fmt.Errorf("set up the webhook's certificate: %w", err)
	}

	if err := mgr.Add(runner); err != nil {
		return err
	}

	synced, err := webhook.Prepare(ctx, mgr.GetCache())
	if err != nil {
		return fmt.Errorf("prepare the webhook's caches: %w", err)
	}

	helper, err := addHelper(ctx, mgr, pair, nodes, c)
	if err != nil {
		return err
	}

	handler, err := webhook.New(mgr.GetCache(), synced, webhook.Options{
		Disabled: !c.InjectGates, Off: c.off(), Serves: binding.Ownership(c.Bindings).Serves, Kinds: c.kinds().AtAdmission(), Helper: helper, Registerer: metrics, Log: log.WithName("webhook"),
	})
	if err != nil {
		return fmt.Errorf("set up webhook: %w", err)
	}

	tellSwitch(log, c)
	server := mgr.GetWebhookServer()
	for _, path := range profile.Paths() {
		server.Register(path, handler)
	}

	for check, ready := range map[string]healthz.Checker{"certificate": runner.Ready, "webhook": handler.Ready, "server": server.StartedChecker()} {
		if err := mgr.AddReadyzCheck(check, ready); err != nil {
			return err
		}
	}

	return nil
}

// tellSwitch says at the start which entries of the webhook change nothing, since pods with
// their label get no gate by it.
func tellSwitch(log logr.Logger, c Config) {
	if len(c.off()) == 0 {
		return
	}
	for _, p := range profile.Switched() {
		log.Info("A webhook entry is switched off: namespaces with its label get no gates by it", "entry", p.Name, "label", p.Label, "switchOn", SwitchVariable+"=true")
	}
}
