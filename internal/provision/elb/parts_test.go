// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"math"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/route"
)

func TestAnswers(t *testing.T) {
	seen := Observed{TargetGroups: []ObservedTargetGroup{
		{ARN: "well", LoadBalancer: "lb", Health: &Health{Registered: 3, Healthy: 3}}, {ARN: "sick", LoadBalancer: "lb", Health: &Health{Registered: 3}}, {ARN: "unknown", LoadBalancer: "lb"},
	}}
	forward := func(arns ...string) Action {
		var a Action
		for _, arn := range arns {
			a.Forward = append(a.Forward, Forward{Group: arn, Weight: 1})
		}
		return a
	}
	for name, tc := range map[string]struct {
		action  Action
		answers bool
		healthy int
	}{
		"Redirect":    {Action{Redirect: &route.Redirect{}}, true, 0},
		"Answer":      {Action{Answer: &route.Answer{Status: 399}}, true, 0},
		"Refusal":     {Action{Answer: &route.Answer{Status: 400}}, false, 0},
		"Nothing":     {Action{}, false, 0},
		"Well":        {forward("well"), true, 3},
		"Sick":        {forward("sick"), false, 0},
		"Sum":         {forward("well", "sick", "well"), true, 6},
		"Unknown":     {forward("unknown", "well"), true, math.MaxInt32},
		"Others":      {forward("well", "others"), true, math.MaxInt32},
		"NoneOfThem":  {Action{Forward: []Forward{{Group: "well"}, {Group: "well"}}}, false, 0},
		"OneOfWeight": {Action{Forward: []Forward{{Group: "well"}, {Group: "sick", Weight: 1}}}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanner(Stack{}, seen, time.Time{})
			expect(t, "answers", p.answers(tc.action), tc.answers)
			expect(t, "healthy targets", p.healthy(tc.action), tc.healthy)
		})
	}
}

// TestSameKind: each setting that cannot be changed tells target groups apart, and so does each that can be told tells security
// groups and load balancers.
func TestSameKind(t *testing.T) {
	for name, change := range map[string]func(*TargetGroup){
		"Name":        func(g *TargetGroup) { g.Name = "other" },
		"VPC":         func(g *TargetGroup) { g.VPC = "other" },
		"Protocol":    func(g *TargetGroup) { g.Protocol = "HTTPS" },
		"Version":     func(g *TargetGroup) { g.Version = "GRPC" },
		"Port":        func(g *TargetGroup) { g.Port = 81 },
		"TargetType":  func(g *TargetGroup) { g.TargetType = "instance" },
		"AddressType": func(g *TargetGroup) { g.AddressType = "ipv6" },
	} {
		t.Run(name, func(t *testing.T) {
			has := group("shop/web", "api")
			expect(t, "the same", sameKind(group("shop/web", "api"), has), true)
			change(&has)
			expect(t, "another one", sameKind(group("shop/web", "api"), has), false)
		})
	}

	has := group("shop/web", "api")
	has.Name = "k8s-api-9"
	expect(t, "a name with a number is as good", sameKind(group("shop/web", "api"), has), true)
	has.Name = "k8s-api-10"
	expect(t, "up to nine", sameKind(group("shop/web", "api"), has), false)

	for name, lb := range map[string]LoadBalancer{
		"Kind": {Kind: Network, Scheme: "internal", Name: "web-internal"}, "Scheme": {Kind: Application, Scheme: "internet-facing", Name: "web-internal"},
		"Name": {Kind: Application, Scheme: "internal", Name: "web"},
	} {
		p := newPlanner(shop(), Observed{LoadBalancers: []ObservedLoadBalancer{{LoadBalancer: lb}}}, time.Time{})
		expect(t, name+" tells load balancers apart", p.balancer == nil, true)
	}
	for name, g := range map[string]SecurityGroup{"Resource": {Resource: "other", VPC: "vpc"}, "VPC": {Resource: "ManagedLBSecurityGroup", VPC: "other"}} {
		p := newPlanner(shop(), Observed{SecurityGroups: []ObservedSecurityGroup{{SecurityGroup: g}}}, time.Time{})
		expect(t, name+" tells security groups apart", p.group == nil, true)
	}
}

