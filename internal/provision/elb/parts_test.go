// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"fmt"
	"math"
	"slices"
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

// TestUnuse: what is known of the health of a target group that nothing names for a moment does not hold after that step.
func TestUnuse(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted string
		gone       string
		want       bool
	}{
		"Last":       {"well:", "404:", "well", true},
		"NotTheLast": {"well: /a well", "404:", "well", false},
		"NotWanted":  {"kept:", "404:", "kept", false},
		"Strange":    {"o:", "404:", "o", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			r.p.unuse(actionOf(tc.gone))
			expect(t, "ends the plan", r.p.ended, tc.want)
			r.p.do(DeleteRule{ARN: "after"})
			expect(t, "nothing is planned then", r.steps() == "", tc.want)
		})
	}
}

func TestResolve(t *testing.T) {
	for name, tc := range map[string]struct {
		action Action
		want   string
		all    bool
	}{
		"There":   {actionOf("well"), "arn:well", true},
		"Lacks":   {actionOf("well+lost"), "arn:well+lost", false},
		"Others":  {actionOf("arn:o"), "arn:o", true},
		"Nothing": {actionOf("404"), "404", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf("404:", "404:", func(_ *Stack, o *Observed) {
				for i := range o.TargetGroups {
					o.TargetGroups[i].ARN = "arn:" + o.TargetGroups[i].ARN
				}
			})
			got, all := r.p.resolve(tc.action)
			expect(t, "action", said(got), tc.want)
			expect(t, "all are there", all, tc.all)
		})
	}
}

// TestCreateListener: a listener is made with its default action, or refuses until that can be.
func TestCreateListener(t *testing.T) {
	for name, tc := range map[string]struct {
		action string
		kind   Kind
		made   string
		want   string
	}{
		"There":        {"well", Application, "", "well"},
		"Foreign":      {"lost", Application, "", "404"},
		"OtherComes":   {"lost", Application, "well", "404"},
		"Comes":        {"lost", Application, "lost", ""},
		"OneComes":     {"well+lost", Application, "lost", ""},
		"NetworkLacks": {"lost", Network, "", ""},
		"Network":      {"well", Network, "", "well"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf("404:", "404:", func(s *Stack, o *Observed) { s.LoadBalancer.Kind, o.LoadBalancers[0].Kind = tc.kind, tc.kind })
			if tc.made != "" {
				r.p.do(CreateTargetGroup{TargetGroup: TargetGroup{Resource: tc.made}})
			}
			r.p.createListener(Listener{Port: 81, Default: actionOf(tc.action)})
			got := ""
			for _, s := range r.p.plan.Steps {
				if made, is := s.(CreateListener); is {
					got = said(made.Listener.Default)
				}
			}
			expect(t, "default action", got, tc.want)
		})
	}
}

// plans are the steps that can be done now, any of them.
func (w *world) plans() []string {
	var list []string
	for _, s := range w.make().Steps {
		list = append(list, s.String())
	}
	return list
}

// TestPlansAllAtOnce: what does not need each other is in one plan, so that a step that fails holds up only what needs it.
func TestPlansAllAtOnce(t *testing.T) {
	w := newWorld(t)
	w.stack = shop()
	expect(t, "without anything", w.plans(), []string{"create security group web", "create target group k8s-api", "create target group k8s-site"})
	w.apply(w.make().Steps[0])
	expect(t, "with a security group", w.plans(), []string{
		"create load balancer web-internal", "authorize 10.0.0.0/8 tcp:80-80 into sg/1", "create target group k8s-api", "create target group k8s-site",
	})

	w.stack.Keep = []string{"shop/kept"}
	w.sg("sg/1").Ingress = []Permission{{Protocol: "tcp", From: 80, To: 80, CIDR: "0.0.0.0/0"}}
	expect(t, "where somebody has nothing that could be kept", w.plans()[1], "authorize 10.0.0.0/8 tcp:80-80 into sg/1")
}

