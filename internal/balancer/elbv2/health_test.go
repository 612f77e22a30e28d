// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

func row(id, port, health string) string {
	return "<member><Target><Id>" + id + "</Id><Port>" + port + "</Port></Target><HealthCheckPort>80</HealthCheckPort><TargetHealth>" + health + "</TargetHealth></member>"
}

func rows(r ...string) answer {
	return result("DescribeTargetHealth", "<TargetHealthDescriptions>"+strings.Join(r, "")+"</TargetHealthDescriptions>")
}

func TestHealthReadsAnswers(t *testing.T) {
	initial := "<State>initial</State><Reason>Elb.InitialHealthChecking</Reason><Description>Initial health checks in progress</Description>"
	draining := "<State>draining</State><Reason>Target.DeregistrationInProgress</Reason><Description>Target deregistration is in progress</Description>"
	tests := []struct {
		reason string
		answer answer
		want   map[string]gate.Health
	}{
		{"an empty group", rows(), map[string]gate.Health{}},
		{"an empty group without the list", result("DescribeTargetHealth", ""), map[string]gate.Health{}},
		{"every state",
			rows(row("10.0.0.1", "80", "<State>healthy</State>"),
				row("10.0.0.2", "80", initial),
				row("10.0.0.3", "80", "<State>unhealthy</State><Reason>Target.Timeout</Reason><Description>Request timed out</Description>"),
				row("10.0.0.4", "80", "<State>unhealthy.draining</State>"),
				row("10.0.0.5", "80", "<State>unused</State><Reason>Target.NotInUse</Reason>"),
				row("10.0.0.6", "80", draining),
				row("10.0.0.7", "80", "<State>unavailable</State><Reason>Target.HealthCheckDisabled</Reason>")),
			map[string]gate.Health{
				"10.0.0.1:80": {State: gate.Healthy},
				"10.0.0.2:80": {State: gate.Initial, Reason: "Elb.InitialHealthChecking", Description: "Initial health checks in progress", Own: true},
				"10.0.0.3:80": {State: gate.Unhealthy, Reason: "Target.Timeout", Description: "Request timed out"},
				"10.0.0.4:80": {State: gate.UnhealthyDraining, Reason: "Target.Unhealthy.draining"},
				"10.0.0.5:80": {State: gate.Unused, Reason: "Target.NotInUse", NotInUse: true},
				"10.0.0.6:80": {State: gate.Draining, Reason: "Target.DeregistrationInProgress", Description: "Target deregistration is in progress"},
				"10.0.0.7:80": {State: gate.Unavailable, Reason: "Target.HealthCheckDisabled"},
			}},
		{"a state from the future is unknown, not healthy, and explains itself",
			rows(row("10.0.0.1", "80", "<State>glowing</State><Reason>Elb.Glow</Reason><Description>It glows</Description>")),
			map[string]gate.Health{"10.0.0.1:80": {State: gate.Unknown, Reason: "Elb.Glow", Description: "It glows", Own: true}}},
		{"healthy carries nothing else",
			rows(row("10.0.0.1", "80", "<State>healthy</State><Reason>Elb.InitialHealthChecking</Reason><Description>old</Description>")),
			map[string]gate.Health{"10.0.0.1:80": {State: gate.Healthy}}},
		{"instances are targets by their ids",
			rows(row("i-0123456789abcdef0", "30080", "<State>healthy</State>"), row("i-0123456789abcdef1", "30080", "<State>unused</State><Reason>Target.InvalidState</Reason>")),
			map[string]gate.Health{"i-0123456789abcdef0:30080": {State: gate.Healthy}, "i-0123456789abcdef1:30080": {State: gate.Unused, Reason: "Target.InvalidState"}}},
		{"functions are no targets of ours",
			rows(row("arn:aws:lambda:eu-west-1:123456789012:function:web", "80", "<State>healthy</State>"), row("10.0.0.1", "80", "<State>healthy</State>")),
			map[string]gate.Health{"10.0.0.1:80": {State: gate.Healthy}}},
		{"an IPv6 address has one spelling here",
			rows(row("2001:0DB8:0::1", "80", "<State>healthy</State>")),
			map[string]gate.Health{"[2001:db8::1]:80": {State: gate.Healthy}}},
		{"two zones, one not healthy: not healthy",
			rows(row("10.0.0.1", "80", "<State>healthy</State>"), row("10.0.0.1", "80", draining),
				row("10.0.0.1", "80", initial), row("10.0.0.1", "80", "<State>healthy</State>")),
			map[string]gate.Health{"10.0.0.1:80": {State: gate.Initial, Reason: "Elb.InitialHealthChecking", Description: "Initial health checks in progress", Own: true}}},
		{"members that this version does not know are passed over",
			rows("<member><Target><Id>10.0.0.1</Id><Port>80</Port><Shoe>1</Shoe></Target><AdministrativeOverride><State>no_override</State></AdministrativeOverride><TargetHealth><State>healthy</State></TargetHealth></member>"),
			map[string]gate.Health{"10.0.0.1:80": {State: gate.Healthy}}},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			w := serve(t, always(tc.answer))
			healths, err := New(config(t, w.URL), testRegion).Health(t.Context(), balancer.Group{Ref: testRef})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]gate.Health{}
			for target, health := range healths {
				got[target.String()] = health
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A whole answer is cut at every byte: nothing but the whole may pass for an answer.
func TestHealthIsCompleteOrNothing(t *testing.T) {
	whole := `<?xml version="1.0" encoding="utf-8"?>` + "\n" + rows(row("10.0.0.1", "80", "<State>healthy</State>"), row("10.0.0.2", "80", "<State>healthy</State>")).body
	end := strings.Index(whole, "</TargetHealthDescriptions>") + len("</TargetHealthDescriptions>")
	length := 0
	w := serve(t, func(string, url.Values) answer { return answer{200, whole[:length]} })
	p := New(config(t, w.URL), testRegion)
	for length = range end {
		healths, err := p.Health(t.Context(), balancer.Group{Ref: testRef})
		if err == nil || healths != nil {
			t.Fatalf("cut after %q: got %v, %v", whole[:length], healths, err)
		}
	}

	length = len(whole)
	if healths, err := p.Health(t.Context(), balancer.Group{Ref: testRef}); err != nil || len(healths) != 2 {
		t.Fatalf("uncut: got %v, %v", healths, err)
	}
}

func TestHealthRefusesNonsense(t *testing.T) {
	healthy := row("10.0.0.9", "80", "<State>healthy</State>")
	tests := map[string]answer{
		"no target":   rows(healthy, "<member><TargetHealth><State>healthy</State></TargetHealth></member>"),
		"no port":     rows(healthy, "<member><Target><Id>10.0.0.1</Id></Target><TargetHealth><State>healthy</State></TargetHealth></member>"),
		"no health":   rows(healthy, "<member><Target><Id>10.0.0.1</Id><Port>80</Port></Target></member>"),
		"no state":    rows(healthy, row("10.0.0.1", "80", "")),
		"port 0":      rows(healthy, row("10.0.0.1", "0", "<State>healthy</State>")),
		"a web page":  {200, "<html><body>Welcome to the hotel's network</body></html>"},
		"no document": {200, "It works!"},
		"nothing":     {200, ""},
	}

	for name, a := range tests {
		t.Run(name, func(t *testing.T) {
			w := serve(t, always(a))
			healths, err := New(config(t, w.URL), testRegion).Health(t.Context(), balancer.Group{Ref: testRef})
			if err == nil || healths != nil {
				t.Fatalf("got %v, %v", healths, err)
			}
			var failed *balancer.CallError
			if !errors.As(err, &failed) || failed.Kind != nil {
				t.Errorf("got %v, want something transient", err)
			}
		})
	}
}
