// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"go.uber.org/goleak"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/sim/awssim"
)

const (
	testRegion = "eu-test-1"
	testARN    = "arn:aws:vpc-lattice:eu-test-1:123456789012:targetgroup/tg-00000000000000000"
	testVPC    = "vpc-0a1b2c3d4e5f60718"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simulation is a running simulator with the provider in front of it.
type simulation struct {
	*awssim.Sim
	provider *Provider
	client   *vpclattice.Client
	config   aws.Config

	mu      sync.Mutex
	groups  []string
	targets int
	// ahead is how much later it is for the provider.
	ahead time.Duration
}

func simulate(t *testing.T, cfg awssim.Config) *simulation {
	t.Helper()
	cfg.Region, cfg.NoDataPath, cfg.Throttle, cfg.TimeScale = testRegion, true, awssim.ThrottleOff, 100
	sim, err := awssim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
	})

	sdk := config(t, server.URL)
	sdk.Region = testRegion
	s := &simulation{Sim: sim, provider: New(sdk, testRegion), client: vpclattice.NewFromConfig(sdk), config: sdk}
	s.provider.now = func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return time.Now().Add(s.ahead)
	}
	return s
}

// pass makes it later for the provider.
func (s *simulation) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// discover resolves a group when what was found before does not count any longer.
func (s *simulation) discover(t *testing.T, wanted balancer.Group) (balancer.Group, error) {
	t.Helper()
	s.pass(searchKept)
	return s.provider.Resolve(t.Context(), wanted)
}

// config is a configuration that reaches the server at address and nothing else.
func config(t *testing.T, address string) aws.Config {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return aws.Config{
		BaseEndpoint: aws.String(address), HTTPClient: client,
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")),
	}
}

// made makes a group of addresses that no service uses; edit may change the request.
func (s *simulation) made(t *testing.T, name string, edit ...func(*vpclattice.CreateTargetGroupInput)) balancer.Group {
	t.Helper()
	in := &vpclattice.CreateTargetGroupInput{Name: &name, Type: types.TargetGroupTypeIp, Config: &types.TargetGroupConfig{
		Port: aws.Int32(80), Protocol: types.TargetGroupProtocolHttp, VpcIdentifier: aws.String(testVPC),
		HealthCheck: &types.HealthCheckConfig{
			HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(2),
			HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
		},
	}}
	for _, f := range edit {
		f(in)
	}

	out, err := s.client.CreateTargetGroup(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = append(s.groups, *out.Arn)
	return balancer.Group{Ref: balancer.Ref{Group: *out.Arn}, Name: name}
}

// settled waits until a group is in a state.
func (s *simulation) settled(t *testing.T, group balancer.Group, want types.TargetGroupStatus) {
	t.Helper()
	for end := time.Now().Add(balancertest.Patience); ; time.Sleep(time.Millisecond) {
		out, err := s.client.GetTargetGroup(t.Context(), &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: &group.Ref.Group})
		if err != nil {
			t.Fatal(err)
		}
		if out.Status == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the group is %s, want %s", out.Status, want)
		}
	}
}

// newGroup makes a group that a service of its own forwards to, and whose checks fail.
func (s *simulation) newGroup(t *testing.T) balancer.Group {
	t.Helper()
	s.mu.Lock()
	name := fmt.Sprintf("web-%d", len(s.groups))
	s.mu.Unlock()
	return s.used(t, s.made(t, name))
}

// used has a service forward to a group, whose checks fail.
func (s *simulation) used(t *testing.T, group balancer.Group) balancer.Group {
	t.Helper()
	s.settled(t, group, types.TargetGroupStatusActive)
	service, err := s.client.CreateService(t.Context(), &vpclattice.CreateServiceInput{Name: &group.Name})
	if err != nil {
		t.Fatal(err)
	}

	protocol := types.ListenerProtocolHttp
	listen := &vpclattice.CreateListenerInput{ServiceIdentifier: service.Id, Name: aws.String("http"), Protocol: protocol, DefaultAction: &types.RuleActionMemberForward{
		Value: types.ForwardAction{TargetGroups: []types.WeightedTargetGroup{{TargetGroupIdentifier: &group.Ref.Group}}},
	}}
	for end := time.Now().Add(balancertest.Patience); ; time.Sleep(time.Millisecond) {
		_, err := s.client.CreateListener(t.Context(), listen)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}

	if err := s.SetHealth(group.Ref.Group, nil, awssim.Script{Outcomes: []string{"refused"}}); err != nil {
		t.Fatal(err)
	}
	return group
}

