// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// timeline is what happened to a target on one clock: seconds since start,
// where it went, and why.
func (e *env) timeline(start time.Time, target Target, clock string) []string {
	lines := []string{}
	for _, t := range e.sim.Transitions(0) {
		if t.Target == target && t.Clock == clock {
			lines = append(lines, fmt.Sprintf("%g %s %s", t.Time.Sub(start).Seconds(), t.To, t.Reason))
		}
	}
	return lines
}

func TestTwoClocks(t *testing.T) {
	one := Target{ID: "10.0.0.1", Port: 8080}
	alb, nlb := types.LoadBalancerTypeEnumApplication, types.LoadBalancerTypeEnumNetwork
	cases := map[string]struct {
		reason       string
		cfg          Config
		kind         types.LoadBalancerTypeEnum
		delay        string
		outcomes     []string
		act          func(e *env, group string)
		api, routing []string
	}{
		"ALB": {
			reason: "the data path routes on for 17 s after draining, and the row stays for the whole delay",
			kind:   alb, delay: "300", outcomes: []string{"pass"},
			act: func(e *env, group string) {
				time.Sleep(100 * time.Second)
				e.deregister(group, one)
				time.Sleep(400 * time.Second)
			},
			api:     []string{"0 initial Elb.RegistrationInProgress", "1 initial Elb.InitialHealthChecking", "1 healthy ", "100 draining Target.DeregistrationInProgress", "400 absent Target.NotRegistered"},
			routing: []string{"0 standby Elb.RegistrationInProgress", "2 routable ", "117 none Target.DeregistrationInProgress"},
		},
		"NLB": {
			reason: "registration takes 90 s, new connections arrive for 120 s whatever the delay",
			kind:   nlb, delay: "30", outcomes: []string{"pass"},
			act: func(e *env, group string) {
				time.Sleep(200 * time.Second)
				e.deregister(group, one)
				time.Sleep(400 * time.Second)
			},
			api:     []string{"0 initial Elb.RegistrationInProgress", "90 initial Elb.InitialHealthChecking", "90 healthy ", "200 draining Target.DeregistrationInProgress", "230 absent Target.NotRegistered"},
			routing: []string{"0 standby Elb.RegistrationInProgress", "91 routable ", "320 none Target.DeregistrationInProgress"},
		},
		"NLBThreshold": {
			reason: "AWS Support says that an NLB wants the healthy threshold also at first",
			cfg:    Config{ELB: ELB{Profiles: Profiles{NLB: &Profile{RegistrationDelay: 90 * time.Second}}}},
			kind:   nlb, delay: "30", outcomes: []string{"pass"},
			act:     func(_ *env, _ string) { time.Sleep(300 * time.Second) },
			api:     []string{"0 initial Elb.RegistrationInProgress", "90 initial Elb.InitialHealthChecking", "210 healthy "},
			routing: []string{"0 standby Elb.RegistrationInProgress", "210 routable "},
		},
		"ForcedProfile": {
			reason: "an ALB can be given an NLB's timings",
			cfg:    Config{ELB: ELB{Profiles: Profiles{Profile: "nlb"}}},
			kind:   alb, delay: "30", outcomes: []string{"pass"},
			act:     func(_ *env, _ string) { time.Sleep(100 * time.Second) },
			api:     []string{"0 initial Elb.RegistrationInProgress", "90 initial Elb.InitialHealthChecking", "90 healthy "},
			routing: []string{"0 standby Elb.RegistrationInProgress", "91 routable "},
		},
		"TimeScale": {
			reason: "all timers run ten times faster",
			cfg:    Config{TimeScale: 10},
			kind:   alb, delay: "300", outcomes: []string{"pass"},
			act: func(e *env, group string) {
				time.Sleep(10 * time.Second)
				e.deregister(group, one)
				time.Sleep(40 * time.Second)
			},
			api:     []string{"0 initial Elb.RegistrationInProgress", "0.1 initial Elb.InitialHealthChecking", "0.1 healthy ", "10 draining Target.DeregistrationInProgress", "40 absent Target.NotRegistered"},
			routing: []string{"0 standby Elb.RegistrationInProgress", "0.2 routable ", "11.7 none Target.DeregistrationInProgress"},
		},
		"Thresholds": {
			reason: "two failures make it unhealthy, five passes healthy again; a single failure is forgiven",
			kind:   alb, delay: "300", outcomes: []string{"pass", "503", "pass", "503", "timeout", "404", "pass"},
			act:     func(_ *env, _ string) { time.Sleep(400 * time.Second) },
			api:     []string{"0 initial Elb.RegistrationInProgress", "1 initial Elb.InitialHealthChecking", "1 healthy ", "121 unhealthy Target.Timeout", "151 unhealthy Target.ResponseCodeMismatch", "301 healthy "},
			routing: []string{"0 standby Elb.RegistrationInProgress", "2 routable ", "121 standby Target.Timeout", "302 routable "},
		},
		"DelayZero": {
			reason: "without a delay the row goes at once, but the data path takes its time",
			kind:   alb, delay: "0", outcomes: []string{"pass"},
			act: func(e *env, group string) {
				time.Sleep(10 * time.Second)
				e.deregister(group, one)
				time.Sleep(60 * time.Second)
			},
			api:     []string{"0 initial Elb.RegistrationInProgress", "1 initial Elb.InitialHealthChecking", "1 healthy ", "10 absent Target.NotRegistered"},
			routing: []string{"0 standby Elb.RegistrationInProgress", "2 routable ", "27 none Target.DeregistrationInProgress"},
		},
		"RegisteredAgain": {
			reason: "a draining target that is registered again starts over, on both clocks",
			kind:   alb, delay: "300", outcomes: []string{"pass"},
			act: func(e *env, group string) {
				time.Sleep(10 * time.Second)
				e.deregister(group, one)
				time.Sleep(5 * time.Second)
				e.register(group, one)
				time.Sleep(400 * time.Second)
			},
			api:     []string{"0 initial Elb.RegistrationInProgress", "1 initial Elb.InitialHealthChecking", "1 healthy ", "10 draining Target.DeregistrationInProgress", "15 initial Elb.RegistrationInProgress", "16 initial Elb.InitialHealthChecking", "16 healthy "},
			routing: []string{"0 standby Elb.RegistrationInProgress", "2 routable ", "15 standby Elb.RegistrationInProgress", "17 routable "},
		},
		"Lost": {
			reason: "a target that the service loses is gone on both clocks at once",
			kind:   alb, delay: "300", outcomes: []string{"pass"},
			act: func(e *env, group string) {
				time.Sleep(10 * time.Second)
				if err := e.sim.LoseTarget(group, one); err != nil {
					e.Fatal(err)
				}
				time.Sleep(60 * time.Second)
			},
			api:     []string{"0 initial Elb.RegistrationInProgress", "1 initial Elb.InitialHealthChecking", "1 healthy ", "10 absent Fault.Lost"},
			routing: []string{"0 standby Elb.RegistrationInProgress", "2 routable ", "10 none "},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, tc.cfg, func(e *env) {
				edit := func(*elbv2.CreateTargetGroupInput) {}
				if tc.kind == nlb {
					edit = network
				}

				group := e.group("web", edit)
				e.balance(group, tc.kind)
				e.attribute(group, "deregistration_delay.timeout_seconds", tc.delay)
				e.script(group, Script{Outcomes: tc.outcomes})
				start := time.Now()
				e.register(group, one)
				tc.act(e, group)

				if diff := cmp.Diff(tc.api, e.timeline(start, one, ClockAPI)); diff != "" {
					t.Errorf("%s: API's clock (-want +got):\n%s", tc.reason, diff)
				}

				if diff := cmp.Diff(tc.routing, e.timeline(start, one, ClockRouting)); diff != "" {
					t.Errorf("%s: data path's clock (-want +got):\n%s", tc.reason, diff)
				}
			})
		})
	}
}

