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

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	"github.com/podgate/podgate/internal/balancer/drivers"
	elbv2provider "github.com/podgate/podgate/internal/balancer/elbv2"
	"github.com/podgate/podgate/internal/balancer/haproxy"
	"github.com/podgate/podgate/internal/balancer/meter"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/controller/pods"
	"github.com/podgate/podgate/internal/controller/standby"
	"github.com/podgate/podgate/internal/controller/targets"
	"github.com/podgate/podgate/internal/controller/trigger"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/observe"
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
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	for _, kinds := range []func(*runtime.Scheme) error{elbv2.AddToScheme, v1alpha1.AddToScheme} {
		if err := kinds(scheme); err != nil {
			return err
		}
	}
	if c.CleanUp {
		return cleanUp(ctx, log, kube, scheme, c)
	}
	if there, err := await(ctx, log, kube, c.HealthAddress); err != nil || !there {
		return err
	}
	var l leave
	ctx, cancel := l.after(ctx, c.Linger)
	defer cancel()
	pair := &certificate.Keypair{}
	o := options(scheme, log, c)
	o.Metrics = newMetricsServer(c, pair)
	o.WebhookServer = newWebhookServer(c, pair)
	mgr, err := ctrlmanager.New(kube, o)
	if err != nil {
		return fmt.Errorf("make manager: %w", err)
	}
	for _, register := range []func(context.Context, client.FieldIndexer) error{index.Bindings, index.Pods} {
		if err := register(ctx, mgr.GetFieldIndexer()); err != nil {
			return err
		}
	}
	prov, err := newBalancers(ctx, metrics, c)
	if err != nil {
		return err
	}
	nodes, err := newNodes(mgr)
	if err != nil {
		return err
	}
	engine, err := AddControllers(ctx, mgr, prov, nodes, metrics, c)
	if err != nil {
		return err
	}
	if err := addWebhook(ctx, mgr, pair, &l, metrics, c); err != nil {
		return err
	}
	if err := addRelease(mgr, engine, metrics); err != nil {
		return err
	}
	if err := addUngated(mgr, engine, metrics, c); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func options(scheme *runtime.Scheme, log logr.Logger, c Config) ctrlmanager.Options {
	var namespaces map[string]cache.Config
	if c.WatchNamespace != "" {
		namespaces = map[string]cache.Config{c.WatchNamespace: {}}
	}
	return ctrlmanager.Options{
		Scheme: scheme, Logger: log,
		Cache: cache.Options{
			DefaultNamespaces: namespaces,
			ByObject:          map[client.Object]cache.ByObject{&corev1.Pod{}: {Transform: slimPod}},
			// What is managed by whom is nobody's business here and half of every object.
			DefaultTransform: cache.TransformStripManagedFields(),
			NewInformer:      newInformer(log),
		},
		Client:                 client.Options{FieldOwner: name},
		HealthProbeBindAddress: c.HealthAddress,
		// Names are unique here by construction; the check is of the process and would
		// keep a test from starting a second replica in its own.
		Controller:       config.Controller{SkipNameValidation: new(true)},
		LeaderElection:   c.LeaderElection,
		LeaderElectionID: LeaseName, LeaderElectionNamespace: c.Namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &c.LeaseDuration, RenewDeadline: &c.RenewDeadline, RetryPeriod: &c.RetryPeriod,
	}
}

// newMetricsServer says how metrics are served: with the webhook's certificate, to whom
// the API server lets read them.
func newMetricsServer(c Config, pair *certificate.Keypair) metricsserver.Options {
	o := metricsserver.Options{BindAddress: c.MetricsAddress}
	if c.SecureMetrics {
		o.SecureServing, o.FilterProvider, o.TLSOpts = true, scrape.Filter, []func(*tls.Config){pair.Configure}
	}
	return o
}

// Balancers are all load balancers, within their budgets of calls.
type Balancers struct {
	*budget.Limited
	// Drivers say what is true of each.
	Drivers balancer.Drivers
	// HAProxy is told what bindings say of backends; nil where there are none.
	HAProxy *haproxy.Provider
}

// newBalancers makes the providers.
func newBalancers(ctx context.Context, reg prometheus.Registerer, c Config) (Balancers, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithRegion(c.Region),
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callTimeout)))
	groups := elbv2provider.New(cfg, c.Region, elbv2provider.Unconfigured(err))

	limits := balancer.Limits{
		DescribeRate: c.DescribeRate, DescribeBurst: c.DescribeBurst,
		ChangeRate: c.RegisterRate, ChangeBurst: c.RegisterBurst, Batch: elbv2provider.BatchSize,
	}

	backends := haproxy.New()
	all := drivers.All(groups, limits, backends)
	metered, err := meter.New(all.Router(), reg)
	if err != nil {
		return Balancers{}, err
	}
	limited := budget.New(metered, all.Limits, all.Account)
	return Balancers{Limited: limited, Drivers: all, HAProxy: backends}, reg.Register(limited.Metrics())
}

