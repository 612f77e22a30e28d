// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"cmp"
	"maps"
	"net/netip"
	"time"

	"github.com/podgate/podgate/sim/awssim/acm"
	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/ec2"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// Config configures the service.
type Config struct {
	// Region is the one region that is simulated. Default eu-west-1.
	Region string
	health.Profiles
	// ProvisionDelay is how long a new load balancer is "provisioning".
	ProvisionDelay time.Duration
	// DescribeLag makes DescribeTargetHealth always answer from that long ago.
	DescribeLag time.Duration
	// CreateLag is how long other calls do not find a new load balancer, listener or rule, and how long a target group
	// that has fallen out of use cannot be deleted.
	CreateLag time.Duration
	// ChangeLag makes all other describing calls answer from that long ago: tags, attributes and settings are those of
	// then, and what was deleted since is still there.
	ChangeLag time.Duration

	// Relaxed allows what AWS does not: health-check intervals and timeouts
	// from 1 s, and health checks that are off in ip and instance groups.
	Relaxed bool
	// RefuseDraining makes registering a draining target answer InvalidTarget.
	// By default it is accepted and starts over as initial.
	RefuseDraining bool
	// Quotas are AWS's own by default.
	Quotas Quotas
	// VPCCIDRs says which addresses are inside the VPC. Empty: all.
	VPCCIDRs []netip.Prefix
	// Instances maps instance ids to their addresses.
	Instances map[string]string
}

// WithDefaults fills in what is not given, or returns what is wrong.
func (c Config) WithDefaults() (Config, error) {
	c.Region = cmp.Or(c.Region, "eu-west-1")
	c.Quotas = c.Quotas.WithDefaults()

	var err error
	c.Profiles, err = c.Profiles.WithDefaults()
	return c, err
}

// Service is Elastic Load Balancing in one region. Its operations are run with the clock's lock held; its other
// methods take it.
type Service struct {
	cfg    Config
	clock  *clock.Clock
	record *faults.Record
	path   *datapath.Path
	ec2    *ec2.Service
	acm    *acm.Service

	seq int64 // of what is created
	world
	instances map[string]string

	pasts     []past // oldest first
	remembers bool
}

// New makes a service in which nothing has been created, with load balancers in the subnets of a network
// that present certificates of ACM. Its configuration has its defaults. It puts transitions on
// record.
func New(cfg Config, c *clock.Clock, path *datapath.Path, record *faults.Record, network *ec2.Service, certificates *acm.Service) *Service {
	s := &Service{
		cfg: cfg, clock: c, path: path, record: record, ec2: network, acm: certificates,
		world: world{
			groups:    map[string]*targetGroup{},
			balancers: map[string]*loadBalancer{},
			listeners: map[string]*listener{},
			rules:     map[string]*rule{},
			tags:      map[string]map[string]string{},
		},
		instances: map[string]string{},
	}

	maps.Copy(s.instances, cfg.Instances)
	return s
}

// next is a number that only grows; it orders what was created.
func (s *Service) next() int64 {
	s.seq++
	return s.seq
}

// unseen reports whether what happened at a time is hidden from a call, since answers lag behind.
func (s *Service) unseen(c *Call, at time.Time) bool {
	return time.Since(at) < s.clock.Scaled(max(s.cfg.CreateLag, c.Effect.Lag))
}

// Call is who calls an operation, and what the faults have in store for the call.
type Call struct {
	Account string
	Effect  faults.Effect
}

