// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import "time"

// network is a service network: services are put into it, and VPCs reach them through it.
type network struct {
	*object
	authType string
	order    int // which network it is, by the time of its creation
}

type networkIn struct {
	ServiceNetworkIdentifier string `json:"serviceNetworkIdentifier"`
}

type createNetworkIn struct {
	Name     string            `json:"name"`
	AuthType string            `json:"authType"`
	Tags     map[string]string `json:"tags"`
}

// networkOut is a network as answers have it.
type networkOut struct {
	ARN           string `json:"arn"`
	ID            string `json:"id"`
	Name          string `json:"name"`
	AuthType      string `json:"authType,omitempty"`
	Services      *int   `json:"numberOfAssociatedServices,omitempty"`
	VPCs          *int   `json:"numberOfAssociatedVPCs,omitempty"`
	CreatedAt     *stamp `json:"createdAt,omitempty"`
	LastUpdatedAt *stamp `json:"lastUpdatedAt,omitempty"`
}

func (n *network) view() *networkOut {
	return &networkOut{ARN: n.arn, ID: n.id, Name: n.name, AuthType: n.authType}
}

// counted is a network with what is in it.
func (s *Service) counted(n *network) *networkOut {
	services, vpcs := 0, 0
	for _, a := range s.serviceAssociations {
		if a.network == n {
			services++
		}
	}
	for _, a := range s.vpcAssociations {
		if a.network == n {
			vpcs++
		}
	}

	out := n.view()
	out.Services, out.VPCs = &services, &vpcs
	out.CreatedAt, out.LastUpdatedAt = (*stamp)(&n.created), (*stamp)(&n.updated)
	return out
}

func (s *Service) network(c *Call, identifier string) (*network, error) {
	return find(s, c, kindNetwork, s.networks, identifier)
}

func (s *Service) createServiceNetwork(c *Call, in *createNetworkIn) (*networkOut, error) {
	if err := taken(s, c, s.networks, in.Name); err != nil {
		return nil, err
	}
	if limit := s.cfg.Quotas.Networks; len(sorted(c, s.networks)) >= limit {
		return nil, tooMany(kindNetwork, in.Name, "L-97F9B8F1", "service networks per Region", limit)
	}

	o, err := s.newObject(c, kindNetwork, "", in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	n := &network{object: o, authType: in.AuthType, order: s.networksMade}
	s.networksMade++
	if n.authType == "" {
		n.authType = "NONE"
	}
	s.networks[n.id] = n
	return n.view(), nil
}

func (s *Service) getServiceNetwork(c *Call, in *networkIn) (*networkOut, error) {
	n, err := s.network(c, in.ServiceNetworkIdentifier)
	if err != nil {
		return nil, err
	}
	return s.counted(n), nil
}

type updateNetworkIn struct {
	networkIn
	AuthType string `json:"authType"`
}

func (s *Service) updateServiceNetwork(c *Call, in *updateNetworkIn) (*networkOut, error) {
	n, err := s.network(c, in.ServiceNetworkIdentifier)
	if err != nil {
		return nil, err
	}
	n.authType, n.updated = in.AuthType, time.Now()
	return n.view(), nil
}

func (s *Service) deleteServiceNetwork(c *Call, in *networkIn) (*empty, error) {
	n, err := s.network(c, in.ServiceNetworkIdentifier)
	if err != nil {
		return nil, err
	}
	if out := s.counted(n); *out.Services > 0 || *out.VPCs > 0 {
		return nil, conflict(kindNetwork, n.id, "Service network %s has %d service and %d VPC associations", n.id, *out.Services, *out.VPCs)
	}
	delete(s.networks, n.id)
	return &empty{}, nil
}

func (s *Service) listServiceNetworks(c *Call, in *listIn) (*listed[*networkOut], error) {
	return page(s, "service networks "+c.Account, in.paging, sorted(c, s.networks), func(n *network) int64 { return n.seq }, func(n *network) *networkOut {
		out := s.counted(n)
		out.AuthType = "" // the model does not have it here
		return out
	})
}