// Engine is what is known of the groups, on the replica that leads.
type Engine struct {
	Observer *observe.Observer
	Groups   *binding.Registry
	// Drivers say what is true of the groups' load balancers.
	Drivers balancer.Drivers
}

// AddControllers wires the observer and the two controllers, which run on the leader,
// with a provider, and where there is an election what the other replicas do. Run does
// it for a cluster, the model test for a model of one, which has no nodes.
func AddControllers(ctx context.Context, mgr ctrlmanager.Manager, prov Balancers, nodes cache.Cache, metrics prometheus.Registerer, c Config) (Engine, error) {
	var podWake, targetWake trigger.Source
	var registered latency.Times[latency.Registration]
	log := mgr.GetLogger()
	registry := binding.NewRegistry(func(key types.NamespacedName) {
		// Open gates too: a pod's event while nothing was known of its binding was let pass,
		// be it of unready containers or of a new address.
		pods, err := binding.Gated(ctx, mgr.GetClient(), key)
		if err != nil {
			log.Error(err, "Finding a gate's pods failed", "binding", key)
		}
		for _, p := range pods {
			podWake.Wake(p)
		}
	})
	opts := observe.Options{
		Log: log.WithName("observer"), WakePod: podWake.Wake, Audit: prov.Drivers.Audit, Random: c.Random,
		WakeGroup: func(ref balancer.Ref) {
			for _, key := range registry.Users(ref) {
				targetWake.Wake(key)
			}
		},
	}
	if prov.HAProxy != nil {
		opts.Dropped = prov.HAProxy.Forget
	}
	observer := observe.New(prov.Limited, opts)
	engine := Engine{Observer: observer, Groups: registry, Drivers: prov.Drivers}
	if err := metrics.Register(observer.Metrics()); err != nil {
		return Engine{}, err
	}
	if err := mgr.Add(ctrlmanager.RunnableFunc(observer.Run)); err != nil {
		return Engine{}, fmt.Errorf("add observer: %w", err)
	}
	targets, err := targets.Setup(mgr, prov.Limited, observer, registry, targets.Options{
		Reader: mgr.GetAPIReader(), Drivers: prov.Drivers, Account: prov.Drivers.Account, Prepare: prepare(prov.HAProxy),
		Recorder: boundedRecorder{mgr.GetEventRecorder(name)}, Metrics: metrics, Registered: &registered, Wake: &targetWake,
		Ownership: binding.Ownership(c.Bindings), LBCLeaseNamespace: c.LBCLeaseNamespace, Allowed: allowed(mgr.GetClient(), c),
		AbsenceGrace: c.AbsenceGrace, Floor: c.TargetFloor, Workers: c.Workers, Random: c.Random,
	})
	if err != nil {
		return Engine{}, fmt.Errorf("set up target controller: %w", err)
	}
	err = pods.Setup(mgr, pods.Options{
		Client: mgr.GetClient(), Observer: observer, Registry: registry,
		Recorder: boundedRecorder{mgr.GetEventRecorder(name)}, Metrics: metrics, Registered: &registered, Wake: &podWake, OrphanGrace: c.OrphanGrace, Workers: c.Workers,
	})
	if err != nil {
		return Engine{}, fmt.Errorf("set up pod controller: %w", err)
	}
	if nodes != nil {
		if err := followNodes(ctx, nodes, targets.FollowNodes(logr.NewContext(ctx, log.WithName("nodes")), targetWake.Wake)); err != nil {
			return Engine{}, err
		}
	}
	if !c.LeaderElection {
		return engine, nil
	}
	return engine, addStandby(ctx, mgr, targets, metrics, c)
}

// addStandby has a replica that does not lead keep the leader's caches, so that it can
// take over at once, and stand in for a leader that is silent.
func addStandby(ctx context.Context, mgr ctrlmanager.Manager, targets *targets.Reconciler, metrics prometheus.Registerer, c Config) error {
	for _, o := range []client.Object{&corev1.Pod{}, &corev1.Service{}, &elbv2.TargetGroupBinding{}, &v1alpha1.TargetBinding{}} {
		if _, err := mgr.GetCache().GetInformer(ctx, o, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch %T: %w", o, err)
		}
	}
	s, err := standby.New(standby.Options{
		Leases: mgr.GetAPIReader(), Lease: types.NamespacedName{Namespace: c.Namespace, Name: LeaseName}, RetryPeriod: c.RetryPeriod,
		Elected: mgr.Elected(), Cache: mgr.GetCache(), Urgent: targets.Urgent, Metrics: metrics, Log: mgr.GetLogger().WithName("standby"),
	})
	if err != nil {
		return err
	}
	return mgr.Add(s)
}
