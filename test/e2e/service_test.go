// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
)

// The application's two versions.
const (
	imageV1 = "podgate.dev/app:v1"
	imageV2 = "podgate.dev/app:v2"
)

// cleanupTimeout bounds taking away what a test made.
const cleanupTimeout = time.Minute

// service is an application behind a load balancer.
type service struct {
	*world
	app   env.App
	group env.TargetGroupOptions
	lb    *env.LoadBalancer
	pods  *env.PodWatch
	gates *gateWatch
	// refused is when a test had all calls about the group refused.
	refused span
}

// application is the demo's: what the figures say, gates and drain included.
func application() env.App {
	return env.App{
		Name: "web", Gated: true, Image: imageV1, Replicas: 5, MaxSurge: "25%", MaxUnavailable: "25%",
		PrestopSeconds: 40, GracePeriodSeconds: 70,
	}
}

// quick is the application for a load balancer whose clocks run four times faster.
func quick() env.App {
	a := application()
	a.PrestopSeconds, a.GracePeriodSeconds = 10, 18
	return a
}

// targetGroup is the demo's too.
func targetGroup() env.TargetGroupOptions {
	return env.TargetGroupOptions{
		HealthCheck:         env.HealthCheck{Path: "/healthz", Interval: 5, Timeout: 2, Healthy: 2, Unhealthy: 2},
		DeregistrationDelay: 30,
	}
}

// wire makes the load balancer, the namespace, the Service and the binding, and waits
// until the webhook knows them. The namespace is named after the test.
func (w *world) wire(a env.App, o env.TargetGroupOptions) *service {
	w.t.Helper()
	s := w.balance(a, o)
	s.join()
	return s
}

// balance makes the load balancer of a service and nothing in the cluster.
func (w *world) balance(a env.App, o env.TargetGroupOptions) *service {
	w.t.Helper()
	name := "e2e-" + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(w.t.Name(), "Test"), "/", "-"))
	a.Namespace, o.Name = name+"-"+strconv.FormatInt(time.Now().Unix(), 36), name[:min(len(name), 32)]
	s := &service{world: w, app: a, group: o}

	var err error
	s.lb, err = w.sim.CreateLoadBalancer(w.ctx, o)
	w.must(err)
	s.app.TargetGroupARN = s.lb.TargetGroupARN
	if o.Lattice {
		s.app.TargetGroupARN, s.app.LatticeARN = "", s.lb.TargetGroupARN
	}
	w.t.Cleanup(s.remove)
	return s
}

// join makes the namespace, the Service and the binding, and waits until the webhook knows them.
func (s *service) join() {
	s.t.Helper()
	s.enter()
	s.must(env.WaitInjected(s.ctx, s.cluster, s.app))
}

// enter makes the namespace, the Service and the binding, and watches the pods.
func (s *service) enter() {
	s.t.Helper()
	s.t.Cleanup(s.explainFailure)
	s.must(s.app.ApplyWiring(s.ctx, s.cluster))
	var err error
	s.pods, err = env.WatchPods(s.ctx, s.cluster, s.app.Namespace)
	s.must(err)
	s.t.Cleanup(s.pods.Stop)
	s.gates = s.watchGates()
	s.t.Cleanup(s.gates.stop)
}

// deploy wires an application, creates its pods and waits until requests reach them all.
func (w *world) deploy(a env.App, o env.TargetGroupOptions) *service {
	w.t.Helper()
	s := w.wire(a, o)
	s.apply()
	s.waitComplete()
	return s
}

// remove takes everything away; a binding that nobody lets go of is an error too.
func (s *service) remove() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cleanupTimeout)
	defer cancel()
	if err := s.app.Delete(ctx, s.cluster); err != nil {
		s.t.Errorf("clean up: %v", err)
	}
	if err := s.lb.Delete(ctx); err != nil {
		s.t.Errorf("clean up: %v", err)
	}
}

// deployment is the application's as it stands.
func (s *service) deployment(ctx context.Context) (*appsv1.Deployment, error) {
	var d appsv1.Deployment
	if err := s.cluster.Get(ctx, client.ObjectKey{Namespace: s.app.Namespace, Name: s.app.Name}, &d); err != nil {
		return nil, fmt.Errorf("get Deployment %s: %w", s.app.Name, err)
	}
	return &d, nil
}

// waitComplete waits until the Deployment is complete, no replaced pod is left and the
// data path routes to the pods that stay, and to nobody else.
func (s *service) waitComplete() {
	s.t.Helper()
	s.must(s.cluster.WaitDeployment(s.ctx, s.app.Namespace, s.app.Name))
	s.eventually("the last replaced pod to be gone", func(context.Context) (bool, error) {
		return len(s.alive()) == s.app.Replicas, nil
	})
	s.eventually("the data path to route to all pods and no others", func(ctx context.Context) (bool, error) {
		routed, err := s.routed(ctx)
		return maps.Equal(routed, addresses(s.alive())), err
	})
}

// apply makes the Deployment what the application says.
func (s *service) apply() {
	s.t.Helper()
	s.must(s.app.ApplyDeployment(s.ctx, s.cluster))
}

// update changes the image to the second version's and waits until everything has settled.
func (s *service) update() {
	s.t.Helper()
	s.app.Image = imageV2
	s.apply()
	s.waitComplete()
}

// scale changes the number of pods and waits until everything has settled.
func (s *service) scale(replicas int) {
	s.t.Helper()
	s.app.Replicas = replicas
	s.apply()
	s.waitComplete()
}

// alive are the pods that are not gone.
func (s *service) alive() []env.PodHistory {
	var all []env.PodHistory
	for _, p := range s.pods.Pods() {
		if p.Gone.IsZero() {
			all = append(all, p)
		}
	}
	return all
}

// pick keeps the pods that are wanted.
func pick(pods []env.PodHistory, wanted func(env.PodHistory) bool) []env.PodHistory {
	var some []env.PodHistory
	for _, p := range pods {
		if wanted(p) {
			some = append(some, p)
		}
	}
	return some
}

func addresses(pods []env.PodHistory) map[string]bool {
	all := map[string]bool{}
	for _, p := range pods {
		all[p.Address] = true
	}
	return all
}

// transitions are those of the service's targets, with states as ELBv2 spells them: VPC Lattice has capitals.
func (s *service) transitions(ctx context.Context) ([]awssim.Transition, error) {
	all, err := s.sim.Transitions(ctx, 0)
	if err != nil {
		return nil, err
	}
	var some []awssim.Transition
	for _, t := range all {
		if t.TargetGroupARN == s.lb.TargetGroupARN {
			t.From, t.To = strings.ToLower(t.From), strings.ToLower(t.To)
			some = append(some, t)
		}
	}
	return some, nil
}

// states are the targets' on one of the load balancer's clocks, by address; those that
// are absent there are left out.
func (s *service) states(ctx context.Context, clock string) (map[string]string, error) {
	transitions, err := s.transitions(ctx)
	if err != nil {
		return nil, err
	}

	now := map[string]string{}
	for _, t := range transitions {
		if t.Clock != clock {
			continue
		}
		now[t.Target.ID] = t.To
		if t.To == "absent" {
			delete(now, t.Target.ID)
		}
	}

	return now, nil
}

// routed are the addresses that requests are sent to.
func (s *service) routed(ctx context.Context) (map[string]bool, error) {
	states, err := s.states(ctx, awssim.ClockRouting)
	if err != nil {
		return nil, err
	}
	now := map[string]bool{}
	for address, class := range states {
		if class == "routable" {
			now[address] = true
		}
	}
	return now, nil
}
