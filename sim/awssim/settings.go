// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"github.com/podgate/podgate/sim/awssim/ec2"
	"github.com/podgate/podgate/sim/awssim/lattice"
)

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
	CreateLagSeconds  float64                    `json:"createLagSeconds"`
	ChangeLagSeconds  float64                    `json:"changeLagSeconds"`
	Quotas            Quotas                     `json:"quotas"`
	Operations        []string                   `json:"operations"`
	EC2               EC2Settings                `json:"ec2"`
	ACM               ACMSettings                `json:"acm"`
	Lattice           LatticeSettings            `json:"lattice"`
}

// ACMSettings are those of AWS Certificate Manager.
type ACMSettings struct {
	IssueDelaySeconds float64  `json:"issueDelaySeconds"`
	Quota             int      `json:"quota"`
	Operations        []string `json:"operations"`
}

// EC2Settings are those of EC2.
type EC2Settings struct {
	LagSeconds             float64    `json:"lagSeconds"`
	InterfaceLingerSeconds float64    `json:"interfaceLingerSeconds"`
	Quotas                 ec2.Quotas `json:"quotas"`
	VPCs                   []VPC      `json:"vpcs"`
	Operations             []string   `json:"operations"`
}

// LatticeSettings are those of VPC Lattice.
type LatticeSettings struct {
	CreateDelaySeconds    float64             `json:"createDelaySeconds"`
	AssociateDelaySeconds float64             `json:"associateDelaySeconds"`
	DeleteDelaySeconds    float64             `json:"deleteDelaySeconds"`
	ListLagSeconds        float64             `json:"listLagSeconds"`
	TokenLifetimeSeconds  float64             `json:"tokenLifetimeSeconds"`
	DrainDelaySeconds     float64             `json:"drainDelaySeconds"`
	StopUnchecked         bool                `json:"stopUnchecked"`
	OpenNetworks          bool                `json:"openNetworks"`
	Timing                ProfileSettings     `json:"timing"`
	Quotas                lattice.Quotas      `json:"quotas"`
	Assumptions           lattice.Assumptions `json:"assumptions"`
	Operations            []string            `json:"operations"`
}

func latticeSettings(l Lattice) LatticeSettings {
	return LatticeSettings{
		CreateDelaySeconds:    l.CreateDelay.Seconds(),
		AssociateDelaySeconds: l.AssociateDelay.Seconds(),
		DeleteDelaySeconds:    l.DeleteDelay.Seconds(),
		ListLagSeconds:        l.ListLag.Seconds(),
		TokenLifetimeSeconds:  l.TokenLifetime.Seconds(),
		DrainDelaySeconds:     l.DrainDelay.Seconds(),
		StopUnchecked:         l.StopUnchecked,
		OpenNetworks:          l.OpenNetworks,
		Timing:                settingsOf(l.Timing),
		Quotas:                l.Quotas,
		Assumptions:           l.Assumptions,
		Operations:            LatticeOperations(),
	}
}

// ProfileSettings is a Profile in seconds.
type ProfileSettings struct {
	RegistrationDelaySeconds     float64 `json:"registrationDelaySeconds"`
	InitialHealthyChecks         int     `json:"initialHealthyChecks"`
	RoutableDelaySeconds         float64 `json:"routableDelaySeconds"`
	UnhealthyRoutingDelaySeconds float64 `json:"unhealthyRoutingDelaySeconds"`
	DrainRoutingDelaySeconds     float64 `json:"drainRoutingDelaySeconds"`
}

func settingsOf(p *Profile) ProfileSettings {
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
		Profiles:          map[string]ProfileSettings{"alb": settingsOf(s.cfg.ALB), "nlb": settingsOf(s.cfg.NLB)},
		TimeScale:         s.cfg.TimeScale,
		Throttle:          s.cfg.Throttle,
		Relaxed:           s.cfg.Relaxed,
		RefuseDraining:    s.cfg.RefuseDraining,
		DescribeLagSecond: s.cfg.DescribeLag.Seconds(),
		CreateLagSeconds:  s.cfg.CreateLag.Seconds(),
		ChangeLagSeconds:  s.cfg.ChangeLag.Seconds(),
		Quotas:            s.cfg.Quotas,
		Operations:        Operations(),
		EC2: EC2Settings{
			LagSeconds:             s.cfg.EC2.Lag.Seconds(),
			InterfaceLingerSeconds: s.cfg.EC2.InterfaceLinger.Seconds(),
			Quotas:                 s.cfg.EC2.Quotas,
			VPCs:                   s.cfg.EC2.VPCs,
			Operations:             EC2Operations(),
		},
		ACM: ACMSettings{
			IssueDelaySeconds: s.cfg.ACM.IssueDelay.Seconds(),
			Quota:             s.cfg.ACM.Quota,
			Operations:        ACMOperations(),
		},
		Lattice: latticeSettings(s.cfg.Lattice),
	}
}