// TestNamesEnd: where all of a name's forms are taken nothing is made.
func TestNamesEnd(t *testing.T) {
	w := settled(t, shop())
	for i := 2; i <= 9; i++ {
		taken := w.seen.TargetGroups[0]
		taken.ARN, taken.Name, taken.Unbinding, taken.LoadBalancer = fmt.Sprint("tg/taken", i), fmt.Sprint("k8s-api-", i), true, ""
		w.seen.TargetGroups = append(w.seen.TargetGroups, taken)
	}
	w.stack.TargetGroups[0].TargetType = "instance"
	plan := w.make()
	expect(t, "no target group", plan.Steps, []Step(nil))
	expect(t, "which is said", slices.ContainsFunc(plan.Waits, func(wait Wait) bool {
		return wait == Wait{Owner: "shop/web", Message: "Target group k8s-api is made when one of those that it replaces is gone."}
	}), true)

	w = settled(t, shop())
	for i := 2; i <= 9; i++ {
		w.seen.LoadBalancers = append(w.seen.LoadBalancers, ObservedLoadBalancer{ARN: fmt.Sprint("lb/taken", i), LoadBalancer: LoadBalancer{Name: fmt.Sprint("web-internal-", i)}})
	}
	w.stack.LoadBalancer.Scheme = "internet-facing"
	expect(t, "no load balancer", w.plans(), []string(nil))
}

// TestNobodyIsNamedYet: of two load balancers of which none is named neither is retired, since nobody was told of another one.
func TestNobodyIsNamedYet(t *testing.T) {
	w := newWorld(t)
	w.stack = shop()
	w.steps()
	w.stack.LoadBalancer.Scheme = "internet-facing"
	steps := w.steps()
	expect(t, "another one is made", steps[0], "create load balancer web-internal-2")
	expect(t, "and none is retired", slices.Contains(steps, "retire lb/2"), false)
	w.seen.LoadBalancers[1].Published = true
	expect(t, "until that one is named", w.steps(), []string{"retire lb/2"})
}

// TestLaw13RetiredWithStrangersListener: a load balancer that is not wanted any more stays for a listener of somebody else.
func TestLaw13RetiredWithStrangersListener(t *testing.T) {
	w := settled(t, shop())
	w.stack.LoadBalancer.Scheme = "internet-facing"
	for w.seen.LoadBalancers[0].Retired.IsZero() {
		w.steps()
		w.name()
		w.tick()
	}
	old := &w.seen.LoadBalancers[0]
	old.Listeners = append(old.Listeners, ObservedListener{ARN: "listener/theirs", Listener: Listener{Port: 81, Default: nothing}})
	w.now = w.now.Add(time.Hour)
	expect(t, "it stays", slices.Contains(w.plans(), "delete lb/2"), false)
	expect(t, "which is told", w.refused(), "Load balancer web-internal has listeners or rules that podgate did not make. Delete those, and it is deleted.")
}

// TestLoadBalancerSettings: of what the stack says nothing about nothing changes.
func TestLoadBalancerSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Stack, *ObservedLoadBalancer)
		want   []string
	}{
		"NoSecurityGroups": {func(s *Stack, _ *ObservedLoadBalancer) { s.SecurityGroup = nil }, nil},
		"LostOnes":         {func(_ *Stack, lb *ObservedLoadBalancer) { lb.SecurityGroups = nil }, []string{"set security groups of lb/2: sg/1"}},
		"Unprotected": {func(s *Stack, _ *ObservedLoadBalancer) {
			s.LoadBalancer.Attributes = map[string]string{protection: "false"}
		}, []string{"set attributes of lb/2: deletion_protection.enabled=false"}},
		"Protected": {func(s *Stack, lb *ObservedLoadBalancer) {
			lb.Protected, s.LoadBalancer.Attributes = true, map[string]string{"a": "b"}
		}, []string{"set attributes of lb/2: a=b"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, shop())
			tc.change(&w.stack, &w.seen.LoadBalancers[0])
			plan := w.make()
			var got []string
			for _, s := range plan.Steps {
				if _, is := s.(DeleteSecurityGroup); !is {
					got = append(got, s.String())
				}
			}
			expect(t, "steps", got, tc.want)
			expect(t, "refusals", plan.Refusals, []Refusal(nil))
		})
	}
}

