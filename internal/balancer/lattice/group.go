// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
)

// The service's defaults, for a group that does not say (user guide, target group health checks).
const (
	defaultInterval           = 30
	defaultHealthyThreshold   = 5
	defaultUnhealthyThreshold = 2
)

// caveatUnchecked is what follows from health checks that are off. The five minutes were seen in
// aws-application-networking-k8s #582.
const caveatUnchecked = "Health checks of target group %s are off: a pod gets requests as soon as it is registered, and may get new ones for minutes after its deregistration, five were seen. Switch the group's health checks on."

func readGroup(ref balancer.Ref, out *vpclattice.GetTargetGroupOutput) balancer.Group {
	config := out.Config
	if config == nil {
		config = &types.TargetGroupConfig{} // as of a group of Lambda functions
	}
	check := config.HealthCheck
	if check == nil {
		check = &types.HealthCheckConfig{}
	}

	g := balancer.Group{
		Ref:           ref,
		Name:          aws.ToString(out.Name),
		TargetType:    strings.ToLower(string(out.Type)),
		Protocol:      string(config.Protocol),
		IPAddressType: strings.ToLower(string(config.IpAddressType)),
		// Checks are off by default but for HTTP1.
		HealthCheckEnabled:  checked(config, check),
		HealthCheckInterval: time.Duration(cmp.Or(aws.ToInt32(check.HealthCheckIntervalSeconds), defaultInterval)) * time.Second,
		HealthyThreshold:    int(cmp.Or(aws.ToInt32(check.HealthyThresholdCount), defaultHealthyThreshold)),
		UnhealthyThreshold:  int(cmp.Or(aws.ToInt32(check.UnhealthyThresholdCount), defaultUnhealthyThreshold)),
		DeregistrationDelay: traits.DrainTime,
	}

	if g.OfPods() && !g.HealthCheckEnabled {
		g.Caveat = strings.Replace(caveatUnchecked, "%s", g.Name, 1)
	}
	return g
}

// checked reports whether the service checks a group's targets: as the group says, else by its protocol.
func checked(config *types.TargetGroupConfig, check *types.HealthCheckConfig) bool {
	if check.Enabled != nil {
		return *check.Enabled
	}
	return config.Protocol != types.TargetGroupProtocolTcp &&
		(config.ProtocolVersion == "" || config.ProtocolVersion == types.TargetGroupProtocolVersionHttp1)
}

// combine describes target groups as one, by what is slowest and least certain of any.
func combine(all []balancer.Group, name string) balancer.Group {
	whole := all[0]
	whole.Name, whole.Caveat = name, ""
	var arns, caveats []string
	for _, g := range all {
		arns = append(arns, g.Ref.Group)
		if g.Caveat != "" {
			caveats = append(caveats, g.Caveat)
		}
		whole.Protocol = shared(whole.Protocol, g.Protocol)
		whole.IPAddressType = shared(whole.IPAddressType, g.IPAddressType)
		whole.TargetType = shared(whole.TargetType, g.TargetType)
		whole.HealthCheckEnabled = whole.HealthCheckEnabled && g.HealthCheckEnabled
		whole.HealthCheckInterval = max(whole.HealthCheckInterval, g.HealthCheckInterval)
		whole.HealthyThreshold = max(whole.HealthyThreshold, g.HealthyThreshold)
		whole.UnhealthyThreshold = max(whole.UnhealthyThreshold, g.UnhealthyThreshold)
	}

	whole.Ref.Group, whole.Caveat = traits.Join(arns), strings.Join(caveats, " ")
	return whole
}

// shared is what two groups have in common; empty when they differ.
func shared(a, b string) string {
	if a != b {
		return ""
	}
	return a
}
