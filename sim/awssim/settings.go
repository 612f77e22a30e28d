// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

// Settings are the values in force, as GET /_awssim/config answers them. All
// seconds are of simulated time: divide by TimeScale for a clock on the wall.
type Settings struct {
	Region            string                     `json:"region"`
	AccountID         string                     `json:"accountId"`
	DataAddress       string                     `json:"dataAddress"`
	Profile           string                     `json:"profile"`
	Profiles          map[string]ProfileSettings `json:"profiles"`
	TimeScale         float64                    `json:"timeScale"`
	Throttle          string                     `json:"throttle"`
	Relaxed           bool                       `json:"relaxed"`
	RefuseDraining    bool                       `json:"refuseDraining"`
	DescribeLagSecond float64                    `json:"describeLagSeconds"`
	Quotas            Quotas                     `json:"quotas"`
	Operations        []string                   `json:"operations"`
}

// ProfileSettings is a Profile in seconds.
type ProfileSettings struct {
	RegistrationDelaySeconds     float64 `json:"registrationDelaySeconds"`
	InitialHealthyChecks         int     `json:"initialHealthyChecks"`
	RoutableDelaySeconds         float64 `json:"routableDelaySeconds"`
	UnhealthyRoutingDelaySeconds float64 `json:"unhealthyRoutingDelaySeconds"`
	DrainRoutingDelaySeconds     float64 `json:"drainRoutingDelaySeconds"`
}

func (p *Profile) settings() ProfileSettings {
	return ProfileSettings{
		RegistrationDelaySeconds:     p.RegistrationDelay.Seconds(),
		InitialHealthyChecks:         p.InitialHealthyChecks,
		RoutableDelaySeconds:         p.RoutableDelay.Seconds(),
		UnhealthyRoutingDelaySeconds: p.UnhealthyRoutingDelay.Seconds(),
		DrainRoutingDelaySeconds:     p.DrainRoutingDelay.Seconds(),
	}
}

// Settings returns the values in force.
func (s *Sim) Settings() Settings {
	return Settings{
		Region:            s.cfg.Region,
		AccountID:         s.cfg.AccountID,
		DataAddress:       s.cfg.DataAddress,
		Profile:           s.cfg.Profile,
		Profiles:          map[string]ProfileSettings{"alb": s.cfg.ALB.settings(), "nlb": s.cfg.NLB.settings()},
		TimeScale:         s.cfg.TimeScale,
		Throttle:          s.cfg.Throttle,
		Relaxed:           s.cfg.Relaxed,
		RefuseDraining:    s.cfg.RefuseDraining,
		DescribeLagSecond: s.cfg.DescribeLag.Seconds(),
		Quotas:            s.cfg.Quotas,
		Operations:        Operations(),
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
func (s *Sim) Listeners() []ListenerInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []ListenerInfo{}
	for _, l := range sorted(s.listeners) {
		list = append(list, ListenerInfo{
			LoadBalancerARN: l.balancer.arn(), ListenerARN: l.arn(), DNSName: *l.balancer.view.DNSName,
			Protocol: string(l.view.Protocol), Port: *l.view.Port, Address: l.address,
		})
	}
	return list
}

// SetInstances adds or changes the addresses of instances; one without an
// address is stopped, and unused with reason Target.InvalidState.
func (s *Sim) SetInstances(addresses map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for id, address := range addresses {
		if old, known := s.instances[id]; known && old == address {
			continue
		}
		s.instances[id] = address
		for _, g := range s.groups {
			for k, r := range g.rows {
				if k.ID == id {
					s.restart(g, r)
				}
			}
		}
	}
}
