// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/experiment/report"
)

var origin = time.Unix(1000, 0)

func second(n float64) time.Time { return origin.Add(time.Duration(n * float64(time.Second))) }

func at(f float64) *float64 { return &f }

// moved is a transition of the target of an address.
func moved(at float64, address, clock, from, to string) awssim.Transition {
	return awssim.Transition{Time: second(at), Target: awssim.Target{ID: address, Port: 8080}, Clock: clock, From: from, To: to}
}

func TestLanesJoinPodsAndTargets(t *testing.T) {
	pods := []env.PodHistory{
		{Name: "old", Version: "v1", Address: "10.0.0.1", Created: second(-20), Terminating: second(1), Stopped: second(2), Gone: second(3)},
		{Name: "new", Version: "v2", Address: "10.0.0.2", Created: second(1), GatesOpen: second(6)},
	}

	api, routing := awssim.ClockAPI, awssim.ClockRouting
	got := lanes(pods, []awssim.Transition{
		moved(-18, "10.0.0.1", api, "absent", "initial"),
		moved(-15, "10.0.0.1", api, "initial", "healthy"),
		moved(-14, "10.0.0.1", routing, "none", "routable"),
		moved(1.5, "10.0.0.1", api, "healthy", "draining"),
		moved(2, "10.0.0.2", api, "absent", "initial"),
		moved(5, "10.0.0.2", api, "initial", "healthy"),
		moved(6, "10.0.0.2", routing, "none", "routable"),
		moved(18.5, "10.0.0.1", routing, "routable", "none"),
		moved(31.5, "10.0.0.1", api, "draining", "absent"),
		moved(40, "10.9.9.9", api, "absent", "initial"),
	}, origin)

	want := []report.Lane{
		{
			Pod: "old", Version: "v1", Old: true, Address: "10.0.0.1", Created: at(-20), Registered: at(-18), Healthy: at(-15),
			Terminating: at(1), Stopped: at(2), Gone: at(3),
			Leaving: &report.Leaving{DeregisteredSeconds: 0.5, RoutedSeconds: 17, OverhangSeconds: -16.5, GoneSeconds: 1},
			Target:  []report.Span{{From: -18, To: at(-15), State: "initial"}, {From: -15, To: at(1.5), State: "healthy"}, {From: 1.5, To: at(31.5), State: "draining"}},
			Routed:  []report.Span{{From: -14, To: at(18.5), State: "routable"}},
		},
		{
			Pod: "new", Version: "v2", Address: "10.0.0.2", Created: at(1), Registered: at(2), Healthy: at(5), GateOpen: at(6),
			Target: []report.Span{{From: 2, To: at(5), State: "initial"}, {From: 5, State: "healthy"}},
			Routed: []report.Span{{From: 6, State: "routable"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lanes (-want +got):\n%s", diff)
	}

	gates := latencies(got, func(l report.Lane) (from, to *float64) { return l.Healthy, l.GateOpen })
	if diff := cmp.Diff(&report.Latency{Count: 1, MedianSeconds: 1, P99Seconds: 1, MaxSeconds: 1}, gates); diff != "" {
		t.Errorf("gate latency (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(at(1.5), draining(got[0])); diff != "" {
		t.Errorf("draining (-want +got):\n%s", diff)
	}

	if none := latencies(got, func(l report.Lane) (from, to *float64) { return l.Ready, l.Ready }); none != nil {
		t.Errorf("a latency of nothing: %+v", none)
	}
}

func TestAReusedAddressBelongsToTheNewPodOnceItIsRegistered(t *testing.T) {
	pods := []env.PodHistory{
		{Name: "dead", Address: "10.0.0.1", Created: second(-20)},
		{Name: "heir", Address: "10.0.0.1", Created: second(3)},
	}

	got := lanes(pods, []awssim.Transition{
		moved(-18, "10.0.0.1", awssim.ClockAPI, "absent", "initial"),
		moved(-15, "10.0.0.1", awssim.ClockAPI, "initial", "healthy"),
		moved(4, "10.0.0.1", awssim.ClockAPI, "healthy", "draining"),
		moved(5, "10.0.0.1", awssim.ClockAPI, "draining", "initial"),
		moved(9, "10.0.0.1", awssim.ClockAPI, "initial", "healthy"),
	}, origin)
	if diff := cmp.Diff(at(-15), got[0].Healthy); diff != "" {
		t.Errorf("the dead pod's target (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(at(9), got[1].Healthy); diff != "" {
		t.Errorf("its heir's target (-want +got):\n%s", diff)
	}

	if last := got[0].Target[len(got[0].Target)-1]; last.State != "draining" {
		t.Errorf("the dead pod's target ends as %s, want draining", last.State)
	}
}

func TestTheDataPathHasSettledOnceItRoutesToThePodsThatStay(t *testing.T) {
	got := routed([]awssim.Transition{
		moved(0, "10.0.0.1", awssim.ClockRouting, "none", "routable"),
		moved(0, "10.0.0.2", awssim.ClockRouting, "none", "routable"),
		moved(0, "10.0.0.3", awssim.ClockRouting, "none", "standby"),
		moved(1, "10.0.0.4", awssim.ClockAPI, "initial", "healthy"),
		moved(2, "10.0.0.1", awssim.ClockRouting, "routable", "none"),
	})
	want := staying([]env.PodHistory{{Address: "10.0.0.1", Terminating: second(1)}, {Address: "10.0.0.2"}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses that stay, and that are routed to (-want +got):\n%s", diff)
	}
}

func TestPrometheusScrapesThePodsThatAreThere(t *testing.T) {
	got := scrapedPods("demo", []env.PodHistory{{Name: "new"}, {Name: "here", Address: "10.0.0.1"}, {Name: "gone", Address: "10.0.0.2", Gone: second(1)}})
	want := []scraped{{[]string{"10.0.0.1:8080"}, map[string]string{"namespace": "demo", "pod": "here"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scraped (-want +got):\n%s", diff)
	}
}
