// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manager wires podgate together: one process, all its parts. It decides
// nothing itself.
package manager

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	podaws "github.com/podgate/podgate/internal/aws"
	awstraits "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	"github.com/podgate/podgate/internal/balancer/drivers"
	elbv2provider "github.com/podgate/podgate/internal/balancer/elbv2"
	"github.com/podgate/podgate/internal/balancer/haproxy"
	"github.com/podgate/podgate/internal/balancer/lattice"
	"github.com/podgate/podgate/internal/balancer/meter"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/scrape"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=podgate-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups="",namespace=podgate-system,resources=events,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=podgate-system,resources=leases,verbs=get;update,resourceNames=podgate-leader

// LeaseName is the leader election's lease.
const LeaseName = "podgate-leader"

// callTimeout bounds one HTTP exchange with AWS.
const callTimeout = 10 * time.Second

// name is the event source and field manager.
const name = "podgate"

// Run runs podgate until ctx ends. Its own metrics go to metrics; what the metrics
// server serves is controller-runtime's registry.
func Run(ctx context.Context, log logr.Logger, kube *rest.Config, metrics prometheus.Registerer, c Config) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}

	if c.CleanUp {
		return cleanUp(ctx, log, kube, scheme, c)
	}

	// No manager can be made while the API server is away, as it may be when podgate starts.
	if there, err := await(ctx, log, kube, c.Listen.Health); err != nil || !there {
		return err
	}

	kube, err = countRejected(kube, metrics)
	if err != nil {
		return err
	}

	absent, err := newAbsentKinds(kube, scheme, log)
	if err != nil {
		return err
	}

	// Metrics and the webhook are served with the same certificate, unless somebody offers another for the webhook.
	pair := &certificate.Keypair{}
	o := options(scheme, log, absent, c)
	o.Metrics = newMetricsServer(c, pair)
	// The webhook and what it reads from outlive the manager: calls go on until API servers have heard that it leaves.
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := newWebhookServer(c.Listen.WebhookPort, pair.Configure)
	o.NewCache, o.WebhookServer = lastingCaches(lasting), server
	mgr, err := ctrlmanager.New(kube, o)
	if err != nil {
		return fmt.Errorf("make manager: %w", err)
	}

	if err := addEverything(ctx, lasting, mgr, pair, metrics, c); err != nil {
		return err
	}

	return runAndLeave(ctx, lasting, mgr, server, c)
}

// runAndLeave runs the manager, and when it has ended the webhook as long as API servers call this replica.
func runAndLeave(ctx, lasting context.Context, mgr ctrlmanager.Manager, server *webhookServer, c Config) error {
	log := mgr.GetLogger()
	left := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(left)
		log.Info("This replica ends: it answers the webhook's calls until no API server keeps a connection to it", "atMost", callersKeep.String())
		log.Info("This replica answers no more calls", "connections", server.leave(lasting, c.Linger, callersKeep))
	})

	err := run(ctx, mgr)
	if c.Election.Enabled && elected(mgr) && ctx.Err() == nil {
		log.Info("This replica leads no more: it answers the webhook's calls until API servers call elsewhere, and ends", "because", fmt.Sprint(err))
		log.Info("This replica answers no more calls", "connections", server.leave(ctx, unready+c.Linger, unready+c.Linger+patience))
	}
	if ctx.Err() != nil {
		<-left
	}
	server.end()

	return err
}

// elected reports whether the replica has led.
func elected(mgr ctrlmanager.Manager) bool {
	select {
	case <-mgr.Elected():
		return true
	default:
		return false
	}
}

// newScheme returns the kinds of objects that podgate reads and writes.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, elbv2.AddToScheme, v1alpha1.AddToScheme, gwv1.Install, gwv1beta1.Install} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// addEverything adds to the manager what runs in it. What the webhook reads from ends with the lasting context.
func addEverything(ctx, lasting context.Context, mgr ctrlmanager.Manager, pair *certificate.Keypair, metrics prometheus.Registerer, c Config) error {
	// Indexes come first: an informer that runs takes no more of them.
	for _, register := range []func(context.Context, client.FieldIndexer) error{binding.Indexes, binding.PodIndexes(c.kinds().Owns)} {
		if err := register(ctx, mgr.GetFieldIndexer()); err != nil {
			return err
		}
	}

	prov, err := newBalancers(ctx, metrics, c)
	if err != nil {
		return err
	}

	nodes, err := newNodes(lasting, mgr)
	if err != nil {
		return err
	}

	engine, err := AddControllers(ctx, mgr, prov, nodes, metrics, c)
	if err != nil {
		return err
	}

	if err := addIngress(mgr, prov, metrics, c); err != nil {
		return err
	}

	if err := addWebhook(ctx, mgr, pair, nodes, metrics, c); err != nil {
		return err
	}

	if err := addRelease(mgr, engine, metrics); err != nil {
		return err
	}

	if err := addUngated(mgr, engine, metrics, c); err != nil {
		return err
	}

	if err := mgr.Add(giveBack(mgr.GetLogger().WithName("memory"))); err != nil {
		return err
	}

	return mgr.AddHealthzCheck("ping", healthz.Ping)
}

