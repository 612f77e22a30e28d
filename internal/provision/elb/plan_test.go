// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/route"
)

// shop is a stack with one listener, which forwards /api to one target group and everything else to another one.
func shop() Stack {
	return Stack{
		Identity:      Identity{Tags: map[string]string{"cluster": "c", "stack": "shop/web"}, ResourceTag: "resource"},
		LoadBalancer:  LoadBalancer{Resource: "LoadBalancer", Kind: Application, Name: "web-internal", Scheme: "internal", AddressType: "ipv4", Subnets: []string{"subnet-1", "subnet-2"}},
		SecurityGroup: &SecurityGroup{Resource: "ManagedLBSecurityGroup", Name: "web", VPC: "vpc", Ingress: []Permission{{Protocol: "tcp", From: 80, To: 80, CIDR: "10.0.0.0/8"}}},
		TargetGroups:  []TargetGroup{group("shop/web", "api"), group("shop/web", "site")},
		Listeners: []Listener{{Resource: "80", Port: 80, Protocol: "HTTP", Default: nothing,
			Rules: []Rule{path("shop/web", "/api", "api"), path("shop/web", "/*", "site")}}},
	}
}

func group(owner, service string) TargetGroup {
	return TargetGroup{Resource: owner + "-" + service + ":80", Owner: owner, Name: "k8s-" + service, VPC: "vpc", Protocol: "HTTP", Version: "HTTP1", Port: 80, TargetType: "ip", AddressType: "ipv4",
		HealthCheck: HealthCheck{Path: "/"}, Binding: Binding{Namespace: "shop", Service: service, Port: "80"}}
}

func path(owner, path, service string) Rule {
	return Rule{Owner: owner, Match: route.Match{Paths: []string{path}}, Action: to(owner, service)}
}

func to(owner string, services ...string) Action {
	var a Action
	for _, s := range services {
		a.Forward = append(a.Forward, Forward{Group: owner + "-" + s + ":80", Weight: 1})
	}
	return a
}

// settled is a world with a stack as it should be, two targets in each group.
func settled(t *testing.T, s Stack) *world {
	t.Helper()
	w := newWorld(t)
	w.stack = s
	w.sizesOf(2)
	w.run()
	return w
}

func (w *world) sizesOf(n int) {
	for _, g := range w.stack.TargetGroups {
		if _, ok := w.sizes[g.Resource]; !ok {
			w.sizes[g.Resource] = n
		}
	}
}

// steps plans and applies until nothing can be done without time passing. It returns what it did.
func (w *world) steps() []string {
	w.t.Helper()
	var done []string
	for plan := w.make(); len(plan.Steps) > 0; plan = w.make() {
		w.step(plan.Steps[0])
		if done = append(done, w.log[len(w.log)-1]); len(done) > 100 {
			w.fatalf("steps without end")
		}
	}
	return done
}

// make plans, and knows the health of all target groups that matter.
func (w *world) make() Plan {
	w.read()
	return Make(w.stack, w.look(), w.now)
}

// run lets time pass until there is nothing left to do.
func (w *world) run() []string {
	w.t.Helper()
	var done []string
	for range 100 {
		done = append(done, w.steps()...)
		if w.name(); len(w.make().Steps)+len(w.make().Waits) == 0 {
			return done
		}
		w.tick()
	}
	w.fatalf("no end: %+v", w.make())
	return nil
}

// refused returns the messages of what is refused.
func (w *world) refused() string {
	w.t.Helper()
	var list []string
	for _, r := range w.make().Refusals {
		list = append(list, strings.TrimSpace(r.Owner+" "+r.Message))
	}
	return strings.Join(list, "\n")
}

func expect(t *testing.T, reason string, got any, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}

// rules are the paths of the rules on port 80 in order, with priorities.
func (w *world) rules() string {
	l := w.seen.LoadBalancers[0].Listeners[0]
	slices.SortFunc(l.Has, func(a, b ObservedRule) int { return a.Priority - b.Priority })
	var list []string
	for _, r := range l.Has {
		list = append(list, fmt.Sprintf("%d %s", r.Priority, strings.Join(slices.Concat(r.Match.Paths, r.Match.Sources), ",")))
	}
	return strings.Join(list, "; ")
}

func TestMakesEverything(t *testing.T) {
	w := newWorld(t)
	w.stack = shop()
	w.sizesOf(1)
	expect(t, "a load balancer is made in order", w.steps(), []string{
		"create security group web", "create load balancer web-internal", "authorize 10.0.0.0/8 tcp:80-80 into sg/1", "create target group k8s-api", "create target group k8s-site",
		"create listener HTTP:80 of lb/2", "create rule 1 of listener/5 for shop/web", "create binding shop/k8s-api", "create rule 2 of listener/5 for shop/web", "create binding shop/k8s-site",
	})
	expect(t, "its name is not published before it is active", Hostname(w.stack, w.look()), "")
	expect(t, "which is waited for", w.make().Waits, []Wait{{Message: "Load balancer web-internal is being started."}})

	w.run()
	expect(t, "then it is", Hostname(w.stack, w.look()), "lb/2.example.com")
	expect(t, "and nobody's health matters any more", NeedsHealth(w.stack, w.seen), []string(nil))
}

