// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package subnets chooses the subnets of a load balancer, as AWS Load Balancer
// Controller does, and says of each other one why it was not chosen.
//
// It is pure: what EC2 says is given to it, and it knows nothing of load
// balancers that exist.
package subnets

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/elb"
)

// Subnet is a subnet as EC2 describes it.
type Subnet struct {
	ID, VPC string
	// Zone is the name of its zone, and ZoneType availability-zone, local-zone or wavelength-zone; empty is the first.
	Zone, ZoneType string
	// Outpost is the ARN of the Outpost that it is on, if it is on one.
	Outpost string
	Tags    map[string]string
	// Free counts addresses that nobody uses.
	Free int
	// IPv6 reports that it has a CIDR of IPv6.
	IPv6 bool
}

// RouteTable is a route table as EC2 describes it.
type RouteTable struct {
	VPC string
	// Main: it is for the subnets of its VPC that have none of their own.
	Main bool
	// Subnets are ids of those whose own it is.
	Subnets []string
	// Internet reports that it has a route to an internet gateway.
	Internet bool
}

// Seen is what EC2 says. Without route tables nothing is known of which subnets are public.
type Seen struct {
	Subnets []Subnet
	Routes  []RouteTable
}

// Want says what the subnets are for.
type Want struct {
	Kind elb.Kind
	// VPC is the id of the cluster's VPC, and Cluster the cluster's name.
	VPC, Cluster string
	// Scheme is internal or internet-facing.
	Scheme string
	// AddressType is ipv4, dualstack or dualstack-without-public-ipv4.
	AddressType string
	// Named are ids or Name tags, each of which must be used.
	Named []string
	// Tags are keys that a subnet must have, each with one of its values; a key without values may have any. It counts
	// only if no subnet is named. Without either, subnets are found by the tags for their role or by their routes.
	Tags map[string][]string
}

// Choice is which subnets a load balancer gets.
type Choice struct {
	// IDs are in order, one for each zone.
	IDs []string
	// Dropped are the others, by their ids.
	Dropped []Dropped
}

// Dropped is a subnet that is not used.
type Dropped struct {
	ID string
	// Reason completes a sentence that begins with the id, such as "has 3 free addresses, and 8 are needed".
	Reason string
}

// minFree is how many free addresses AWS asks of each subnet of an application load balancer.
const minFree = 8

// Choose returns the subnets for a load balancer. The error is for people: it says of every subnet why it is not used.
func Choose(seen Seen, want Want) (Choice, error) {
	c := chooser{want: want, routes: seen.Routes, dropped: map[string]string{}}
	list := slices.SortedFunc(slices.Values(seen.Subnets), func(a, b Subnet) int { return strings.Compare(a.ID, b.ID) })
	if len(want.Named) > 0 {
		return c.named(list)
	}
	return c.found(list)
}

// chooser collects why subnets are dropped.
type chooser struct {
	want    Want
	routes  []RouteTable
	dropped map[string]string
}

func (c *chooser) drop(s Subnet, format string, args ...any) {
	c.dropped[s.ID] = fmt.Sprintf(format, args...)
}

