// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"time"

	"github.com/podgate/podgate/internal/balancer/haproxy"
	"github.com/podgate/podgate/internal/binding"
)

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
