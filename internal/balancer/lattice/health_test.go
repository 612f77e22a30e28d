// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/sim/awssim"
)

var testGroup = balancer.Group{Ref: balancer.Ref{Group: testARN}}

// lister is an API whose list of targets a test writes.
type lister struct {
	api
	calls int
	page  func(token string) ([]types.TargetSummary, string, error)
}

func (l *lister) ListTargets(_ context.Context, in *vpclattice.ListTargetsInput, _ ...func(*vpclattice.Options)) (*vpclattice.ListTargetsOutput, error) {
	l.calls++
	items, next, err := l.page(aws.ToString(in.NextToken))
	if err != nil {
		return nil, err
	}
	return &vpclattice.ListTargetsOutput{Items: items, NextToken: &next}, nil
}

// fake puts an implementation in AWS's place.
func fake(a api) *Provider { return over(aws.Config{}, testRegion, func(aws.Config) api { return a }) }

func row(addr string, status types.TargetStatus) types.TargetSummary {
	return types.TargetSummary{Id: &addr, Port: aws.Int32(80), Status: status}
}

// at is the target of such a row.
func at(addr string) gate.Target { return gate.Target{Addr: netip.MustParseAddr(addr), Port: 80} }

func TestHealthReadsRows(t *testing.T) {
	tests := []struct {
		reason string
		rows   []types.TargetSummary
		want   map[string]gate.Health
	}{
		{"an empty group", []types.TargetSummary{}, map[string]gate.Health{}},
		{"every status",
			[]types.TargetSummary{
				row("10.0.0.1", "HEALTHY"), row("10.0.0.2", "INITIAL"), {Id: aws.String("10.0.0.3"), Port: aws.Int32(80), Status: "UNHEALTHY", ReasonCode: aws.String("HealthCheckFailed")},
				row("10.0.0.4", "UNUSED"), row("10.0.0.5", "DRAINING"), row("10.0.0.6", "UNAVAILABLE"), row("10.0.0.7", "GLOWING"),
			},
			map[string]gate.Health{
				"10.0.0.1:80": {State: gate.Healthy},
				"10.0.0.2:80": {State: gate.Initial, Reason: "Initial", Description: "Target is registered, and its first health checks are under way"},
				"10.0.0.3:80": {State: gate.Unhealthy, Reason: "Unhealthy", Description: "Target fails its health checks: HealthCheckFailed"},
				"10.0.0.4:80": {State: gate.Unused, Reason: "Unused", Description: "No listener or rule of a service forwards to the target group", NotInUse: true},
				"10.0.0.5:80": {State: gate.Draining, Reason: "Draining", Description: "Target was deregistered and finishes its requests"},
				"10.0.0.6:80": {State: gate.Healthy, Reason: "HealthCheckUnavailable", Description: "The target group's health checks are off"},
				"10.0.0.7:80": {State: gate.Unknown, Reason: "UnknownStatus", Description: "Target has status GLOWING, which podgate does not know"},
			}},
		{"functions are no targets of ours",
			[]types.TargetSummary{{Id: aws.String("arn:aws:lambda:eu-test-1:123456789012:function:f"), Status: "UNAVAILABLE"}, row("10.0.0.1", "HEALTHY")},
			map[string]gate.Health{"10.0.0.1:80": {State: gate.Healthy}}},
		{"an IPv6 address has one spelling here", []types.TargetSummary{row("2001:0DB8:0::1", "HEALTHY")}, map[string]gate.Health{"[2001:db8::1]:80": {State: gate.Healthy}}},
		{"registered again while it drains: the later registration counts",
			[]types.TargetSummary{row("10.0.0.1", "DRAINING"), row("10.0.0.1", "HEALTHY"), row("10.0.0.2", "INITIAL"), row("10.0.0.2", "DRAINING")},
			map[string]gate.Health{
				"10.0.0.1:80": {State: gate.Healthy},
				"10.0.0.2:80": {State: gate.Initial, Reason: "Initial", Description: "Target is registered, and its first health checks are under way"},
			}},
		{"registered again between two pages: what says less counts",
			[]types.TargetSummary{row("10.0.0.1", "HEALTHY"), row("10.0.0.1", "INITIAL")},
			map[string]gate.Health{"10.0.0.1:80": {State: gate.Initial, Reason: "Initial", Description: "Target is registered, and its first health checks are under way"}}},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			l := &lister{page: func(string) ([]types.TargetSummary, string, error) { return tc.rows, "", nil }}
			healths, err := fake(l).Health(t.Context(), testGroup)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, named(healths)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func named(healths map[gate.Target]gate.Health) map[string]gate.Health {
	got := map[string]gate.Health{}
	for target, health := range healths {
		got[target.String()] = health
	}
	return got
}

func TestHealthRefusesNonsense(t *testing.T) {
	good := row("10.0.0.9", "HEALTHY")
	for name, rows := range map[string][]types.TargetSummary{
		"no list":   nil,
		"no target": {good, {Port: aws.Int32(80), Status: "HEALTHY"}},
		"no port":   {good, {Id: aws.String("10.0.0.1"), Status: "HEALTHY"}},
		"no status": {good, {Id: aws.String("10.0.0.1"), Port: aws.Int32(80)}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lister{page: func(string) ([]types.TargetSummary, string, error) { return rows, "", nil }}
			healths, err := fake(l).Health(t.Context(), testGroup)
			checkKind(t, err, nil)
			if healths != nil {
				t.Errorf("an answer came along: %v", healths)
			}
		})
	}
}

// A whole answer is cut at every byte: nothing but the whole may pass for an answer.
func TestHealthIsCompleteOrNothing(t *testing.T) {
	const whole = `{"items":[{"id":"10.0.0.1","port":80,"status":"HEALTHY"},{"id":"10.0.0.2","port":80,"status":"HEALTHY"}]}`
	length := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(whole[:length]))
	}))
	t.Cleanup(server.Close)
	p := New(config(t, server.URL), testRegion)

	for length = range len(whole) {
		healths, err := p.Health(t.Context(), testGroup)
		if err == nil || healths != nil {
			t.Fatalf("cut after %q: got %v, %v", whole[:length], healths, err)
		}
	}
	length = len(whole)
	if healths, err := p.Health(t.Context(), testGroup); err != nil || len(healths) != 2 {
		t.Fatalf("uncut: got %v, %v", healths, err)
	}
}

