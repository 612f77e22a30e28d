// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"fmt"
	"maps"

	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
)

// SetHealth scripts the health of a target, registered or not, or of a whole
// group when target is nil. A target's own script goes before its group's.
func (s *Service) SetHealth(groupARN string, target *faults.Target, script health.Script) error {
	if err := script.Check(); err != nil {
		return err
	}
	return s.rescript(groupARN, target, &script)
}

// ClearHealth takes back what SetHealth said; real checks start again.
func (s *Service) ClearHealth(groupARN string, target *faults.Target) error {
	return s.rescript(groupARN, target, nil)
}

func (s *Service) rescript(groupARN string, target *faults.Target, script *health.Script) error {
	s.clock.Lock()
	defer s.clock.Unlock()
	g := s.groups[groupARN]
	if g == nil {
		return fmt.Errorf("script health: no target group %q", groupARN)
	}

	g.scripts.Set(target, script, maps.Keys(g.registrations), func(t faults.Target, again bool) {
		r := g.registrations[t]
		r.outcome = 0
		if again {
			s.restart(g, r)
		}
	})

	return nil
}

// LoseTarget makes a target vanish from its group, on both clocks at once, as
// if the service had forgotten it.
func (s *Service) LoseTarget(groupARN string, target faults.Target) error {
	s.clock.Lock()
	defer s.clock.Unlock()
	g := s.groups[groupARN]
	if g == nil || g.registrations[target] == nil {
		return fmt.Errorf("lose target: %s:%d is not in target group %q", target.ID, target.Port, groupARN)
	}
	s.remove(g, g.registrations[target], "Fault.Lost")
	return nil
}

// SetInstances adds or changes the addresses of instances; one without an
// address is stopped, and unused with reason Target.InvalidState.
func (s *Service) SetInstances(addresses map[string]string) {
	s.clock.Lock()
	defer s.clock.Unlock()

	for id, address := range addresses {
		if old, known := s.instances[id]; known && old == address {
			continue
		}
		s.instances[id] = address
		for _, g := range s.groups {
			for k, r := range g.registrations {
				if k.ID == id {
					s.restart(g, r)
				}
			}
		}
	}
}

// ListenerInfo says where a listener of a load balancer really listens.
type ListenerInfo struct {
	LoadBalancerARN string `json:"loadBalancerArn"`
	ListenerARN     string `json:"listenerArn"`
	DNSName         string `json:"dnsName"`
	Protocol        string `json:"protocol"`
	Port            int32  `json:"port"`
	Address         string `json:"address,omitempty"` // empty: not open
}

// Listeners returns all listeners of all load balancers.
func (s *Service) Listeners() []ListenerInfo {
	s.clock.Lock()
	defer s.clock.Unlock()
	list := []ListenerInfo{}
	for _, l := range sorted(s.listeners) {
		list = append(list, ListenerInfo{
			LoadBalancerARN: l.balancer.arn(), ListenerARN: l.arn(), DNSName: *l.balancer.view.DNSName,
			Protocol: string(l.view.Protocol), Port: *l.view.Port, Address: l.socket.Address(),
		})
	}
	return list
}

// Host is the name of a load balancer and the address that it resolves to.
type Host struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Hosts are the names of all load balancers.
func (s *Service) Hosts() []Host {
	s.clock.Lock()
	defer s.clock.Unlock()
	list := []Host{}
	for _, b := range sorted(s.balancers) {
		list = append(list, Host{Name: *b.view.DNSName, Address: b.address})
	}
	return list
}

// ListenerAddress is the address that a listener of a load balancer really
// has; empty when it has none.
func (s *Service) ListenerAddress(listenerARN string) string {
	s.clock.Lock()
	defer s.clock.Unlock()
	l := s.listeners[listenerARN]
	if l == nil {
		return ""
	}
	return l.socket.Address()
}

// KeptConnections is how many connections to a target the data path keeps for requests to come, and how many of
// them the target has closed.
func (s *Service) KeptConnections(groupARN string, target faults.Target) (idle, closed int) {
	s.clock.Lock()
	defer s.clock.Unlock()
	if g := s.groups[groupARN]; g != nil {
		return g.routes.Kept(target)
	}
	return 0, 0
}
