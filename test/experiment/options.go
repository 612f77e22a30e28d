// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/experiment/report"
)

// options is what the experiment can be told.
type options struct {
	runs []string

	rate                     float64
	replicas                 int
	maxSurge, maxUnavailable string
	prestop, gracePeriod     int
	warmUp, settle           int
	oldImage, newImage       string

	simulator, listen, dataAddress, region, profile string
	simulatorArgs                                   []string
	simulatorLog                                    string
	routingDelay                                    time.Duration
	timeScale                                       float64
	deregistrationDelay                             int
	healthCheck                                     env.HealthCheck

	kubeconfig, controllerManifest string
	controllerEnv                  map[string]string

	before, after, timeout time.Duration
	jsonFile, pageFile     string
}

func (o *options) bind(f *pflag.FlagSet) {
	f.StringSliceVar(&o.runs, "runs", []string{report.Ungated, report.Gated, report.GatedPrestop, report.Drain, report.DrainAdaptive}, "runs to do, in this order")

	f.Float64Var(&o.rate, "rate", 200, "requests per second")
	f.IntVar(&o.replicas, "replicas", 5, "pods of the Deployment")
	f.StringVar(&o.maxSurge, "max-surge", "25%", "pods more than wanted during the update, number or percentage")
	f.StringVar(&o.maxUnavailable, "max-unavailable", "25%", "pods fewer than wanted during the update, number or percentage")
	f.IntVar(&o.prestop, "prestop", 40, "seconds that the preStop hook of the run gated-prestop sleeps")
	f.IntVar(&o.gracePeriod, "grace-period", 70, "terminationGracePeriodSeconds of the run gated-prestop; the others have 30")
	f.IntVar(&o.warmUp, "warm-up", 20, "seconds that a pod of the new version answers errors at first, in the runs unchecked and checked")
	f.IntVar(&o.settle, "settle", 0, "seconds that it answers others after that, and says so by a metric, which a real Prometheus scrapes; none when 0")
	f.StringVar(&o.oldImage, "old-image", "podgate.dev/app:v1", "image before the update; its tag is its version")
	f.StringVar(&o.newImage, "new-image", "podgate.dev/app:v2", "image after the update")

	f.StringVar(&o.simulator, "simulator", "bin/awssim", "program that simulates the load balancer")
	f.StringVar(&o.listen, "simulator-listen", "172.30.0.2:4566", "address of its AWS API, which the controller must reach")
	f.StringVar(&o.dataAddress, "data-address", "172.30.0.2", "address of its listeners")
	f.StringVar(&o.region, "region", "eu-west-1", "region that it simulates")
	f.StringVar(&o.profile, "profile", "alb", "kind of load balancer: alb, nlb or lattice, simulated; ingress, a simulated one that the controller makes for an Ingress; or haproxy, a real one")
	f.StringArrayVar(&o.simulatorArgs, "simulator-arg", nil, "further flag of the program, as --simulator-arg=--refuse-draining; may be repeated")
	f.StringVar(&o.simulatorLog, "simulator-log", "out/awssim.log", "file for what the program prints; none when empty")
	f.DurationVar(&o.routingDelay, "routing-delay", -1, "how long the data path routes to a target after the API says draining; the profile's own when negative (alb: 17s, lattice: 5s)")
	f.Float64Var(&o.timeScale, "time-scale", 1, "how many times faster than the wall the load balancer's clocks run")
	f.IntVar(&o.deregistrationDelay, "deregistration-delay", 30, "deregistration delay of the target group, in seconds; nobody can choose that of VPC Lattice, --simulator-arg=--lattice-drain-delay=90s simulates another")
	f.StringVar(&o.healthCheck.Path, "health-check-path", "/healthz", "path of the health check")
	f.Int32Var(&o.healthCheck.Interval, "health-check-interval", 5, "seconds between two health checks of a target")
	f.Int32Var(&o.healthCheck.Timeout, "health-check-timeout", 2, "seconds that a health check may take")
	f.Int32Var(&o.healthCheck.Healthy, "healthy-threshold", 2, "passed checks that make an unhealthy target healthy")
	f.Int32Var(&o.healthCheck.Unhealthy, "unhealthy-threshold", 2, "failed checks that make a target unhealthy")

	f.StringVar(&o.kubeconfig, "kubeconfig", "", "cluster to use; KUBECONFIG when empty")
	f.StringVar(&o.controllerManifest, "controller-manifest", "out/podgate.yaml", "manifest of the controller under test")
	f.StringToStringVar(&o.controllerEnv, "controller-env", nil, "environment KEY=VALUE of every container of that manifest's Deployments, "+
		"besides AWS_ENDPOINT_URL, AWS_REGION, credentials and AWS_EC2_METADATA_DISABLED; may be repeated")

	f.DurationVar(&o.before, "before", 5*time.Second, "steady load before the update")
	f.DurationVar(&o.after, "after", 5*time.Second, "steady load after everything has settled")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "time that one run may take")
	f.StringVar(&o.jsonFile, "json", "out/demo.json", "file for the figures")
	f.StringVar(&o.pageFile, "html", "out/demo.html", "file for the page")
}

