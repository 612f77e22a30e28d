// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/experiment/report"
	"github.com/podgate/podgate/test/load"
)

const (
	cleanupTimeout = 45 * time.Second
	injectTimeout  = time.Minute
	lookInterval   = 100 * time.Millisecond
)

// rollout is one run: an application of its own, and what was seen of its update.
type rollout struct {
	*experiment
	name string
	app  env.App
	lb   balancer
	pods *env.PodWatch
	load *load.Generator
	// hook is how long the injected preStop hooks sleep, in seconds.
	hook int64

	updated, complete time.Time
}

// rollout does one run from an empty namespace to an empty namespace.
func (e *experiment) rollout(ctx context.Context, name string) (_ report.Run, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, e.options.timeout, fmt.Errorf("it took longer than %s", e.options.timeout))
	defer cancel()
	r := &rollout{experiment: e, name: name, app: e.application(name)}
	e.status.say("%s: starting in namespace %s", name, r.app.Namespace)
	defer func() { err = errors.Join(err, r.clean(ctx)) }()

	if err := r.prepare(ctx); err != nil {
		return report.Run{}, err
	}

	result, err := r.update(ctx)
	if err != nil {
		return report.Run{}, err
	}

	transitions, err := r.lb.transitions(ctx)
	if err != nil {
		return report.Run{}, err
	}

	run := r.measure(result, transitions)
	e.status.say("%s: %d requests, %d failed; Deployment complete after %.1f s, last old pod gone after %.1f s; overhangs: %s",
		name, run.Requests, run.Failed, run.DeploymentCompleteSeconds, run.RolloutSeconds, report.Overhangs(run))

	return run, nil
}

// application is what the run updates; the time makes its namespace a fresh one.
func (e *experiment) application(name string) env.App {
	o := e.options
	a := env.App{
		Namespace: "demo-" + name + "-" + strconv.FormatInt(time.Now().Unix(), 36), Name: "web",
		Gated: name != report.Ungated && name != report.Instance, Drained: slices.Contains([]string{report.Drain, report.DrainAdaptive, report.Unchecked, report.Checked}, name),
		Adaptive: name == report.DrainAdaptive, Image: o.oldImage, Replicas: o.replicas,
		MaxSurge: o.maxSurge, MaxUnavailable: o.maxUnavailable,
	}
	if name == report.GatedPrestop {
		a.PrestopSeconds, a.GracePeriodSeconds = o.prestop, o.gracePeriod
	}
	if a.Adaptive {
		// The demo's application answers at once, and nobody waits on a connection on which nothing moves.
		a.Annotations = map[string]string{v1alpha1.DrainIdleAnnotation: v1alpha1.DrainIdleLeave}
	}
	if name == report.Checked {
		a.Checks = checksOf(o.settle)
	}
	if o.profile == profileIngress {
		return e.behindIngress(name, a)
	}
	return a
}

// prepare brings the old version up behind a load balancer, until requests reach it.
func (r *rollout) prepare(ctx context.Context) (err error) {
	if r.lb, err = r.balancer(ctx); err != nil {
		return err
	}

	r.lb.bind(&r.app)
	if err := r.app.ApplyWiring(ctx, r.cluster); err != nil {
		return err
	}

	if r.pods, err = env.WatchPods(ctx, r.cluster, r.app.Namespace); err != nil {
		return err
	}

	if err := r.lb.ready(ctx); err != nil {
		return err
	}

	if r.scraped != "" {
		go func() {
			if err := r.scrape(ctx); err != nil {
				r.status.say("%v", err)
			}
		}()
	}

	if r.app.Gated {
		if err := r.waitInjected(ctx); err != nil {
			return err
		}
	}

	if r.app.Drained {
		if r.hook, err = env.WaitHook(ctx, r.cluster, r.app); err != nil {
			return err
		}
	}

	if err := r.app.ApplyDeployment(ctx, r.cluster); err != nil {
		return err
	}

	if err := r.cluster.WaitDeployment(ctx, r.app.Namespace, r.app.Name); err != nil {
		return err
	}

	return r.waitRouted(ctx)
}

func (r *rollout) waitInjected(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, injectTimeout, fmt.Errorf("no gate within %s: is the controller's webhook installed and reachable?", injectTimeout))
	defer cancel()
	return env.WaitInjected(ctx, r.cluster, r.app)
}

// waitRouted waits until the data path routes to all pods that are to stay, and to no
// others.
func (r *rollout) waitRouted(ctx context.Context) error {
	return r.watch(ctx, "waiting for the data path", func(ctx context.Context) (bool, error) {
		t, err := r.lb.transitions(ctx)
		if err != nil {
			return false, err
		}
		stay := r.stays()
		return len(staying(r.pods.Pods())) == r.options.replicas && maps.Equal(stay, routed(t)), nil
	})
}

