// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits_test

import (
	"testing"

	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/drivers"
	"github.com/podgate/podgate/internal/balancer/traits"
)

// TestEveryDriverIsListed: who makes calls has traits, and the other way round.
func TestEveryDriverIsListed(t *testing.T) {
	called, known := drivers.All(nil, nil, new(aws.Own), balancer.Limits{}, nil), traits.All()
	if len(called) != len(known) {
		t.Fatalf("%d drivers make calls, and the traits of %d are listed", len(called), len(known))
	}
	for i := range called {
		if called[i].Kind != known[i].Kind {
			t.Errorf("%q makes calls where the traits of %q are listed", called[i].Kind, known[i].Kind)
		}
	}
}

// TestReasons: whose a reason is a driver says, and a dot in it says nothing.
func TestReasons(t *testing.T) {
	for reason, want := range map[string]struct {
		reported bool
		advice   string
	}{
		"Target.Timeout":       {true, "look for a security group or a network policy between load balancer and pod, or a slow application: the health check gets no answer in time"},
		"Target.SomethingNew":  {true, "do what the load balancer's message says"},
		"HAProxy.L4CON":        {true, "compare what HAProxy's check asks, and the port, with what the pod answers: the message has HAProxy's words"},
		"Target.NotRegistered": {true, "look at the binding: registration is under way, or fails for the reason there"},
		"Initial":              {true, "wait: the first health check is under way; a shorter health-check interval makes it faster"},
		"TargetNotFound":       {true, "look at the binding: registration is under way, or fails for the reason there; with membership External, ask whoever registers, such as AWS Gateway API Controller"},
		"Somebody.Else":        {},
		"NotObserved":          {},
		"":                     {},
	} {
		if got := traits.All().Reported(reason); got != want.reported {
			t.Errorf("%q is a load balancer's: got %t", reason, got)
		}
		if got := traits.All().Advice(reason); got != want.advice {
			t.Errorf("%q: got %q, want %q", reason, got, want.advice)
		}
	}
}

// TestGroupsInWords: people read of a group what its load balancer calls it, and never what stands in the place of a name.
func TestGroupsInWords(t *testing.T) {
	const keeps = "the target groups that AWS Gateway API Controller keeps for Service shop/api"
	for name, want := range map[string]struct {
		kind           balancer.Kind
		group          string
		sentence, cell string
	}{
		"ELBv2":               {"elbv2", "web", "target group web", "web"},
		"HAProxy":             {"haproxy", "web@tcp:10.0.0.1:9999", "backend web@tcp:10.0.0.1:9999", "web@tcp:10.0.0.1:9999"},
		"named":               {"lattice", "web", "target group web", "web"},
		"discovered":          {"lattice", "service:shop/api", keeps, "by discovery"},
		"discovered, cluster": {"lattice", "service:shop/api@east", keeps + " in cluster east", "by discovery in east"},
		"nobody's":            {"", "web", "target group web", "web"},
	} {
		words := traits.All().Of(want.kind).Words
		if got := words.InSentence(want.group); got != want.sentence {
			t.Errorf("%s: got %q in a sentence, want %q", name, got, want.sentence)
		}
		if got := words.InTable(want.group); got != want.cell {
			t.Errorf("%s: got %q in a table, want %q", name, got, want.cell)
		}
	}
}

// TestUnregistered: of a target that is not in its group each load balancer has a word, or podgate's.
func TestUnregistered(t *testing.T) {
	for reason, want := range map[string]bool{"Target.NotRegistered": true, "TargetNotFound": true, "Target.Timeout": false, "Healthy": false, "": false} {
		if got := traits.All().Unregistered(reason); got != want {
			t.Errorf("%q: got %t", reason, got)
		}
	}
}