func TestChangesInPlace(t *testing.T) {
	w := settled(t, shop())
	lb := &w.stack.LoadBalancer
	lb.Subnets, lb.SubnetsNamed, lb.AddressType = []string{"subnet-1", "subnet-3"}, true, "dualstack"
	lb.SecurityGroups, lb.Attributes, lb.Tags = []string{"sg/theirs"}, map[string]string{"a": "b"}, map[string]string{"team": "x"}
	w.stack.SecurityGroup.Ingress = []Permission{{Protocol: "tcp", From: 443, To: 443, CIDR: "10.0.0.0/8"}}
	w.stack.SecurityGroup.Tags = map[string]string{"team": "x"}
	g := &w.stack.TargetGroups[0]
	g.HealthCheck.Path, g.Attributes, g.Tags, g.Binding.Nodes, g.Binding.Labels = "/health", map[string]string{"c": "d"}, map[string]string{"team": "x"}, map[string]string{"pool": "a"}, map[string]string{"l": "m"}
	l := &w.stack.Listeners[0]
	l.Protocol, l.Certificates, l.SSLPolicy, l.Attributes, l.Tags = "HTTPS", []string{"cert/1", "cert/2"}, "policy", map[string]string{"e": "f"}, map[string]string{"team": "x"}
	l.Rules[0].Tags = map[string]string{"team": "x"}

	expect(t, "what can be changed is changed", w.steps(), []string{
		"tag lb/2: team=x", "set subnets of lb/2: subnet-1, subnet-3", "set security groups of lb/2: sg/theirs, sg/1", "set address type of lb/2: dualstack", "set attributes of lb/2: a=b",
		"tag sg/1: team=x", "authorize 10.0.0.0/8 tcp:443-443 into sg/1", "revoke 10.0.0.0/8 tcp:80-80 from sg/1",
		"tag tg/3: team=x", "set health check of tg/3", "set attributes of tg/3: c=d", "update binding shop/k8s-api",
		"tag listener/5: team=x", "modify listener/5: HTTPS, answer 404", "add certificates to listener/5: cert/2", "set attributes of listener/5: e=f", "tag rule/6: team=x",
	})

	l.Certificates = []string{"cert/3", "cert/1"}
	expect(t, "certificates come before they are needed and go last", w.steps(), []string{
		"add certificates to listener/5: cert/1", "modify listener/5: HTTPS, answer 404", "remove certificates from listener/5: cert/2",
	})
	w.stack.LoadBalancer.SubnetsNamed, w.stack.LoadBalancer.Subnets = false, []string{"subnet-1", "subnet-4"}
	expect(t, "subnets that nobody named stay", w.steps(), []string(nil))
}

func TestLaw13ForeignLoadBalancer(t *testing.T) {
	w := newWorld(t)
	w.stack = shop()
	w.seen.Foreign = map[string]string{"web-internal": "cluster other"}
	expect(t, "nothing is made beside a load balancer of somebody else", w.steps(), []string(nil))
	expect(t, "who is told of", w.refused(), "A load balancer named web-internal exists and is not this stack's (cluster other). Delete it, or choose another name.")
}

// TestLaw15RulesOfFewerClients: no rule is there while clients are let in for whom nobody who has it asks.
func TestLaw15RulesOfFewerClients(t *testing.T) {
	all, few := Permission{Protocol: "tcp", From: 80, To: 80, CIDR: "0.0.0.0/0"}, Permission{Protocol: "tcp", From: 80, To: 80, CIDR: "10.0.0.0/8"}
	open, narrow := shop(), shop()
	open.SecurityGroup.Ingress = []Permission{all}
	narrow.SecurityGroup.Ingress = []Permission{few}
	narrow.Listeners[0].Rules = slices.Insert(narrow.Listeners[0].Rules, 1, path("shop/few", "/few", "few"))
	narrow.TargetGroups = append(narrow.TargetGroups, group("shop/few", "few"))

	w := settled(t, open)
	early := func(stack Stack) {
		t.Helper()
		w.stack = stack
		w.sizesOf(2)
		for plan := w.make(); len(plan.Steps) > 0; plan = w.make() {
			w.step(plan.Steps[0])
			if strings.Contains(w.rules(), "/few") && slices.Contains(w.sg("sg/1").Ingress, all) {
				w.fatalf("everybody reaches a rule that is for few")
			}
		}
		w.run()
	}
	early(narrow)
	expect(t, "the rule comes", w.rules(), "1 /api; 2 /few; 3 /*")
	expect(t, "for few", w.sg("sg/1").Ingress, []Permission{few})
	early(open)
	expect(t, "the rule goes", w.rules(), "1 /api; 3 /*")
	expect(t, "and all are let in", w.sg("sg/1").Ingress, []Permission{all})

	// A step that fails does not let the others open more.
	w.stack = narrow
	for range 10 {
		for _, step := range w.make().Steps {
			if _, fails := step.(RevokeIngress); !fails {
				w.step(step)
				break
			}
		}
	}
	expect(t, "its target group is made", len(w.seen.TargetGroups), 3)
	expect(t, "and no rule", w.rules(), "1 /api; 3 /*")
}

func TestLaw13ForeignTargetGroup(t *testing.T) {
	w := newWorld(t)
	w.stack = shop()
	w.sizesOf(1)
	w.seen.Foreign = map[string]string{"k8s-api": "cluster other"}
	w.run()
	expect(t, "others go on", w.rules(), "1 /*")
	expect(t, "and it is told of", w.refused(), "shop/web A target group named k8s-api exists and is not this stack's (cluster other). Delete it.")
	expect(t, "which does not hold up the name", Hostname(w.stack, w.look()), "lb/2.example.com")
}