// TestHealthReadsAllPages: a group may hold a thousand targets, a page a hundred.
func TestHealthReadsAllPages(t *testing.T) {
	s := simulate(t, awssim.Config{})
	group := s.newGroup(t)
	all := s.newTargets(t, 250)
	s.register(t, group, all...)
	before := s.count("ListTargets")
	if got := len(s.health(t, group)); got != len(all) {
		t.Errorf("%d targets are listed, want %d", got, len(all))
	}
	if n := s.count("ListTargets") - before; n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

// TestExpiredPageToken: a token may end its life while pages are read. The read begins again, for half a list would say
// that targets are gone.
func TestExpiredPageToken(t *testing.T) {
	expired := &types.ValidationException{Message: aws.String("The token has expired")}
	tests := []struct {
		reason  string
		expires int // so many tokens
		want    int // targets
		calls   int
	}{
		{"none", 0, 2, 2},
		{"once", 1, 2, 4},
		{"again and again", 100, 0, 6},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			l := &lister{}
			l.page = func(token string) ([]types.TargetSummary, string, error) {
				switch {
				case token == "":
					return []types.TargetSummary{row("10.0.0.1", "HEALTHY")}, "more", nil
				case tc.expires > 0:
					tc.expires--
					return nil, "", expired
				}
				return []types.TargetSummary{row("10.0.0.2", "HEALTHY")}, "", nil
			}

			healths, err := fake(l).Health(t.Context(), testGroup)
			if len(healths) != tc.want || l.calls != tc.calls {
				t.Errorf("%d targets after %d calls, want %d after %d", len(healths), l.calls, tc.want, tc.calls)
			}
			if tc.want == 0 {
				checkKind(t, err, nil)
				says(t, err, "the tokens of the list's pages are refused again and again")
			}
		})
	}
}

func TestListWithoutEnd(t *testing.T) {
	l := &lister{page: func(string) ([]types.TargetSummary, string, error) {
		return []types.TargetSummary{row("10.0.0.1", "HEALTHY")}, "more", nil
	}}
	_, err := fake(l).Health(t.Context(), testGroup)
	checkKind(t, err, nil)
	if l.calls != maxPages {
		t.Errorf("%d calls", l.calls)
	}
}