func options(scheme *runtime.Scheme, log logr.Logger, absent absentKinds, c Config) ctrlmanager.Options {
	var namespaces map[string]cache.Config
	if c.WatchNamespace != "" {
		namespaces = map[string]cache.Config{c.WatchNamespace: {}}
	}

	return ctrlmanager.Options{
		Scheme: scheme, Logger: log, MapperProvider: absent.mapper,
		Cache: cache.Options{
			DefaultNamespaces: namespaces,
			ByObject:          map[client.Object]cache.ByObject{&corev1.Pod{}: {Transform: slimPod(c.kinds())}},
			// What is managed by whom is nobody's business here and half of every object.
			DefaultTransform: cache.TransformStripManagedFields(),
			NewInformer:      informing(newInformer(log, absent.wrap)).compact,
		},
		Client:                 client.Options{FieldOwner: name},
		HealthProbeBindAddress: c.Listen.Health, PprofBindAddress: c.Listen.Profiles,
		// Names are unique here by construction; the check is of the process and would
		// keep a test from starting a second replica in its own.
		Controller:       config.Controller{SkipNameValidation: new(true)},
		LeaderElection:   c.Election.Enabled,
		LeaderElectionID: LeaseName, LeaderElectionNamespace: c.Namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &c.Election.LeaseDuration, RenewDeadline: &c.Election.RenewDeadline, RetryPeriod: &c.Election.RetryPeriod,
	}
}

// newMetricsServer says how metrics are served: with podgate's own certificate, as the ServiceMonitor has it, to whom the
// API server lets read them.
func newMetricsServer(c Config, pair *certificate.Keypair) metricsserver.Options {
	o := metricsserver.Options{BindAddress: c.Listen.Metrics}
	if c.Listen.SecureMetrics {
		o.SecureServing, o.FilterProvider, o.TLSOpts = true, scrape.Filter, []func(*tls.Config){pair.ConfigureOwn}
	}
	return o
}

// Balancers are all load balancers, within their budgets of calls.
type Balancers struct {
	*budget.Limited
	// Drivers say what is true of each.
	Drivers balancer.Drivers
	// AWS is how to call AWS in podgate's own account.
	AWS Caller
}

// Caller is how to call AWS within podgate's budgets.
type Caller struct {
	Config  aws.Config
	Options []podaws.Option
	Within  podaws.Within
}

// newBalancers makes the providers.
func newBalancers(ctx context.Context, reg prometheus.Registerer, c Config) (Balancers, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithRegion(c.AWS.Region),
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callTimeout)))

	// Without a configuration every call to AWS fails with the reason; HAProxy needs none.
	own := &awstraits.Own{Region: c.AWS.Region}
	options := []podaws.Option{podaws.Unconfigured(err), podaws.Telling(own)}
	groups := elbv2provider.New(cfg, c.AWS.Region, options...)
	latticeGroups := lattice.New(cfg, c.AWS.Region, options...)

	limits := balancer.Limits{
		DescribeRate: c.AWS.DescribeRate, DescribeBurst: c.AWS.DescribeBurst,
		ChangeRate: c.AWS.RegisterRate, ChangeBurst: c.AWS.RegisterBurst, Batch: elbv2provider.BatchSize,
	}

	all := drivers.All(groups, latticeGroups, own, limits, haproxy.New())
	metered, err := meter.New(all.Router(), reg)
	if err != nil {
		return Balancers{}, err
	}

	limited := budget.New(metered, all.Limits, all.Account)
	caller := Caller{Config: cfg, Options: options, Within: within(limited, metered, all.Account(balancer.Ref{Provider: elbv2provider.Driver(groups, own, limits).Kind}), limits)}
	return Balancers{Limited: limited, Drivers: all, AWS: caller}, reg.Register(limited.Metrics())
}