func TestLaw13StrangersRules(t *testing.T) {
	w := settled(t, shop())
	l := &w.seen.LoadBalancers[0].Listeners[0]
	l.Has = append(l.Has, ObservedRule{ARN: "rule/theirs", Priority: 3, Rule: Rule{Match: route.Match{Paths: []string{"/theirs"}}, Action: nothing}})
	w.stack.Listeners[0].Rules = slices.Insert(w.stack.Listeners[0].Rules, 1, path("shop/web", "/img", "site"))
	w.steps()
	expect(t, "strangers' rules keep their priorities", w.rules(), "1 /api; 2 /img; 3 /theirs; 4 /*")

	w.stack.Listeners[0].Rules = nil
	w.stack.TargetGroups = nil
	w.run()
	expect(t, "and stay when the stack's go", w.rules(), "3 /theirs")

	w.stack.Listeners[0].Port = 81
	w.steps()
	expect(t, "their listener stays for them", w.rules(), "3 /theirs")
	expect(t, "which is told", w.refused(), "Port 80 of load balancer web-internal has rules that podgate did not make. Delete those, and the listener is deleted.")
}

func TestLaw13PrioritiesEnd(t *testing.T) {
	w := settled(t, shop())
	l := &w.seen.LoadBalancers[0].Listeners[0]
	l.Has[1].Priority = 50000
	l.Has = append(l.Has, ObservedRule{ARN: "rule/theirs", Priority: 2, Rule: Rule{Match: route.Match{Paths: []string{"/theirs"}}, Action: nothing}})
	w.stack.Listeners[0].Rules = append(w.stack.Listeners[0].Rules, Rule{Owner: "shop/web", Match: route.Match{Hosts: []string{"x"}}, Action: nothing})
	w.steps()
	expect(t, "where no priority is left behind, the stack's rules move up", w.rules(), "1 /api; 2 /theirs; 3 /*; 4 ")
}

func TestLaw13StrangersListener(t *testing.T) {
	w := settled(t, shop())
	lb := &w.seen.LoadBalancers[0]
	lb.Listeners = append(lb.Listeners, ObservedListener{ARN: "listener/theirs", Listener: Listener{Port: 81, Protocol: "HTTP", Default: nothing}})
	expect(t, "strangers' listeners stay", w.steps(), []string(nil))

	other := w.stack.Listeners[0]
	other.Port = 81
	w.stack.Listeners = append(w.stack.Listeners, other)
	expect(t, "even where the stack wants one", w.steps(), []string(nil))
	expect(t, "which is told", w.refused(), "Port 81 of load balancer web-internal has a listener that podgate did not make. Delete it, or choose another port.")

	w.stack.Listeners = nil
	w.steps()
	expect(t, "and keep the load balancer", len(w.seen.LoadBalancers), 1)
	expect(t, "which is told", w.refused(), "Load balancer web-internal has listeners or rules that podgate did not make. Delete those, and it is deleted.")
}

func TestLaw13Protection(t *testing.T) {
	s := shop()
	s.LoadBalancer.Attributes = map[string]string{protection: "true"}
	w := settled(t, s)

	w.stack.LoadBalancer.Attributes = map[string]string{protection: "false"}
	expect(t, "protection stays on", w.steps(), []string(nil))
	expect(t, "which is told", w.refused(), "Load balancer web-internal is protected from deletion, which podgate never switches off. Switch deletion_protection.enabled off at AWS.")

	w.stack.Listeners = nil
	w.steps()
	w.tick()
	w.tick()
	w.steps()
	expect(t, "the load balancer stays", len(w.seen.LoadBalancers), 1)
	expect(t, "and all else goes but for its security group", []int{len(w.seen.LoadBalancers[0].Listeners), len(w.seen.TargetGroups), len(w.seen.SecurityGroups)}, []int{0, 0, 1})
	expect(t, "which is told", w.refused(), "Load balancer web-internal is protected from deletion. Switch deletion_protection.enabled off at AWS, and it is deleted.")
}

func TestLaw13OthersSettings(t *testing.T) {
	w := settled(t, shop())
	lb := &w.seen.LoadBalancers[0]
	lb.Tags, lb.Attributes = merged(lb.Tags, map[string]string{"theirs": "x"}), map[string]string{"theirs": "x"}
	w.seen.TargetGroups[0].Attributes = map[string]string{"theirs": "x"}
	w.seen.TargetGroups[0].Binding.Labels = map[string]string{"theirs": "x"}
	expect(t, "tags, attributes and labels of others stay", w.steps(), []string(nil))
}

func TestLaw13TargetGroupThatAStrangerUses(t *testing.T) {
	w := settled(t, shop())
	l := &w.seen.LoadBalancers[0].Listeners[0]
	l.Has = append(l.Has, ObservedRule{ARN: "rule/theirs", Priority: 3, Rule: Rule{Match: route.Match{Paths: []string{"/theirs"}}, Action: Action{Forward: []Forward{{Group: w.seen.TargetGroups[0].ARN, Weight: 1}}}}})
	w.stack.Listeners[0].Rules, w.stack.TargetGroups = w.stack.Listeners[0].Rules[1:], w.stack.TargetGroups[1:]
	w.steps()
	w.tick()
	w.steps()
	expect(t, "a target group that a stranger's rule names keeps its targets", w.seen.TargetGroups[0].Bound && !w.seen.TargetGroups[0].Unbinding, true)
	expect(t, "which is told", w.refused(), "Target group k8s-api is used by a listener or a rule that podgate did not make. Delete that, and it is deleted.")
}