// TestKeptNetworkLoadBalancer: one that was made without security groups never has any, also where it cannot be replaced now.
func TestKeptNetworkLoadBalancer(t *testing.T) {
	s := network()
	s.TargetGroups = append(s.TargetGroups, group("shop/blog", "blog"))
	s.TargetGroups[1].Protocol = "TCP"
	s.Listeners = append(s.Listeners, Listener{Resource: "81", Port: 81, Protocol: "TCP", Default: to("shop/blog", "blog")})
	w := settled(t, s)
	w.stack = network()
	w.stack.Keep, w.stack.LoadBalancer.SecurityGroups = []string{"shop/blog"}, []string{"sg/theirs"}
	expect(t, "steps", w.plans(), []string(nil))
	expect(t, "waits", w.make().Waits, []Wait{{Message: "Load balancer web-internal is replaced when every Ingress that has rules on it can be built."}})
}

// TestLeavesWhileNobodyCanBeBuilt: what an Ingress that is gone has goes, also while none of the others can be built.
func TestLeavesWhileNobodyCanBeBuilt(t *testing.T) {
	s := shop()
	s.TargetGroups = append(s.TargetGroups, group("shop/blog", "blog"))
	other := s.Listeners[0]
	other.Port, other.Rules = 81, []Rule{path("shop/blog", "/*", "blog")}
	s.Listeners = append(s.Listeners, other)
	w := settled(t, s)
	w.stack = Stack{Identity: w.stack.Identity, Keep: []string{"shop/web"}}
	expect(t, "its listener goes, and nothing else but what that used", w.run(), []string{"delete listener/9", "delete binding shop/k8s-blog", "delete tg/5"})
}

func TestOpensLeaving(t *testing.T) {
	at := func(port int32) Permission { return Permission{From: port, To: port} }
	for name, tc := range map[string]struct {
		change func(*ObservedListener)
		port   int32
		want   bool
	}{
		"Leaves":       {func(*ObservedListener) {}, 80, true},
		"Stays":        {func(l *ObservedListener) { l.Has[0].Owner = "shop/web" }, 80, false},
		"IsKept":       {func(l *ObservedListener) { l.Has[0].Owner = "shop/kept" }, 80, false},
		"Nobodys":      {func(l *ObservedListener) { l.Has[0].Owner = "" }, 80, false},
		"TheirRule":    {func(l *ObservedListener) { l.Has[0].Own = false }, 80, false},
		"TheirPort":    {func(l *ObservedListener) { l.Own = false }, 80, false},
		"AnotherPort":  {func(*ObservedListener) {}, 81, false},
		"NoRuleAtAll":  {func(l *ObservedListener) { l.Has = nil }, 80, false},
		"SecondLeaves": {func(l *ObservedListener) { l.Has = append([]ObservedRule{{Own: true}}, l.Has...) }, 80, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := shop()
			s.Keep = []string{"shop/kept"}
			l := ObservedListener{Own: true, Listener: Listener{Port: 80}, Has: []ObservedRule{{Own: true, Rule: Rule{Owner: "shop/gone"}}}}
			tc.change(&l)
			seen := Observed{LoadBalancers: []ObservedLoadBalancer{{LoadBalancer: s.LoadBalancer, ARN: "lb", Listeners: []ObservedListener{l}}}}
			expect(t, "opens", newPlanner(s, seen, time.Time{}).opensLeaving(at(tc.port)), tc.want)
			expect(t, "without a load balancer", newPlanner(s, Observed{}, time.Time{}).opensLeaving(at(tc.port)), false)
		})
	}
}

