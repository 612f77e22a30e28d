// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podgate/podgate/internal/check/kinds"
	"github.com/podgate/podgate/internal/check/network"
	checkprometheus "github.com/podgate/podgate/internal/check/prometheus"
	"github.com/podgate/podgate/internal/check/resource"
	"github.com/podgate/podgate/internal/controller/readinessgates"
	"github.com/podgate/podgate/internal/observe"
	"github.com/podgate/podgate/internal/observe/checks"
)

// observers are the two that pods' gates are fed from: of groups, and of checks.
type observers struct {
	groups *observe.Observer
	checks *checks.Observer
}

// Watch implements pods.Observer.
func (o observers) Watch(pod types.NamespacedName, want observe.Interest) observe.Sighting {
	if ofChecks(want) {
		return o.checks.Watch(pod, want)
	}
	return o.groups.Watch(pod, want)
}

// Keep implements pods.Observer.
func (o observers) Keep(pod types.NamespacedName, all ...observe.Interest) {
	var groups, checks []observe.Interest
	for _, want := range all {
		if ofChecks(want) {
			checks = append(checks, want)
		} else {
			groups = append(groups, want)
		}
	}
	o.groups.Keep(pod, groups...)
	o.checks.Keep(pod, checks...)
}

func ofChecks(want observe.Interest) bool {
	_, is := want.Subject.(checks.Gate)
	return is
}

// cluster is what the observer of checks looks up, in caches.
type cluster struct {
	checks.Pods
	*kinds.Gates
}

// addChecks wires the observer of checks, which runs on the leader.
func addChecks(mgr ctrlmanager.Manager, wake func(types.NamespacedName), metrics prometheus.Registerer, c Config) (*checks.Observer, error) {
	dial := c.Parts.Dial
	if dial == nil {
		dial = network.Guard{APIServers: newAPIServers(mgr.GetConfig()).addresses}.Dial
	}

	servers, err := checkprometheus.New(c.Checks.Prometheus, metrics)
	if err != nil {
		return nil, err
	}

	objects, err := addObjects(mgr, wake)
	if err != nil {
		return nil, err
	}

	reader := mgr.GetClient()
	maker := kinds.Maker{Dial: dial, Allowed: c.Checks.Allowed, Labels: labels(reader, c), Prometheus: servers, Objects: objects}
	gates := kinds.NewGates(reader, maker)
	observer := checks.New(cluster{checks.Pods{Reader: reader}, gates}, checks.Options{
		Limits: c.Checks.Limits, Log: mgr.GetLogger().WithName("checks"), WakePod: wake, Random: c.Parts.Random,
	})
	for _, m := range observer.Metrics() {
		if err := metrics.Register(m); err != nil {
			return nil, err
		}
	}

	if err := mgr.Add(ctrlmanager.RunnableFunc(observer.Run)); err != nil {
		return nil, fmt.Errorf("add observer of checks: %w", err)
	}

	err = readinessgates.Setup(mgr, readinessgates.Options{Judge: gates.Judge, Observer: observer, Recorder: boundedRecorder{mgr.GetEventRecorder(name)}, Random: c.Parts.Random})
	if err != nil {
		return nil, fmt.Errorf("set up the controller of ReadinessGates: %w", err)
	}
	return observer, nil
}

// addObjects wires the objects that checks look at, which are watched on the leader.
func addObjects(mgr ctrlmanager.Manager, wake func(types.NamespacedName)) (resource.Reader, error) {
	cfg := mgr.GetConfig()
	if cfg == nil {
		return nil, nil // A model of a cluster has no others.
	}
	reads, err := dynamic.NewForConfigAndClient(cfg, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a client for the objects of checks: %w", err)
	}

	objects := resource.NewObjects(resource.Config{
		Client: reads, Mapper: mgr.GetRESTMapper(), Wake: wake, Log: mgr.GetLogger().WithName("objects"),
		Review: func(ctx context.Context, r *authorizationv1.SubjectAccessReview) error {
			return mgr.GetClient().Create(ctx, r)
		},
	})
	if err := mgr.Add(ctrlmanager.RunnableFunc(objects.Run)); err != nil {
		return nil, fmt.Errorf("add the objects of checks: %w", err)
	}
	return objects, nil
}
