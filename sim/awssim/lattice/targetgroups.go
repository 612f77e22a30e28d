// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"time"

	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
)

// targetGroup is a group with its targets, on both clocks.
type targetGroup struct {
	*object
	groupType string
	config    *groupConfig
	used      bool // a listener or rule of an active service forwards to it

	registrations map[faults.Target]*registration // the API's clock
	history       map[faults.Target][]past        // what the API said, for lists that lag
	routes        *datapath.Routes                // the data path's clock

	scripts health.Scripts
}

// groupConfig is a group's configuration, as requests and answers have it.
type groupConfig struct {
	Port                        int          `json:"port,omitempty"`
	Protocol                    string       `json:"protocol,omitempty"`
	ProtocolVersion             string       `json:"protocolVersion,omitempty"`
	IPAddressType               string       `json:"ipAddressType,omitempty"`
	VPCIdentifier               string       `json:"vpcIdentifier,omitempty"`
	HealthCheck                 *healthCheck `json:"healthCheck,omitempty"`
	LambdaEventStructureVersion string       `json:"lambdaEventStructureVersion,omitempty"`
}

type createGroupIn struct {
	Name   string            `json:"name"`
	Type   string            `json:"type"`
	Config *groupConfig      `json:"config"`
	Tags   map[string]string `json:"tags"`
}

type groupIn struct {
	TargetGroupIdentifier string `json:"targetGroupIdentifier"`
}

// groupOut is a group as answers about it alone have it.
type groupOut struct {
	ARN            string       `json:"arn"`
	ID             string       `json:"id"`
	Name           string       `json:"name,omitempty"`
	Type           string       `json:"type,omitempty"`
	Status         string       `json:"status"`
	Config         *groupConfig `json:"config,omitempty"`
	ServiceArns    []string     `json:"serviceArns,omitempty"`
	CreatedAt      *stamp       `json:"createdAt,omitempty"`
	LastUpdatedAt  *stamp       `json:"lastUpdatedAt,omitempty"`
	FailureCode    string       `json:"failureCode,omitempty"`
	FailureMessage string       `json:"failureMessage,omitempty"`
}

func (g *targetGroup) view() *groupOut {
	config := *g.config // later changes are not in this answer
	return &groupOut{ARN: g.arn, ID: g.id, Name: g.name, Type: g.groupType, Status: g.status, Config: &config}
}

func (s *Service) group(c *Call, identifier string) (*targetGroup, error) {
	return find(s, c, kindGroup, s.groups, identifier)
}

func (s *Service) createTargetGroup(c *Call, in *createGroupIn) (*groupOut, error) {
	config, err := s.newConfig(in)
	if err != nil {
		return nil, err
	}
	if err := taken(s, c, s.groups, in.Name); err != nil {
		return nil, err
	}
	if limit := s.cfg.Quotas.TargetGroups; len(sorted(c, s.groups)) >= limit {
		return nil, tooMany(kindGroup, in.Name, "L-23F95CF1", "target groups per Region", limit)
	}

	o, err := s.newObject(c, kindGroup, "", in.Name, in.Tags)
	if err != nil {
		return nil, err
	}

	g := &targetGroup{
		object: o, groupType: in.Type, config: config,
		registrations: map[faults.Target]*registration{}, history: map[faults.Target][]past{},
	}
	s.groups[g.id] = g
	g.routes = s.path.Add(routed{service: s, group: g})

	g.status = creating
	out := g.view()
	s.progress(c, o, creating, createFailed, s.cfg.CreateDelay, func() { g.status = active })
	return out, nil
}

// newConfig validates the configuration of a group and fills in its defaults.
func (s *Service) newConfig(in *createGroupIn) (*groupConfig, error) {
	config := &groupConfig{}
	if in.Config != nil {
		*config = *in.Config
	}

	if in.Type == "LAMBDA" {
		if config.Port != 0 || config.Protocol != "" || config.VPCIdentifier != "" || config.HealthCheck != nil {
			return nil, invalid("config", "a group of type LAMBDA has neither port, protocol, VPC nor health check")
		}
		if config.LambdaEventStructureVersion == "" {
			config.LambdaEventStructureVersion = "V1"
		}
		return config, nil
	}

	switch {
	case config.Port == 0:
		return nil, invalid("config.port", "is required")
	case config.Protocol == "":
		return nil, invalid("config.protocol", "is required")
	case config.VPCIdentifier == "":
		return nil, invalid("config.vpcIdentifier", "is required")
	case config.Protocol == "TCP" && config.ProtocolVersion != "":
		return nil, invalid("config.protocolVersion", "cannot be given with protocol TCP")
	}

	if config.ProtocolVersion == "" && config.Protocol != "TCP" {
		config.ProtocolVersion = "HTTP1"
	}
	if config.IPAddressType == "" {
		config.IPAddressType = "IPV4"
	}

	if in.Type == "ALB" {
		if config.HealthCheck != nil {
			return nil, invalid("config.healthCheck", "cannot be given for a group of type ALB")
		}
		return config, nil
	}

	check := defaultCheck(config)
	if err := s.setHealthCheck(check, config, config.HealthCheck); err != nil {
		return nil, err
	}
	config.HealthCheck = check
	return config, nil
}