func TestLaw14RuleKeepsItsGroup(t *testing.T) {
	w := settled(t, shop())
	w.stack.TargetGroups[0].TargetType = "instance"
	expect(t, "the new group stands beside the old one without requests", w.steps(), []string{
		"create target group k8s-api-2", "modify rule/6: forward to tg/3 (1), tg/8 (0)", "create binding shop/k8s-api-2",
	})
	expect(t, "which is said", w.make().Waits, []Wait{{Owner: "shop/web", Message: "The rule for every host /api changes when what it should forward to serves: target group k8s-api-2."}})
	expect(t, "until it serves; then the old one goes", w.run(), []string{
		"modify rule/6: forward to tg/8 (1), tg/3 (0)", "delete binding shop/k8s-api", "modify rule/6: forward to tg/8 (1)", "delete tg/3",
	})
}

func TestLaw14NothingToLose(t *testing.T) {
	w := settled(t, shop())
	w.broken["shop/web-api:80"] = true
	w.stack.TargetGroups[0].TargetType = "instance"
	expect(t, "where no target is healthy a rule moves at once", w.steps(), []string{
		"create target group k8s-api-2", "modify rule/6: forward to tg/8 (1), tg/3 (0)", "create binding shop/k8s-api-2", "delete binding shop/k8s-api",
	})
}

func TestLaw14NewRuleStandsLast(t *testing.T) {
	w := settled(t, shop())
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "img"))
	w.stack.Listeners[0].Rules = slices.Insert(w.stack.Listeners[0].Rules, 0, path("shop/web", "/img", "img"))
	w.sizesOf(2)
	w.steps()
	expect(t, "a rule whose group does not serve stands last", w.rules(), "1 /api; 2 /*; 3 /img")
	expect(t, "which is said", w.make().Waits, []Wait{{Owner: "shop/web", Message: "The rule for every host /img gets its place before others when what it forwards to serves: target group k8s-img."}})
	expect(t, "and moves at once", w.run(), []string{"set priorities of listener/5: map[rule/6:2 rule/7:3 rule/9:1]"})
}

func TestLaw14NewRuleWhereNothingAnswers(t *testing.T) {
	w := settled(t, shop())
	w.broken["shop/web-site:80"], w.broken["shop/web-img:80"] = true, true
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "img"))
	w.stack.Listeners[0].Rules = slices.Insert(w.stack.Listeners[0].Rules, 0, path("shop/web", "/img", "img"))
	w.steps()
	expect(t, "a rule that takes requests from nobody has its place at once", w.rules(), "1 /img; 2 /api; 3 /*")
}

func TestLaw14DefaultAnswers(t *testing.T) {
	s := shop()
	s.Listeners[0].Rules = s.Listeners[0].Rules[:1]
	s.Listeners[0].Default = to("shop/web", "site")
	w := settled(t, s)
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "img"))
	w.stack.Listeners[0].Rules = append(w.stack.Listeners[0].Rules, path("shop/web", "/img", "img"))
	w.sizesOf(2)
	w.steps()
	expect(t, "a group is checked while no request gets to it", w.rules(), "1 /api; 2 192.0.2.1/32")
	w.run()
	expect(t, "and then has its rule", w.rules(), "1 /api; 3 /img")
}

func TestLaw14SixGroups(t *testing.T) {
	s := shop()
	for _, service := range []string{"a", "b", "c"} {
		s.TargetGroups = append(s.TargetGroups, group("shop/web", service))
	}
	s.Listeners[0].Rules[0].Action = to("shop/web", "api", "a", "b", "c")
	w := settled(t, s)
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "d"), group("shop/web", "e"))
	w.stack.Listeners[0].Rules[0].Action = to("shop/web", "d", "e")
	w.sizesOf(2)
	expect(t, "groups for which there is no room beside the old ones are checked elsewhere", w.steps(), []string{
		"create target group k8s-d", "create target group k8s-e", "create rule 3 of listener/8 that matches no request: forward to tg/11 (1), tg/12 (1)", "create binding shop/k8s-d", "create binding shop/k8s-e",
	})
	expect(t, "until they serve", w.run()[:2], []string{"modify rule/9: forward to tg/11 (1), tg/12 (1)", "delete rule/13"})
}

func TestLaw14RuleThatGoes(t *testing.T) {
	w := settled(t, shop())
	// The rule for every path is replaced by one for fewer, with a target group of its own.
	w.stack.TargetGroups[1] = group("shop/web", "new")
	w.stack.Listeners[0].Rules[1] = path("shop/web", "/new*", "new")
	w.sizesOf(2)
	w.steps()
	expect(t, "a rule stays while its successor does not serve", w.rules(), "1 /api; 2 /*; 3 /new*")
	w.run()
	expect(t, "and goes when it does", w.rules(), "1 /api; 3 /new*")
}

func TestLaw14RuleThatRefusesUntilItsGroupIsThere(t *testing.T) {
	s := shop()
	s.TargetGroups = s.TargetGroups[:1]
	s.Listeners[0].Rules[1].Action = Action{Answer: &route.Answer{Status: 403}}
	w := settled(t, s)
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "site"))
	w.stack.Listeners[0].Rules = []Rule{path("shop/web", "/*", "site"), w.stack.Listeners[0].Rules[0]}
	w.sizesOf(2)
	expect(t, "a rule that is to answer does not come first while it refuses", fmt.Sprint(w.make().Steps), "[create target group k8s-site]")
	w.steps()
	expect(t, "nor while its target group does not serve", w.rules(), "1 /api; 2 /*")
	w.run()
	expect(t, "but then", w.rules(), "1 /*; 2 /api")
}