// TestWhichOfSeveral: of several load balancers and target groups that fit the one stays that is in use.
func TestWhichOfSeveral(t *testing.T) {
	like := shop().LoadBalancer
	for name, tc := range map[string]struct{ a, b ObservedLoadBalancer }{
		"Published":       {ObservedLoadBalancer{ARN: "2", Published: true, Retired: time.Unix(1, 0)}, ObservedLoadBalancer{ARN: "1"}},
		"NotRetired":      {ObservedLoadBalancer{ARN: "2"}, ObservedLoadBalancer{ARN: "1", Retired: time.Unix(1, 0)}},
		"First":           {ObservedLoadBalancer{ARN: "1"}, ObservedLoadBalancer{ARN: "2"}},
		"FirstPublished":  {ObservedLoadBalancer{ARN: "1", Published: true}, ObservedLoadBalancer{ARN: "2", Published: true}},
		"PublishedFailed": {ObservedLoadBalancer{ARN: "2"}, ObservedLoadBalancer{ARN: "1", Published: true, State: failed}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.a.LoadBalancer, tc.b.LoadBalancer = like, like
			for _, both := range [][]ObservedLoadBalancer{{tc.a, tc.b}, {tc.b, tc.a}} {
				expect(t, "stays", newPlanner(shop(), Observed{LoadBalancers: both}, time.Time{}).balancer.ARN, tc.a.ARN)
			}
		})
	}

	lb := ObservedLoadBalancer{LoadBalancer: like, ARN: "lb"}
	for name, tc := range map[string]struct{ a, b ObservedTargetGroup }{
		"Used":  {ObservedTargetGroup{ARN: "2", LoadBalancer: "lb"}, ObservedTargetGroup{ARN: "1", Bound: true}},
		"Bound": {ObservedTargetGroup{ARN: "2", Bound: true}, ObservedTargetGroup{ARN: "1"}},
		"First": {ObservedTargetGroup{ARN: "1"}, ObservedTargetGroup{ARN: "2"}},
		"Free":  {ObservedTargetGroup{ARN: "2"}, ObservedTargetGroup{ARN: "1", LoadBalancer: "other"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.a.TargetGroup, tc.b.TargetGroup = group("shop/web", "api"), group("shop/web", "api")
			for _, both := range [][]ObservedTargetGroup{{tc.a, tc.b}, {tc.b, tc.a}} {
				p := newPlanner(shop(), Observed{LoadBalancers: []ObservedLoadBalancer{lb}, TargetGroups: both}, time.Time{})
				expect(t, "stays", p.groups["shop/web-api:80"].ARN, tc.a.ARN)
			}
		})
	}
}

// TestUpdatesBindings: what a binding says of its targets is brought up to date, each setting by itself.
func TestUpdatesBindings(t *testing.T) {
	for name, change := range map[string]func(*Binding){
		"Labels":       func(b *Binding) { b.Labels = map[string]string{"a": "b"} },
		"Nodes":        func(b *Binding) { b.Nodes = map[string]string{"a": "b"} },
		"MultiCluster": func(b *Binding) { b.MultiCluster = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, shop())
			change(&w.stack.TargetGroups[0].Binding)
			expect(t, "steps", w.steps(), []string{"update binding shop/k8s-api"})
		})
	}
}

