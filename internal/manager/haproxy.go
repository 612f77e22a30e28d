// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"strings"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	elbv2provider "github.com/podgate/podgate/internal/balancer/elbv2"
	"github.com/podgate/podgate/internal/balancer/haproxy"
	"github.com/podgate/podgate/internal/binding"
)

// haproxyAudit is the time between two reads of a backend where nothing is expected. A
// reload loses what was registered, and read on are servers whose drain has ended.
const haproxyAudit = 2 * time.Second

// audit is the pace of a group's reads where nothing is expected, 0 for the default.
func audit(ref balancer.Ref) time.Duration {
	if ref.Provider == balancer.HAProxy {
		return haproxyAudit
	}
	return 0
}

// account tells on whose budget of calls, and in whose share of the workers, calls
// about a group are made: an AWS account's, or that of the same HAProxy processes.
func account(ref balancer.Ref) string {
	if ref.Provider != balancer.HAProxy {
		return elbv2provider.Account(ref)
	}
	_, instances, _ := strings.Cut(ref.Group, "@")
	return "haproxy " + instances
}

// prepare gives what makes a binding's settings known to the HAProxy provider, which may be nil.
func prepare(p *haproxy.Provider) func(*binding.Binding) error {
	return func(b *binding.Binding) error {
		if p == nil || b.Own() == nil || b.Own().Spec.HAProxy == nil {
			return nil
		}
		h := b.Own().Spec.HAProxy
		_, err := p.Configure(haproxy.Config{
			Backend: h.Backend, Instances: h.Instances, Observe: b.External, Owner: h.Owner, IPFamily: h.IPFamily,
			Check: haproxy.Check{
				Interval: time.Duration(h.Check.IntervalMilliseconds) * time.Millisecond,
				Rise:     int(h.Check.Rise), Fall: int(h.Check.Fall), Port: int(h.Check.Port),
			},
			Weight: int(h.Weight), MaxConn: int(h.MaxConn), MaxServers: int(h.MaxServers), Keywords: h.Keywords,
			Drain: time.Duration(h.DrainSeconds) * time.Second,
		})
		return err
	}
}
