// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/sim/awssim/wire"
)

func (e *env) fault(f Fault) string {
	e.Helper()
	id, err := e.sim.AddFault(f)
	if err != nil {
		e.Fatal(err)
	}
	return id
}

func TestFaultCountsAndLasts(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		g, other := e.group("web"), e.group("other")
		codes := func(group string, n int) []string {
			list := []string{}
			for range n {
				list = append(list, codeOf(describeOnce(e, group)))
			}
			return list
		}

		boom := &wire.APIError{Status: 500, Code: "HealthUnavailable", Message: "no"}
		e.fault(Fault{Operation: "DescribeTargetHealth", TargetGroupARN: g, Count: 2, Error: boom})

		if diff := cmp.Diff([]string{""}, codes(other, 1)); diff != "" {
			t.Errorf("another group (-want +got):\n%s", diff)
		}

		if diff := cmp.Diff([]string{"HealthUnavailable", "HealthUnavailable", "", ""}, codes(g, 4)); diff != "" {
			t.Errorf("two times (-want +got):\n%s", diff)
		}

		e.fault(Fault{Operation: "DescribeTargetHealth", DurationSeconds: 10, Error: boom})
		time.Sleep(9 * time.Second)

		if diff := cmp.Diff([]string{"HealthUnavailable"}, codes(g, 1)); diff != "" {
			t.Errorf("after 9 of 10 s (-want +got):\n%s", diff)
		}

		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{""}, codes(g, 1)); diff != "" {
			t.Errorf("after 10 s (-want +got):\n%s", diff)
		}

		id := e.fault(Fault{Error: &wire.APIError{Code: "Throttling"}})
		if diff := cmp.Diff([]string{"Throttling", "Throttling"}, codes(g, 2)); diff != "" {
			t.Errorf("for good (-want +got):\n%s", diff)
		}

		if err := e.sim.RemoveFaults(id); err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff([]string{""}, codes(g, 1)); diff != "" || len(e.sim.Faults()) != 0 {
			t.Errorf("after it was removed (-want +got):\n%s", diff)
		}

		if err := e.sim.RemoveFaults(id); err == nil {
			t.Error("a fault that is not there was removed")
		}

		for _, bad := range []Fault{{}, {Operation: "Nope", Drop: true}, {Error: &wire.APIError{}}, {Count: -1, Drop: true}} {
			if _, err := e.sim.AddFault(bad); err == nil {
				t.Errorf("fault %+v was accepted", bad)
			}
		}
	})
}

func TestFaultsOfAnswers(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		g := e.used()
		e.script(g, Script{State: "healthy"})
		one, two := Target{ID: "10.0.0.1", Port: 80}, Target{ID: "10.0.0.2", Port: 80}
		in := &elbv2.RegisterTargetsInput{TargetGroupArn: &g, Targets: described(one, two)}

		e.fault(Fault{Operation: "RegisterTargets", Count: 1, LatencySeconds: 30, Error: &wire.APIError{Status: 500, Code: "InternalFailure"}})
		began := time.Now()
		e.fault(Fault{Operation: "RegisterTargets", Count: 1, Drop: true})

		if err := second(e.elb.RegisterTargets(e.Context(), in)); err == nil || time.Since(began) != 30*time.Second || len(e.states(g)) != 0 {
			t.Errorf("late and dropped: %v after %s, %v", err, time.Since(began), e.states(g))
		}

		e.fault(Fault{Operation: "RegisterTargets", Count: 1, LoseTargets: []Target{two}})
		e.register(g, one, two)

		if diff := cmp.Diff(map[Target]string{one: "healthy"}, e.states(g)); diff != "" {
			t.Errorf("one was lost (-want +got):\n%s", diff)
		}

		e.fault(Fault{Operation: "RegisterTargets", Count: 1, Lose: true})
		e.register(g, two)

		if diff := cmp.Diff(map[Target]string{one: "healthy"}, e.states(g)); diff != "" {
			t.Errorf("all were lost (-want +got):\n%s", diff)
		}

		e.fault(Fault{Operation: "RegisterTargets", Count: 1, Applied: true, Drop: true})
		if err := second(e.elb.RegisterTargets(e.Context(), in)); err == nil {
			t.Error("a dropped answer arrived")
		}

		if diff := cmp.Diff(map[Target]string{one: "healthy", two: "healthy"}, e.states(g)); diff != "" {
			t.Errorf("it happened although nobody was told (-want +got):\n%s", diff)
		}

		e.attribute(g, "deregistration_delay.timeout_seconds", "0")
		e.deregister(g, two)
		e.attribute(g, "deregistration_delay.timeout_seconds", "300")
		time.Sleep(10 * time.Second)
		e.fault(Fault{Operation: "DeregisterTargets", Count: 1, Applied: true, Error: &wire.APIError{Code: "Throttling"}})

		if err := second(e.elb.DeregisterTargets(e.Context(), &elbv2.DeregisterTargetsInput{TargetGroupArn: &g, Targets: described(one)})); codeOf(err) != "Throttling" {
			t.Errorf("an error in spite of which it happened: %v", err)
		}

		if diff := cmp.Diff(map[Target]string{one: "draining"}, e.states(g)); diff != "" {
			t.Errorf("it happened (-want +got):\n%s", diff)
		}

		time.Sleep(time.Second)
		id := e.fault(Fault{Operation: "DescribeTargetHealth", LagSeconds: 2})

		if diff := cmp.Diff(map[Target]string{one: "healthy"}, e.states(g)); diff != "" {
			t.Errorf("two seconds ago (-want +got):\n%s", diff)
		}

		if err := e.sim.RemoveFaults(id); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAnswersThatBreakOff need a real connection to be cut.
func TestAnswersThatBreakOff(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	g := e.group("web")
	server := httptest.NewServer(e.sim.Handler())
	defer server.Close()
	transport := &http.Transport{DisableKeepAlives: true}
	cfg := e.config("AKIATEST")
	cfg.HTTPClient = &http.Client{Transport: transport}
	real := *e
	real.elb = elbv2.NewFromConfig(cfg, func(o *elbv2.Options) { o.BaseEndpoint = aws.String(server.URL) })
	if err := describeOnce(&real, g); err != nil {
		t.Fatalf("without a fault: %v", err)
	}

	for name, f := range map[string]Fault{"truncated": {Count: 1, Truncate: true}, "dropped": {Count: 1, Drop: true}} {
		e.fault(f)
		if err := describeOnce(&real, g); err == nil {
			t.Errorf("an answer that was %s gave no error", name)
		}
		if err := describeOnce(&real, g); err != nil {
			t.Errorf("after one that was %s: %v", name, err)
		}
	}

	statuses := []int{}
	for _, c := range e.sim.Calls(0) {
		if c.Operation == "DescribeTargetHealth" {
			statuses = append(statuses, c.HTTPStatus)
		}
	}

	if len(statuses) != 5 {
		t.Errorf("recorded statuses %v, want five", statuses)
	}
}