func (s *simulation) newTarget(*testing.T) gate.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets++
	return gate.Target{Addr: netip.AddrFrom4([4]byte{10, 0, byte(s.targets / 250), byte(s.targets%250 + 1)}), Port: 8080}
}

// newTargets makes several.
func (s *simulation) newTargets(t *testing.T, n int) []gate.Target {
	var all []gate.Target
	for range n {
		all = append(all, s.newTarget(t))
	}
	return all
}

// setHealthy scripts the target's checks in the groups that there are.
func (s *simulation) setHealthy(t *testing.T, target gate.Target, healthy bool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	script := awssim.Script{Outcomes: []string{"refused"}}
	if healthy {
		script.Outcomes[0] = "pass"
	}
	for _, arn := range s.groups {
		if err := s.SetHealth(arn, simulated(target), script); err != nil {
			t.Fatal(err)
		}
	}
}

func simulated(target gate.Target) *awssim.Target {
	return &awssim.Target{ID: target.Addr.String(), Port: int(target.Port)}
}

// lose deregisters a target as somebody else does.
func (s *simulation) lose(t *testing.T, group balancer.Group, target gate.Target) {
	t.Helper()
	if _, err := s.client.DeregisterTargets(t.Context(), &vpclattice.DeregisterTargetsInput{
		TargetGroupIdentifier: &group.Ref.Group, Targets: []types.Target{{Id: aws.String(target.Addr.String()), Port: aws.Int32(target.Port)}},
	}); err != nil {
		t.Fatal(err)
	}
}

// state lists the targets that were registered and not deregistered since.
func (s *simulation) state(t *testing.T, group balancer.Group) string {
	t.Helper()
	out, err := s.client.ListTargets(t.Context(), &vpclattice.ListTargetsInput{TargetGroupIdentifier: &group.Ref.Group})
	if err != nil {
		t.Fatal(err)
	}

	var rows []string
	for _, row := range out.Items {
		if row.Status != types.TargetStatusDraining {
			rows = append(rows, fmt.Sprintf("%s:%d", *row.Id, *row.Port))
		}
	}

	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// fault puts a fault in force until the returned function is called.
func (s *simulation) fault(t *testing.T, f awssim.Fault) (mend func()) {
	t.Helper()
	id, err := s.AddFault(f)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := s.RemoveFaults(id); err != nil {
			t.Error(err)
		}
	}
}

func (s *simulation) breakdown(t *testing.T, fault balancertest.Fault) (mend func()) {
	t.Helper()
	return s.fault(t, map[balancertest.Fault]awssim.Fault{
		balancertest.Throttled: {Error: &awssim.APIError{Code: "Throttling", Message: "Rate exceeded"}},
		balancertest.Denied:    {Error: &awssim.APIError{Code: "AccessDenied"}},
		balancertest.Down:      {Drop: true},
		balancertest.CutOff:    {Truncate: true},
		balancertest.Hanging:   {LatencySeconds: 1e6},
	}[fault])
}

func (s *simulation) health(t *testing.T, group balancer.Group) map[gate.Target]gate.Health {
	t.Helper()
	healths, err := s.provider.Health(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	return healths
}

// eventually waits until a target has a health.
func (s *simulation) eventually(t *testing.T, group balancer.Group, target gate.Target, what string, want func(h gate.Health, listed bool) bool) {
	t.Helper()
	for end := time.Now().Add(balancertest.Patience); ; time.Sleep(5 * time.Millisecond) {
		h, listed := s.health(t, group)[target]
		if want(h, listed) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not yet %s: %+v, listed %t", what, h, listed)
		}
	}
}

func (s *simulation) register(t *testing.T, group balancer.Group, targets ...gate.Target) {
	t.Helper()
	if err := s.provider.Register(t.Context(), group, targets, nil); err != nil {
		t.Fatal(err)
	}
}

// count returns how often an operation was called.
func (s *simulation) count(operation string) int {
	n := 0
	for _, c := range s.Calls(0) {
		if c.Operation == operation {
			n++
		}
	}
	return n
}

func TestConformance(t *testing.T) {
	balancertest.Run(t, func(t *testing.T) balancertest.Harness {
		s := simulate(t, awssim.Config{})
		return balancertest.Harness{
			Provider:   s.provider,
			NewGroup:   s.newGroup,
			Missing:    balancer.Group{Ref: balancer.Ref{Group: testARN}, Name: "missing"},
			NewTarget:  s.newTarget,
			SetHealthy: s.setHealthy,
			Refused:    gate.Target{Addr: netip.MustParseAddr("2001:db8::1"), Port: 8080},
			Lose:       s.lose,
			State:      s.state,
			Break:      s.breakdown,
		}
	})
}