func TestLaw14RuleThatGoesBeforeOneThatRefuses(t *testing.T) {
	s := shop()
	s.Listeners[0].Rules = slices.Insert(s.Listeners[0].Rules[:1], 1, path("shop/web", "/a*", "site"), Rule{Owner: "shop/web", Match: route.Match{Hosts: []string{"a"}}, Action: Action{Answer: &route.Answer{Status: 403}}})
	w := settled(t, s)
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "new"))
	w.stack.Listeners[0].Rules = []Rule{s.Listeners[0].Rules[0], {Owner: "shop/web", Match: route.Match{Hosts: []string{"a"}}, Action: to("shop/web", "new")}}
	w.sizesOf(2)
	expect(t, "a rule stays while one that is to answer its requests refuses them", fmt.Sprint(w.make().Steps), "[create target group k8s-new]")
	w.run()
	expect(t, "and then goes", w.rules(), "1 /api; 3 ")
}

// network is a stack with a network load balancer that has no security groups, and one listener.
func network() Stack {
	s := shop()
	s.LoadBalancer.Kind, s.SecurityGroup = Network, nil
	s.TargetGroups = s.TargetGroups[:1]
	s.TargetGroups[0].Protocol = "TCP"
	s.Listeners[0].Protocol, s.Listeners[0].Default, s.Listeners[0].Rules = "TCP", to("shop/web", "api"), nil
	return s
}

func TestLaw14NetworkLoadBalancer(t *testing.T) {
	w := settled(t, network())
	w.stack.TargetGroups[0].TargetType = "instance"
	expect(t, "its new target group is checked beside the old one", w.steps(), []string{
		"create target group k8s-api-2", "modify listener/3: TCP, forward to tg/2 (1), tg/4 (0)", "create binding shop/k8s-api-2",
	})
	expect(t, "until it serves", w.run(), []string{"modify listener/3: TCP, forward to tg/4 (1)", "delete binding shop/k8s-api", "delete tg/2"})
}

// TestLaw14NetworkReplaced: what a network load balancer can have only from the start another one has, and is made first.
func TestLaw14NetworkReplaced(t *testing.T) {
	s := network()
	s.LoadBalancer.Subnets, s.LoadBalancer.SubnetsNamed = []string{"subnet-a", "subnet-b"}, true
	replaced := []string{"create load balancer web-internal-2", "create target group k8s-api-2", "create listener TCP:80 of lb/4", "create binding shop/k8s-api-2"}

	w := settled(t, s)
	w.stack.LoadBalancer.SecurityGroups = []string{"sg/theirs"}
	expect(t, "security groups", w.steps(), replaced)
	w = settled(t, s)
	w.stack.LoadBalancer.Subnets = []string{"subnet-a"}
	expect(t, "fewer zones", w.steps(), replaced)
	w.stack.LoadBalancer.SubnetsNamed = false
	expect(t, "that nobody named", settled(t, w.stack).steps(), []string(nil))

	w = settled(t, s)
	w.stack.LoadBalancer.Subnets = []string{"subnet-a", "subnet-b", "subnet-c"}
	expect(t, "it can have more zones", w.steps(), []string{"set subnets of lb/1: subnet-a, subnet-b, subnet-c"})

	s.LoadBalancer.SecurityGroups = []string{"sg/theirs"}
	w = settled(t, s)
	w.stack.LoadBalancer.SecurityGroups = []string{"sg/others"}
	expect(t, "it can have other security groups", w.steps(), []string{"set security groups of lb/1: sg/others"})
	w.stack.LoadBalancer.SecurityGroups = nil
	expect(t, "but not none", w.steps()[0], "create load balancer web-internal-2")
}

// TestLaw14NetworkProtocols: a listener's protocol changes with its target group, or at once where no target group goes with both.
func TestLaw14NetworkProtocols(t *testing.T) {
	for name, tc := range map[string]struct {
		from, group string // protocols
		to, next    string
		want        []string
	}{
		"TCP to both": {"TCP", "TCP", "TCP_UDP", "TCP_UDP", []string{"modify listener/3: TCP, forward to tg/2 (1), tg/4 (0)", "modify listener/3: TCP_UDP, forward to tg/4 (1)"}},
		"both to TCP": {"TCP_UDP", "TCP_UDP", "TCP", "TCP", []string{"modify listener/3: TCP, forward to tg/2 (1), tg/4 (0)", "modify listener/3: TCP, forward to tg/4 (1)"}},
		"both to UDP": {"TCP_UDP", "TCP_UDP", "UDP", "UDP", []string{"modify listener/3: UDP, forward to tg/2 (1), tg/4 (0)", "modify listener/3: UDP, forward to tg/4 (1)"}},
		"TCP to TLS":  {"TCP", "TCP", "TLS", "TLS", []string{"modify listener/3: TLS, forward to tg/2 (1), tg/4 (0)", "modify listener/3: TLS, forward to tg/4 (1)"}},
		"TLS to TCP":  {"TLS", "TLS", "TCP", "TCP", []string{"modify listener/3: TLS, forward to tg/2 (1), tg/4 (0)", "modify listener/3: TCP, forward to tg/4 (1)"}},
		"same group":  {"TCP", "TCP", "TLS", "TCP", []string{"modify listener/3: TLS, forward to tg/2 (1)"}},
	} {
		s := network()
		s.Listeners[0].Protocol, s.TargetGroups[0].Protocol = tc.from, tc.group
		w := settled(t, s)
		w.stack.Listeners[0].Protocol, w.stack.TargetGroups[0].Protocol = tc.to, tc.next
		got := slices.DeleteFunc(append(w.steps(), w.run()...), func(step string) bool { return !strings.HasPrefix(step, "modify") })
		expect(t, name, got, tc.want)
	}
}

