// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"regexp"
	"slices"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// targetGroup is a group with its targets, on both clocks.
type targetGroup struct {
	account    string
	seq        int64
	view       types.TargetGroup // without LoadBalancerArns, which usedBy derives
	attributes map[string]string
	inUse      bool
	released   time.Time // when it fell out of use

	registrations map[faults.Target]*registration // the API's clock
	history       map[faults.Target][]healthAt    // what the API said, for describes that lag
	routes        *datapath.Routes                // the data path's clock

	scripts health.Scripts
}

func (g *targetGroup) arn() string { return *g.view.TargetGroupArn }

// http reports whether the group belongs behind an application load balancer.
func (g *targetGroup) http() bool { return spokenHTTP(g.view.Protocol) }

func (g *targetGroup) lambda() bool { return g.view.TargetType == types.TargetTypeEnumLambda }

// group finds a group by the ARN in a request.
func (s *Service) group(c *Call, arn *string) (*targetGroup, error) {
	if err := s.checkARN(c, kindGroup, *arn); err != nil {
		return nil, err
	}
	g := s.groups[*arn]
	if g == nil {
		return nil, kindGroup.notFound()
	}
	return g, nil
}

// describe is the group as answers show it.
func (s *Service) describe(g *targetGroup) types.TargetGroup {
	view := g.view
	view.LoadBalancerArns = s.usedBy(g)
	return view
}

// usedBy are the load balancers with a listener or rule that forwards to g.
func (s *Service) usedBy(g *targetGroup) []string {
	arns := []string{}
	for _, b := range sorted(s.balancers) {
		if s.balancerUses(b, g.arn()) {
			arns = append(arns, b.arn())
		}
	}
	return arns
}

func (s *Service) createTargetGroup(c *Call, in *api.CreateTargetGroupInput) (*api.CreateTargetGroupOutput, error) {
	view, err := s.newGroupView(in)
	if err != nil {
		return nil, err
	}

	count := 0
	for _, g := range s.groups {
		if g.account != c.Account {
			continue
		}
		count++
		if *g.view.TargetGroupName != *in.Name {
			continue
		}
		view.TargetGroupArn = g.view.TargetGroupArn
		if cmp.Equal(view, g.view, cmpopts.IgnoreUnexported(types.TargetGroup{}, types.Matcher{})) {
			return &api.CreateTargetGroupOutput{TargetGroups: []types.TargetGroup{s.describe(g)}}, nil
		}
		return nil, wire.Failed("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", *in.Name)
	}

	if count >= s.cfg.Quotas.TargetGroups {
		return nil, wire.Failed("TooManyTargetGroups", "The maximum number of target groups has been reached on account '%s'", c.Account)
	}

	view.TargetGroupArn = new(s.arn(c.Account, "targetgroup/"+*in.Name+"/"+wire.Suffix()))
	g := &targetGroup{
		account:       c.Account,
		seq:           s.next(),
		view:          view,
		registrations: map[faults.Target]*registration{},
		history:       map[faults.Target][]healthAt{},
	}

	g.attributes = groupAttributes(g)
	if err := s.tagNew(g.arn(), in.Tags); err != nil {
		return nil, err
	}

	s.groups[g.arn()] = g
	g.routes = s.path.Add(routed{service: s, group: g})
	return &api.CreateTargetGroupOutput{TargetGroups: []types.TargetGroup{s.describe(g)}}, nil
}

var groupName = regexp.MustCompile(`^[a-zA-Z0-9-]*$`)

// newGroupView checks a request for a group and fills in the defaults of
// API_CreateTargetGroup.
func (s *Service) newGroupView(in *api.CreateTargetGroupInput) (types.TargetGroup, error) {
	view := types.TargetGroup{
		TargetGroupName: in.Name,
		TargetType:      orElse(in.TargetType, types.TargetTypeEnumInstance),
		IpAddressType:   orElse(in.IpAddressType, types.TargetGroupIpAddressTypeEnumIpv4),
	}
	if err := checkGroupName(*in.Name); err != nil {
		return view, err
	}

	if view.TargetType == types.TargetTypeEnumLambda {
		view.HealthCheckEnabled = new(false)
		view.HealthCheckIntervalSeconds, view.HealthCheckTimeoutSeconds = new(int32(35)), new(int32(30))
		view.HealthyThresholdCount, view.UnhealthyThresholdCount = new(int32(5)), new(int32(2))
		view.HealthCheckPath, view.Matcher = new("/"), &types.Matcher{HttpCode: new("200")}
		return view, s.setHealthCheck(&view, healthCheckOf(in))
	}

	if err := checkProtocol(in); err != nil {
		return view, err
	}
	if !s.ec2.Knows(*in.VpcId) { // terraform-aws-alb #294
		return view, wire.Invalid("The VPC ID '%s' is not found", *in.VpcId)
	}

	view.Protocol, view.Port, view.VpcId = in.Protocol, in.Port, in.VpcId
	view.HealthCheckEnabled, view.HealthCheckPort = new(true), new("traffic-port")
	view.HealthCheckIntervalSeconds, view.HealthCheckTimeoutSeconds = new(int32(30)), new(int32(10))
	view.HealthyThresholdCount, view.UnhealthyThresholdCount = new(int32(5)), new(int32(2))
	view.HealthCheckProtocol = types.ProtocolEnumTcp
	if spokenHTTP(in.Protocol) {
		view.ProtocolVersion = new("HTTP1")
		view.HealthCheckProtocol = types.ProtocolEnumHttp
		view.HealthCheckTimeoutSeconds = new(int32(5))
	}

	return view, s.setHealthCheck(&view, healthCheckOf(in))
}

