// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package subnets

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/provision/elb"
)

// subnet is one with the last letter of its zone, and tags such as key=value.
func subnet(id, zone string, tags ...string) Subnet {
	s := Subnet{ID: "subnet-" + id, VPC: "vpc-1", Zone: "eu-west-1" + zone, Free: 8, Tags: map[string]string{}}
	for _, tag := range tags {
		key, value, _ := strings.Cut(tag, "=")
		s.Tags[key] = value
	}
	return s
}

func changed(s Subnet, change func(*Subnet)) Subnet {
	change(&s)
	return s
}

func TestChoose(t *testing.T) {
	const (
		public   = "kubernetes.io/role/elb=1"
		internal = "kubernetes.io/role/internal-elb=1"
		own      = "kubernetes.io/cluster/one=shared"
		other    = "kubernetes.io/cluster/two=owned"
	)
	full := func(s *Subnet) { s.Free = 7 }
	foreign := func(s *Subnet) { s.VPC = "vpc-2" }
	ipv6 := func(s *Subnet) { s.IPv6 = true }
	local := func(s *Subnet) { s.ZoneType = "local-zone" }
	outpost := func(name string) func(*Subnet) { return func(s *Subnet) { s.Outpost = name } }

	facing := Want{Kind: elb.Application, VPC: "vpc-1", Cluster: "one", Scheme: "internet-facing", AddressType: "ipv4"}
	with := func(change func(*Want)) Want {
		w := facing
		change(&w)
		return w
	}
	inside := with(func(w *Want) { w.Scheme = "internal" })
	named := func(names ...string) Want { return with(func(w *Want) { w.Named = names }) }
	selected := func(key string, values ...string) Want {
		return with(func(w *Want) { w.Tags = map[string][]string{key: values} })
	}
	network := with(func(w *Want) { w.Kind = elb.Network })
	dual := with(func(w *Want) { w.AddressType = "dualstack" })

	routes := []RouteTable{
		{VPC: "vpc-2", Main: true, Internet: true},
		{VPC: "vpc-1", Subnets: []string{"subnet-a", "subnet-b"}, Internet: true},
		{VPC: "vpc-1", Main: true},
		{VPC: "vpc-1", Subnets: []string{"subnet-e"}, Internet: true},
		{VPC: "vpc-3", Main: true, Internet: true},
	}
	untagged := []Subnet{subnet("a", "a"), subnet("b", "b"), subnet("c", "a"), subnet("d", "b")}

	cases := map[string]struct {
		reason  string
		subnets []Subnet
		routes  []RouteTable
		want    Want
		ids     string
		dropped []string
		err     string
	}{
		"Tagged": {
			reason: "tags for the role decide, whatever the routes", want: facing, routes: routes,
			subnets: []Subnet{subnet("d", "b", public), subnet("c", "a", "kubernetes.io/role/elb="), subnet("a", "a"), subnet("b", "b", internal)},
			ids:     "subnet-c subnet-d", dropped: []string{"subnet-a has no tag kubernetes.io/role/elb=1, and other subnets have", "subnet-b has no tag kubernetes.io/role/elb=1, and other subnets have"},
		},
		"Internal": {
			reason: "an internal load balancer has a role of its own", want: inside,
			subnets: []Subnet{subnet("a", "a", internal), subnet("b", "b", internal), subnet("c", "c", public)},
			ids:     "subnet-a subnet-b", dropped: []string{"subnet-c has no tag kubernetes.io/role/internal-elb=1, and other subnets have"},
		},
		"TagValue": {
			reason: "the value of the tag counts", want: facing,
			subnets: []Subnet{subnet("a", "a", public), subnet("b", "b", public), subnet("c", "c", "kubernetes.io/role/elb=true")},
			ids:     "subnet-a subnet-b", dropped: []string{"subnet-c has the tag kubernetes.io/role/elb=true, and its value must be 1"},
		},
		"Public": {
			reason: "without tags those with a route to the internet", want: facing, routes: routes, subnets: untagged, ids: "subnet-a subnet-b",
			dropped: []string{"subnet-c has no tag kubernetes.io/role/elb=1, and no route to an internet gateway, which the scheme internet-facing needs", "subnet-d has no tag kubernetes.io/role/elb=1, and no route to an internet gateway, which the scheme internet-facing needs"},
		},
		"Private": {
			reason: "or without one", want: inside, routes: routes, subnets: untagged, ids: "subnet-c subnet-d",
			dropped: []string{"subnet-a has no tag kubernetes.io/role/internal-elb=1, and a route to an internet gateway, which the scheme internal avoids", "subnet-b has no tag kubernetes.io/role/internal-elb=1, and a route to an internet gateway, which the scheme internal avoids"},
		},
		"OwnTable": {
			reason: "a table of one's own counts, before or after the main one", want: facing, routes: routes, subnets: []Subnet{subnet("a", "a"), subnet("e", "b")}, ids: "subnet-a subnet-e",
		},
		"RoutesUnknown": {
			reason: "without route tables nothing is guessed", want: facing, subnets: []Subnet{subnet("a", "a"), subnet("b", "b", "kubernetes.io/role/elb=yes")},
			err: "subnets that fit are in 0 of the 2 zones that are needed: subnet-a has no tag kubernetes.io/role/elb=1, and its routes are not known; subnet-b has no tag kubernetes.io/role/elb=1, and its routes are not known; it has the tag kubernetes.io/role/elb=yes, whose value must be 1 to count",
		},
		"OtherCluster": {
			reason: "subnets of other clusters alone are left to them", want: facing,
			subnets: []Subnet{subnet("a", "a", public, other), subnet("b", "b", public, other, own), subnet("c", "c", public)},
			ids:     "subnet-b subnet-c", dropped: []string{"subnet-a has the tag kubernetes.io/cluster/two, and none for cluster one: it belongs to two"},
		},
		"Full": {
			reason: "a full subnet makes room for another one of its zone", want: facing,
			subnets: []Subnet{changed(subnet("a", "a", public), full), subnet("b", "b", public), subnet("c", "a", public)},
			ids:     "subnet-b subnet-c", dropped: []string{"subnet-a has 7 free addresses, and 8 are needed"},
		},
		"OnePerZone": {
			reason: "the one that is tagged for the cluster, then the lowest id", want: facing,
			subnets: []Subnet{subnet("a", "a", public), subnet("d", "b", public), subnet("c", "b", public), subnet("b", "a", public, own)},
			ids:     "subnet-b subnet-c", dropped: []string{"subnet-a is in zone eu-west-1a, for which subnet-b is used", "subnet-d is in zone eu-west-1b, for which subnet-c is used"},
		},
		"Dualstack": {
			reason: "dualstack needs IPv6", want: dual,
			subnets: []Subnet{changed(subnet("a", "a", public), ipv6), subnet("b", "b", public), changed(subnet("c", "c", public), ipv6)},
			ids:     "subnet-a subnet-c", dropped: []string{"subnet-b has no IPv6 addresses, which dualstack needs"},
		},
		"OtherVPC": {
			reason: "subnets elsewhere", want: facing, subnets: []Subnet{changed(subnet("a", "a", public), foreign), subnet("b", "b", public), subnet("c", "c", public)},
			ids: "subnet-b subnet-c", dropped: []string{"subnet-a is in vpc-2, and the cluster in vpc-1"},
		},
		"LocalZone": {
			reason: "availability zones are first", want: facing,
			subnets: []Subnet{changed(subnet("a", "x", public), local), subnet("b", "b", public), changed(subnet("c", "c", public), func(s *Subnet) { s.ZoneType = "availability-zone" }), changed(subnet("d", "d", public), outpost("o"))},
			ids:     "subnet-b subnet-c", dropped: []string{"subnet-a is in a local-zone, and others are in an availability zone", "subnet-d is in the Outpost o, and others are in an availability zone"},
		},
		"LocalZoneAlone": {reason: "one local zone is enough", want: facing, subnets: []Subnet{changed(subnet("a", "x", public), local)}, ids: "subnet-a"},
		"TwoOutposts": {
			reason: "a load balancer is on one Outpost", want: facing, subnets: []Subnet{changed(subnet("a", "a", public), outpost("o")), changed(subnet("b", "b", public), outpost("p"))},
			ids: "subnet-a", dropped: []string{"subnet-b is in the Outpost p, and others are in the Outpost o"},
		},
		"OneZone": {
			reason: "one zone is too few, and every subnet is told", want: facing, subnets: []Subnet{subnet("b", "b", public), subnet("a", "a"), subnet("c", "b", public)},
			err:     "subnets that fit are in 1 of the 2 zones that are needed: subnet-b fits, in zone eu-west-1b; subnet-a has no tag kubernetes.io/role/elb=1, and other subnets have; subnet-c is in zone eu-west-1b, for which subnet-b is used",
			dropped: []string{"subnet-a has no tag kubernetes.io/role/elb=1, and other subnets have", "subnet-c is in zone eu-west-1b, for which subnet-b is used"},
		},
		"Network":     {reason: "a network load balancer needs one zone", want: network, subnets: []Subnet{subnet("a", "a", public)}, ids: "subnet-a"},
		"NetworkNone": {reason: "but one", want: network, err: "subnets that fit are in 0 of the 1 zone that is needed: vpc-1 has no subnets"},
		"None":        {reason: "a VPC without subnets", want: facing, err: "subnets that fit are in 0 of the 2 zones that are needed: vpc-1 has no subnets"},

		"Selected": {
			reason: "selectors count before roles", want: selected("tier", "edge", "core"),
			subnets: []Subnet{subnet("a", "a", "tier=edge"), subnet("b", "b", "tier=core"), subnet("c", "c", "tier=lab"), subnet("d", "d", public)},
			ids:     "subnet-a subnet-b", dropped: []string{"subnet-c has the tag tier=lab, and edge or core is asked for", "subnet-d has no tag tier, which is asked for"},
		},
		"SelectedAny": {reason: "a key without values may have any", want: selected("tier"), subnets: []Subnet{subnet("a", "a", "tier=x"), subnet("b", "b", "tier=")}, ids: "subnet-a subnet-b"},
		"SelectedFull": {
			reason: "what makes a subnet unfit counts for them as well", want: selected("tier"), subnets: []Subnet{subnet("a", "a", "tier"), subnet("b", "b", "tier"), changed(subnet("c", "c", "tier"), full), subnet("d", "d", "tier", other)}, ids: "subnet-a subnet-b",
			dropped: []string{"subnet-c has 7 free addresses, and 8 are needed", "subnet-d has the tag kubernetes.io/cluster/two, and none for cluster one: it belongs to two"},
		},

		"Named": {
			reason: "names are ids or Name tags, in any order", want: named("west", "subnet-a"), subnets: []Subnet{subnet("c", "c", public), subnet("b", "b", "Name=west"), subnet("a", "a")},
			ids: "subnet-a subnet-b", dropped: []string{"subnet-c is not among the subnets that are named"},
		},
		"NamedFull":      {reason: "a load balancer that exists has taken the addresses itself, perhaps", want: named("subnet-a", "subnet-b"), subnets: []Subnet{changed(subnet("a", "a"), full), subnet("b", "b", other)}, ids: "subnet-a subnet-b"},
		"NamedTwice":     {reason: "naming one twice is naming it", want: named("subnet-a", "subnet-b", "subnet-a"), subnets: []Subnet{subnet("a", "a"), subnet("b", "b")}, ids: "subnet-a subnet-b"},
		"NamedUnknown":   {reason: "an id that is not there", want: named("subnet-a", "subnet-x"), subnets: []Subnet{subnet("a", "a")}, err: "there is no subnet subnet-x in vpc-1"},
		"NamedUntagged":  {reason: "a name that is not there", want: named("west"), subnets: []Subnet{subnet("a", "a"), changed(subnet("b", "b", "Name=west"), foreign)}, err: `there is no subnet in vpc-1 whose tag Name is "west"`},
		"NamedAmbiguous": {reason: "a name that several have", want: named("west"), subnets: []Subnet{subnet("a", "a", "Name=west"), subnet("b", "b", "Name=west")}, err: `the tag Name is "west" on 2 subnets, subnet-a and subnet-b among them: name one by its id`},
		"NamedForeign":   {reason: "a subnet of another VPC", want: named("subnet-a"), subnets: []Subnet{changed(subnet("a", "a"), foreign)}, err: "subnet subnet-a is in vpc-2, and the cluster in vpc-1"},
		"NamedZone":      {reason: "two of one zone", want: named("subnet-b", "subnet-a"), subnets: []Subnet{subnet("a", "a"), subnet("b", "a")}, err: "subnets subnet-a and subnet-b are both in zone eu-west-1a: name one for each zone"},
		"NamedOne":       {reason: "one zone is too few", want: named("subnet-a"), subnets: []Subnet{subnet("a", "a")}, err: "1 subnet is named, and an application load balancer needs subnets in 2 zones"},
		"NamedLocal":     {reason: "but not in a local zone", want: named("subnet-a"), subnets: []Subnet{changed(subnet("a", "a"), local)}, ids: "subnet-a"},
		"NamedMixed":     {reason: "two kinds of places", want: named("subnet-a", "subnet-b"), subnets: []Subnet{changed(subnet("a", "a"), local), subnet("b", "b")}, err: "subnet subnet-a is in a local-zone and subnet subnet-b in an availability zone: a load balancer is in one kind of place"},
		"NamedIPv6":      {reason: "no IPv6", want: with(func(w *Want) { w.Named, w.AddressType = []string{"subnet-a"}, "dualstack-without-public-ipv4" }), subnets: []Subnet{subnet("a", "a")}, err: "subnet subnet-a has no IPv6 addresses, which dualstack-without-public-ipv4 needs"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(tc.subnets)
			got, err := Choose(Seen{Subnets: tc.subnets, Routes: tc.routes}, tc.want)
			if text := fmt.Sprint(err); text != tc.err && (err != nil || tc.err != "") {
				t.Fatalf("%s: error\n%v, want\n%s", tc.reason, text, tc.err)
			}
			if ids := strings.Join(got.IDs, " "); ids != tc.ids {
				t.Errorf("%s: got %s, want %s", tc.reason, ids, tc.ids)
			}

			var dropped []string
			for _, d := range got.Dropped {
				dropped = append(dropped, d.ID+" "+d.Reason)
			}
			if err == nil && len(got.IDs)+len(dropped) != len(tc.subnets) {
				t.Errorf("%s: of %d subnets %d are used and %d are not", tc.reason, len(tc.subnets), len(got.IDs), len(dropped))
			}
			if diff := cmp.Diff(tc.dropped, dropped); tc.err == "" && diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, tc.subnets); diff != "" {
				t.Errorf("the subnets were changed (-before +after):\n%s", diff)
			}
		})
	}
}