// TestNetworkProtocolAtOnce: what was asked of the old protocol nobody serves any more, so nothing is waited for where no target
// group goes with both.
func TestNetworkProtocolAtOnce(t *testing.T) {
	w := settled(t, network())
	w.stack.Listeners[0].Protocol, w.stack.TargetGroups[0].Protocol = "UDP", "UDP"
	seen := w.look()
	made := ObservedTargetGroup{TargetGroup: w.stack.TargetGroups[0], ARN: "tg/new", Health: &Health{}}
	made.Name = "k8s-api-2"
	made.Tags = w.stack.All(made.Resource, made.Tags)
	for i := range seen.TargetGroups {
		seen.TargetGroups[i].Health = &Health{Registered: 2, Healthy: 2}
	}
	seen.TargetGroups = append(seen.TargetGroups, made)
	steps := slices.DeleteFunc(Make(w.stack, seen, w.now).Steps, func(s Step) bool { _, tags := s.(Tag); return tags })
	expect(t, "at once", fmt.Sprint(steps), "[modify listener/3: UDP, forward to tg/new (1)]")
}

// TestNetworkListenersForward: a listener of a network load balancer is made with its target group, since it can do nothing else.
func TestNetworkListenersForward(t *testing.T) {
	w := newWorld(t)
	w.stack = network()
	w.seen.Foreign = map[string]string{"k8s-api": "theirs"}
	for _, step := range w.steps() {
		if strings.HasPrefix(step, "create listener") {
			t.Errorf("it would %s", step)
		}
	}
}

func TestFailedLoadBalancer(t *testing.T) {
	w := newWorld(t)
	w.stack = shop()
	w.sizesOf(1)
	w.steps()
	w.seen.LoadBalancers[0].State = failed
	expect(t, "one that AWS could not start stays for a moment", w.steps(), []string{"retire lb/2"})
	expect(t, "which is told", w.make().Waits, []Wait{{
		Message: "Load balancer web-internal could not be started, as AWS says. It is deleted, and another one is made.", Until: w.now.Add(time.Minute),
	}})
	expect(t, "it is not named", Hostname(w.stack, w.look()), "")
	expect(t, "and then another one is made, of the same name and for the same target groups", w.run(), []string{
		"delete lb/2", "create load balancer web-internal", "create listener HTTP:80 of lb/8", "create rule 1 of listener/9 for shop/web", "create rule 2 of listener/9 for shop/web",
	})
	expect(t, "which is named", Hostname(w.stack, w.look()), "lb/8.example.com")
}

func TestLaw13FailedLoadBalancerWithStrangersRules(t *testing.T) {
	w := newWorld(t)
	w.stack = shop()
	w.steps()
	lb := &w.seen.LoadBalancers[0]
	lb.State, lb.Retired, lb.Listeners[0].Has = failed, w.now.Add(-time.Hour), append(lb.Listeners[0].Has, ObservedRule{ARN: "theirs", Priority: 9})
	expect(t, "one that has somebody else's rules stays", w.steps(), []string(nil))
	expect(t, "which is told", w.refused(), "Load balancer web-internal has listeners or rules that podgate did not make. Delete those, and it is deleted.")
}

func TestLaw14FailedLoadBalancerThatIsNamed(t *testing.T) {
	w := settled(t, shop())
	w.seen.LoadBalancers[0].State = failed
	expect(t, "another one is made beside one that is named", w.steps()[0], "create load balancer web-internal-2")
	expect(t, "which stays named", Hostname(w.stack, w.look()), "lb/2.example.com")
	w.run()
	expect(t, "until that serves", Hostname(w.stack, w.look()), "lb/8.example.com")
	expect(t, "and then goes", len(w.seen.LoadBalancers), 1)

	w = settled(t, shop())
	w.seen.LoadBalancers[0].State = failed
	w.stack.Keep, w.stack.Listeners[0].Rules, w.stack.TargetGroups = []string{"shop/web"}, nil, nil
	w.stack.SecurityGroup.Ingress = append(w.stack.SecurityGroup.Ingress, Permission{Protocol: "tcp", From: 80, To: 80, CIDR: "192.0.2.0/24"})
	expect(t, "but not where rules would not be on that", w.steps(), []string(nil))
	expect(t, "which is told", w.refused(), "Load balancer web-internal failed, as AWS says, and has rules of Ingresses that cannot be built. Put those right, and it is replaced.")
}

func TestNoSubnets(t *testing.T) {
	w := newWorld(t)
	w.stack = shop()
	w.stack.LoadBalancer.Subnets = nil
	expect(t, "without subnets there is nothing to make", w.steps(), []string(nil))
}

func TestUnbinding(t *testing.T) {
	w := settled(t, shop())
	w.seen.TargetGroups[0].Unbinding = true
	expect(t, "a binding is made when the old one is gone", w.steps(), []string(nil))
	expect(t, "which is said", w.make().Waits, []Wait{{Owner: "shop/web", Message: "The binding of target group k8s-api is made when the one that is being deleted is gone."}})
	expect(t, "then", w.run(), []string{"create binding shop/k8s-api"})
}

