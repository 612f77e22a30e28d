// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"net/netip"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/sim/awssim"
)

// held is what some groups list, each with "address:port" and a status.
type held []map[string]types.TargetStatus

func (h held) read() (all []balancer.Ref, healths []map[gate.Target]gate.Health) {
	for i, group := range h {
		targets := map[gate.Target]gate.Health{}
		for name, status := range group {
			addr := netip.MustParseAddrPort(name)
			targets[gate.Target{Addr: addr.Addr(), Port: int32(addr.Port())}] = readHealth(types.TargetSummary{Status: status})
		}
		all, healths = append(all, balancer.Ref{Group: "arn/tg-" + string(rune('a'+i))}), append(healths, targets)
	}
	return all, healths
}

// TestLaw1GroupsOfOnePortKeepTheirSay: a group that lacks a pod is left out once it is known to be for another port of the
// Service, and no sooner: one that lags behind a change of the port looks like it for a while.
func TestLaw1GroupsOfOnePortKeepTheirSay(t *testing.T) {
	const healthy, draining = types.TargetStatusHealthy, types.TargetStatusDraining
	type step struct {
		after time.Duration
		held  held
		opens bool
	}
	with := func(groups ...map[string]types.TargetStatus) held {
		return append(held{{"10.0.0.1:80": healthy, "10.0.0.9:80": healthy}}, groups...)
	}
	admin := map[string]types.TargetStatus{"10.0.0.1:90": healthy}
	elsewhere := map[string]types.TargetStatus{"10.0.0.2:90": healthy}
	same := map[string]types.TargetStatus{"10.0.0.1:80": healthy}
	none := map[string]types.TargetStatus{}

	for reason, steps := range map[string][]step{
		"a Service's other port, which some of its pods lack": {{0, with(admin), false}, {differsAfter - 1, with(admin), false}, {1, with(admin), true}},
		"that other pods have":                                {{0, with(elsewhere), false}, {differsAfter, with(elsewhere), true}},
		"a group that lags and catches up":                    {{0, with(admin), false}, {time.Minute, with(same), false}, {differsAfter, with(same), false}},
		"and lags again":                                      {{0, with(admin), false}, {time.Minute, with(same), false}, {differsAfter, with(admin), false}},
		"one that lags at a pod's old port":                   {{0, with(same), false}, {differsAfter, with(same), false}},
		"that holds the old port beside another":              {{0, with(map[string]types.TargetStatus{"10.0.0.1:80": healthy, "10.0.0.1:90": healthy}), false}, {differsAfter, with(map[string]types.TargetStatus{"10.0.0.1:80": healthy, "10.0.0.1:90": healthy}), false}},
		"an empty group":                                      {{0, with(none), false}, {differsAfter, with(none), false}},
		"a group whose targets drain":                         {{0, with(map[string]types.TargetStatus{"10.0.0.1:90": draining}), false}, {differsAfter, with(map[string]types.TargetStatus{"10.0.0.1:90": draining}), false}},
		"what drains is no port in common":                    {{0, with(map[string]types.TargetStatus{"10.0.0.1:80": draining, "10.0.0.1:90": healthy}), false}, {differsAfter, with(map[string]types.TargetStatus{"10.0.0.1:80": draining, "10.0.0.1:90": healthy}), true}},
		"seen all the time":                                   {{0, with(admin), false}, {2 * time.Minute, with(admin), false}, {2 * time.Minute, with(admin), false}, {time.Minute, with(admin), true}},
		"seen once, before nobody has it":                     {{0, with(admin), false}, {differsAfter, with(none), false}, {time.Hour, with(none), false}},
		"seen for too short a while":                          {{0, with(admin), false}, {differsAfter - 1, with(admin), false}, {time.Hour, with(none), false}},
		"a rollout that changes the port, and a group lags":   {{0, with(elsewhere), false}, {time.Second, with(none), false}, {differsAfter, with(none), false}, {differsAfter, with(same), false}, {0, with(map[string]types.TargetStatus{"10.0.0.9:80": healthy}), true}},
		"a port that nobody has for a moment":                 {{0, with(admin), false}, {time.Minute, with(none), false}, {differsAfter, with(admin), true}},
		"nobody has it once it is known":                      {{0, with(admin), false}, {differsAfter, with(admin), true}, {time.Hour, with(none), true}},
		"reads that are far apart":                            {{0, with(admin), false}, {differsAfter - 1, with(admin), false}, {differsGap, with(admin), true}},
		"and two rollouts":                                    {{0, with(admin), false}, {differsGap + 1, with(admin), false}, {differsAfter - 1, with(admin), false}, {1, with(admin), true}},
		"it is known for the pods to come":                    {{0, with(admin), false}, {differsAfter, with(admin), true}, {time.Hour, with(admin), true}, {differsKept - 1, with(admin), true}},
		"and not for ever":                                    {{0, with(admin), false}, {differsAfter, with(admin), true}, {time.Hour, with(admin), true}, {differsKept, with(admin), false}},
		"another group of the pod's port lags":                {{0, with(admin, same), false}, {differsAfter, with(admin, same), false}},
		"another group of the pod's port has it":              {{0, with(admin, map[string]types.TargetStatus{"10.0.0.9:80": healthy}), false}, {differsAfter, with(admin, map[string]types.TargetStatus{"10.0.0.9:80": healthy}), true}},
		"one that has it mixes ports":                         {{0, with(admin, map[string]types.TargetStatus{"10.0.0.9:80": healthy, "10.0.0.1:90": healthy}), false}, {differsAfter, with(admin, map[string]types.TargetStatus{"10.0.0.9:80": healthy, "10.0.0.1:90": healthy}), false}},
	} {
		var known ports
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for i, s := range steps {
			now = now.Add(s.after)
			all, healths := s.held.read()
			got := together(all, healths, known.compare(now, all, healths))[at("10.0.0.9")]
			if opens := got.State == gate.Healthy; opens != s.opens {
				t.Errorf("%s, step %d: %+v", reason, i, got)
			}
		}
	}
}

// TestLaw2AGroupOfAnotherPortHasNoSay: a Deployment whose pods lack the Service's other port is in the group of one port
// only, and does not wait for the other one for ever.
func TestLaw2AGroupOfAnotherPortHasNoSay(t *testing.T) {
	s := simulate(t, awssim.Config{})
	http := s.used(t, s.made(t, "web-http", forService("shop", "web", "blue")))
	admin := s.used(t, s.made(t, "web-admin", forService("shop", "web", "blue")))
	if err := s.SetHealth(http.Ref.Group, nil, awssim.Script{Outcomes: []string{"pass"}}); err != nil {
		t.Fatal(err)
	}

	web, worker := s.newTarget(t), s.newTarget(t)
	both := web
	both.Port = 9090
	s.register(t, http, web, worker)
	s.register(t, admin, both)
	s.eventually(t, http, worker, "healthy", func(h gate.Health, _ bool) bool { return h.State == gate.Healthy })
	group, err := s.discover(t, wanted("shop/web"))
	if err != nil {
		t.Fatal(err)
	}

	if got := s.health(t, group)[worker]; got.State != gate.Initial {
		t.Errorf("the other group may lag: %+v", got)
	}
	s.pass(differsAfter)
	if got := s.health(t, group)[worker]; got.State != gate.Healthy {
		t.Errorf("it is for another port: %+v", got)
	}

	s.register(t, admin, web)
	if got := s.health(t, group)[worker]; got.State != gate.Initial {
		t.Errorf("it is for the same port after all: %+v", got)
	}
}
