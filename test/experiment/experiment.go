// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/experiment/report"
)

// installTimeout bounds the controller's start.
const installTimeout = 3 * time.Minute

// experiment does the runs one after the other, with one simulator and one controller.
type experiment struct {
	options options
	status  *status

	cluster *env.Cluster
	sim     *env.Simulator
	// scraped is the file of the pods that Prometheus scrapes; empty without one.
	scraped string
}

func newExperiment(o options, s *status) *experiment { return &experiment{options: o, status: s} }

// run does everything and writes the reports; what went wrong is its error.
func (e *experiment) run(ctx context.Context, out io.Writer) error {
	for _, file := range []string{e.options.jsonFile, e.options.pageFile, e.options.simulatorLog} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("make directory of %s: %w", file, err)
		}
	}

	stop, err := e.start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-e.sim.Exited():
			cancel(errors.New("the simulator ended"))
		case <-ctx.Done():
		}
	}()

	if e.options.measured() {
		pods, stop, err := startPrometheus(ctx, e.options)
		if err != nil {
			return err
		}
		e.scraped = pods
		defer func() {
			if err := stop(); err != nil {
				e.status.say("%v", err)
			}
		}()
	}

	demo, err := e.parameters(ctx)
	if err != nil {
		return err
	}

	if err := e.install(ctx); err != nil {
		return err
	}

	var failed error
	for _, name := range e.options.runs {
		r, err := e.rollout(ctx, name)
		if err != nil {
			failed = fmt.Errorf("run %s: %w", name, err)
			break
		}
		demo.Runs = append(demo.Runs, r)
	}

	if len(demo.Runs) == 0 {
		return failed
	}

	return errors.Join(failed, e.report(demo, failed, out))
}

// start connects to the cluster and starts the simulator.
func (e *experiment) start(ctx context.Context) (stop func(), err error) {
	e.cluster, err = env.Connect(e.options.kubeconfig)
	if err != nil {
		return nil, err
	}

	var log io.WriteCloser
	if e.options.simulatorLog != "" {
		log, err = os.Create(e.options.simulatorLog)
		if err != nil {
			return nil, fmt.Errorf("write simulator's log: %w", err)
		}
	}

	o := e.options
	args := o.simulatorArgs
	if o.profile == profileIngress {
		args = append([]string{"--instance=" + nodeInstance + "=" + nodeAddress}, args...)
		err = e.nodeIsInstance(ctx)
	}
	if err == nil {
		e.sim, err = env.StartSimulator(ctx, env.SimulatorOptions{
			Binary: o.simulator, Listen: o.listen, DataAddress: o.dataAddress, OwnPorts: o.profile == profileIngress, Region: o.region, Profile: o.simulated(),
			RoutingDelay: o.routingDelay, TimeScale: o.timeScale, Args: args, Log: log,
		})
	}

	closeLog := func() {
		if log != nil {
			_ = log.Close()
		}
	}
	if err != nil {
		closeLog()
		return nil, err
	}

	return func() {
		if err := e.sim.Stop(); err != nil {
			e.status.say("%v", err)
		}
		closeLog()
	}, nil
}

// install puts the controller into the cluster.
func (e *experiment) install(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	m, err := env.ReadManifest(e.options.controllerManifest)
	if err != nil {
		return err
	}

	if err := errors.Join(m.SetEnv(e.options.environment(e.sim.Endpoint)), m.AddArgs(e.options.controllerArgs())); err != nil {
		return err
	}

	e.status.say("installing the controller of %s", e.options.controllerManifest)
	if err := env.InstallController(ctx, e.cluster, m); err != nil {
		return fmt.Errorf("install controller: %w", err)
	}

	return nil
}

// parameters are read from the simulator where it knows them better than the flags.
func (e *experiment) parameters(ctx context.Context) (report.Demo, error) {
	o := e.options
	s, err := e.sim.Settings(ctx)
	if err != nil {
		return report.Demo{}, err
	}

	timing := o.timing(s)
	return report.Demo{Parameters: report.Parameters{
		RatePerSecond: o.rate, Replicas: o.replicas, MaxSurge: o.maxSurge, MaxUnavailable: o.maxUnavailable,
		Profile: o.profile, RegistrationDelaySeconds: timing.RegistrationDelaySeconds, RoutableDelaySeconds: timing.RoutableDelaySeconds,
		RoutingDelaySeconds: timing.DrainRoutingDelaySeconds, DeregistrationDelaySeconds: o.drains(s), TimeScale: s.TimeScale, Controller: filepath.Base(o.controllerManifest),
		HealthCheck: report.HealthCheck{
			IntervalSeconds: int(o.healthCheck.Interval), TimeoutSeconds: int(o.healthCheck.Timeout),
			HealthyThreshold: int(o.healthCheck.Healthy), UnhealthyThreshold: int(o.healthCheck.Unhealthy), Path: o.healthCheck.Path,
		},
	}}, nil
}

// report writes what there is, also when a later run failed.
func (e *experiment) report(d report.Demo, failed error, out io.Writer) error {
	d.Finished = time.Now()
	d.Problems = report.Verdict(d.Runs)
	if failed != nil {
		d.Problems = append(d.Problems, failed.Error())
	}

	if err := errors.Join(d.WriteJSON(e.options.jsonFile), d.WritePageFile(e.options.pageFile)); err != nil {
		return err
	}

	e.status.say("wrote %s and %s", e.options.jsonFile, e.options.pageFile)
	_, _ = fmt.Fprintln(out)

	if err := d.WriteTable(out); err != nil {
		return fmt.Errorf("write table: %w", err)
	}

	_, _ = fmt.Fprintln(out)
	problems := report.Verdict(d.Runs)
	if len(problems) == 0 {
		return nil
	}

	return errors.New(strings.Join(problems, "\n"))
}
