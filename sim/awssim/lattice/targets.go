// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim/faults"
)

// target is a target in requests and answers.
type target struct {
	ID   string `json:"id"`
	Port int    `json:"port,omitempty"`
}

// targetFailure says why a target of a request was refused.
type targetFailure struct {
	ID             string `json:"id"`
	Port           int    `json:"port,omitempty"`
	FailureCode    string `json:"failureCode"`
	FailureMessage string `json:"failureMessage"`
}

type targetsIn struct {
	groupIn
	Targets []target `json:"targets"`
}

type targetsOut struct {
	Successful   []target        `json:"successful"`
	Unsuccessful []targetFailure `json:"unsuccessful"`
}

// key is the identity of a target in a request: without a port it has the group's.
func (g *targetGroup) key(t target) faults.Target {
	return faults.Target{ID: t.ID, Port: cmp.Or(t.Port, g.config.Port)}
}

func shownTarget(k faults.Target) target { return target{ID: k.ID, Port: k.Port} }

// refuse puts a target among the unsuccessful ones. UnsupportedTarget is the one code that AWS documents.
func (out *targetsOut) refuse(k faults.Target, why string) {
	out.Unsuccessful = append(out.Unsuccessful, targetFailure{ID: k.ID, Port: k.Port, FailureCode: "UnsupportedTarget", FailureMessage: why})
}

func (s *Service) registerTargets(c *Call, in *targetsIn) (*targetsOut, error) {
	g, err := s.group(c, in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := g.ready(); err != nil {
		return nil, err
	}
	if g.groupType != "IP" && g.groupType != "LAMBDA" {
		return nil, unmodelled("targets", "targets of type %s", g.groupType)
	}

	if err := s.checkQuota(g, in.Targets); err != nil {
		return nil, err
	}

	out := &targetsOut{Successful: []target{}, Unsuccessful: []targetFailure{}}
	var accepted []faults.Target
	for _, t := range in.Targets {
		k := g.key(t)
		why := s.refusal(g, k)
		switch {
		case why != "" && s.cfg.Assumptions.RefuseWholeCall:
			return nil, invalid("targets", "%s: %s", k.ID, why)
		case why != "":
			out.refuse(k, why)
		case c.Effect.Fails(k):
			out.refuse(k, "awssim: a fault made it fail")
		default:
			accepted = append(accepted, k)
			out.Successful = append(out.Successful, shownTarget(k))
		}
	}

	for _, k := range accepted {
		if r := g.registrations[k]; (r == nil || r.draining) && !c.Effect.Loses(k) {
			s.add(g, k)
		}
	}

	return out, nil
}

// checkQuota returns an error if the group would have too many targets.
func (s *Service) checkQuota(g *targetGroup, targets []target) error {
	count := map[faults.Target]bool{}
	for k, r := range g.registrations {
		if !r.draining {
			count[k] = true
		}
	}
	for _, t := range targets {
		count[g.key(t)] = true
	}

	if limit := s.cfg.Quotas.TargetsPerGroup; len(count) > limit {
		return tooMany(kindGroup, g.id, "L-DAD8B24F", "targets per target group", limit)
	}
	return nil
}

// refusal is why a target cannot be in a group; empty when it can.
func (s *Service) refusal(g *targetGroup, k faults.Target) string {
	if r := g.registrations[k]; r != nil && r.draining && s.cfg.Assumptions.RefuseDraining {
		return "The target is draining"
	}
	if g.groupType == "LAMBDA" {
		if !strings.HasPrefix(k.ID, "arn:aws:lambda:") {
			return "The target is not a Lambda function"
		}
		return ""
	}

	address, err := netip.ParseAddr(k.ID)
	switch {
	case err != nil || address.Is6() != (g.config.IPAddressType == "IPV6"):
		return "The target is not an address of type " + g.config.IPAddressType
	case len(s.cfg.VPCCIDRs) > 0 && !slices.ContainsFunc(s.cfg.VPCCIDRs, func(p netip.Prefix) bool { return p.Contains(address) }):
		return "The address is not in the VPC of the target group"
	}
	return ""
}

func (s *Service) deregisterTargets(c *Call, in *targetsIn) (*targetsOut, error) {
	g, err := s.group(c, in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := g.ready(); err != nil {
		return nil, err
	}

	out := &targetsOut{Successful: []target{}, Unsuccessful: []targetFailure{}}
	for _, t := range in.Targets {
		k := g.key(t)
		if c.Effect.Fails(k) {
			out.refuse(k, "awssim: a fault made it fail")
			continue
		}
		out.Successful = append(out.Successful, shownTarget(k)) // an unknown target is no error
		if r := g.registrations[k]; r != nil && !r.draining {
			s.drain(g, r)
		}
	}

	return out, nil
}

// targetSummary is one row of ListTargets.
type targetSummary struct {
	ID         string `json:"id"`
	Port       int    `json:"port,omitempty"`
	Status     string `json:"status"`
	ReasonCode string `json:"reasonCode,omitempty"`
}

type listTargetsIn struct {
	targetsIn
	paging
}

func (s *Service) listTargets(c *Call, in *listTargetsIn) (*listed[targetSummary], error) {
	g, err := s.group(c, in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}

	wanted := map[faults.Target]bool{}
	for _, t := range in.Targets {
		wanted[g.key(t)] = true
	}

	var list []past
	all := len(wanted) == 0
	for _, p := range g.listedAt(time.Now().Add(-s.clock.Scaled(c.Effect.Lag))) {
		if all || wanted[p.key] {
			list = append(list, p)
			delete(wanted, p.key)
		}
	}
	if s.cfg.Assumptions.ListUnregistered {
		for k := range wanted {
			s.seq++
			list = append(list, past{key: k, seq: s.seq, status: unused})
		}
	}

	slices.SortFunc(list, func(a, b past) int { return cmp.Compare(a.seq, b.seq) })
	return page(s, "targets "+g.id, in.paging, list, func(p past) int64 { return p.seq }, func(p past) targetSummary {
		return targetSummary{ID: p.key.ID, Port: p.key.Port, Status: p.status, ReasonCode: p.reason}
	})
}