func TestLaw14Serves(t *testing.T) {
	cases := map[string]struct {
		reason  string
		health  *Health
		instead int
		want    bool
	}{
		"Unknown":      {reason: "what is not known does not serve", health: nil, instead: 1},
		"None":         {reason: "a group without targets does not serve", health: &Health{}, instead: 0},
		"Sick":         {reason: "nor one without healthy targets", health: &Health{Registered: 4}, instead: 0},
		"HalfOfFour":   {reason: "nor one with half of its targets", health: &Health{Registered: 4, Healthy: 2}, instead: 4},
		"ThreeOfFour":  {reason: "three quarters suffice", health: &Health{Registered: 4, Healthy: 3}, instead: 9, want: true},
		"AsManyAsOld":  {reason: "as many as the old group had suffice", health: &Health{Registered: 10, Healthy: 2}, instead: 2, want: true},
		"FewerThanOld": {reason: "fewer do not", health: &Health{Registered: 10, Healthy: 2}, instead: 3},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			seen := Observed{TargetGroups: []ObservedTargetGroup{{ARN: "tg", LoadBalancer: "lb", Health: tc.health}}}
			p := newPlanner(Stack{}, seen, time.Time{})
			expect(t, tc.reason, p.serves(Action{Forward: []Forward{{Group: "tg", Weight: 1}}}, tc.instead), tc.want)
			expect(t, "asks for what is not known", p.asked["tg"], tc.health == nil)
		})
	}

	seen := Observed{TargetGroups: []ObservedTargetGroup{{ARN: "tg", Health: &Health{Registered: 2, Healthy: 2}}}}
	p := newPlanner(Stack{}, seen, time.Time{})
	expect(t, "nor does one that nothing names, so that nothing checks it", p.serves(Action{Forward: []Forward{{Group: "tg", Weight: 1}}}, 1), false)
}

func TestLaw14AnotherScheme(t *testing.T) {
	w := settled(t, shop())
	w.stack.LoadBalancer.Scheme, w.stack.LoadBalancer.Name = "internet-facing", "web-public"
	expect(t, "another load balancer is made, with target groups of its own", w.steps(), []string{
		"create load balancer web-public", "create target group k8s-api-2", "create target group k8s-site-2",
		"create listener HTTP:80 of lb/8", "create rule 1 of listener/11 for shop/web", "create binding shop/k8s-api-2", "create rule 2 of listener/11 for shop/web", "create binding shop/k8s-site-2",
	})

	for w.seen.LoadBalancers[1].State != "active" {
		expect(t, "the old one keeps its name meanwhile", Hostname(w.stack, w.look()), "lb/2.example.com")
		w.tick()
	}
	w.broken["shop/web-api:80"] = false
	w.run()
	expect(t, "and is deleted last", strings.Join(w.log[slices.Index(w.log, "lb/2 is named: false"):], ", "),
		"lb/2 is named: false, lb/8 is named: true, tick, retire lb/2"+strings.Repeat(", tick", 40)+
			", delete lb/2, delete binding shop/k8s-api, delete binding shop/k8s-site, tick, tick, delete tg/3, delete tg/4")
}

func TestLaw14BackAgain(t *testing.T) {
	w := settled(t, shop())
	w.stack.LoadBalancer.Scheme = "internet-facing"
	for w.seen.LoadBalancers[0].Retired.IsZero() {
		w.steps()
		w.name()
		w.tick()
	}
	w.stack.LoadBalancer.Scheme = "internal"
	expect(t, "a load balancer that was retired is used again", w.steps(), []string{"unretire lb/2"})
	w.run()
	expect(t, "instead of the other one", w.seen.LoadBalancers[0].ARN+" "+fmt.Sprint(len(w.seen.LoadBalancers)), "lb/2 1")
}

// TestLaw14KeptInOrder: the rules of owners who cannot be built now stay in their order, whoever has them.
func TestLaw14KeptInOrder(t *testing.T) {
	s := shop()
	s.TargetGroups[1] = group("shop/blog", "blog")
	refuses := Rule{Owner: "shop/web", Match: route.Match{Paths: []string{"/blog/old"}}, Action: Action{Answer: &route.Answer{Status: 403}}}
	s.Listeners[0].Rules = []Rule{s.Listeners[0].Rules[0], path("shop/blog", "/blog*", "blog"), refuses}
	w := settled(t, s)
	w.stack = Stack{Identity: w.stack.Identity, LoadBalancer: s.LoadBalancer, SecurityGroup: s.SecurityGroup, Keep: []string{"shop/blog", "shop/web"}}
	expect(t, "nothing changes", w.run(), []string(nil))
}

func TestLaw14Kept(t *testing.T) {
	s := shop()
	s.TargetGroups = append(s.TargetGroups, group("shop/blog", "blog"))
	s.Listeners[0].Rules = slices.Insert(s.Listeners[0].Rules, 1, path("shop/blog", "/blog", "blog"))
	other := s.Listeners[0]
	other.Port, other.Rules = 81, []Rule{path("shop/blog", "/*", "blog")}
	s.Listeners = append(s.Listeners, other)
	w := settled(t, s)

	// The blog cannot be built, and the site's rules change places.
	w.stack = shop()
	w.stack.Keep = []string{"shop/blog"}
	rules := w.stack.Listeners[0].Rules
	w.stack.Listeners[0].Rules = []Rule{rules[1], {Owner: "shop/blog", Kept: true}, rules[0]}
	w.steps()
	expect(t, "its rules are where the stack keeps a place for them", w.rules(), "1 /*; 2 /blog; 3 /api")
	expect(t, "and its listener and target group stay", []int{len(w.seen.LoadBalancers[0].Listeners), len(w.seen.TargetGroups)}, []int{2, 3})

	w.stack.Listeners[0].Rules = rules
	w.stack.LoadBalancer.Scheme = "internet-facing"
	w.steps()
	expect(t, "without a place they come last", w.rules(), "1 /api; 2 /*; 3 /blog")
	expect(t, "and no other load balancer replaces theirs", len(w.seen.LoadBalancers), 1)

	w.stack = Stack{Identity: w.stack.Identity, SecurityGroup: &SecurityGroup{Resource: "ManagedLBSecurityGroup", VPC: "vpc"}, Keep: []string{"shop/blog", "shop/web"}}
	expect(t, "nothing changes while nobody can be built", w.steps(), []string(nil))
	w.seen.SecurityGroups = nil
	expect(t, "nor is a security group made that may not be wanted", w.steps(), []string(nil))
}

