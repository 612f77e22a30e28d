// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// state is all that there is at one time. Nothing in it is changed once it is the state: a change makes new ones of
// what it touches, so that earlier states can still be read.
type state struct {
	vpcs       map[string]*vpc
	subnets    map[string]*subnet
	tables     map[string]*routeTable
	groups     map[string]*group
	instances  map[string]*instance
	interfaces map[string]*networkInterface
	tags       map[string]map[string]string // by the id of what has them
}

// version is a state and since when it has held.
type version struct {
	at    time.Time
	state *state
}

// historyKept is for how long earlier states can be read.
const historyKept = 10 * time.Minute

// now is what is true.
func (s *Service) now() *state { return s.versions[len(s.versions)-1].state }

// seen is what a call sees: what was true as long ago as it lags.
func (s *Service) seen(c *Call) *state {
	lag := s.clock.Scaled(max(s.cfg.Lag, c.Effect.Lag))
	if lag == 0 {
		return s.now()
	}

	at := time.Now().Add(-lag)
	for _, v := range slices.Backward(s.versions) {
		if !v.at.After(at) {
			return v.state
		}
	}
	return s.versions[0].state
}

// change makes a state that differs from what is true, and makes it true.
func (s *Service) change(edit func(*state)) {
	old := s.now()
	next := &state{
		vpcs: maps.Clone(old.vpcs), subnets: maps.Clone(old.subnets), tables: maps.Clone(old.tables), groups: maps.Clone(old.groups),
		instances: maps.Clone(old.instances), interfaces: maps.Clone(old.interfaces), tags: maps.Clone(old.tags),
	}
	edit(next)

	s.versions = append(s.versions, version{time.Now(), next})
	for len(s.versions) > 1 && time.Since(s.versions[1].at) > historyKept {
		s.versions = s.versions[1:]
	}
}

// newWorld is what a configuration begins with.
func newWorld(c Config) (*state, error) {
	st := &state{
		vpcs: map[string]*vpc{}, subnets: map[string]*subnet{}, tables: map[string]*routeTable{}, groups: map[string]*group{},
		instances: map[string]*instance{}, interfaces: map[string]*networkInterface{}, tags: map[string]map[string]string{},
	}
	for _, v := range c.VPCs {
		if err := st.addVPC(c, v); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// sorted lists resources by their ids, so that answers have an order.
func sorted[T any](all map[string]T) []T {
	list := make([]T, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[id])
	}
	return list
}

// id is a new id, such as sg-0a1b2c3d4e5f60718.
func id(kind string) string { return kind + "-0" + wire.RandomHex(8) }

// free returns an address of a subnet that no interface has. AWS keeps the first four for itself.
func (st *state) free(of *subnet) string {
	taken := map[string]bool{}
	for _, i := range st.interfaces {
		taken[i.address] = true
	}
	for _, i := range st.instances {
		taken[i.address] = true
	}

	prefix := netip.MustParsePrefix(of.cidr) // checked by addVPC
	address := prefix.Addr()
	for n := 0; prefix.Contains(address); n++ {
		if n >= 4 && !taken[address.String()] {
			return address.String()
		}
		address = address.Next()
	}
	return ""
}

// checkPrefix returns an error unless an address range is one.
func checkPrefix(text string) error {
	if _, err := netip.ParsePrefix(text); err != nil {
		return fmt.Errorf("address range %q: %w", text, err)
	}
	return nil
}
