// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/sim/awssim"
)

func TestResolveReadsGroups(t *testing.T) {
	config := func(c types.TargetGroupConfig) *types.TargetGroupConfig { return &c }
	web := balancer.Group{
		Name: "web", TargetType: "ip", Protocol: "HTTP", IPAddressType: "ipv4", HealthCheckEnabled: true,
		HealthCheckInterval: 30 * time.Second, HealthyThreshold: 5, UnhealthyThreshold: 2, DeregistrationDelay: time.Minute,
	}
	with := func(edit func(*balancer.Group)) balancer.Group {
		g := web
		edit(&g)
		return g
	}
	off := func(g *balancer.Group) {
		g.HealthCheckEnabled = false
		g.Caveat = strings.Replace(caveatUnchecked, "%s", "web", 1)
	}

	tests := []struct {
		reason string
		out    vpclattice.GetTargetGroupOutput
		want   balancer.Group
	}{
		{"AWS's defaults", vpclattice.GetTargetGroupOutput{Type: "IP", Config: config(types.TargetGroupConfig{Protocol: "HTTP", ProtocolVersion: "HTTP1", IpAddressType: "IPV4"})}, web},
		{"what 0 means", vpclattice.GetTargetGroupOutput{Type: "IP", Config: config(types.TargetGroupConfig{Protocol: "HTTP", IpAddressType: "IPV4", HealthCheck: &types.HealthCheckConfig{
			HealthCheckIntervalSeconds: aws.Int32(0), HealthyThresholdCount: aws.Int32(0), UnhealthyThresholdCount: aws.Int32(0)}})}, web},
		{"its own settings", vpclattice.GetTargetGroupOutput{Type: "IP", Config: config(types.TargetGroupConfig{Protocol: "HTTPS", ProtocolVersion: "HTTP2", IpAddressType: "IPV6", HealthCheck: &types.HealthCheckConfig{
			Enabled: aws.Bool(true), HealthCheckIntervalSeconds: aws.Int32(10), HealthyThresholdCount: aws.Int32(3), UnhealthyThresholdCount: aws.Int32(4)}})},
			with(func(g *balancer.Group) {
				g.Protocol, g.IPAddressType, g.HealthCheckInterval, g.HealthyThreshold, g.UnhealthyThreshold = "HTTPS", "ipv6", 10*time.Second, 3, 4
			})},
		{"gRPC is not checked by default", vpclattice.GetTargetGroupOutput{Type: "IP", Config: config(types.TargetGroupConfig{Protocol: "HTTP", ProtocolVersion: "GRPC", IpAddressType: "IPV4"})}, with(off)},
		{"neither is TCP", vpclattice.GetTargetGroupOutput{Type: "IP", Config: config(types.TargetGroupConfig{Protocol: "TCP", IpAddressType: "IPV4"})},
			with(func(g *balancer.Group) { off(g); g.Protocol = "TCP" })},
		{"a deletion that failed changed nothing", vpclattice.GetTargetGroupOutput{Type: "IP", Status: "DELETE_FAILED", Config: config(types.TargetGroupConfig{Protocol: "HTTP", IpAddressType: "IPV4"})}, web},
		{"pods of other types of groups get no gate", vpclattice.GetTargetGroupOutput{Type: "ALB", Config: config(types.TargetGroupConfig{Protocol: "HTTP", IpAddressType: "IPV4"})},
			with(func(g *balancer.Group) { g.TargetType = "alb" })},
		{"functions have no settings", vpclattice.GetTargetGroupOutput{Type: "LAMBDA"},
			with(func(g *balancer.Group) { g.TargetType, g.Protocol, g.IPAddressType = "lambda", "", "" })},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			tc.out.Arn, tc.out.Name, tc.want.Ref = aws.String(testARN), aws.String("web"), testGroup.Ref
			got, err := fake(answering{got: &tc.out}).Resolve(t.Context(), testGroup)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// answering is an API with one group, or several of one name.
type answering struct {
	api
	got    *vpclattice.GetTargetGroupOutput
	listed []types.TargetGroupSummary
}

func (a answering) GetTargetGroup(context.Context, *vpclattice.GetTargetGroupInput, ...func(*vpclattice.Options)) (*vpclattice.GetTargetGroupOutput, error) {
	return a.got, nil
}

func (a answering) ListTargetGroups(context.Context, *vpclattice.ListTargetGroupsInput, ...func(*vpclattice.Options)) (*vpclattice.ListTargetGroupsOutput, error) {
	return &vpclattice.ListTargetGroupsOutput{Items: a.listed}, nil
}

func TestResolveRefusesNonsense(t *testing.T) {
	for name, out := range map[string]*vpclattice.GetTargetGroupOutput{
		"nothing":       {},
		"another group": {Arn: aws.String(strings.Replace(testARN, "tg-0", "tg-1", 1)), Type: "IP"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fake(answering{got: out}).Resolve(t.Context(), testGroup)
			checkKind(t, err, nil)
		})
	}
}

func TestNameOfSeveralGroups(t *testing.T) {
	other := strings.Replace(testARN, "tg-0", "tg-1", 1)
	group := func(arn string, status types.TargetGroupStatus) types.TargetGroupSummary {
		return types.TargetGroupSummary{Arn: &arn, Name: aws.String("web"), Status: status}
	}
	got := &vpclattice.GetTargetGroupOutput{Arn: aws.String(testARN), Name: aws.String("web"), Type: "IP"}

	_, err := fake(answering{got: got, listed: []types.TargetGroupSummary{group(testARN, "ACTIVE"), group(other, "ACTIVE")}}).Resolve(t.Context(), balancer.Group{Name: "web"})
	checkKind(t, err, balancer.ErrInvalid)
	says(t, err, "several target groups have this name: name one of them by targetGroupARN: "+testARN+", "+other)

	found, err := fake(answering{got: got, listed: []types.TargetGroupSummary{group(other, "DELETE_IN_PROGRESS"), group(testARN, "ACTIVE")}}).Resolve(t.Context(), balancer.Group{Name: "web"})
	if err != nil || found.Ref.Group != testARN {
		t.Errorf("beside one that is being deleted: got %v, %v", found.Ref, err)
	}
}

func TestResolveByID(t *testing.T) {
	s := simulate(t, awssim.Config{})
	group := s.newGroup(t)
	name := id(group.Ref)
	for _, wanted := range []balancer.Group{{Ref: balancer.Ref{Group: name}}, {Name: name}} {
		got, err := s.provider.Resolve(t.Context(), wanted)
		if err != nil || got.Ref != group.Ref || got.Name != group.Name {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	// It can be used as it is, too.
	s.register(t, balancer.Group{Ref: balancer.Ref{Group: name}}, s.newTarget(t))
	if got := s.health(t, balancer.Group{Ref: balancer.Ref{Group: name}}); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// TestNameOnALaterPage: an account may have hundreds of groups.
func TestNameOnALaterPage(t *testing.T) {
	s := simulate(t, awssim.Config{})
	for range pageSize {
		s.made(t, "other-"+strings.ReplaceAll(s.newTarget(t).Addr.String(), ".", "-"))
	}
	group := s.newGroup(t)
	got, err := s.provider.Resolve(t.Context(), balancer.Group{Name: group.Name})
	if err != nil || got.Ref != group.Ref {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNameNeedsARegion(t *testing.T) {
	p := over(aws.Config{}, "", func(aws.Config) api { return nil })
	for _, wanted := range []balancer.Group{{Name: "web"}, {Name: "tg-0123456789abcdef0"}, {Ref: balancer.Ref{Group: "tg-0123456789abcdef0"}}, {Name: "service:shop/web"}} {
		_, err := p.Resolve(t.Context(), wanted)
		checkKind(t, err, balancer.ErrInvalid)
		says(t, err, "no AWS region is known: set podgate's --aws-region or AWS_REGION, name the group by its ARN, or bind it by a TargetBinding with spec.lattice.region")
	}
	_, err := p.Resolve(t.Context(), balancer.Group{})
	checkKind(t, err, balancer.ErrInvalid)
}