func TestRefusingADrainingTarget(t *testing.T) {
	inBubble(t, Config{ELB: ELB{RefuseDraining: true}}, func(e *env) {
		one := Target{ID: "10.0.0.1", Port: 80}
		g := e.used()
		e.register(g, one)
		e.deregister(g, one)
		_, err := e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &g, Targets: described(one)})
		if got := codeOf(err); got != "InvalidTarget" {
			t.Errorf("registering a draining target: %q, want InvalidTarget", got)
		}

		time.Sleep(301 * time.Second)
		e.register(g, one)

		if diff := cmp.Diff(map[Target]string{one: "initial"}, e.states(g)); diff != "" {
			t.Errorf("after the delay it is welcome again (-want +got):\n%s", diff)
		}
	})
}

func TestGroupComesIntoUseAndFallsOut(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		one := Target{ID: "10.0.0.1", Port: 80}
		g := e.group("web")
		e.script(g, Script{Outcomes: []string{"pass"}})
		e.register(g, one)
		time.Sleep(time.Minute)
		expect := func(when, want string) {
			t.Helper()
			if got := e.states(g)[one]; got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}

		expect("behind no load balancer", "unused")
		listener := e.balance(g, types.LoadBalancerTypeEnumApplication)
		expect("as the listener appears", "initial")
		time.Sleep(time.Minute)
		expect("after its check", "healthy")

		if _, err := e.elb.DeleteListener(e.Context(), &elbv2.DeleteListenerInput{ListenerArn: &listener}); err != nil {
			t.Fatal(err)
		}

		expect("as the listener goes", "unused")
		e.deregister(g, one)

		if got := e.states(g); len(got) != 0 {
			t.Errorf("an unused target has nothing to drain: %v", got)
		}
	})
}