// TestSimulatedTokensExpire is the same with the simulator's tokens.
func TestSimulatedTokensExpire(t *testing.T) {
	s := simulate(t, awssim.Config{Lattice: awssim.Lattice{TokenLifetime: time.Nanosecond}})
	group := s.newGroup(t)
	s.register(t, group, s.newTargets(t, 150)...)
	_, err := s.provider.Health(t.Context(), group)
	checkKind(t, err, nil)
}

// TestUnusedGroup: a target of a group that is in no service is not healthy, and a policy may open its gate.
func TestUnusedGroup(t *testing.T) {
	s := simulate(t, awssim.Config{})
	group := s.made(t, "web")
	s.settled(t, group, types.TargetGroupStatusActive)
	target := s.newTarget(t)
	s.register(t, group, target)
	s.eventually(t, group, target, "unused", func(h gate.Health, _ bool) bool {
		return h.State == gate.Unused && h.NotInUse && h.Reason == "Unused"
	})
}

// TestUncheckedGroup: without health checks each registered target gets requests, and says why its gate opens.
func TestUncheckedGroup(t *testing.T) {
	s := simulate(t, awssim.Config{})
	group := s.used(t, s.made(t, "grpc", unchecked))
	target := s.newTarget(t)
	s.register(t, group, target)
	s.eventually(t, group, target, "healthy for a reason", func(h gate.Health, _ bool) bool {
		return h.State == gate.Healthy && h.Reason == "HealthCheckUnavailable"
	})
}

func unchecked(in *vpclattice.CreateTargetGroupInput) {
	in.Config.ProtocolVersion, in.Config.HealthCheck = types.TargetGroupProtocolVersionGrpc, nil
}

// TestDrain: a deregistered target is listed until it has drained; registered again it begins as a new one.
func TestDrain(t *testing.T) {
	s := simulate(t, awssim.Config{})
	group := s.newGroup(t)
	target, other := s.newTarget(t), s.newTarget(t)
	s.setHealthy(t, target, true)
	s.setHealthy(t, other, true)
	s.register(t, group, target, other)
	healthy := func(h gate.Health, _ bool) bool { return h.State == gate.Healthy }
	s.eventually(t, group, target, "healthy", healthy)
	s.eventually(t, group, other, "healthy", healthy)
	if err := s.provider.Deregister(t.Context(), group, []gate.Target{target, other}); err != nil {
		t.Fatal(err)
	}
	if h := s.health(t, group)[target]; !h.Leaving() || h.Reason != "Draining" {
		t.Errorf("after its deregistration: %+v", h)
	}

	s.setHealthy(t, other, false)
	s.register(t, group, other)
	if h := s.health(t, group)[other]; h.State != gate.Initial {
		t.Errorf("registered again while it drains: %+v", h)
	}
	s.eventually(t, group, target, "gone", func(_ gate.Health, listed bool) bool { return !listed })
	s.eventually(t, group, other, "unhealthy", func(h gate.Health, _ bool) bool { return h.State == gate.Unhealthy })
}