// TestLaw14NamesWhatServes: a load balancer that takes the place of another one is named when it has and serves all that that one
// serves.
func TestLaw14NamesWhatServes(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world, *ObservedLoadBalancer)
		want   string
	}{
		"AsItIs":        {func(*world, *ObservedLoadBalancer) {}, "lb/8.example.com"},
		"Impaired":      {func(_ *world, lb *ObservedLoadBalancer) { lb.State = "active_impaired" }, "lb/8.example.com"},
		"Provisioning":  {func(_ *world, lb *ObservedLoadBalancer) { lb.State = "provisioning" }, "lb/2.example.com"},
		"NoListener":    {func(_ *world, lb *ObservedLoadBalancer) { lb.Listeners = nil }, "lb/2.example.com"},
		"TheirListener": {func(_ *world, lb *ObservedLoadBalancer) { lb.Listeners[0].Own = false }, "lb/2.example.com"},
		"OtherDefault": {func(_ *world, lb *ObservedLoadBalancer) {
			lb.Listeners[0].Default = Action{Answer: &route.Answer{Status: 403}}
		}, "lb/2.example.com"},
		"RuleMissing":   {func(_ *world, lb *ObservedLoadBalancer) { lb.Listeners[0].Has = lb.Listeners[0].Has[1:] }, "lb/2.example.com"},
		"Order":         {func(_ *world, lb *ObservedLoadBalancer) { lb.Listeners[0].Has[0].Priority = 9 }, "lb/2.example.com"},
		"SameOrder":     {func(_ *world, lb *ObservedLoadBalancer) { lb.Listeners[0].Has[1].Priority = 9 }, "lb/8.example.com"},
		"Sick":          {func(w *world, _ *ObservedLoadBalancer) { w.age["tg/9"] = 0 }, "lb/2.example.com"},
		"OtherSick":     {func(w *world, _ *ObservedLoadBalancer) { w.age["tg/10"] = 0 }, "lb/2.example.com"},
		"BothSick":      {func(w *world, _ *ObservedLoadBalancer) { clear(w.age) }, "lb/8.example.com"},
		"GroupMissing":  {func(w *world, _ *ObservedLoadBalancer) { w.seen.TargetGroups[2].Port = 9 }, "lb/2.example.com"},
		"NewOneRefuses": {func(_ *world, lb *ObservedLoadBalancer) { lb.Listeners[0].Has[1].Action = nothing }, "lb/2.example.com"},
		"OldDefault": {func(w *world, _ *ObservedLoadBalancer) {
			w.seen.LoadBalancers[0].Listeners[0].Default = Action{Answer: &route.Answer{Status: 200}}
		}, "lb/8.example.com"},
		"AnotherPort":    {func(w *world, _ *ObservedLoadBalancer) { w.seen.LoadBalancers[0].Listeners[0].Port = 9; clear(w.age) }, "lb/8.example.com"},
		"NobodyWasNamed": {func(w *world, _ *ObservedLoadBalancer) { w.seen.LoadBalancers[0].Published = false; w.age["tg/9"] = 0 }, "lb/8.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, shop())
			w.stack.LoadBalancer.Scheme, w.stack.LoadBalancer.Name = "internet-facing", "web-public"
			for range 8 {
				w.steps()
				w.tick()
			}
			tc.change(w, &w.seen.LoadBalancers[1])
			w.read()
			expect(t, "named", Hostname(w.stack, w.look()), tc.want)
		})
	}
}

// TestLaw15ClosesPermissions: clients are let in for what there is, and taken out when nobody wants them.
func TestLaw15ClosesPermissions(t *testing.T) {
	tcp := func(port int32) Permission {
		return Permission{Protocol: "tcp", From: port, To: port, CIDR: "10.0.0.0/8"}
	}
	for name, tc := range map[string]struct {
		change func(*world)
		want   []string
	}{
		"More":   {func(w *world) { w.stack.SecurityGroup.Ingress = []Permission{tcp(80), tcp(81)} }, []string{"authorize 10.0.0.0/8 tcp:81-81 into sg/1"}},
		"Unused": {func(w *world) { w.sg("sg/1").Ingress = []Permission{tcp(80), tcp(81)} }, []string{"revoke 10.0.0.0/8 tcp:81-81 from sg/1"}},
		"Fewer": {func(w *world) {
			w.sg("sg/1").Ingress = []Permission{tcp(80), {Protocol: "tcp", From: 79, To: 80, CIDR: "0.0.0.0/0"}}
		}, []string{"revoke 0.0.0.0/0 tcp:79-80 from sg/1"}},
		"Other": {func(w *world) {
			w.seen.SecurityGroups = append(w.seen.SecurityGroups, ObservedSecurityGroup{ID: "sg/9"})
		}, []string{"delete security group sg/9"}},
		"OtherUsed": {func(w *world) {
			w.seen.SecurityGroups = append(w.seen.SecurityGroups, ObservedSecurityGroup{ID: "sg/9"})
			w.seen.LoadBalancers[0].SecurityGroups, w.stack.LoadBalancer.SecurityGroups = []string{"sg/9", "sg/1"}, []string{"sg/9"}
		}, nil},
		"None": {func(w *world) {
			w.stack.SecurityGroup, w.stack.LoadBalancer.SecurityGroups = nil, []string{"sg/theirs"}
		},
			[]string{"set security groups of lb/2: sg/theirs", "delete security group sg/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, shop())
			tc.change(w)
			expect(t, "steps", w.steps(), tc.want)
		})
	}

	for port, want := range map[int32]bool{9: false, 10: true, 15: true, 20: true, 21: false} {
		expect(t, "covers", covers(Permission{From: 10, To: 20}, port), want)
	}
}
