// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/podgate/podgate/sim/awssim/health"
)

// Config configures the service. The zero value works; durations are of simulated time.
type Config struct {
	// Region is the one region that is simulated. Default eu-west-1.
	Region string

	// CreateDelay is how long a new target group or service is
	// CREATE_IN_PROGRESS, AssociateDelay a new or changed association, and
	// DeleteDelay how long something deleted is DELETE_IN_PROGRESS.
	CreateDelay, AssociateDelay, DeleteDelay time.Duration
	// ListLag is how long ListTargetGroups does not show a new group.
	ListLag time.Duration
	// TokenLifetime is how long a page token is good. Default one hour, which is an assumption.
	TokenLifetime time.Duration

	// Timing is how fast the service moves. Default DefaultTiming.
	Timing *health.Profile
	// DrainDelay is how long a deregistered target is DRAINING. Default 60 s
	// (user guide, register targets); AWS does not let users change it.
	DrainDelay time.Duration
	// StopUnchecked makes draining targets of groups without health checks lose
	// their traffic as soon as others do. By default they keep it until they
	// are gone (aws-application-networking-k8s #582).
	StopUnchecked bool

	// Relaxed allows health-check intervals from 1 s, which AWS does not.
	Relaxed bool
	// OpenNetworks makes networks answer without a VPC association.
	OpenNetworks bool
	// VPCCIDRs says which addresses are inside the VPC. Empty: all.
	VPCCIDRs []netip.Prefix
	// Quotas are AWS's own by default.
	Quotas Quotas
	// Assumptions are what no public source says.
	Assumptions Assumptions
}

// DefaultTiming returns the timings of VPC Lattice. That one passed check makes
// a new target healthy is in the user guide; the delays are assumptions.
func DefaultTiming() *health.Profile {
	return &health.Profile{
		RegistrationDelay:    2 * time.Second,
		InitialHealthyChecks: 1,
		RoutableDelay:        time.Second,
		DrainRoutingDelay:    5 * time.Second,
	}
}

// Assumptions are settings for what AWS does not document. The zero value is
// what the simulator takes for likely.
type Assumptions struct {
	// TokenReuse is how a client token with other parameters is answered:
	// "conflict" (409) or "validation" (400). Default conflict.
	TokenReuse string `json:"tokenReuse,omitempty"`
	// NameTaken is how a name that exists is answered: "conflict" or "validation". Default conflict.
	NameTaken string `json:"nameTaken,omitempty"`
	// RefuseWholeCall answers 400 to a RegisterTargets with an address outside
	// the VPC or of the wrong family. By default such targets are unsuccessful
	// and the others are registered.
	RefuseWholeCall bool `json:"refuseWholeCall"`
	// ListUnregistered makes ListTargets show targets that are asked for and
	// not registered, as UNUSED. By default they are absent.
	ListUnregistered bool `json:"listUnregistered"`
	// TLSPort is the port of a TLS_PASSTHROUGH listener that names none. Default 443.
	TLSPort int `json:"tlsPort"`
	// RefuseDraining makes registering a draining target unsuccessful. By
	// default it starts over as INITIAL.
	RefuseDraining bool `json:"refuseDraining"`
	// HighestMatch is the highest status that a health check's matcher may name. Default 499.
	HighestMatch int `json:"highestMatch"`
	// CaseSensitivePath is how paths are compared that do not say it. By default case does not matter.
	CaseSensitivePath bool `json:"caseSensitivePath"`
	// MatchQuery makes the query string part of the path that rules match.
	MatchQuery bool `json:"matchQuery"`
	// CloseUnknownHost closes the connection of a request for a host that no
	// service has. By default it is answered 404.
	CloseUnknownHost bool `json:"closeUnknownHost"`
}

// Quotas are the account's limits; a zero is AWS's own default (user guide, quotas).
type Quotas struct {
	TargetGroups        int `json:"targetGroups"`        // 500
	TargetsPerGroup     int `json:"targetsPerGroup"`     // 1,000
	Services            int `json:"services"`            // 2,000
	ListenersPerService int `json:"listenersPerService"` // 2
	RulesPerListener    int `json:"rulesPerListener"`    // 10, the default rule not counted
	GroupsPerService    int `json:"groupsPerService"`    // 10
	Networks            int `json:"networks"`            // 50
	ServicesPerNetwork  int `json:"servicesPerNetwork"`  // 500
	VPCsPerNetwork      int `json:"vpcsPerNetwork"`      // 500, which is an assumption
	TagsPerResource     int `json:"tagsPerResource"`     // 50
}

// WithDefaults fills in what is not given.
func (q Quotas) WithDefaults() Quotas {
	return Quotas{
		TargetGroups:        cmp.Or(q.TargetGroups, 500),
		TargetsPerGroup:     cmp.Or(q.TargetsPerGroup, 1000),
		Services:            cmp.Or(q.Services, 2000),
		ListenersPerService: cmp.Or(q.ListenersPerService, 2),
		RulesPerListener:    cmp.Or(q.RulesPerListener, 10),
		GroupsPerService:    cmp.Or(q.GroupsPerService, 10),
		Networks:            cmp.Or(q.Networks, 50),
		ServicesPerNetwork:  cmp.Or(q.ServicesPerNetwork, 500),
		VPCsPerNetwork:      cmp.Or(q.VPCsPerNetwork, 500),
		TagsPerResource:     cmp.Or(q.TagsPerResource, 50),
	}
}

// WithDefaults fills in what is not given.
func (c Config) WithDefaults() Config {
	c.Region = cmp.Or(c.Region, "eu-west-1")
	c.TokenLifetime = cmp.Or(c.TokenLifetime, time.Hour)
	c.DrainDelay = cmp.Or(c.DrainDelay, time.Minute)
	if c.Timing == nil {
		c.Timing = DefaultTiming()
	}

	c.Quotas = c.Quotas.WithDefaults()
	c.Assumptions.TokenReuse = cmp.Or(c.Assumptions.TokenReuse, "conflict")
	c.Assumptions.NameTaken = cmp.Or(c.Assumptions.NameTaken, "conflict")
	c.Assumptions.TLSPort = cmp.Or(c.Assumptions.TLSPort, 443)
	c.Assumptions.HighestMatch = cmp.Or(c.Assumptions.HighestMatch, 499)
	return c
}