// TestClosesUnusedLast: clients who are let in where there is no listener any more hold up no rule.
func TestClosesUnusedLast(t *testing.T) {
	w := settled(t, shop())
	w.sg("sg/1").Ingress = append(w.sg("sg/1").Ingress, Permission{Protocol: "tcp", From: 81, To: 81, CIDR: "0.0.0.0/0"})
	w.stack.Listeners[0].Rules = append(w.stack.Listeners[0].Rules, Rule{Owner: "shop/web", Match: route.Match{Hosts: []string{"x"}}, Action: nothing})
	expect(t, "steps", w.plans(), []string{"create rule 3 of listener/5 for shop/web", "revoke 0.0.0.0/0 tcp:81-81 from sg/1"})

	w = settled(t, shop())
	w.sg("sg/1").Ingress = append(w.sg("sg/1").Ingress, Permission{Protocol: "tcp", From: 80, To: 80, CIDR: "0.0.0.0/0"})
	w.stack.Listeners[0].Rules = append(w.stack.Listeners[0].Rules, Rule{Owner: "shop/web", Match: route.Match{Hosts: []string{"x"}}, Action: nothing})
	expect(t, "where there is one they do", w.plans(), []string{"revoke 0.0.0.0/0 tcp:80-80 from sg/1"})
}

// TestBindsWhatIsUsed: a target group is bound when a rule or its load balancer says that it is in use, whichever AWS tells first.
func TestBindsWhatIsUsed(t *testing.T) {
	for name, tc := range map[string]struct {
		lb   string
		rule bool
		want bool
	}{
		"Unused":       {"", false, false},
		"ByARule":      {"", true, true},
		"ByABalancer":  {"lb", false, true},
		"ByBothOfThem": {"lb", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			is := "404:"
			if tc.rule {
				is = "404: /a well"
			}
			r := rulesOf(is, "404:", func(_ *Stack, o *Observed) {
				for i := range o.TargetGroups {
					o.TargetGroups[i].LoadBalancer = tc.lb
				}
			})
			r.p.changeTargetGroup(r.p.stack.TargetGroups[0], r.p.seenGroups["well"])
			binds := slices.ContainsFunc(r.p.plan.Steps, func(s Step) bool { _, is := s.(CreateBinding); return is })
			expect(t, "binds", binds, tc.want)
		})
	}
}

// TestListenerSucceeds: a listener takes the place of another one when it has its default action, and refuses nothing that that one
// answers.
func TestListenerSucceeds(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted, before string
		want               bool
	}{
		"Same":              {"404: /a well", "404: /a well", "404: /a well", true},
		"DefaultLacks":      {"404:", "lost:", "404:", false},
		"DefaultRefuses":    {"new:", "new:", "well:", false},
		"RuleRefuses":       {"404: /a new", "404: /a new", "404: /a well", false},
		"RuleLacks":         {"404:", "404: /a lost", "404: /a well", false},
		"OthersRule":        {"404:", "404: /a lost", "404: /b well", true},
		"NobodyAnswered":    {"404:", "404: /a lost", "404: /a sick", true},
		"DefaultAnswered":   {"well:", "well: /a lost", "well:", false},
		"RefusesToAnswer":   {"404: /a 403", "404: /a well", "404: /a well", false},
		"NothingToAnswer":   {"404: /a 403", "404: /a well", "404: /a 403", true},
		"SameOrder":         {"404: /a well, /a* fine", "404: /a well, /a* fine", "404: /a* fine", true},
		"AnotherOrder":      {"404: /a* fine, /a well", "404: /a well, /a* fine", "404: /a* fine", false},
		"RefusesAsItShould": {"404: /a 403", "404: /a 403", "404: /b well", true},
	} {
		t.Run(name, func(t *testing.T) {
			before := rulesOf(tc.before, tc.before).listener
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "succeeds", r.p.listenerSucceeds(r.p.stack.Listeners[0], *before), tc.want)
		})
	}
}
