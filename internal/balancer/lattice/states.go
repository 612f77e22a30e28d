// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
	"github.com/podgate/podgate/internal/gate"
)

// reasonUnavailable is that of a target that is healthy because its group checks none.
const reasonUnavailable = "HealthCheckUnavailable"

// states are what the service says of a target.
var states = map[types.TargetStatus]gate.Health{
	types.TargetStatusHealthy: {State: gate.Healthy},
	types.TargetStatusInitial: {State: gate.Initial, Reason: traits.ReasonInitial,
		Description: "Target is registered, and its first health checks are under way"},
	types.TargetStatusUnhealthy: {State: gate.Unhealthy, Reason: traits.ReasonUnhealthy,
		Description: "Target fails its health checks"},
	types.TargetStatusDraining: {State: gate.Draining, Reason: traits.ReasonDraining,
		Description: "Target was deregistered and finishes its requests"},
	types.TargetStatusUnused: {State: gate.Unused, Reason: traits.ReasonUnused, NotInUse: true,
		Description: "No listener or rule of a service forwards to the target group"},
	// Without health checks every registered target gets requests.
	types.TargetStatusUnavailable: {State: gate.Healthy, Reason: reasonUnavailable,
		Description: "The target group's health checks are off"},
}

// readHealth reads one row. A status that this version does not know is no health.
func readHealth(row types.TargetSummary) gate.Health {
	health, known := states[row.Status]
	if !known {
		health = gate.Health{State: gate.Unknown, Reason: traits.ReasonUnknownStatus, Description: fmt.Sprintf("Target has status %s, which podgate does not know", row.Status)}
	}
	if code := aws.ToString(row.ReasonCode); code != "" && health.State != gate.Healthy {
		health.Description += ": " + code
	}
	return health
}

// gravity orders states by how little may be expected of a target. A target that is not used by
// one group is of use to others, so that only comes where all of those are satisfied: a
// policy may open the gate then.
var gravity = []gate.State{gate.Healthy, gate.Unused, gate.Initial, gate.Unknown, gate.Unhealthy, gate.Draining}

// worse picks the health of which less may be expected; one with a reason to tell, of two that are equal.
func worse(a, b gate.Health) gate.Health {
	first, second := slices.Index(gravity, a.State), slices.Index(gravity, b.State)
	if first > second || first == second && a.Reason != "" {
		return a
	}
	return b
}

// together is the health of targets that are in several groups, each of which has to be
// satisfied: routes and protocols have groups of their own, and requests come through any. A group
// that lists a target's address at other ports only is for another port of the Service. That it
// lists other addresses there shows nothing: it may lag behind a Service whose target port changed. It
// has no say when each group that lists the target is for a different port, as ports knows.
func together(all []balancer.Ref, healths []map[gate.Target]gate.Health, different map[pair]bool) map[gate.Target]gate.Health {
	listed := make([]map[netip.Addr]bool, len(all))
	whole := map[gate.Target]gate.Health{}
	for i, targets := range healths {
		listed[i] = map[netip.Addr]bool{}
		for t, health := range targets {
			// What drains was of a pod before, or of the port before.
			if !health.Leaving() {
				listed[i][t.Addr] = true
			}
			whole[t] = gate.Health{State: gate.Healthy}
		}
	}

	for t := range whole {
		for i, ref := range all {
			health, holds := healths[i][t]
			if !holds && (listed[i][t.Addr] || ofAnotherPort(i, t, all, healths, different)) {
				continue
			}
			if !holds {
				health = missing
			}
			if health.Description != "" {
				health.Description += " (" + id(ref) + ")"
			}
			whole[t] = worse(whole[t], health)
		}
	}

	return whole
}

// ofAnotherPort reports whether a group is for another port than each group that lists a target.
func ofAnotherPort(group int, t gate.Target, all []balancer.Ref, healths []map[gate.Target]gate.Health, different map[pair]bool) bool {
	for i, targets := range healths {
		if _, holds := targets[t]; holds && !different[pair{all[group].Group, all[i].Group}] {
			return false
		}
	}
	return true
}

// missing is the health of a target that one of its groups lacks while another one lists it. It is
// not absent: it may get requests through the other.
var missing = gate.Health{State: gate.Initial, Reason: traits.ReasonTargetNotFound, Description: "Target is not registered to the target group"}
