// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// leaseNamespace is where the chart of that controller installs it.
const leaseNamespace = "kube-system"

// The least and the longest wait before what failed is tried again.
const (
	retryFirst = 5 * time.Millisecond
	retryLast  = 1000 * time.Second
)

// Options say where the stand-in works. All but Log are required.
type Options struct {
	// Config reaches the API server, with rights to all that it reads and writes.
	Config *rest.Config
	// Endpoint and Region are of the simulator's AWS API.
	Endpoint, Region string
	// AccessKeyID is by which its calls are told from others'.
	AccessKeyID string
	Log         logr.Logger
}

// Controller is a running stand-in.
type Controller struct {
	cancel context.CancelFunc
	done   chan error
}

// Start starts the stand-in and waits until it leads. Stop ends it.
func Start(ctx context.Context, o Options) (*Controller, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, elbv2.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("build scheme: %w", err)
		}
	}

	mgr, err := manager.New(o.Config, manager.Options{
		Scheme: scheme, Logger: o.Log, Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		LeaderElection: true, LeaderElectionID: elbv2.LBCLease, LeaderElectionNamespace: leaseNamespace,
	})
	if err != nil {
		return nil, fmt.Errorf("start stand-in for AWS Load Balancer Controller: %w", err)
	}

	api := elb.New(elb.Options{
		BaseEndpoint: aws.String(o.Endpoint), Region: o.Region,
		Credentials: credentials.NewStaticCredentialsProvider(o.AccessKeyID, "not-a-secret", ""),
	})
	if err := setup(mgr, api); err != nil {
		return nil, fmt.Errorf("start stand-in for AWS Load Balancer Controller: %w", err)
	}

	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Controller{cancel: cancel, done: make(chan error, 1)}
	go func() { c.done <- mgr.Start(running) }()

	select {
	case <-mgr.Elected():
		return c, nil
	case err := <-c.done:
		cancel()
		return nil, fmt.Errorf("start stand-in for AWS Load Balancer Controller: %w", err)
	case <-ctx.Done():
		return nil, fmt.Errorf("start stand-in for AWS Load Balancer Controller: %w, %w", context.Cause(ctx), c.Stop())
	}
}

// Stop ends the stand-in. Its lease runs out by itself.
func (c *Controller) Stop() error {
	c.cancel()
	return <-c.done
}

// setup adds the one controller, with what wakes it.
func setup(mgr manager.Manager, api *elb.Client) error {
	r := &reconciler{Client: mgr.GetClient(), targets: newTargets(api)}
	again := workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryFirst, retryLast)
	unique := true
	return builder.ControllerManagedBy(mgr).
		Named("lbc").
		For(&elbv2.TargetGroupBinding{}).
		Watches(&discoveryv1.EndpointSlice{}, handler.EnqueueRequestsFromMapFunc(r.ofSlice), builder.WithPredicates(slicesChanged())).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(ofPod), builder.WithPredicates(podsChanged())).
		WithOptions(controller.Options{RateLimiter: again, MaxConcurrentReconciles: 3, SkipNameValidation: &unique}).
		Complete(r)
}