func (s *Service) getTargetGroup(c *Call, in *groupIn) (*groupOut, error) {
	g, err := s.group(c, in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}

	out := g.view()
	out.ServiceArns = s.servicesOf(g)
	out.CreatedAt, out.LastUpdatedAt = (*stamp)(&g.created), (*stamp)(&g.updated)
	out.FailureCode, out.FailureMessage = g.failureCode, g.failureMessage
	return out, nil
}

type updateGroupIn struct {
	groupIn
	HealthCheck *healthCheck `json:"healthCheck"`
}

func (s *Service) updateTargetGroup(c *Call, in *updateGroupIn) (*groupOut, error) {
	g, err := s.group(c, in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := g.ready(); err != nil {
		return nil, err
	}
	if g.config.HealthCheck == nil {
		return nil, invalid("healthCheck", "a group of type %s has no health check", g.groupType)
	}

	changed := *g.config
	check := *changed.HealthCheck
	if err := s.setHealthCheck(&check, &changed, in.HealthCheck); err != nil {
		return nil, err
	}

	switched := check.on() != g.config.HealthCheck.on()
	changed.HealthCheck = &check
	g.config, g.updated = &changed, time.Now()
	if switched {
		s.restartAll(g)
	}

	return g.view(), nil
}

func (s *Service) deleteTargetGroup(c *Call, in *groupIn) (*groupOut, error) {
	g, err := s.group(c, in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}

	if err := g.removable(); err != nil {
		return nil, err
	}
	if len(s.servicesOf(g)) > 0 {
		return nil, conflict(kindGroup, g.id, "Target group %s is in use by a listener or rule", g.id)
	}
	if len(g.registrations) > 0 {
		return nil, conflict(kindGroup, g.id, "Target group %s has registered or draining targets", g.id)
	}

	out := &groupOut{ARN: g.arn, ID: g.id, Status: deleting}
	s.progress(c, g.object, deleting, deleteFailed, s.cfg.DeleteDelay, func() {
		delete(s.groups, g.id)
		s.path.Remove(g.arn)
	})
	return out, nil
}

type listGroupsIn struct {
	paging
	VPCIdentifier   string `json:"vpcIdentifier"`
	TargetGroupType string `json:"targetGroupType"`
}

// groupSummary is a group as lists have it.
type groupSummary struct {
	ARN                         string   `json:"arn"`
	ID                          string   `json:"id"`
	Name                        string   `json:"name"`
	Type                        string   `json:"type"`
	Status                      string   `json:"status"`
	Port                        int      `json:"port,omitempty"`
	Protocol                    string   `json:"protocol,omitempty"`
	IPAddressType               string   `json:"ipAddressType,omitempty"`
	VPCIdentifier               string   `json:"vpcIdentifier,omitempty"`
	LambdaEventStructureVersion string   `json:"lambdaEventStructureVersion,omitempty"`
	ServiceArns                 []string `json:"serviceArns,omitempty"`
	CreatedAt                   stamp    `json:"createdAt"`
	LastUpdatedAt               stamp    `json:"lastUpdatedAt"`
}

func (s *Service) listTargetGroups(c *Call, in *listGroupsIn) (*listed[groupSummary], error) {
	var list []*targetGroup
	for _, g := range sorted(c, s.groups) {
		switch {
		case in.VPCIdentifier != "" && g.config.VPCIdentifier != in.VPCIdentifier,
			in.TargetGroupType != "" && g.groupType != in.TargetGroupType,
			time.Since(g.created) < s.clock.Scaled(s.cfg.ListLag):
			continue
		}
		list = append(list, g)
	}

	return page(s, "target groups "+c.Account, in.paging, list, func(g *targetGroup) int64 { return g.seq }, func(g *targetGroup) groupSummary {
		return groupSummary{
			ARN: g.arn, ID: g.id, Name: g.name, Type: g.groupType, Status: g.status,
			Port: g.config.Port, Protocol: g.config.Protocol, IPAddressType: g.config.IPAddressType, VPCIdentifier: g.config.VPCIdentifier,
			LambdaEventStructureVersion: g.config.LambdaEventStructureVersion, ServiceArns: s.servicesOf(g),
			CreatedAt: stamp(g.created), LastUpdatedAt: stamp(g.updated),
		}
	})
}
