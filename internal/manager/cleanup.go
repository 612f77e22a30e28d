// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/uninstall"
)

// settle is longer than the webhook's time-out may be in the chart, and the time that an
// API server takes to hear that the webhook is gone.
const settle = 20 * time.Second

func cleanUp(ctx context.Context, log logr.Logger, kube *rest.Config, scheme *runtime.Scheme, c Config) error {
	direct, err := client.New(kube, client.Options{Scheme: scheme, FieldOwner: name})
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	return uninstall.Run(ctx, uninstall.Options{
		Client: direct, Namespace: c.Namespace, WatchNamespace: c.WatchNamespace, Gates: c.kinds(), Lease: LeaseName,
		Settle: settle, Tick: time.Second, Log: log.WithName("clean-up"),
	})
}
