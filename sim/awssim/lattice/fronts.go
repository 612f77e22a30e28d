// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/podgate/podgate/sim/awssim/datapath"
)

// front is a port of a service network.
type front struct {
	network string // its id
	port    int
}

// FrontInfo says where a service network really answers.
type FrontInfo struct {
	ServiceNetworkARN string `json:"serviceNetworkArn"`
	Port              int    `json:"port"`
	Address           string `json:"address,omitempty"` // empty: not open
}

// Fronts returns the ports of all service networks.
func (s *Service) Fronts() []FrontInfo {
	s.clock.Lock()
	defer s.clock.Unlock()
	list := []FrontInfo{}
	for f, socket := range s.fronts {
		info := FrontInfo{ServiceNetworkARN: s.networks[f.network].arn, Port: f.port}
		if socket != nil {
			info.Address = socket.Address()
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b FrontInfo) int {
		return cmp.Or(cmp.Compare(a.ServiceNetworkARN, b.ServiceNetworkARN), cmp.Compare(a.Port, b.Port))
	})
	return list
}

// open reports whether clients can reach a network: a VPC is associated with it.
func (s *Service) open(n *network) bool {
	if s.cfg.OpenNetworks {
		return true
	}
	for _, a := range s.vpcAssociations {
		if a.network == n && a.served() {
			return true
		}
	}
	return false
}

// served reports whether an association is in force.
func (o *object) served() bool {
	return o.status == active || o.status == updating || o.status == updateFailed || o.status == deleteFailed
}

// members are the services that a network serves.
func (s *Service) members(networkID string) []*service {
	var list []*service
	for _, a := range s.serviceAssociations {
		if a.network.id == networkID && a.served() && a.service.status == active {
			list = append(list, a.service)
		}
	}
	return list
}

// refreshFronts opens the ports that networks now answer at, and closes the others.
func (s *Service) refreshFronts() {
	wanted := map[front]bool{}
	for _, n := range s.networks {
		if !s.open(n) {
			continue
		}
		for _, v := range s.members(n.id) {
			for _, l := range s.listenersOf(v) {
				wanted[front{n.id, l.port}] = true
			}
		}
	}

	for f, socket := range s.fronts {
		if !wanted[f] {
			if socket != nil {
				socket.Close()
			}
			delete(s.fronts, f)
		}
	}
	for f := range wanted {
		if s.fronts[f] != nil {
			continue
		}
		// A port that cannot be bound is in the log, and listed without an address: nobody waits for an answer here.
		// It is tried again at the next change.
		s.fronts[f], _ = s.path.OpenFront(s.newFront(f))
	}
}

func (s *Service) newFront(f front) datapath.Front {
	n := s.networks[f.network]
	return datapath.Front{
		Name: n.arn, Address: s.path.NetworkAddress(n.order), Port: f.port,
		Passthrough: func(serverName string) ([]datapath.Weight, bool) {
			l := s.addressed(f, serverName)
			if l == nil || l.protocol != "TLS_PASSTHROUGH" {
				return nil, false
			}
			return s.weights(s.defaultRule(l).action), true
		},
		Route: func(host string, r *http.Request) datapath.Decision { return s.route(f, host, r) },
	}
}

// addressed is the listener at a front of the service that has a name; nil when there is none. Names are the generated
// one and the custom domain.
func (s *Service) addressed(f front, host string) *listener {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, v := range s.members(f.network) {
		if host != strings.ToLower(v.dns.DomainName) && (v.customDomain == "" || host != v.customDomain) {
			continue
		}
		for _, l := range s.listenersOf(v) {
			if l.port == f.port {
				return l
			}
		}
	}
	return nil
}

// route is what becomes of a request to a host: the first rule by ascending priority that it satisfies decides.
func (s *Service) route(f front, host string, r *http.Request) datapath.Decision {
	l := s.addressed(f, host)
	secure := r.TLS != nil
	if l == nil || secure != (l.protocol == "HTTPS") {
		if s.cfg.Assumptions.CloseUnknownHost {
			return datapath.Decision{}
		}
		return datapath.Decision{Status: http.StatusNotFound}
	}

	for _, rule := range s.rulesOf(l) {
		if !s.holds(rule.match, r) {
			continue
		}
		if rule.action.FixedResponse != nil {
			return datapath.Decision{Status: rule.action.FixedResponse.StatusCode}
		}
		return datapath.Decision{Forward: s.weights(rule.action), Headers: s.headers(f, l.service)}
	}

	return datapath.Decision{Status: http.StatusNotFound}
}

// weights are the groups of an action as the data path knows them. It is never nil.
func (s *Service) weights(a action) []datapath.Weight {
	list := []datapath.Weight{}
	for _, w := range a.Forward.TargetGroups {
		if g := s.groups[w.TargetGroupIdentifier]; g != nil {
			list = append(list, datapath.Weight{Group: g.arn, Weight: *w.Weight})
		}
	}
	return list
}

// headers adds the headers by which a target learns where a request comes from. Those that a client sent are dropped.
func (s *Service) headers(f front, v *service) func(string, http.Header) {
	network := s.networks[f.network]
	from := "SourceVpcArn=arn:aws:ec2:" + s.cfg.Region + ":" + network.account + ":vpc/"
	for _, a := range s.vpcAssociations {
		if a.network == network {
			from += a.vpc
			break
		}
	}

	return func(group string, header http.Header) {
		header.Set("X-Amzn-Lattice-Identity", "Principal=Anonymous; "+from)
		header.Set("X-Amzn-Lattice-Network", from)
		header.Set("X-Amzn-Lattice-Target", "ServiceArn="+v.arn+"; ServiceNetworkArn="+network.arn+"; TargetGroupArn="+group)
	}
}