func TestLaw14Gone(t *testing.T) {
	w := settled(t, shop())
	w.stack.Listeners = nil
	expect(t, "everything goes in order", w.run(), []string{
		"delete listener/5", "delete lb/2", "delete binding shop/k8s-api", "delete binding shop/k8s-site", "delete security group sg/1", "delete tg/3", "delete tg/4",
	})
}

func TestLaw14SameGroupElsewhere(t *testing.T) {
	s := shop()
	other := s.Listeners[0]
	other.Port, other.Rules, other.Default = 81, nil, Action{Redirect: &route.Redirect{Status: 301, Port: "80"}}
	s.Listeners = append(s.Listeners, other)
	w := settled(t, s)

	// The API moves to the other port, where a redirect answers. It is not checked for a moment.
	w.stack.Listeners = slices.Clone(w.stack.Listeners)
	w.stack.Listeners[1].Rules = w.stack.Listeners[0].Rules[:1]
	w.stack.Listeners[0].Rules = w.stack.Listeners[0].Rules[1:]
	w.run()
	expect(t, "a target group that nothing names for a moment has to serve anew", w.rules(), "2 /*")
}

func TestNames(t *testing.T) {
	expect(t, "names have numbers", names("web")[:3], []string{"web", "web-2", "web-3"})
	expect(t, "and at most 32 characters", names("k8s-shop-web-0123456789-01234567")[1], "k8s-shop-web-0123456789-012345-2")
	expect(t, "and no two hyphens", names("k8s-shop-web-0123456789-01234-x")[1], "k8s-shop-web-0123456789-01234-2")
}

func TestOverlap(t *testing.T) {
	hosts := func(values ...string) route.Match { return route.Match{Hosts: values} }
	paths := func(values ...string) route.Match { return route.Match{Paths: values} }
	cases := map[string]struct {
		a, b route.Match
		want bool
	}{
		"Everything":  {route.Match{}, hosts("a"), true},
		"SameHost":    {hosts("a.example.com"), hosts("A.example.com"), true},
		"OtherHost":   {hosts("a.example.com"), hosts("b.example.com"), false},
		"Wildcard":    {hosts("*.example.com"), hosts("b.example.com"), true},
		"OneOfTwo":    {hosts("x", "b"), hosts("a", "b"), true},
		"Prefix":      {paths("/api/*"), paths("/api"), false},
		"Meet":        {paths("/a*c"), paths("/*b*"), true},
		"Apart":       {paths("/a*"), paths("/b*"), false},
		"One":         {paths("/?"), paths("/a"), true},
		"Short":       {paths("/?"), paths("/"), false},
		"Ends":        {paths("*a"), paths("*b"), false},
		"Empty":       {paths("*"), paths(""), true},
		"Case":        {paths("/A"), paths("/a"), false},
		"Methods":     {route.Match{Methods: []string{"GET"}}, route.Match{Methods: []string{"POST"}}, false},
		"SameMethods": {route.Match{Methods: []string{"GET", "PUT"}}, route.Match{Methods: []string{"PUT"}}, true},
		"AnyPath":     {hosts("a"), paths("/a"), true},
		"AnyMethod":   {hosts("a"), route.Match{Methods: []string{"GET"}}, true},
		"Both":        {route.Match{Hosts: []string{"a"}, Paths: []string{"/x"}}, route.Match{Hosts: []string{"a"}, Paths: []string{"/y"}}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expect(t, "overlap", overlap(tc.a, tc.b), tc.want)
			expect(t, "the other way round", overlap(tc.b, tc.a), tc.want)
		})
	}
}

func TestSame(t *testing.T) {
	m := route.Match{Hosts: []string{"a", "b"}, Headers: []route.Header{{Name: "X", Values: []string{"1", "2"}}}, Queries: [][]route.Query{{{Key: "a", Value: "b"}, {Value: "c"}}}}
	n := route.Match{Hosts: []string{"b", "a"}, Headers: []route.Header{{Name: "x", Values: []string{"2", "1"}}}, Queries: [][]route.Query{{{Value: "c"}, {Key: "a", Value: "b"}}}, Methods: []string{}}
	expect(t, "order and letters of headers do not matter", sameMatch(m, n), true)
	n.Hosts = nil
	expect(t, "hosts do", sameMatch(m, n), false)
	expect(t, "a host is no path", sameMatch(route.Match{Hosts: []string{"a"}}, route.Match{Paths: []string{"a"}}), false)

	forward := func(weights ...int32) Action {
		var a Action
		for i, w := range weights {
			a.Forward = append(a.Forward, Forward{Group: string(rune('a' + i)), Weight: w})
		}
		return a
	}
	expect(t, "weights matter", sameAction(forward(1, 2), forward(1, 3)), false)
	expect(t, "but not of a group alone", sameAction(forward(0), forward(1)), true)
	expect(t, "placeholders are as nothing", sameAction(Action{Redirect: &route.Redirect{Status: 301, Port: "443"}}, Action{Redirect: &route.Redirect{Status: 301, Protocol: "#{protocol}", Host: "#{host}", Port: "443", Path: "/#{path}", Query: "#{query}"}}), true)
	expect(t, "the type of an empty answer does not matter", sameAction(Action{Answer: &route.Answer{Status: 404}}, nothing), true)
}