// staying are the addresses of the pods that are not on their way out.
func staying(pods []env.PodHistory) map[string]bool {
	addresses := map[string]bool{}
	for _, p := range pods {
		if p.Terminating.IsZero() {
			addresses[p.Address] = true
		}
	}
	return addresses
}

// update changes the image under load, and ends the load when everything has settled.
func (r *rollout) update(ctx context.Context) (load.Result, error) {
	var err error
	if r.load, err = load.New(load.Config{URL: r.lb.url(), Host: r.lb.host(), Rate: r.options.rate}); err != nil {
		return load.Result{}, err
	}

	loading, end := context.WithCancel(ctx)
	defer end()
	results := make(chan load.Result, 1)
	go func() { results <- r.load.Run(loading) }()

	err = r.updateUnderLoad(ctx)
	end()
	result := <-results
	return result, err
}

func (r *rollout) updateUnderLoad(ctx context.Context) error {
	if err := r.pass(ctx, "steady load before the update", r.options.before); err != nil {
		return err
	}

	r.app.Image = r.options.newImage
	if r.warmsUp() {
		r.app.Env = map[string]string{"WARM_UP": strconv.Itoa(r.options.warmUp), "SETTLE": strconv.Itoa(r.options.settle)}
	}
	r.updated = time.Now()
	if err := r.app.ApplyDeployment(ctx, r.cluster); err != nil {
		return err
	}

	if err := r.watch(ctx, "updating", r.rolledOut); err != nil {
		return err
	}

	if err := r.waitRouted(ctx); err != nil {
		return err
	}

	return r.pass(ctx, "steady load after the update", r.options.after)
}

// warmsUp reports whether a pod of the new version answers errors at first.
func (r *rollout) warmsUp() bool { return r.name == report.Unchecked || r.name == report.Checked }

// rolledOut reports whether the Deployment is complete, whose time it notes, and every old
// pod is gone.
func (r *rollout) rolledOut(ctx context.Context) (bool, error) {
	if r.complete.IsZero() {
		var d appsv1.Deployment
		if err := r.cluster.Get(ctx, client.ObjectKey{Namespace: r.app.Namespace, Name: r.app.Name}, &d); err != nil {
			return false, err
		}
		if !env.Complete(&d) {
			return false, nil
		}
		r.complete = time.Now()
	}

	for _, p := range r.pods.Pods() {
		if p.Created.Before(r.updated) && p.Gone.IsZero() {
			return false, nil
		}
	}

	return true, nil
}

// pass lets time go by.
func (r *rollout) pass(ctx context.Context, phase string, d time.Duration) error {
	end := time.Now().Add(d)
	return r.watch(ctx, phase, func(context.Context) (bool, error) { return !time.Now().Before(end), nil })
}

// watch shows the status until done says so.
func (r *rollout) watch(ctx context.Context, phase string, done func(context.Context) (bool, error)) error {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()

	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", phase, err)
		}

		r.status.show(r.line(phase))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", phase, context.Cause(ctx))
		}
	}
}

// line is the state of the run in one line.
func (r *rollout) line(phase string) string {
	old, fresh, ending := 0, 0, 0
	for _, p := range r.pods.Pods() {
		switch {
		case !p.Gone.IsZero():
		case !p.Terminating.IsZero():
			ending++
		case p.Ready.IsZero():
		case p.Version == version(r.options.newImage):
			fresh++
		default:
			old++
		}
	}

	line := fmt.Sprintf("%s: %s; pods Ready: %d old, %d new, terminating: %d", r.name, phase, old, fresh, ending)
	if r.load == nil {
		return line
	}

	p := r.load.Progress()
	return line + fmt.Sprintf("; requests: %d, failed: %d", p.Sent, p.Failed)
}

// clean deletes what the run made, also when it was interrupted.
func (r *rollout) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()

	if r.pods != nil {
		r.pods.Stop()
	}

	err := r.app.Delete(ctx, r.cluster)
	if r.lb != nil {
		err = errors.Join(err, r.lb.remove(ctx))
	}

	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}

	return nil
}

// ofGroup are the transitions of one target group.
func ofGroup(all []awssim.Transition, arn string) []awssim.Transition {
	var some []awssim.Transition
	for _, t := range all {
		if t.TargetGroupARN == arn {
			some = append(some, t)
		}
	}
	return some
}

// routed are the addresses of the targets that requests are sent to.
func routed(transitions []awssim.Transition) map[string]bool {
	addresses := map[string]bool{}
	for _, t := range transitions {
		if t.Clock != awssim.ClockRouting {
			continue
		}
		delete(addresses, t.Target.ID)
		if t.To == routable {
			addresses[t.Target.ID] = true
		}
	}
	return addresses
}
