// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/podgate/podgate/test/env"
)

func parse(t *testing.T, args ...string) (options, error) {
	t.Helper()
	var o options
	f := pflag.NewFlagSet("run", pflag.ContinueOnError)
	o.bind(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o, o.validate()
}

func TestDefaultsAreTheExperimentOfTheReference(t *testing.T) {
	o, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{o.replicas, o.maxSurge, o.maxUnavailable, o.deregistrationDelay, o.prestop, o.gracePeriod, o.rate}
	want := []any{5, "25%", "25%", 30, 40, 70, 200.0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for arg, want := range map[string]string{
		"--runs=all":                         "none of",
		"--rate=0":                           "--rate",
		"--replicas=0":                       "--replicas",
		"--profile=gwlb":                     "is none of alb, nlb, lattice, ingress, haproxy",
		"--runs=instance":                    "needs --profile=ingress",
		"--time-scale=0":                     "--time-scale",
		"--warm-up=0":                        "--warm-up",
		"--prestop=70":                       "leaves nothing",
		"--new-image=podgate.dev/another:v1": "must differ",
	} {
		if _, err := parse(t, arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", arg, err, want)
		}
	}
}

func TestControllerEnvironmentCanBeOverridden(t *testing.T) {
	o, err := parse(t, "--controller-env=AWS_REGION=us-west-2", "--controller-env=EXTRA=1")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"AWS_ENDPOINT_URL": "http://sim", "AWS_REGION": "us-west-2", "EXTRA": "1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": env.AccessKeyID, "AWS_SECRET_ACCESS_KEY": env.SecretAccessKey,
	}
	if diff := cmp.Diff(want, o.environment("http://sim")); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

// TestPrometheusIsForAMetric: the controller is told of one only where a check asks it.
func TestPrometheusIsForAMetric(t *testing.T) {
	for _, c := range []struct {
		args   []string
		wanted bool
	}{
		{[]string{"--runs=unchecked,checked", "--settle=15"}, true},
		{[]string{"--runs=unchecked,checked"}, false},
		{[]string{"--runs=unchecked", "--settle=15"}, false},
	} {
		o, err := parse(t, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		args := strings.Join(o.controllerArgs(), " ")
		if strings.Contains(args, "--prometheus=main=http://172.30.0.2:9090 --allow-checks=") != c.wanted || o.measured() != c.wanted {
			t.Errorf("%v: the controller gets %q, Prometheus is started: %t", c.args, args, o.measured())
		}
		if asked := strings.Contains(checksOf(o.settle), "prometheus"); asked != (o.settle > 0) {
			t.Errorf("--settle=%d: a check asks Prometheus: %t", o.settle, asked)
		}
	}
}

func TestStatusWritesNowAndThen(t *testing.T) {
	var b bytes.Buffer
	s := newStatus(&b, false)
	s.show("first")
	s.show("too soon")
	s.say("stays")
	want := "0:00 first\n0:00 stays\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}
