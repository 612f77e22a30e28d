// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/sim/awssim"
)

// simulation is a running simulator with the provider in front of it.
type simulation struct {
	*awssim.Sim
	provider *Provider
	client   *elb.Client

	mu      sync.Mutex
	groups  []string
	targets int
}

func simulate(t *testing.T, cfg awssim.Config) *simulation {
	t.Helper()
	cfg.Region, cfg.NoDataPath = testRegion, true
	if cfg.Throttle == "" {
		cfg.Throttle, cfg.TimeScale = awssim.ThrottleOff, 100
	}

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
	return &simulation{Sim: sim, provider: New(sdk, testRegion), client: elb.NewFromConfig(sdk)}
}

// newGroup makes a group of addresses behind a load balancer of its own.
func (s *simulation) newGroup(t *testing.T) balancer.Group {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("web-%d", len(s.groups))
	group, err := s.client.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{
		Name: &name, TargetType: types.TargetTypeEnumIp, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-1"),
		HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(2),
		HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
	})
	if err != nil {
		t.Fatal(err)
	}

	lb, err := s.client.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-1", "subnet-2"}})
	if err != nil {
		t.Fatal(err)
	}

	arn := *group.TargetGroups[0].TargetGroupArn
	if _, err := s.client.CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &arn}},
	}); err != nil {
		t.Fatal(err)
	}

	if err := s.SetHealth(arn, nil, awssim.Script{Outcomes: []string{"refused"}}); err != nil {
		t.Fatal(err)
	}

	s.groups = append(s.groups, arn)
	return balancer.Group{Ref: balancer.Ref{Group: arn}, Name: name}
}

func (s *simulation) newTarget(*testing.T) gate.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets++
	return gate.Target{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(s.targets)}), Port: 8080}
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
		if err := s.SetHealth(arn, &awssim.Target{ID: target.Addr.String(), Port: int(target.Port)}, script); err != nil {
			t.Fatal(err)
		}
	}
}

// lose deregisters a target as somebody else does.
func (s *simulation) lose(t *testing.T, group balancer.Group, target gate.Target) {
	t.Helper()
	if _, err := s.client.DeregisterTargets(t.Context(), &elb.DeregisterTargetsInput{
		TargetGroupArn: &group.Ref.Group, Targets: []types.TargetDescription{{Id: aws.String(target.Addr.String()), Port: aws.Int32(target.Port)}},
	}); err != nil {
		t.Fatal(err)
	}
}

// state lists the targets that were registered and not deregistered since.
func (s *simulation) state(t *testing.T, group balancer.Group) string {
	t.Helper()
	out, err := s.client.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &group.Ref.Group})
	if err != nil {
		t.Fatal(err)
	}

	var rows []string
	for _, row := range out.TargetHealthDescriptions {
		if row.TargetHealth.State != types.TargetHealthStateEnumDraining {
			rows = append(rows, fmt.Sprintf("%s:%d", *row.Target.Id, *row.Target.Port))
		}
	}

	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

func (s *simulation) breakdown(t *testing.T, fault balancertest.Fault) (mend func()) {
	t.Helper()
	id, err := s.AddFault(map[balancertest.Fault]awssim.Fault{
		balancertest.Throttled: {Error: &awssim.APIError{Code: "Throttling", Message: "Rate exceeded"}},
		balancertest.Denied:    {Error: &awssim.APIError{Code: "AccessDenied", Message: "not authorized"}},
		balancertest.Down:      {Drop: true},
		balancertest.CutOff:    {Truncate: true},
		balancertest.Hanging:   {LatencySeconds: 1e6},
	}[fault])
	if err != nil {
		t.Fatal(err)
	}

	return func() {
		if err := s.RemoveFaults(id); err != nil {
			t.Error(err)
		}
	}
}

func TestConformance(t *testing.T) {
	const missing = "missing"
	balancertest.Run(t, func(t *testing.T) balancertest.Harness {
		s := simulate(t, awssim.Config{})
		return balancertest.Harness{
			Provider:   s.provider,
			NewGroup:   s.newGroup,
			Missing:    balancer.Group{Ref: balancer.Ref{Group: strings.Replace(testARN, "/web/", "/"+missing+"/", 1)}, Name: missing},
			NewTarget:  s.newTarget,
			SetHealthy: s.setHealthy,
			Refused:    gate.Target{Addr: netip.MustParseAddr("2001:db8::1"), Port: 8080},
			Lose:       s.lose,
			State:      s.state,
			Break:      s.breakdown,
		}
	})
}

func TestSimulatedQuotaIsFilled(t *testing.T) {
	s := simulate(t, awssim.Config{ELB: awssim.ELB{Quotas: awssim.Quotas{TargetsPerGroup: 2}}})
	group := s.newGroup(t)
	one, two, three := s.newTarget(t), s.newTarget(t), s.newTarget(t)
	if err := s.provider.Register(t.Context(), group, []gate.Target{one}, nil); err != nil {
		t.Fatal(err)
	}
	checkKind(t, s.provider.Register(t.Context(), group, []gate.Target{two, three}, nil), balancer.ErrQuota)
	healths, err := s.provider.Health(t.Context(), group)
	if err != nil || len(healths) != 2 {
		t.Errorf("got %v, %v, want two targets, as many as fit", healths, err)
	}
}

// An address outside the VPC is registered for all zones; those inside as ever.
func TestSimulatedAddressesOutsideTheVPC(t *testing.T) {
	inside := gate.Target{Addr: netip.MustParseAddr("10.0.0.1"), Port: 80}
	outside := gate.Target{Addr: netip.MustParseAddr("192.0.2.1"), Port: 80}
	alsoOutside := gate.Target{Addr: netip.MustParseAddr("192.0.2.2"), Port: 80}
	for reason, batch := range map[string][]gate.Target{
		"one inside":    {inside},
		"one outside":   {outside},
		"both outside":  {outside, alsoOutside},
		"some of both":  {inside, outside, alsoOutside},
		"one each side": {outside, inside},
	} {
		t.Run(reason, func(t *testing.T) {
			s := simulate(t, awssim.Config{ELB: awssim.ELB{VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}})
			group := s.newGroup(t)
			if err := s.provider.Register(t.Context(), group, batch, nil); err != nil {
				t.Fatal(err)
			}
			if healths, err := s.provider.Health(t.Context(), group); err != nil || len(healths) != len(batch) {
				t.Errorf("got %v, %v", healths, err)
			}
			if err := s.provider.Deregister(t.Context(), group, batch); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSimulatedRoles(t *testing.T) {
	s := simulate(t, awssim.Config{STS: awssim.STS{Roles: []awssim.Role{{ARN: testRole, ExternalID: "42"}}}})
	group := s.newGroup(t)
	group.Ref.RoleARN = testRole
	_, err := s.provider.Health(t.Context(), group)
	checkKind(t, err, balancer.ErrDenied)
	if !strings.Contains(balancer.Message(err), "cannot assume role") {
		t.Errorf("got %q", balancer.Message(err))
	}
}

func TestSimulatedThrottling(t *testing.T) {
	s := simulate(t, awssim.Config{Throttle: awssim.ThrottleClassic})
	group := s.newGroup(t)
	var err error
	for range 10000 {
		if _, err = s.provider.Health(t.Context(), group); err != nil {
			break
		}
	}
	checkKind(t, err, balancer.ErrThrottled)
}