func checkGroupName(name string) error {
	switch {
	case len(name) > 32:
		return wire.Invalid("Target group name '%s' cannot be longer than '32' characters", name)
	case !groupName.MatchString(name):
		return wire.Invalid("Target group name '%s' can only contain characters that are alphanumeric characters or hyphens(-)", name)
	case name[0] == '-' || name[len(name)-1] == '-':
		return wire.Invalid("Target group name '%s' cannot begin or end with '-'", name)
	}
	return nil
}

// checkProtocol validates the protocol, port and VPC of a group whose targets have an address.
func checkProtocol(in *api.CreateTargetGroupInput) error {
	switch {
	case in.Protocol == "":
		return wire.Invalid("A protocol must be specified")
	case in.Port == nil:
		return wire.Invalid("A port must be specified")
	case in.VpcId == nil:
		return wire.Invalid("A VPC ID must be specified")
	case in.ProtocolVersion != nil && (!spokenHTTP(in.Protocol) || *in.ProtocolVersion != "HTTP1"):
		return wire.Unmodelled("protocol version '%s'", *in.ProtocolVersion)
	}
	return nil
}

func spokenHTTP(p types.ProtocolEnum) bool {
	return p == types.ProtocolEnumHttp || p == types.ProtocolEnumHttps
}

func orElse[T ~string](value, otherwise T) T {
	if value == "" {
		return otherwise
	}
	return value
}

func (s *Service) describeTargetGroups(c *Call, in *api.DescribeTargetGroupsInput) (*api.DescribeTargetGroupsOutput, error) {
	if in.LoadBalancerArn != nil && (in.TargetGroupArns != nil || in.Names != nil) || in.TargetGroupArns != nil && in.Names != nil {
		return nil, wire.Invalid("Load balancer ARN, target group names and target group ARNs cannot be specified at the same time")
	}

	for _, arn := range in.TargetGroupArns {
		if _, err := s.group(c, &arn); err != nil {
			return nil, err
		}
	}

	var balancer *loadBalancer
	if in.LoadBalancerArn != nil {
		b, err := s.balancer(c, in.LoadBalancerArn)
		if err != nil {
			return nil, err
		}
		balancer = b
	}

	found := []types.TargetGroup{}
	names := map[string]bool{}
	for _, g := range sorted(s.groups) {
		switch {
		case g.account != c.Account,
			in.TargetGroupArns != nil && !slices.Contains(in.TargetGroupArns, g.arn()),
			in.Names != nil && !slices.Contains(in.Names, *g.view.TargetGroupName),
			balancer != nil && !s.balancerUses(balancer, g.arn()):
			continue
		}
		names[*g.view.TargetGroupName] = true
		found = append(found, s.describe(g))
	}

	for _, name := range in.Names {
		if !names[name] {
			return nil, kindGroup.notFound()
		}
	}

	found, marker, err := wire.Page(found, func(g types.TargetGroup) string { return *g.TargetGroupArn }, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}

	return &api.DescribeTargetGroupsOutput{TargetGroups: found, NextMarker: marker}, nil
}

func (s *Service) modifyTargetGroup(c *Call, in *api.ModifyTargetGroupInput) (*api.ModifyTargetGroupOutput, error) {
	g, err := s.group(c, in.TargetGroupArn)
	if err != nil {
		return nil, err
	}

	view := g.view
	if err := s.setHealthCheck(&view, healthCheck{
		enabled: in.HealthCheckEnabled, interval: in.HealthCheckIntervalSeconds, timeout: in.HealthCheckTimeoutSeconds,
		healthy: in.HealthyThresholdCount, unhealthy: in.UnhealthyThresholdCount,
		protocol: in.HealthCheckProtocol, port: in.HealthCheckPort, path: in.HealthCheckPath, matcher: in.Matcher,
	}); err != nil {
		return nil, err
	}

	switched := *view.HealthCheckEnabled != *g.view.HealthCheckEnabled
	g.view = view
	if switched {
		for _, r := range g.registrations {
			s.restart(g, r)
		}
	}

	return &api.ModifyTargetGroupOutput{TargetGroups: []types.TargetGroup{s.describe(g)}}, nil
}

func (s *Service) deleteTargetGroup(c *Call, in *api.DeleteTargetGroupInput) (*api.DeleteTargetGroupOutput, error) {
	if err := s.checkARN(c, kindGroup, *in.TargetGroupArn); err != nil {
		return nil, err
	}

	g := s.groups[*in.TargetGroupArn]
	if g == nil { // deleting is idempotent: the model lists no not-found error
		return &api.DeleteTargetGroupOutput{}, nil
	}
	if len(s.usedBy(g)) > 0 || s.unseen(c, g.released) {
		return nil, wire.Failed("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", g.arn())
	}

	for _, r := range g.registrations {
		s.remove(g, r, "TargetGroupDeleted")
	}

	delete(s.groups, g.arn())
	s.path.Remove(g.arn())
	delete(s.tags, g.arn())
	return &api.DeleteTargetGroupOutput{}, nil
}
