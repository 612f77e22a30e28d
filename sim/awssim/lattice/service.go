// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/rest"
)

//go:embed model/vpc-lattice.json
var rawModel []byte

var parsed = sync.OnceValues(func() (*rest.Model, error) { return rest.Parse(rawModel) })

// Model returns the service model, by which requests are read.
func Model() (*rest.Model, error) { return parsed() }

// Service is VPC Lattice in one region. Its operations are run with the clock's lock held; its other methods take it.
type Service struct {
	cfg    Config
	clock  *clock.Clock
	record *faults.Record
	path   *datapath.Path

	seq       int64 // of what is created
	groups    map[string]*targetGroup
	services  map[string]*service
	listeners map[string]*listener
	rules     map[string]*rule
	networks  map[string]*network
	answers   map[string]answered

	serviceAssociations map[string]*serviceAssociation
	vpcAssociations     map[string]*vpcAssociation

	networksMade int
	fronts       map[front]*datapath.Socket // nil: the port cannot be bound
}

// New makes a service in which nothing has been created. Its configuration has its defaults. It puts transitions on
// record.
func New(cfg Config, c *clock.Clock, path *datapath.Path, record *faults.Record) *Service {
	return &Service{
		cfg: cfg, clock: c, path: path, record: record,
		groups:    map[string]*targetGroup{},
		services:  map[string]*service{},
		listeners: map[string]*listener{},
		rules:     map[string]*rule{},
		networks:  map[string]*network{},
		answers:   map[string]answered{},

		serviceAssociations: map[string]*serviceAssociation{},
		vpcAssociations:     map[string]*vpcAssociation{},

		fronts: map[front]*datapath.Socket{},
	}
}

// Call is who calls an operation, and what the faults have in store for the call.
type Call struct {
	Account string
	Effect  faults.Effect
}

// Operations are all operations that are modelled, by name.
func (s *Service) Operations() map[string]rest.Operation[*Call] {
	all := map[string]rest.Operation[*Call]{
		"CreateTargetGroup":                      rest.Decoded(s.createTargetGroup),
		"GetTargetGroup":                         rest.Decoded(s.getTargetGroup),
		"UpdateTargetGroup":                      rest.Decoded(s.updateTargetGroup),
		"DeleteTargetGroup":                      rest.Decoded(s.deleteTargetGroup),
		"ListTargetGroups":                       rest.Decoded(s.listTargetGroups),
		"RegisterTargets":                        rest.Decoded(s.registerTargets),
		"DeregisterTargets":                      rest.Decoded(s.deregisterTargets),
		"ListTargets":                            rest.Decoded(s.listTargets),
		"CreateService":                          rest.Decoded(s.createService),
		"GetService":                             rest.Decoded(s.getService),
		"UpdateService":                          rest.Decoded(s.updateService),
		"DeleteService":                          rest.Decoded(s.deleteService),
		"ListServices":                           rest.Decoded(s.listServices),
		"CreateListener":                         rest.Decoded(s.createListener),
		"GetListener":                            rest.Decoded(s.getListener),
		"UpdateListener":                         rest.Decoded(s.updateListener),
		"DeleteListener":                         rest.Decoded(s.deleteListener),
		"ListListeners":                          rest.Decoded(s.listListeners),
		"CreateRule":                             rest.Decoded(s.createRule),
		"GetRule":                                rest.Decoded(s.getRule),
		"UpdateRule":                             rest.Decoded(s.updateRule),
		"BatchUpdateRule":                        rest.Decoded(s.batchUpdateRule),
		"DeleteRule":                             rest.Decoded(s.deleteRule),
		"ListRules":                              rest.Decoded(s.listRules),
		"CreateServiceNetwork":                   rest.Decoded(s.createServiceNetwork),
		"GetServiceNetwork":                      rest.Decoded(s.getServiceNetwork),
		"UpdateServiceNetwork":                   rest.Decoded(s.updateServiceNetwork),
		"DeleteServiceNetwork":                   rest.Decoded(s.deleteServiceNetwork),
		"ListServiceNetworks":                    rest.Decoded(s.listServiceNetworks),
		"CreateServiceNetworkServiceAssociation": rest.Decoded(s.createServiceAssociation),
		"GetServiceNetworkServiceAssociation":    rest.Decoded(s.getServiceAssociation),
		"DeleteServiceNetworkServiceAssociation": rest.Decoded(s.deleteServiceAssociation),
		"ListServiceNetworkServiceAssociations":  rest.Decoded(s.listServiceAssociations),
		"CreateServiceNetworkVpcAssociation":     rest.Decoded(s.createVPCAssociation),
		"GetServiceNetworkVpcAssociation":        rest.Decoded(s.getVPCAssociation),
		"UpdateServiceNetworkVpcAssociation":     rest.Decoded(s.updateVPCAssociation),
		"DeleteServiceNetworkVpcAssociation":     rest.Decoded(s.deleteVPCAssociation),
		"ListServiceNetworkVpcAssociations":      rest.Decoded(s.listVPCAssociations),
		"TagResource":                            rest.Decoded(s.tagResource),
		"UntagResource":                          rest.Decoded(s.untagResource),
		"ListTagsForResource":                    rest.Decoded(s.listTagsForResource),
	}

	for name, op := range all {
		if strings.HasPrefix(name, "Create") {
			all[name] = s.once(name, op)
		}
	}

	return all
}

// answered is what a client token was answered with.
type answered struct {
	parameters string
	answer     any
}

// once makes an operation answer the first result again when it is called again with the same client token.
func (s *Service) once(name string, op rest.Operation[*Call]) rest.Operation[*Call] {
	return func(c *Call, parameters []byte) (any, error) {
		var in struct {
			ClientToken string `json:"clientToken"`
		}
		if err := json.Unmarshal(parameters, &in); err != nil {
			return nil, fmt.Errorf("read client token: %w", err)
		}
		if in.ClientToken == "" {
			return op(c, parameters)
		}

		key := c.Account + "/" + name + "/" + in.ClientToken
		if before, used := s.answers[key]; used {
			if before.parameters == string(parameters) {
				return before.answer, nil
			}
			return nil, s.refused(s.cfg.Assumptions.TokenReuse, &object{id: in.ClientToken}, "The client token has been used with other parameters")
		}

		answer, err := op(c, parameters)
		if err == nil {
			s.answers[key] = answered{string(parameters), answer}
		}
		return answer, err
	}
}
