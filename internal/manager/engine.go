// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/controller/pods"
	"github.com/podgate/podgate/internal/controller/standby"
	"github.com/podgate/podgate/internal/controller/targets"
	"github.com/podgate/podgate/internal/controller/trigger"
	"github.com/podgate/podgate/internal/observe"
	"github.com/podgate/podgate/internal/observe/groups"
)

// Engine is what is known of the groups, on the replica that leads.
type Engine struct {
	Observer *observe.Observer
	Groups   *binding.Registry
	// Drivers say what is true of the groups' load balancers.
	Drivers balancer.Drivers
}

// wakePods is the way from the target controller to the pod controller: when what is known
// of a binding's target group changes, the pods with the binding's gate are evaluated again.
type wakePods struct {
	// gated returns the pods that have a binding's gate, open or not.
	gated func(binding types.NamespacedName) ([]types.NamespacedName, error)
	wake  func(pod types.NamespacedName)
	log   logr.Logger
}

// resolved implements what binding.NewRegistry calls.
func (w wakePods) resolved(key types.NamespacedName) {
	pods, err := w.gated(key)
	if err != nil {
		w.log.Error(err, "Finding a gate's pods failed", "binding", key)
	}

	// Pods with open gates too: an event of theirs (unready containers, a new address) had no effect while nothing
	// was known of the binding.
	for _, p := range pods {
		w.wake(p)
	}
}

// wakeBindings is the way from the observer to the target controller: when a read finds a
// group changed, or fails in another way than before, all bindings of that group are reconciled.
type wakeBindings struct {
	// users returns the bindings that are resolved to a group.
	users func(balancer.Ref) []types.NamespacedName
	wake  func(binding types.NamespacedName)
}

// observed implements what observe.Options.WakeUsers asks for.
func (w wakeBindings) observed(subject observe.Subject) {
	ref, ofGroup := subject.(balancer.Ref)
	if !ofGroup {
		return // bindings are of groups
	}
	for _, key := range w.users(ref) {
		w.wake(key)
	}
}

// AddControllers wires the observer and the two controllers, which run on the leader,
// with a provider, and where there is an election what the other replicas do. Run does
// it for a cluster, the model test for a model of one, which has no nodes.
func AddControllers(ctx context.Context, mgr ctrlmanager.Manager, prov Balancers, nodes cache.Cache, metrics prometheus.Registerer, c Config) (Engine, error) {
	var podWake, targetWake trigger.Source
	var registered latency.Times[latency.Registration]
	log := mgr.GetLogger()

	registry := binding.NewRegistry(wakePods{
		gated: func(key types.NamespacedName) ([]types.NamespacedName, error) {
			return c.kinds().Fed(ctx, mgr.GetClient(), key)
		},
		wake: podWake.Wake, log: log,
	}.resolved)

	observer, err := addObserver(mgr, prov, podWake.Wake, wakeBindings{users: registry.Users, wake: targetWake.Wake}, metrics, c)
	if err != nil {
		return Engine{}, err
	}

	checks, err := addChecks(mgr, podWake.Wake, metrics, c)
	if err != nil {
		return Engine{}, err
	}

	targets, err := targets.Setup(mgr, prov, observer, registry, targets.Options{
		Reader: mgr.GetAPIReader(), Drivers: prov.Drivers, Account: prov.Drivers.Account,
		Recorder: boundedRecorder{mgr.GetEventRecorder(name)}, Metrics: metrics, Gates: c.kinds(), Registered: &registered, Wake: &targetWake,
		Ownership: binding.Ownership(c.Bindings), LBCLeaseNamespace: c.LBCLeaseNamespace, Namespace: c.WatchNamespace, Allowed: allowed(mgr.GetClient(), c),
		AbsenceGrace: c.AbsenceGrace, Floor: c.TargetFloor, Workers: c.Workers, Random: c.Parts.Random,
	})
	if err != nil {
		return Engine{}, fmt.Errorf("set up target controller: %w", err)
	}

	err = pods.Setup(mgr, pods.Options{
		Client: mgr.GetClient(), Kinds: c.kinds(), Observer: observers{observer, checks}, Drivers: prov.Drivers, Registry: registry,
		Recorder: boundedRecorder{mgr.GetEventRecorder(name)}, Metrics: metrics, Registered: &registered, Wake: &podWake, OrphanGrace: c.OrphanGrace, Workers: c.Workers, Random: c.Parts.Random,
	})
	if err != nil {
		return Engine{}, fmt.Errorf("set up pod controller: %w", err)
	}

	// Every replica follows nodes: the next leader has to know what they said before.
	if nodes != nil {
		synced, err := followNodes(ctx, nodes, targets.FollowNodes(logr.NewContext(ctx, log.WithName("nodes")), targetWake.Wake))
		if err != nil {
			return Engine{}, err
		}
		targets.KnowNodes(synced)
	}

	engine := Engine{Observer: observer, Groups: registry, Drivers: prov.Drivers}
	if !c.Election.Enabled {
		return engine, nil
	}

	return engine, addStandby(ctx, mgr, targets, metrics, c)
}

// addObserver wires the observer, which runs on the leader.
func addObserver(mgr ctrlmanager.Manager, prov Balancers, pod func(types.NamespacedName), bindings wakeBindings, metrics prometheus.Registerer, c Config) (*observe.Observer, error) {
	opts := observe.Options{
		Log: mgr.GetLogger().WithName("observer"), WakePod: pod, WakeUsers: bindings.observed,
		Tend: groups.Tend(prov.Tend), Random: c.Parts.Random, Rest: c.AWS.AuditInterval, QuietAfter: c.AWS.AuditQuiet,
	}

	observer := observe.New(groups.Reader{Limited: prov.Limited}, opts)
	if err := metrics.Register(observer.Metrics()); err != nil {
		return nil, err
	}

	if err := mgr.Add(ctrlmanager.RunnableFunc(observer.Run)); err != nil {
		return nil, fmt.Errorf("add observer: %w", err)
	}

	return observer, nil
}

// addStandby has a replica that does not lead keep the leader's caches, so that it can
// take over at once, and stand in for a leader that is silent.
func addStandby(ctx context.Context, mgr ctrlmanager.Manager, targets *targets.Reconciler, metrics prometheus.Registerer, c Config) error {
	for _, o := range append(binding.Kinds(), &v1alpha1.ReadinessGate{}, &corev1.Pod{}, &corev1.Service{}) {
		if _, err := mgr.GetCache().GetInformer(ctx, o, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch %T: %w", o, err)
		}
	}

	lease := standby.Lease{
		Reader: mgr.GetAPIReader(), Name: types.NamespacedName{Namespace: c.Namespace, Name: LeaseName}, RetryPeriod: c.Election.RetryPeriod, Elected: mgr.Elected(),
	}
	s, err := standby.New(lease, mgr.GetCache(), targets.Urgent, standby.Options{Metrics: metrics, Log: mgr.GetLogger().WithName("standby")})
	if err != nil {
		return err
	}

	return mgr.Add(s)
}
