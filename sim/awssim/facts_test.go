// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// TestFacts is the table of target health that the simulator is held to: every
// state, reason and description, reached and then read by the SDK. Rows that
// say "scripted" have no cause that the simulator models.
func TestFacts(t *testing.T) {
	one := Target{ID: "10.0.0.1", Port: 8080}
	outcome := func(o ...string) func(*env) (string, Target) {
		return func(e *env) (string, Target) {
			g := e.used()
			e.script(g, Script{Outcomes: o})
			e.register(g, one)
			time.Sleep(40 * time.Second) // two checks
			return g, one
		}
	}

	scripted := func(state, reason string) func(*env) (string, Target) {
		return func(e *env) (string, Target) {
			g := e.used()
			e.script(g, Script{State: state, Reason: reason})
			e.register(g, one)
			return g, one
		}
	}

	cases := map[string]struct {
		reason                   string
		reach                    func(e *env) (string, Target)
		state, code, description string
	}{
		"RegistrationInProgress": {
			reason: "the registration delay is not over", state: "initial", code: "Elb.RegistrationInProgress", description: "Target registration is in progress",
			reach: func(e *env) (string, Target) {
				g := e.used()
				e.register(g, one)
				return g, one
			},
		},
		"InitialHealthChecking": {
			reason: "one failed check is below the unhealthy threshold", state: "initial", code: "Elb.InitialHealthChecking", description: "Initial health checks in progress",
			reach: func(e *env) (string, Target) {
				g := e.used()
				e.script(g, Script{Outcomes: []string{"503"}})
				e.register(g, one)
				time.Sleep(10 * time.Second)
				return g, one
			},
		},
		"Healthy":              {reason: "one passed check is enough for a new target", reach: outcome("pass"), state: "healthy"},
		"ResponseCodeMismatch": {reason: "the matcher wants 200", reach: outcome("503"), state: "unhealthy", code: "Target.ResponseCodeMismatch", description: "Health checks failed with these codes: [503]"},
		"Timeout":              {reason: "nothing answers in time", reach: outcome("timeout"), state: "unhealthy", code: "Target.Timeout", description: "Request timed out"},
		"FailedHealthChecks":   {reason: "nothing listens", reach: outcome("refused"), state: "unhealthy", code: "Target.FailedHealthChecks", description: "Health checks failed"},
		"UnhealthyInternal":    {reason: "the load balancer's own trouble", reach: outcome("internal-error"), state: "unhealthy", code: "Elb.InternalError", description: "Health checks failed due to an internal error"},
		"NotRegistered": {
			reason: "an explicit question about a target that is not there", state: "unused", code: "Target.NotRegistered", description: "Target is not registered to the target group",
			reach: func(e *env) (string, Target) { return e.used(), one },
		},
		"NotInUse": {
			reason: "no load balancer has the group", state: "unused", code: "Target.NotInUse", description: "Target group is not configured to receive traffic from the load balancer",
			reach: func(e *env) (string, Target) {
				g := e.group("web")
				e.register(g, one)
				return g, one
			},
		},
		"InvalidState": {
			reason: "the instance is stopped", state: "unused", code: "Target.InvalidState", description: "Target is in the stopped or terminated state",
			reach: func(e *env) (string, Target) {
				instance := Target{ID: "i-1", Port: 8080}
				g := e.used(func(in *elbv2.CreateTargetGroupInput) { in.TargetType = types.TargetTypeEnumInstance })
				e.sim.SetInstances(map[string]string{"i-1": "10.0.0.9"})
				e.register(g, instance)
				e.sim.SetInstances(map[string]string{"i-1": ""})
				return g, instance
			},
		},
		"IpUnusable": {reason: "scripted", reach: scripted("unused", "Target.IpUnusable"), state: "unused", code: "Target.IpUnusable", description: "The target IP address is reserved for use by a load balancer"},
		"Draining": {
			reason: "deregistered, and the delay is not over", state: "draining", code: "Target.DeregistrationInProgress", description: "Target deregistration is in progress",
			reach: func(e *env) (string, Target) {
				g := e.used()
				e.register(g, one)
				e.deregister(g, one)
				return g, one
			},
		},
		"UnhealthyDraining": {
			reason: "a network load balancer that lets connections live on", state: "unhealthy.draining", code: "Target.FailedHealthChecks", description: "Health checks failed",
			reach: func(e *env) (string, Target) {
				g := e.group("web", network)
				e.balance(g, types.LoadBalancerTypeEnumNetwork)
				e.attribute(g, "target_health_state.unhealthy.connection_termination.enabled", "false")
				e.attribute(g, "target_health_state.unhealthy.draining_interval_seconds", "600")
				e.script(g, Script{Outcomes: []string{"refused"}})
				e.register(g, one)
				time.Sleep(200 * time.Second)
				return g, one
			},
		},
		"HealthCheckDisabled": {
			reason: "a Lambda function, whose checks are off by default", state: "unavailable", code: "Target.HealthCheckDisabled", description: "Health checks are disabled",
			reach: func(e *env) (string, Target) {
				function := Target{ID: "arn:aws:lambda:eu-west-1:123456789012:function:f"}
				g := e.used(func(in *elbv2.CreateTargetGroupInput) {
					*in = elbv2.CreateTargetGroupInput{Name: in.Name, TargetType: types.TargetTypeEnumLambda}
				})
				e.register(g, function)
				time.Sleep(10 * time.Second)
				return g, function
			},
		},
		"UnavailableInternal": {reason: "scripted", reach: scripted("unavailable", "Elb.InternalError"), state: "unavailable", code: "Elb.InternalError", description: "Target health is unavailable due to an internal error"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(e *env) {
				group, target := tc.reach(e)
				rows := e.describe(group, target)
				if len(rows) != 1 {
					t.Fatalf("%s: %d rows, want 1", tc.reason, len(rows))
				}

				h := rows[0].TargetHealth
				got := []string{string(h.State), string(h.Reason), aws.ToString(h.Description)}
				if diff := cmp.Diff([]string{tc.state, tc.code, tc.description}, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
				}

				if sent := h.Description != nil; sent != (tc.description != "") {
					t.Errorf("%s: description sent: %v", tc.reason, sent)
				}

				if aws.ToString(rows[0].Target.Id) != target.ID {
					t.Errorf("%s: row is about %q", tc.reason, aws.ToString(rows[0].Target.Id))
				}
			})
		})
	}
}
