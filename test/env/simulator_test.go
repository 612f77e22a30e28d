// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/podgate/podgate/sim/awssim"
)

// childVariable tells the test binary that it is to be a simulator, and which.
const childVariable = "PODGATE_ENV_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "simulator":
		serveSimulator()
	case "broken":
		fmt.Fprintln(os.Stderr, "no such thing as a simulator")
		os.Exit(3)
	default:
		goleak.VerifyTestMain(m)
	}
}

// serveSimulator is what the program awssim does, without its flags.
func serveSimulator() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	sim, err := awssim.New(awssim.Config{DataPath: awssim.DataPath{EphemeralPorts: true}})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(sim.Handler())
	fmt.Printf("awssim: API at %s region eu-west-1\n", server.URL)
	if err := sim.Run(ctx); err != nil {
		panic(err)
	}
}

func startChild(t *testing.T, as string) (*Simulator, error) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(childVariable, as)
	return StartSimulator(t.Context(), SimulatorOptions{Binary: binary, Region: "eu-west-1", RoutingDelay: -1})
}

func webGroup() TargetGroupOptions {
	return TargetGroupOptions{
		Name: "web", DeregistrationDelay: 30,
		HealthCheck: HealthCheck{Path: "/healthz", Interval: 5, Timeout: 2, Healthy: 2, Unhealthy: 2},
	}
}

func TestSimulatorServesALoadBalancer(t *testing.T) {
	s, err := startChild(t, "simulator")
	if err != nil {
		t.Fatal(err)
	}

	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()

	ctx := t.Context()
	b, err := s.CreateLoadBalancer(ctx, webGroup())
	if err != nil {
		t.Fatal(err)
	}

	resp, err := http.Get(b.URL)
	if err != nil {
		t.Fatal(err)
	}

	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()

	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a group without targets answers %s, want 503", resp.Status)
	}

	if err := s.SetHealth(ctx, b.TargetGroupARN, nil, awssim.Script{State: "healthy"}); err != nil {
		t.Fatal(err)
	}

	_, err = s.ELB().RegisterTargets(ctx, &elb.RegisterTargetsInput{
		TargetGroupArn: &b.TargetGroupARN, Targets: []types.TargetDescription{{Id: aws.String("10.1.2.3"), Port: aws.Int32(8080)}},
	})
	if err != nil {
		t.Fatal(err)
	}

	if err := b.WaitHealthy(ctx, 1); err != nil {
		t.Fatal(err)
	}

	transitions, err := s.Transitions(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}

	want := awssim.Target{ID: "10.1.2.3", Port: 8080}
	if len(transitions) == 0 || transitions[0].Target != want || transitions[0].TargetGroupARN != b.TargetGroupARN {
		t.Errorf("transitions %+v, want some of %v", transitions, want)
	}

	if err := b.Delete(ctx); err != nil {
		t.Fatal(err)
	}

	calls, err := s.Calls(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}

	if got := calls[len(calls)-1].Operation; got != "DeleteTargetGroup" {
		t.Errorf("last call %s, want DeleteTargetGroup", got)
	}
}

// TestLoadBalancersWaitForTheirTurn: an account may change only so much at once, and what is
// made beyond that is made a little later. AWS's client gives up after three attempts.
func TestLoadBalancersWaitForTheirTurn(t *testing.T) {
	s, err := startChild(t, "simulator")
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = s.Stop() }()

	for _, operation := range []string{"CreateTargetGroup", "DeleteTargetGroup"} {
		if _, err := s.AddFault(t.Context(), awssim.Fault{Operation: operation, Count: 4, Error: &awssim.APIError{Code: "Throttling"}}); err != nil {
			t.Fatal(err)
		}
	}

	b, err := s.CreateLoadBalancer(t.Context(), webGroup())
	if err != nil {
		t.Fatal(err)
	}

	hosts, err := s.Hosts(t.Context())
	if err != nil || len(hosts) != 1 {
		t.Errorf("names %v, %v, want that of the load balancer", hosts, err)
	}
	for name, address := range hosts {
		if !strings.Contains(name, ".elb.amazonaws.com") || address != "127.0.0.1" {
			t.Errorf("%s leads to %s", name, address)
		}
	}

	if err := b.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestHalfALoadBalancerIsTakenAway: what cannot be made whole leaves nothing behind, whose
// name the next attempt would find taken.
func TestHalfALoadBalancerIsTakenAway(t *testing.T) {
	s, err := startChild(t, "simulator")
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = s.Stop() }()

	for _, operation := range []string{"ModifyTargetGroupAttributes", "CreateLoadBalancer", "CreateListener"} {
		if _, err := s.AddFault(t.Context(), awssim.Fault{Operation: operation, Count: 1, Error: &awssim.APIError{Code: "AccessDenied"}}); err != nil {
			t.Fatal(err)
		}

		if _, err := s.CreateLoadBalancer(t.Context(), webGroup()); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("without %s: got %v, want its refusal", operation, err)
		}

		groups, err := s.ELB().DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{})
		if err != nil || len(groups.TargetGroups) > 0 {
			t.Errorf("without %s: %d target groups are left, %v", operation, len(groups.TargetGroups), err)
		}
	}
}

func TestFaultsGoThroughTheControlAPI(t *testing.T) {
	s, err := startChild(t, "simulator")
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = s.Stop() }()
	fault := awssim.Fault{Operation: "DescribeTargetHealth", Count: 3, Error: &awssim.APIError{Code: "Throttling"}}
	fault.ID, err = s.AddFault(t.Context(), fault)
	if err != nil {
		t.Fatal(err)
	}

	faults, err := s.Faults(t.Context())
	if err != nil || len(faults) != 1 {
		t.Fatalf("faults %+v, %v; want one", faults, err)
	}

	if diff := cmp.Diff([]string{fault.ID, "Throttling"}, []string{faults[0].ID, faults[0].Error.Code}); diff != "" {
		t.Errorf("fault (-want +got):\n%s", diff)
	}

	if err := s.RemoveFaults(t.Context(), fault.ID); err != nil {
		t.Fatal(err)
	}

	if _, err := s.AddFault(t.Context(), awssim.Fault{}); err == nil || !strings.Contains(err.Error(), "does nothing") {
		t.Errorf("a fault that does nothing: got %v, want the simulator's own words", err)
	}
}

func TestASimulatorThatDoesNotStartSaysWhy(t *testing.T) {
	_, err := startChild(t, "broken")
	if err == nil || !strings.Contains(err.Error(), "no such thing as a simulator") {
		t.Errorf("got %v, want what the program said", err)
	}
}

func TestSimulatorFlags(t *testing.T) {
	o := SimulatorOptions{Listen: "1.2.3.4:5", DataAddress: "1.2.3.4", Region: "r", Profile: "nlb", RoutingDelay: 17e9, TimeScale: 2.5, Args: []string{"--relaxed"}}
	want := "--listen 1.2.3.4:5 --data-address 1.2.3.4 --ephemeral-ports --region r --profile nlb " +
		"--alb-drain-routing-delay 17s --nlb-drain-routing-delay 17s --lattice-drain-routing-delay 17s --time-scale 2.5 --relaxed"
	if got := strings.Join(o.args(), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	o.OwnPorts = true
	if got := strings.Join(o.args(), " "); got != strings.Replace(want, "--ephemeral-ports ", "", 1) {
		t.Errorf("on the listeners' ports: %s", got)
	}
}
