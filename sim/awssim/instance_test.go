// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// TestNodePorts: requests go to the node ports of instances, and checks to the port that Kubernetes has for them where
// only the pods of a node count.
func TestNodePorts(t *testing.T) {
	node := func(name string) Target {
		return listenHTTP(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(name)) })
	}
	a, b := node("a"), node("b")

	var local atomic.Bool
	local.Store(true)
	health := listenHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" || !local.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})

	cfg := instant()
	cfg.TimeScale = 1000
	cfg.Instances = map[string]string{"i-0a": "127.0.0.1", "i-0b": "127.0.0.1"}
	e := start(t, cfg)
	group := e.group("web", func(in *elbv2.CreateTargetGroupInput) {
		in.TargetType, in.HealthCheckPath, in.HealthCheckPort = types.TargetTypeEnumInstance, aws.String("/healthz"), aws.String(strconv.Itoa(health.Port))
	})
	address := e.sim.ListenerAddress(e.balance(group, types.LoadBalancerTypeEnumApplication))

	first, second := Target{ID: "i-0a", Port: a.Port}, Target{ID: "i-0b", Port: b.Port}
	all := func(state string) func() bool {
		return func() bool { return e.states(group)[first] == state && e.states(group)[second] == state }
	}

	e.register(group, first, second)
	e.until("both nodes are healthy", all("healthy"))

	served := map[string]bool{}
	e.until("both nodes serve", func() bool {
		_, body, _ := e.get(address, "/")
		served[body] = true
		return served["a"] && served["b"]
	})

	local.Store(false)
	e.until("the nodes have no pods", all("unhealthy"))

	// The instance has another address after a restart, where nothing listens.
	local.Store(true)
	e.sim.SetInstances(map[string]string{"i-0b": "127.0.0.2"})
	e.until("one node serves", func() bool {
		return e.states(group)[first] == "healthy" && e.states(group)[second] == "unhealthy"
	})
	if code, body, _ := e.get(address, "/"); code != http.StatusOK || body != "a" {
		t.Errorf("got %d %q: want the node that is healthy", code, body)
	}
}

// TestInstancesThatCannotBeRegistered: an instance has to run.
func TestInstancesThatCannotBeRegistered(t *testing.T) {
	cases := map[string]struct{ reason, id string }{
		"Unknown": {reason: "there is none", id: "i-0c"},
		"Stopped": {reason: "it has no address", id: "i-0d"},
		"Address": {reason: "the group is of instances", id: "10.0.0.1"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{ELB: ELB{Instances: map[string]string{"i-0a": "10.0.0.1", "i-0d": ""}}}, func(e *env) {
				group := e.used(func(in *elbv2.CreateTargetGroupInput) { in.TargetType = types.TargetTypeEnumInstance })
				_, err := e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{
					TargetGroupArn: &group, Targets: described(Target{ID: "i-0a", Port: 30080}, Target{ID: tc.id, Port: 30080}),
				})
				if got := codeOf(err); got != "InvalidTarget" {
					t.Errorf("%s: got %q, want InvalidTarget", tc.reason, got)
				}
				if states := e.states(group); len(states) != 0 {
					t.Errorf("%s: the call registered %v nevertheless", tc.reason, states)
				}
			})
		})
	}
}