// Operations are all operations that are modelled, by name.
func (s *Service) Operations() map[string]wire.Operation[*Call] {
	return map[string]wire.Operation[*Call]{
		"CreateTargetGroup":              wire.Decoded(changing(s, s.createTargetGroup), "Name"),
		"DescribeTargetGroups":           wire.Decoded(describing(s, (*Service).describeTargetGroups)),
		"ModifyTargetGroup":              wire.Decoded(changing(s, s.modifyTargetGroup), "TargetGroupArn"),
		"DeleteTargetGroup":              wire.Decoded(changing(s, s.deleteTargetGroup), "TargetGroupArn"),
		"DescribeTargetGroupAttributes":  wire.Decoded(describing(s, (*Service).describeTargetGroupAttributes), "TargetGroupArn"),
		"ModifyTargetGroupAttributes":    wire.Decoded(changing(s, s.modifyTargetGroupAttributes), "TargetGroupArn", "Attributes"),
		"RegisterTargets":                wire.Decoded(s.registerTargets, "TargetGroupArn", "Targets"),
		"DeregisterTargets":              wire.Decoded(s.deregisterTargets, "TargetGroupArn", "Targets"),
		"DescribeTargetHealth":           wire.Decoded(s.describeTargetHealth, "TargetGroupArn"),
		"CreateLoadBalancer":             wire.Decoded(changing(s, s.createLoadBalancer), "Name"),
		"DescribeLoadBalancers":          wire.Decoded(describing(s, (*Service).describeLoadBalancers)),
		"DeleteLoadBalancer":             wire.Decoded(changing(s, s.deleteLoadBalancer), "LoadBalancerArn"),
		"DescribeLoadBalancerAttributes": wire.Decoded(describing(s, (*Service).describeLoadBalancerAttributes), "LoadBalancerArn"),
		"ModifyLoadBalancerAttributes":   wire.Decoded(changing(s, s.modifyLoadBalancerAttributes), "LoadBalancerArn", "Attributes"),
		"SetSubnets":                     wire.Decoded(changing(s, s.setSubnets), "LoadBalancerArn"),
		"SetSecurityGroups":              wire.Decoded(changing(s, s.setSecurityGroups), "LoadBalancerArn", "SecurityGroups"),
		"SetIpAddressType":               wire.Decoded(changing(s, s.setIPAddressType), "LoadBalancerArn", "IpAddressType"),
		"ModifyIpPools":                  wire.Decoded(changing(s, s.modifyIPPools), "LoadBalancerArn"),
		"DescribeCapacityReservation":    wire.Decoded(describing(s, (*Service).describeCapacityReservation), "LoadBalancerArn"),
		"ModifyCapacityReservation":      wire.Decoded(changing(s, s.modifyCapacityReservation), "LoadBalancerArn"),
		"CreateListener":                 wire.Decoded(changing(s, s.createListener), "LoadBalancerArn", "DefaultActions"),
		"DescribeListeners":              wire.Decoded(describing(s, (*Service).describeListeners)),
		"ModifyListener":                 wire.Decoded(changing(s, s.modifyListener), "ListenerArn"),
		"DeleteListener":                 wire.Decoded(changing(s, s.deleteListener), "ListenerArn"),
		"DescribeListenerAttributes":     wire.Decoded(describing(s, (*Service).describeListenerAttributes), "ListenerArn"),
		"ModifyListenerAttributes":       wire.Decoded(changing(s, s.modifyListenerAttributes), "ListenerArn", "Attributes"),
		"AddListenerCertificates":        wire.Decoded(changing(s, s.addListenerCertificates), "ListenerArn", "Certificates"),
		"RemoveListenerCertificates":     wire.Decoded(changing(s, s.removeListenerCertificates), "ListenerArn", "Certificates"),
		"DescribeListenerCertificates":   wire.Decoded(describing(s, (*Service).describeListenerCertificates), "ListenerArn"),
		"DescribeSSLPolicies":            wire.Decoded(s.describeSSLPolicies),
		"CreateRule":                     wire.Decoded(changing(s, s.createRule), "ListenerArn", "Conditions", "Priority", "Actions"),
		"DescribeRules":                  wire.Decoded(describing(s, (*Service).describeRules)),
		"ModifyRule":                     wire.Decoded(changing(s, s.modifyRule), "RuleArn"),
		"DeleteRule":                     wire.Decoded(changing(s, s.deleteRule), "RuleArn"),
		"SetRulePriorities":              wire.Decoded(changing(s, s.setRulePriorities), "RulePriorities"),
		"AddTags":                        wire.Decoded(changing(s, s.addTags), "ResourceArns", "Tags"),
		"RemoveTags":                     wire.Decoded(changing(s, s.removeTags), "ResourceArns", "TagKeys"),
		"DescribeTags":                   wire.Decoded(describing(s, (*Service).describeTags), "ResourceArns"),
		"DescribeAccountLimits":          wire.Decoded(s.describeAccountLimits),
	}
}
