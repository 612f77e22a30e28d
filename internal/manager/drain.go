// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/drain/hook"
	"github.com/podgate/podgate/internal/drain/server"
	"github.com/podgate/podgate/internal/webhook"
)

// addRelease answers pods that drain adaptively, at the webhook's server: its port, its
// Service and its certificate serve them as well.
func addRelease(mgr ctrlmanager.Manager, engine Engine, metrics prometheus.Registerer) error {
	h, err := server.New(server.Options{
		Elected: mgr.Elected(), Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Observer: engine.Observer, Resolutions: engine.Groups, Drivers: engine.Drivers,
		Registerer: metrics, Log: mgr.GetLogger().WithName("release"),
	})
	if err != nil {
		return err
	}
	mgr.GetWebhookServer().Register(hook.Path, h)
	return nil
}

const (
	// addressEvery is how often the Service's address is looked up, and addressRetry how
	// often while it is not known.
	addressEvery = time.Minute
	addressRetry = 5 * time.Second
)

// address is where pods reach podgate: its Service's own address, as not every pod can
// look names up.
type address struct {
	services client.Reader
	service  types.NamespacedName
	log      logr.Logger
	current  atomic.Pointer[string]
}

// NeedLeaderElection has every replica run it.
func (a *address) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (a *address) Start(ctx context.Context) error {
	for {
		wait := addressEvery
		if err := a.look(ctx); err != nil {
			a.log.V(1).Info("Finding podgate's Service failed; adaptive drains are not injected while it is unknown", "service", a.service, "error", err.Error())
			wait = addressRetry
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *address) look(ctx context.Context) error {
	var svc corev1.Service
	if err := a.services.Get(ctx, a.service, &svc); err != nil {
		return err
	}
	var found string
	for _, p := range svc.Spec.Ports {
		if net.ParseIP(svc.Spec.ClusterIP) != nil && found == "" {
			found = net.JoinHostPort(svc.Spec.ClusterIP, strconv.Itoa(int(p.Port)))
		}
	}
	a.current.Store(&found)
	return nil
}

// addHelper gives what the webhook must know to inject adaptive hooks; nil without their image.
func addHelper(ctx context.Context, mgr ctrlmanager.Manager, pair *certificate.Keypair, nodes cache.Cache, c Config) (func() webhook.Helper, error) {
	if c.DrainImage == "" {
		return nil, nil
	}

	volumes := &imageVolumes{}
	if c.DrainImageVolume {
		synced, err := followNodes(ctx, nodes, volumes.follow())
		if err != nil {
			return nil, err
		}
		volumes.synced = synced
	}

	a := &address{services: mgr.GetAPIReader(), service: types.NamespacedName{Namespace: c.Namespace, Name: certificate.ServiceName}, log: mgr.GetLogger()}
	name := certificate.DNSNames(c.Namespace)[0]
	return func() webhook.Helper {
		at := a.current.Load()
		if at == nil {
			return webhook.Helper{}
		}
		return webhook.Helper{Image: c.DrainImage, Address: *at, ServerName: name, CA: pair.Authorities(), Mounted: volumes.everywhere()}
	}, mgr.Add(a)
}