// TestTogether: what several groups say of a target, as one.
func TestTogether(t *testing.T) {
	const one, two = "10.0.0.1:80", "10.0.0.1:90"
	h := func(s types.TargetStatus) gate.Health { return readHealth(types.TargetSummary{Status: s}) }
	type group = map[string]gate.Health
	tests := []struct {
		reason string
		groups []group
		target string
		want   gate.State
		says   string
		absent bool
	}{
		{reason: "all healthy", groups: []group{{one: h("HEALTHY")}, {one: h("HEALTHY")}}, target: one, want: gate.Healthy},
		{reason: "one of two", groups: []group{{one: h("HEALTHY")}, {one: h("INITIAL")}}, target: one, want: gate.Initial, says: "Initial (tg-1)"},
		{reason: "the worst says why", groups: []group{{one: h("UNHEALTHY")}, {one: h("INITIAL")}}, target: one, want: gate.Unhealthy, says: "Unhealthy (tg-0)"},
		{reason: "one lacks it, and it may get requests from the other", groups: []group{{one: h("HEALTHY")}, {"10.0.0.2:80": h("HEALTHY")}}, target: one, want: gate.Initial, says: "TargetNotFound (tg-1)"},
		{reason: "one is empty", groups: []group{{one: h("HEALTHY")}, {}}, target: one, want: gate.Initial, says: "TargetNotFound (tg-1)"},
		{reason: "one has it at another port", groups: []group{{one: h("HEALTHY")}, {two: h("UNHEALTHY")}}, target: one, want: gate.Healthy},
		{reason: "one has it at both ports", groups: []group{{one: h("HEALTHY")}, {two: h("HEALTHY"), one: h("INITIAL")}}, target: one, want: gate.Initial, says: "Initial (tg-1)"},
		{reason: "of which it is true, too", groups: []group{{one: h("HEALTHY")}, {two: h("UNHEALTHY")}}, target: two, want: gate.Unhealthy, says: "Unhealthy (tg-1)"},
		{reason: "a group that is not used hides nothing", groups: []group{{one: h("UNUSED")}, {one: h("INITIAL")}}, target: one, want: gate.Initial, says: "Initial (tg-1)"},
		{reason: "all but that one are satisfied", groups: []group{{one: h("UNUSED")}, {one: h("HEALTHY")}}, target: one, want: gate.Unused, says: "Unused (tg-0)"},
		{reason: "one has no checks", groups: []group{{one: h("UNAVAILABLE")}, {one: h("HEALTHY")}}, target: one, want: gate.Healthy, says: "HealthCheckUnavailable (tg-0)"},
		{reason: "it drains in one, and has left the other", groups: []group{{one: h("DRAINING")}, {"10.0.0.2:80": h("HEALTHY")}}, target: one, want: gate.Draining, says: "Draining (tg-0)"},
		{reason: "none lists it", groups: []group{{"10.0.0.2:80": h("HEALTHY")}, {}}, target: one, absent: true},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			var all []balancer.Ref
			var healths []map[gate.Target]gate.Health
			for i, g := range tc.groups {
				targets := map[gate.Target]gate.Health{}
				for name, health := range g {
					addr := netip.MustParseAddrPort(name)
					targets[gate.Target{Addr: addr.Addr(), Port: int32(addr.Port())}] = health
				}
				all, healths = append(all, balancer.Ref{Group: fmt.Sprintf("arn/tg-%d", i)}), append(healths, targets)
			}

			got, listed := named(together(all, healths, nil))[tc.target]
			if listed == tc.absent || got.State != tc.want {
				t.Errorf("listed %t as %+v", listed, got)
			}
			reason, group, _ := strings.Cut(tc.says, " ")
			if got.Reason != reason || !strings.HasSuffix(got.Description, group) {
				t.Errorf("got %q, %q, want %q", got.Reason, got.Description, tc.says)
			}
		})
	}
}

// TestLaw1AGroupThatLagsHasItsSay: which port of a Service a group is for shows in the very address that it lists at another
// one. Others that it lists there may be those of pods before the Service's target port changed.
func TestLaw1AGroupThatLagsHasItsSay(t *testing.T) {
	type group = map[string]types.TargetStatus
	for _, tc := range []struct {
		reason string
		other  group
		opens  bool
	}{
		{"it has the pod at the Service's other port", group{"10.0.0.1:90": "HEALTHY"}, true},
		{"and fails there", group{"10.0.0.1:90": "UNHEALTHY"}, true},
		{"and others, too", group{"10.0.0.1:90": "INITIAL", "10.0.0.2:90": "HEALTHY"}, true},
		{"it lags behind a change of the port", group{"10.0.0.2:90": "HEALTHY"}, false},
		{"though the others have changed in the first group", group{"10.0.0.3:90": "HEALTHY"}, false},
		{"the pod's address was that of another pod before", group{"10.0.0.1:90": "DRAINING"}, false},
		{"it is empty", group{}, false},
		{"it caught up", group{"10.0.0.1:80": "HEALTHY", "10.0.0.1:90": "DRAINING"}, true},
	} {
		var healths []map[gate.Target]gate.Health
		for _, g := range []group{{"10.0.0.1:80": "HEALTHY", "10.0.0.3:80": "HEALTHY"}, tc.other} {
			targets := map[gate.Target]gate.Health{}
			for name, status := range g {
				addr := netip.MustParseAddrPort(name)
				targets[gate.Target{Addr: addr.Addr(), Port: int32(addr.Port())}] = readHealth(types.TargetSummary{Status: status})
			}
			healths = append(healths, targets)
		}

		got := together([]balancer.Ref{{Group: "arn/tg-0"}, {Group: "arn/tg-1"}}, healths, nil)[at("10.0.0.1")]
		if opens := got.State == gate.Healthy; opens != tc.opens {
			t.Errorf("%s: %+v", tc.reason, got)
		}
	}
}