func TestScripts(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		one, two := Target{ID: "10.0.0.1", Port: 80}, Target{ID: "10.0.0.2", Port: 80}
		g := e.used()
		e.script(g, Script{State: "healthy"})

		if err := e.sim.SetHealth(g, &two, Script{State: "unhealthy", Reason: "Target.Timeout"}); err != nil {
			t.Fatal(err)
		}

		e.register(g, one, two)
		if diff := cmp.Diff(map[Target]string{one: "healthy", two: "unhealthy"}, e.states(g)); diff != "" {
			t.Errorf("a target's own script goes before its group's (-want +got):\n%s", diff)
		}

		if err := e.sim.ClearHealth(g, &two); err != nil {
			t.Fatal(err)
		}

		if got := e.states(g)[two]; got != "healthy" {
			t.Errorf("without its own script the group's holds: %q", got)
		}

		e.script(g, Script{Outcomes: []string{"pass"}})
		if got := e.states(g)[one]; got != "initial" {
			t.Errorf("checks begin again when a state is no longer forced: %q", got)
		}

		time.Sleep(time.Minute)
		e.script(g, Script{Outcomes: []string{"503"}})

		if got := e.states(g)[one]; got != "healthy" {
			t.Errorf("new outcomes change nothing before the next check: %q", got)
		}

		time.Sleep(2 * time.Minute)
		if got := e.states(g)[one]; got != "unhealthy" {
			t.Errorf("new outcomes count: %q", got)
		}

		e.script(g, Script{State: "healthy", NoTraffic: true})
		row := e.describe(g, one)[0]
		if row.AdministrativeOverride == nil || row.AdministrativeOverride.State != types.TargetAdministrativeOverrideStateEnumZonalShiftActive {
			t.Errorf("a zonal shift is not shown: %+v", row.AdministrativeOverride)
		}

		time.Sleep(time.Minute)
		transitions := e.sim.Transitions(0)
		if last := transitions[len(transitions)-1]; last.Clock != ClockRouting || last.To != "none" {
			t.Errorf("a shifted target still gets traffic: %+v", last)
		}

		for _, bad := range []Script{{}, {State: "fine"}, {State: "healthy", Outcomes: []string{"pass"}}, {Outcomes: []string{"maybe"}}, {State: "initial", Reason: "Because"}} {
			if err := e.sim.SetHealth(g, nil, bad); err == nil {
				t.Errorf("script %+v was accepted", bad)
			}
		}
	})
}

func TestDescribeLags(t *testing.T) {
	inBubble(t, Config{ELB: ELB{DescribeLag: 5 * time.Second}}, func(e *env) {
		one := Target{ID: "10.0.0.1", Port: 80}
		g := e.used()
		e.script(g, Script{State: "healthy"})
		e.register(g, one)
		time.Sleep(4 * time.Second)

		if got := e.describe(g); len(got) != 0 {
			t.Errorf("4 s after registration a describe that lags by 5 s shows %v", got)
		}

		if got := e.describe(g, one)[0].TargetHealth; got.Reason != "Target.NotRegistered" {
			t.Errorf("asked for by name it is %v, want NotRegistered", got.Reason)
		}

		time.Sleep(2 * time.Second)
		if diff := cmp.Diff(map[Target]string{one: "healthy"}, e.states(g)); diff != "" {
			t.Errorf("6 s after (-want +got):\n%s", diff)
		}

		e.attribute(g, "deregistration_delay.timeout_seconds", "0")
		e.deregister(g, one)
		time.Sleep(time.Second)

		if got := e.states(g)[one]; got != "healthy" {
			t.Errorf("1 s after it is gone: %q, want still healthy", got)
		}

		time.Sleep(5 * time.Second)
		if got := e.states(g); len(got) != 0 {
			t.Errorf("6 s after it is gone: %v", got)
		}
	})
}

func TestModifiedHealthCheckSwitches(t *testing.T) {
	inBubble(t, Config{ELB: ELB{Relaxed: true}}, func(e *env) {
		one := Target{ID: "10.0.0.1", Port: 80}
		g := e.used()
		e.script(g, Script{Outcomes: []string{"pass"}})
		e.register(g, one)
		time.Sleep(time.Minute)

		for _, step := range []struct {
			enabled bool
			want    string
		}{{false, "unavailable"}, {true, "healthy"}} {
			if _, err := e.elb.ModifyTargetGroup(e.Context(), &elbv2.ModifyTargetGroupInput{TargetGroupArn: &g, HealthCheckEnabled: aws.Bool(step.enabled)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if got := e.states(g)[one]; got != step.want {
				t.Errorf("health checks on: %v: %q, want %q", step.enabled, got, step.want)
			}
		}
	})
}