// keep drops the subnets that have a reason.
func (c *chooser) keep(list []Subnet, reason func(Subnet) string) []Subnet {
	var kept []Subnet
	for _, s := range list {
		if why := reason(s); why != "" {
			c.drop(s, "%s", why)
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

func (c *chooser) choice(chosen []Subnet) Choice {
	var choice Choice
	for _, s := range chosen {
		choice.IDs = append(choice.IDs, s.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(c.dropped)) {
		choice.Dropped = append(choice.Dropped, Dropped{ID: id, Reason: c.dropped[id]})
	}
	return choice
}

// named are the subnets that a person has named. None of them is left out: a name that cannot be served is a mistake.
func (c *chooser) named(list []Subnet) (Choice, error) {
	var chosen []Subnet
	for _, name := range c.want.Named {
		s, err := c.byName(list, name)
		if err != nil {
			return Choice{}, err
		}
		chosen = append(chosen, s)
	}
	slices.SortFunc(chosen, func(a, b Subnet) int { return strings.Compare(a.ID, b.ID) })
	chosen = slices.CompactFunc(chosen, func(a, b Subnet) bool { return a.ID == b.ID })

	zones := map[string]string{}
	for _, s := range chosen {
		if other := zones[s.Zone]; other != "" {
			return Choice{}, fmt.Errorf("subnets %s and %s are both in zone %s: name one for each zone", other, s.ID, s.Zone)
		}
		zones[s.Zone] = s.ID
		if place(s) != place(chosen[0]) {
			return Choice{}, fmt.Errorf("subnet %s is in %s and subnet %s in %s: a load balancer is in one kind of place", chosen[0].ID, place(chosen[0]), s.ID, place(s))
		}
	}
	if need := c.zones(chosen); len(chosen) < need {
		return Choice{}, fmt.Errorf("%s %s named, and an application load balancer needs subnets in %s", plural.Count(len(chosen), "subnet"), plural.Of(len(chosen), "is", "are"), plural.Count(need, "zone"))
	}

	for _, s := range list {
		if !slices.ContainsFunc(chosen, func(o Subnet) bool { return o.ID == s.ID }) {
			c.drop(s, "is not among the subnets that are named")
		}
	}
	return c.choice(chosen), nil
}

// byName is the subnet with an id or a Name tag. AWS refuses a subnet of another VPC as well, but with less to say.
func (c *chooser) byName(list []Subnet, name string) (Subnet, error) {
	var found []Subnet
	for _, s := range list {
		if s.ID == name || !isID(name) && s.VPC == c.want.VPC && s.Tags["Name"] == name {
			found = append(found, s)
		}
	}

	switch {
	case len(found) == 0 && isID(name):
		return Subnet{}, fmt.Errorf("there is no subnet %s in %s", name, c.want.VPC)
	case len(found) == 0:
		return Subnet{}, fmt.Errorf("there is no subnet in %s whose tag Name is %q", c.want.VPC, name)
	case len(found) > 1:
		return Subnet{}, fmt.Errorf("the tag Name is %q on %s, %s and %s among them: name one by its id", name, plural.Count(len(found), "subnet"), found[0].ID, found[1].ID)
	}

	s := found[0]
	if s.VPC != c.want.VPC {
		return Subnet{}, fmt.Errorf("subnet %s is in %s, and the cluster in %s", s.ID, s.VPC, c.want.VPC)
	}
	if why := c.ipv6(s); why != "" {
		return Subnet{}, fmt.Errorf("subnet %s %s", s.ID, why)
	}
	return s, nil
}

func isID(name string) bool { return strings.HasPrefix(name, "subnet-") }

// found are the subnets that tags or routes tell, one for each zone.
func (c *chooser) found(list []Subnet) (Choice, error) {
	rest := c.keep(list, func(s Subnet) string {
		if s.VPC != c.want.VPC {
			return fmt.Sprintf("is in %s, and the cluster in %s", s.VPC, c.want.VPC)
		}
		return ""
	})

	rest = c.candidates(rest)
	for _, reason := range []func(Subnet) string{c.others, few, c.ipv6} {
		rest = c.keep(rest, reason)
	}
	rest = c.onePlace(rest)
	rest = c.onePerZone(rest)

	if need := c.zones(rest); len(rest) < need {
		return c.choice(nil), c.refusal(rest, need)
	}
	return c.choice(rest), nil
}

// candidates are the subnets that selectors or tags name, or if there are no such tags those whose routes fit the scheme.
func (c *chooser) candidates(list []Subnet) []Subnet {
	if len(c.want.Tags) > 0 {
		return c.keep(list, c.unselected)
	}
	if slices.ContainsFunc(list, func(s Subnet) bool { return c.untagged(s) == "" }) {
		return c.keep(list, c.untagged)
	}
	return c.keep(list, c.unreachable)
}

// unselected says why a subnet does not match the selector.
func (c *chooser) unselected(s Subnet) string {
	for _, key := range slices.Sorted(maps.Keys(c.want.Tags)) {
		value, has := s.Tags[key]
		switch values := c.want.Tags[key]; {
		case !has:
			return fmt.Sprintf("has no tag %s, which is asked for", key)
		case len(values) > 0 && !slices.Contains(values, value):
			return fmt.Sprintf("has the tag %s=%s, and %s is asked for", key, value, strings.Join(values, " or "))
		}
	}
	return ""
}

// role is the tag of subnets for load balancers of the scheme.
func (c *chooser) role() string {
	if c.want.Scheme == "internet-facing" {
		return "kubernetes.io/role/elb"
	}
	return "kubernetes.io/role/internal-elb"
}

// untagged says why a subnet is not tagged for its role.
func (c *chooser) untagged(s Subnet) string {
	switch value, has := s.Tags[c.role()]; {
	case !has:
		return fmt.Sprintf("has no tag %s=1, and other subnets have", c.role())
	case value != "" && value != "1":
		return fmt.Sprintf("has the tag %s=%s, and its value must be 1", c.role(), value)
	}
	return ""
}

// unreachable says why a subnet's routes do not fit the scheme. Its own route table counts, else the main one of its VPC.
func (c *chooser) unreachable(s Subnet) string {
	var table *RouteTable
	for _, t := range c.routes {
		if slices.Contains(t.Subnets, s.ID) {
			table = &t
			break
		}
		if t.Main && t.VPC == s.VPC {
			table = &t
		}
	}

	hint := ""
	if value, has := s.Tags[c.role()]; has {
		hint = fmt.Sprintf("; it has the tag %s=%s, whose value must be 1 to count", c.role(), value)
	}
	public := c.want.Scheme == "internet-facing"
	switch {
	case table == nil:
		return fmt.Sprintf("has no tag %s=1, and its routes are not known%s", c.role(), hint)
	case public && !table.Internet:
		return fmt.Sprintf("has no tag %s=1, and no route to an internet gateway, which the scheme internet-facing needs%s", c.role(), hint)
	case !public && table.Internet:
		return fmt.Sprintf("has no tag %s=1, and a route to an internet gateway, which the scheme internal avoids%s", c.role(), hint)
	}
	return ""
}

// clusterTag begins the tags that say whose a subnet is.
const clusterTag = "kubernetes.io/cluster/"

// owned reports whether a subnet is tagged for the cluster.
func (c *chooser) owned(s Subnet) bool {
	_, own := s.Tags[clusterTag+c.want.Cluster]
	return own
}

// others says that a subnet is tagged for other clusters only.
func (c *chooser) others(s Subnet) string {
	if c.owned(s) {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		if other, is := strings.CutPrefix(key, clusterTag); is {
			return fmt.Sprintf("has the tag %s, and none for cluster %s: it belongs to %s", key, c.want.Cluster, other)
		}
	}
	return ""
}

func few(s Subnet) string {
	if s.Free < minFree {
		return fmt.Sprintf("has %s, and %d are needed", plural.Count(s.Free, "free address"), minFree)
	}
	return ""
}

func (c *chooser) ipv6(s Subnet) string {
	if strings.HasPrefix(c.want.AddressType, "dualstack") && !s.IPv6 {
		return fmt.Sprintf("has no IPv6 addresses, which %s needs", c.want.AddressType)
	}
	return ""
}

// region is the place of subnets in availability zones.
const region = "an availability zone"

// place is which kind of place a subnet is in. A load balancer cannot be in several.
func place(s Subnet) string {
	switch {
	case s.Outpost != "":
		return "the Outpost " + s.Outpost
	case s.ZoneType == "" || s.ZoneType == "availability-zone":
		return region
	}
	return "a " + s.ZoneType
}

// onePlace drops subnets in other places than availability zones, if there are subnets there.
func (c *chooser) onePlace(list []Subnet) []Subnet {
	if len(list) == 0 {
		return nil
	}
	chosen := place(list[0])
	if slices.ContainsFunc(list, func(s Subnet) bool { return place(s) == region }) {
		chosen = region
	}
	return c.keep(list, func(s Subnet) string {
		if place(s) != chosen {
			return fmt.Sprintf("is in %s, and others are in %s", place(s), chosen)
		}
		return ""
	})
}

// onePerZone drops all subnets of a zone but one: one that is tagged for this cluster, then the one with the lowest id.
func (c *chooser) onePerZone(list []Subnet) []Subnet {
	slices.SortStableFunc(list, func(a, b Subnet) int {
		rank := func(s Subnet) int {
			if c.owned(s) {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.ID, b.ID))
	})

	zones := map[string]string{}
	kept := c.keep(list, func(s Subnet) string {
		if other := zones[s.Zone]; other != "" {
			return fmt.Sprintf("is in zone %s, for which %s is used", s.Zone, other)
		}
		zones[s.Zone] = s.ID
		return ""
	})
	slices.SortFunc(kept, func(a, b Subnet) int { return strings.Compare(a.ID, b.ID) })
	return kept
}

// zones is in how many zones a load balancer must be: an application load balancer in two, unless these are not in the region.
func (c *chooser) zones(chosen []Subnet) int {
	if c.want.Kind == elb.Application && (len(chosen) == 0 || place(chosen[0]) == region) {
		return 2
	}
	return 1
}

// refusal says why there are too few subnets, and what was wrong with each other one.
func (c *chooser) refusal(fit []Subnet, need int) error {
	var lines []string
	for _, s := range fit {
		lines = append(lines, fmt.Sprintf("%s fits, in zone %s", s.ID, s.Zone))
	}
	for _, id := range slices.Sorted(maps.Keys(c.dropped)) {
		lines = append(lines, id+" "+c.dropped[id])
	}

	if len(lines) == 0 {
		lines = append(lines, fmt.Sprintf("%s has no subnets", c.want.VPC))
	}
	return fmt.Errorf("subnets that fit are in %d of the %s that %s needed: %s", len(fit), plural.Count(need, "zone"), plural.Of(need, "is", "are"), strings.Join(lines, "; "))
}