func (o *options) validate() error {
	var errs []error
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}

	bad(len(o.runs) == 0, "--runs: want at least one")
	known := []string{report.Instance, report.Ungated, report.Gated, report.GatedPrestop, report.Drain, report.DrainAdaptive, report.Unchecked, report.Checked}
	for _, r := range o.runs {
		bad(!slices.Contains(known, r), "--runs: %q is none of %s", r, strings.Join(known, ", "))
	}

	bad(o.rate <= 0 || o.rate > 10000 || math.IsNaN(o.rate), "--rate: %g is not between 0 and 10000", o.rate)
	bad(o.replicas < 1, "--replicas: %d is less than 1", o.replicas)
	bad(o.profile != profileIngress && slices.Contains(o.runs, report.Instance), "--runs: %q needs --profile=%s", report.Instance, profileIngress)
	profiles := []string{"alb", "nlb", profileLattice, profileIngress, profileHAProxy}
	bad(!slices.Contains(profiles, o.profile), "--profile: %q is none of %s", o.profile, strings.Join(profiles, ", "))
	bad(o.timeScale <= 0, "--time-scale: %g is not above 0", o.timeScale)
	bad(o.prestop < 1 || o.gracePeriod < 1, "--prestop and --grace-period: want at least 1")
	bad(o.prestop >= o.gracePeriod, "--prestop %d leaves nothing of --grace-period %d", o.prestop, o.gracePeriod)
	bad(o.warmUp < 1 || o.settle < 0, "--warm-up %d is less than 1, or --settle %d less than 0", o.warmUp, o.settle)
	bad(version(o.oldImage) == version(o.newImage), "--old-image and --new-image: the versions (tags) must differ")

	return errors.Join(errs...)
}

// version is an image's tag.
func version(image string) string {
	return image[strings.LastIndex(image, ":")+1:]
}

// environment is what the controller's containers get.
func (o *options) environment(endpoint string) map[string]string {
	all := map[string]string{
		"AWS_ENDPOINT_URL":          endpoint,
		"AWS_REGION":                o.region,
		"AWS_ACCESS_KEY_ID":         env.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":     env.SecretAccessKey,
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	if o.profile == profileLattice {
		all["WEBHOOK_ENABLED"] = "true"
	}
	for k, v := range o.controllerEnv {
		all[k] = v
	}
	return all
}

// simulated is the simulator's profile for ELBv2; it runs beside other load balancers, too, so
// that podgate has an AWS that nobody asks.
func (o *options) simulated() string {
	if o.profile == "nlb" {
		return "nlb"
	}
	return "alb"
}

// timing is how fast the load balancer moves; of a real one nothing is known.
func (o *options) timing(s awssim.Settings) awssim.ProfileSettings {
	switch o.profile {
	case profileHAProxy:
		return awssim.ProfileSettings{}
	case profileLattice:
		return s.Lattice.Timing
	case profileIngress:
		return s.Profiles["alb"]
	}
	return s.Profiles[o.profile]
}

// drains is how many seconds the API shows a target that drains.
func (o *options) drains(s awssim.Settings) int {
	if o.profile == profileLattice {
		return int(s.Lattice.DrainDelaySeconds)
	}
	return o.deregistrationDelay
}
