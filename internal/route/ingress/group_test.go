// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route"
)

// TestMembersInOrder: members come by group.order, then by name, and each has its own target groups.
func TestMembersInOrder(t *testing.T) {
	s := newSite()
	other := ingress("z", annotations{"group.order": "-1"}, all("z", "web:80"))
	stack, problems := s.build(ingress("b", nil, all("b", "web:80")), ingress("c", annotations{"group.order": "-1000"}, all("c", "web:80")), ingress("a", nil, all("a", "web:80")), other,
		ingress("last", annotations{"group.order": "1000"}, all("", "web:80")))
	check(t, "problems", []string(nil), told(problems))
	check(t, "listeners", []string{
		"HTTP:80 404", "  shop/c: [c][/*] -> shop/c-web:80*1", "  shop/z: [z][/*] -> shop/z-web:80*1", "  shop/a: [a][/*] -> shop/a-web:80*1", "  shop/b: [b][/*] -> shop/b-web:80*1",
		"  shop/last: [][/*] -> shop/last-web:80*1",
	}, drawn(stack))
	check(t, "keep", []string(nil), stack.Keep)

	var groups []string
	for _, g := range stack.TargetGroups {
		groups = append(groups, g.Resource+" of "+g.Owner)
	}
	check(t, "target groups", []string{"shop/c-web:80 of shop/c", "shop/z-web:80 of shop/z", "shop/a-web:80 of shop/a", "shop/b-web:80 of shop/b", "shop/last-web:80 of shop/last"}, groups)
	check(t, "labels", map[string]string{"ingress.k8s.aws/stack": "shared"}, stack.TargetGroups[0].Binding.Labels)
	check(t, "tags", map[string]string{"elbv2.k8s.aws/cluster": "blue", "ingress.k8s.aws/stack": "shared"}, stack.Tags)
	check(t, "name", balancerName("blue", Key{Name: "shared"}, "internal"), stack.LoadBalancer.Name)
	check(t, "security group", balancerName("blue", Key{Name: "shared"}, ""), stack.SecurityGroup.Name)
}

// TestSettingsOfTheGroup: members may ask for different things, and each port has what those ask for that use it.
func TestSettingsOfTheGroup(t *testing.T) {
	s := newSite()
	s.BackendSecurityGroup = "sg-backend"
	s.Tags = map[string]string{"tag": "ours"}
	stack, problems := s.build(
		ingress("a", annotations{"tags": "a=1", "load-balancer-attributes": "x=1", "inbound-cidrs": "10.0.0.0/8", "listener-attributes.HTTP-80": "m=1"}, all("a", "web:80")),
		ingress("b", annotations{
			"tags": "b=1,a=1,tag=mine", "load-balancer-attributes": "y=2,x=1", "scheme": "internet-facing", "load-balancer-name": "edge", "ip-address-type": "dualstack", "listener-attributes.HTTP-80": "n=1",
			"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`, "certificate-arn": "arn:b,arn:c", "ssl-policy": "strict",
		}, all("b", "web:80")),
		ingress("c", annotations{"certificate-arn": "arn:c,arn:d"}, all("c", "web:80")),
	)
	check(t, "problems", []string(nil), told(problems))
	check(t, "load balancer", elb.LoadBalancer{
		Resource: "LoadBalancer", Kind: elb.Application, Name: "edge", Scheme: "internet-facing", AddressType: "dualstack", Subnets: []string{"subnet-a", "subnet-b"},
		SecurityGroups: []string{"sg-backend"}, Attributes: map[string]string{"x": "1", "y": "2"}, Tags: map[string]string{"a": "1", "b": "1", "tag": "ours"},
	}, stack.LoadBalancer)
	check(t, "permissions", []elb.Permission{
		{Protocol: "tcp", From: 80, To: 80, CIDR: "10.0.0.0/8"}, {Protocol: "tcp", From: 443, To: 443, CIDR: "0.0.0.0/0"}, {Protocol: "tcp", From: 443, To: 443, CIDR: "::/0"},
	}, stack.SecurityGroup.Ingress)
	check(t, "listeners", []string{
		"HTTP:80 404", "  shop/a: [a][/*] -> shop/a-web:80*1", "  shop/b: [b][/*] -> shop/b-web:80*1",
		"HTTPS:443 404 arn:b arn:c arn:d", "  shop/b: [b][/*] -> shop/b-web:80*1", "  shop/c: [c][/*] -> shop/c-web:80*1",
	}, drawn(stack))
	check(t, "policy", "strict", stack.Listeners[1].SSLPolicy)
	check(t, "attributes", map[string]string{"m": "1", "n": "1"}, stack.Listeners[0].Attributes)
	check(t, "tags of the listener", map[string]string{"a": "1", "b": "1", "tag": "ours"}, stack.Listeners[0].Tags)
	check(t, "tags of a rule", map[string]string{"a": "1", "tag": "ours"}, stack.Listeners[0].Rules[0].Tags)
	check(t, "tags of a target group", map[string]string{"a": "1", "b": "1", "tag": "ours"}, stack.TargetGroups[1].Tags)
}

// TestOneWishIsTheGroups: what one member asks for is for all that use the port, whichever it is.
func TestOneWishIsTheGroups(t *testing.T) {
	stack, _ := newSite().build(ingress("a", nil, all("a", "web:80")), ingress("b", annotations{"inbound-cidrs": "10.0.0.0/8"}, all("b", "web:80")))
	check(t, "permissions", []elb.Permission{{Protocol: "tcp", From: 80, To: 80, CIDR: "10.0.0.0/8"}}, stack.SecurityGroup.Ingress)
	stack, _ = newSite().build(ingress("a", nil, all("a", "web:80")), ingress("b", annotations{"security-groups": "sg-1"}, all("b", "web:80")))
	check(t, "security groups", []string{"sg-1"}, stack.LoadBalancer.SecurityGroups)
}

// TestRedirectOfTheGroup: the HTTPS listener may be another member's, but not that of one who is not served.
func TestRedirectOfTheGroup(t *testing.T) {
	redirect := ingress("a", annotations{"ssl-redirect": "443"}, all("a", "web:80"))
	stack, problems := newSite().build(redirect, ingress("b", annotations{"certificate-arn": "arn:1"}, all("b", "web:80")))
	check(t, "problems", []string{`shop/a partial PathNotServed: its paths are not served: it listens for HTTP only, and the group redirects HTTP to port 443: add {"HTTPS": 443} to listen-ports`}, told(problems))
	check(t, "listeners", []string{"HTTP:80 301 HTTPS:443", "HTTPS:443 404 arn:1", "  shop/b: [b][/*] -> shop/b-web:80*1"}, drawn(stack))
	check(t, "target groups", 1, len(stack.TargetGroups))

	_, problems = newSite().build(redirect, ingress("b", annotations{"certificate-arn": "arn:1", "scheme": "x"}, all("b", "web:80")))
	check(t, "problems", 2, len(problems))
	check(t, "at fault", "shop/a", problems[0].Owner)
	check(t, "refused", Refused, problems[0].Severity)

	// One without paths misses nothing.
	_, problems = newSite().build(ingress("a", annotations{"ssl-redirect": "443"}), ingress("b", annotations{"certificate-arn": "arn:1"}, all("b", "web:80")))
	check(t, "without paths", []string(nil), told(problems))

	// Of ports that cannot be read nothing more is said.
	_, problems = newSite().build(ingress("a", annotations{"ssl-redirect": "443", "listen-ports": "443"}, all("a", "web:80")))
	check(t, "problems", 1, len(problems))
}

// TestConflicts: of two members that ask for different things the later one is at fault, and alone.
func TestConflicts(t *testing.T) {
	other := func(b *networkingv1.Ingress) { b.Spec.DefaultBackend = new(to("api:80")) }
	for name, tc := range map[string]struct {
		a, b annotations
		more func(*networkingv1.Ingress)
		want string
	}{
		"Scheme":      {a: annotations{"scheme": "internal"}, b: annotations{"scheme": "internet-facing"}, want: `scheme is "internet-facing", and Ingress shop/a, which is before it in the group, has "internal"`},
		"Name":        {a: annotations{"load-balancer-name": "x"}, b: annotations{"load-balancer-name": "y"}, want: `load-balancer-name is "y", and Ingress shop/a, which is before it in the group, has "x"`},
		"AddressType": {a: annotations{"ip-address-type": "ipv4"}, b: annotations{"ip-address-type": "dualstack"}, want: `ip-address-type is "dualstack", and Ingress shop/a, which is before it in the group, has "ipv4"`},
		"Subnets":     {a: annotations{"subnets": "x,y"}, b: annotations{"subnets": "x,z"}, want: `subnets is "x,z", and Ingress shop/a, which is before it in the group, has "x,y"`},
		"Groups":      {a: annotations{"security-groups": "sg-1,sg-2"}, b: annotations{"security-groups": "sg-2,sg-1"}, want: `security-groups is "sg-2,sg-1", and Ingress shop/a, which is before it in the group, has "sg-1,sg-2"`},
		"CIDRs":       {a: annotations{"inbound-cidrs": "10.0.0.0/8"}, b: annotations{"inbound-cidrs": "10.0.0.0/9"}, want: `inbound-cidrs of port 80 is "10.0.0.0/9", and Ingress shop/a, which is before it in the group, has "10.0.0.0/8"`},
		"Lists":       {a: annotations{"security-group-prefix-lists": "pl-1"}, b: annotations{"security-group-prefix-lists": "pl-2"}, want: `security-group-prefix-lists of port 80 is "pl-2", and Ingress shop/a, which is before it in the group, has "pl-1"`},
		"Attribute":   {a: annotations{"load-balancer-attributes": "x=1"}, b: annotations{"load-balancer-attributes": "y=1,x=2"}, want: `load balancer attribute x is "2", and Ingress shop/a, which is before it in the group, has "1"`},
		"Listener":    {a: annotations{"listener-attributes.HTTP-80": "x=1"}, b: annotations{"listener-attributes.HTTP-80": "x=2"}, want: `listener attribute x of port 80 is "2", and Ingress shop/a, which is before it in the group, has "1"`},
		"Tag":         {a: annotations{"tags": "x=1"}, b: annotations{"tags": "x=2"}, want: `tag x is "2", and Ingress shop/a, which is before it in the group, has "1"`},
		"Protocol":    {a: annotations{"listen-ports": `[{"HTTP":443}]`}, b: annotations{"listen-ports": `[{"HTTPS":443}]`, "certificate-arn": "arn:1"}, want: `the protocol of port 443 is "HTTPS", and Ingress shop/a, which is before it in the group, has "HTTP"`},
		"Policy":      {a: annotations{"certificate-arn": "arn:1", "ssl-policy": "x"}, b: annotations{"certificate-arn": "arn:1", "ssl-policy": "y"}, want: `ssl-policy of port 443 is "y", and Ingress shop/a, which is before it in the group, has "x"`},
		"Redirect": {
			a:    annotations{"listen-ports": `[{"HTTPS":443},{"HTTPS":8443}]`, "certificate-arn": "arn:1", "ssl-redirect": "443"},
			b:    annotations{"ssl-redirect": "8443"},
			want: `ssl-redirect is "8443", and Ingress shop/a, which is before it in the group, has "443"`,
		},
		"Default": {more: other, want: `spec.defaultBackend of port 80 is "shop/b", and Ingress shop/a, which is before it in the group, has "shop/a"`},
	} {
		t.Run(name, func(t *testing.T) {
			a, b, c := ingress("a", tc.a, all("a", "web:80")), ingress("b", tc.b, all("b", "web:80")), ingress("c", nil, all("c", "web:80"))
			if tc.more != nil {
				tc.more(a)
				tc.more(b)
			}
			stack, problems := newSite().build(c, b, a)
			problems = slices.DeleteFunc(problems, func(p Problem) bool { return p.Severity != Refused })
			check(t, "problems", []string{"shop/b refused ConflictInGroup: " + tc.want + ": use the same value, or another group"}, told(problems))
			check(t, "keep", []string{"shop/b"}, stack.Keep)
			for _, l := range stack.Listeners {
				for _, r := range l.Rules {
					if r.Kept != (r.Owner == "shop/b") {
						t.Errorf("rule %v", r)
					}
				}
			}
		})
	}
}

// TestAgreement: the same wishes are no conflict, in whatever order subnets are written.
func TestAgreement(t *testing.T) {
	same := func(subnets string) annotations {
		return annotations{"scheme": "internal", "subnets": subnets, "inbound-cidrs": "10.0.0.0/8", "tags": "a=1", "load-balancer-attributes": "x=1", "listener-attributes.HTTP-80": "x=1"}
	}
	s := newSite()
	_, problems := s.build(ingress("a", same("x,y"), all("a", "web:80")), ingress("b", same("y,x"), all("b", "web:80")))
	check(t, "problems", []string(nil), told(problems))
	check(t, "subnets", []subnets.Want{{Kind: elb.Application, VPC: "vpc-1", Cluster: "blue", Scheme: "internal", AddressType: "ipv4", Named: []string{"x", "y"}}}, s.asked)
}

// TestOneAtFaultStopsOnlyItself: all others of the group are served, those behind it as well.
func TestOneAtFaultStopsOnlyItself(t *testing.T) {
	stack, problems := newSite().build(ingress("a", nil, all("a", "web:80")), ingress("b", annotations{"listen-ports": "80", "scheme": "internet-facing"}, all("b", "web:80")), ingress("c", nil, all("c", "web:80")))
	if len(problems) != 1 || problems[0].Owner != "shop/b" {
		t.Errorf("problems: %v", problems)
	}
	check(t, "listeners", []string{"HTTP:80 404", "  shop/a: [a][/*] -> shop/a-web:80*1", "  shop/b: kept", "  shop/c: [c][/*] -> shop/c-web:80*1"}, drawn(stack))
	check(t, "scheme", "internal", stack.LoadBalancer.Scheme)
	check(t, "target groups", 2, len(stack.TargetGroups))
}

// TestUnserved: a member that is not served for a reason of its class keeps what it has.
func TestUnserved(t *testing.T) {
	s := newSite()
	s.params = map[string]Member{"a": {Unserved: true}}
	stack, problems := s.build(ingress("a", annotations{"scheme": "internet-facing"}, all("a", "web:80")), ingress("b", nil, all("b", "web:80")))
	check(t, "problems", []string(nil), told(problems))
	check(t, "listeners", []string{"HTTP:80 404", "  shop/a: kept", "  shop/b: [b][/*] -> shop/b-web:80*1"}, drawn(stack))
	check(t, "scheme", "internal", stack.LoadBalancer.Scheme)

	stack, _ = s.build(ingress("a", nil, all("a", "web:80")))
	check(t, "alone", []string(nil), drawn(stack))
}

// TestNobody: a group without members wants nothing.
func TestNobody(t *testing.T) {
	stack, problems := newSite().build()
	check(t, "listeners", 0, len(stack.Listeners))
	check(t, "keep", 0, len(stack.Keep))
	check(t, "problems", 0, len(problems))
	check(t, "identity", Identity("blue", "vpc-1", Key{Name: "shared"}), stack.Identity)
}

// has is a load balancer with listeners.
func has(listeners ...elb.ObservedListener) elb.Observed {
	return elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{LoadBalancer: elb.LoadBalancer{Name: "has", Scheme: "internal"}, Listeners: listeners}}}
}

func ofOwner(owner string, n int) []elb.ObservedRule {
	var rules []elb.ObservedRule
	for i := range n {
		rules = append(rules, elb.ObservedRule{Rule: elb.Rule{Owner: owner, Action: elb.Action{Forward: []elb.Forward{{Group: fmt.Sprint("arn:", owner, i)}}}}, Own: true})
	}
	return rules
}

// TestKeepsListeners: what a member needs that is refused stays, its certificates and default backend as well.
func TestKeepsListeners(t *testing.T) {
	redirect := elb.Action{Redirect: &route.Redirect{Status: 301, Protocol: "HTTPS", Port: "443"}}
	forward := elb.Action{Forward: []elb.Forward{{Group: "arn:default", Weight: 1}}}
	s := newSite()
	s.observed = has(
		elb.ObservedListener{Listener: elb.Listener{Port: 80, Protocol: "HTTP", Default: redirect}, Own: true},
		elb.ObservedListener{Listener: elb.Listener{Port: 443, Protocol: "HTTPS", Certificates: []string{"arn:bad"}, Default: forward}, Own: true, Has: ofOwner("shop/bad", 1)},
		elb.ObservedListener{Listener: elb.Listener{Port: 444, Protocol: "HTTPS", Certificates: []string{"arn:bad"}, Default: notFound}, Own: true, Has: ofOwner("shop/bad", 1)},
		elb.ObservedListener{Listener: elb.Listener{Port: 8000, Protocol: "HTTP", Default: notFound}, Own: true, Has: ofOwner("shop/gone", 1)},
		elb.ObservedListener{Listener: elb.Listener{Port: 9000, Protocol: "HTTP", Default: notFound}, Has: ofOwner("shop/bad", 1)},
	)
	s.observed.TargetGroups = []elb.ObservedTargetGroup{
		{ARN: "arn:else", TargetGroup: elb.TargetGroup{Resource: "shop/bad-web:80"}}, {ARN: "arn:default", TargetGroup: elb.TargetGroup{Resource: "shop/bad-api:80"}},
	}
	bad := ingress("bad", annotations{"listen-ports": "no"}, all("bad", "web:80"))
	good := ingress("good", annotations{"certificate-arn": "arn:good"}, all("good", "web:80"))

	stack, _ := s.build(bad, good)
	check(t, "listeners", []string{
		"HTTP:80 301 HTTPS:443", "  shop/bad: kept",
		"HTTPS:443 arn:default*1 arn:bad arn:good", "  shop/bad: kept", "  shop/good: [good][/*] -> shop/good-web:80*1",
		"HTTPS:444 404 arn:bad", "  shop/bad: kept",
	}, drawn(stack))

	// A default backend that was another one's is not kept.
	s.observed.TargetGroups[1].Resource = "shop/good-api:80"
	stack, _ = s.build(bad, good)
	check(t, "no default", "404", did(stack.Listeners[1].Default))
	s.observed.TargetGroups[1].Resource = "shop/bad-api:80"

	// The default backend of another one wins.
	good.Spec.DefaultBackend = new(to("api:80"))
	stack, _ = s.build(bad, good)
	check(t, "default", "shop/good-api:80*1", did(stack.Listeners[1].Default))

	// Once all are good nothing is kept.
	bad = ingress("bad", annotations{"certificate-arn": "arn:new"}, all("bad", "web:80"))
	good.Spec.DefaultBackend = nil
	stack, _ = s.build(bad, good)
	check(t, "good", []string{"HTTPS:443 404 arn:new arn:good", "  shop/bad: [bad][/*] -> shop/bad-web:80*1", "  shop/good: [good][/*] -> shop/good-web:80*1"}, drawn(stack))

	// One that has no rules keeps nothing.
	stack, _ = s.build(ingress("new", annotations{"listen-ports": "no"}), good)
	check(t, "new", []string{"HTTPS:443 404 arn:good", "  shop/good: [good][/*] -> shop/good-web:80*1", "  shop/new: kept"}, drawn(stack))

	// All of them are kept where nobody else is in the group.
	stack, _ = s.build(ingress("bad", annotations{"listen-ports": "no"}, all("bad", "web:80")))
	check(t, "alone", []string{"HTTP:80 301 HTTPS:443", "  shop/bad: kept", "HTTPS:443 arn:default*1 arn:bad", "  shop/bad: kept", "HTTPS:444 404 arn:bad", "  shop/bad: kept"}, drawn(stack))
	check(t, "load balancer", "has", stack.LoadBalancer.Name)
}

// TestKeepsDefaultBackend: a member that is served by a default action alone is served.
func TestKeepsDefaultBackend(t *testing.T) {
	s := newSite()
	s.observed = has(elb.ObservedListener{Listener: elb.Listener{Port: 81, Protocol: "HTTP", Default: elb.Action{Forward: []elb.Forward{{Group: "arn:1", Weight: 1}}}}, Own: true, Has: ofOwner("shop/gone", 1)})
	s.observed.TargetGroups = []elb.ObservedTargetGroup{{ARN: "arn:1", TargetGroup: elb.TargetGroup{Resource: "shop/bad-web:80"}}}
	bad, good := ingress("bad", annotations{"listen-ports": "no"}), ingress("good", nil, all("good", "web:80"))
	stack, _ := s.build(bad, good)
	check(t, "listeners", []string{"HTTP:80 404", "  shop/bad: kept", "  shop/good: [good][/*] -> shop/good-web:80*1", "HTTP:81 arn:1*1", "  shop/bad: kept"}, drawn(stack))

	// What is somebody else's is not its.
	s.observed.LoadBalancers[0].Listeners[0].Own = false
	stack, _ = s.build(bad, good)
	check(t, "listeners", []string{"HTTP:80 404", "  shop/bad: kept", "  shop/good: [good][/*] -> shop/good-web:80*1"}, drawn(stack))
}

// TestKeptWishes: what a member that is refused wishes for the load balancer counts as long as it is served and its wishes are known.
func TestKeptWishes(t *testing.T) {
	bad := annotations{"scheme": "internet-facing", "healthcheck-path": "", "listen-ports": `[{"HTTP":80},{"HTTP":81}]`}
	s := newSite()
	stack, _ := s.build(ingress("bad", bad, all("bad", "web:80")), ingress("good", nil, all("good", "web:80")))
	check(t, "not served", []string{"internal", "HTTP:80 404"}, []string{stack.LoadBalancer.Scheme, drawn(stack)[0]})

	s.observed = has(elb.ObservedListener{Listener: elb.Listener{Port: 81, Protocol: "HTTP"}, Own: true, Has: ofOwner("shop/bad", 1)})
	stack, problems := s.build(ingress("bad", bad, all("bad", "web:80")), ingress("good", nil, all("good", "web:80")), ingress("late", annotations{"scheme": "internal"}, all("late", "web:80")))
	check(t, "served", "internet-facing", stack.LoadBalancer.Scheme)
	check(t, "listeners", []string{"HTTP:80 404", "  shop/bad: kept", "  shop/good: [good][/*] -> shop/good-web:80*1", "  shop/late: kept", "HTTP:81 404", "  shop/bad: kept", "  shop/late: kept"}, drawn(stack))
	if last := problems[len(problems)-1]; last.Owner != "shop/late" || last.Reason != v1alpha1.ReasonConflictInGroup {
		t.Errorf("problems: %v", problems)
	}
}

// TestCurrent: what counts is the load balancer that clients use.
func TestCurrent(t *testing.T) {
	named := func(name string, published bool, retired int64) elb.ObservedLoadBalancer {
		l := elb.ObservedLoadBalancer{LoadBalancer: elb.LoadBalancer{Name: name}, Published: published}
		if retired > 0 {
			l.Retired = time.Unix(retired, 0)
		}
		return l
	}
	for want, list := range map[string][]elb.ObservedLoadBalancer{
		"":          {named("old", false, 1)},
		"published": {named("new", false, 0), named("published", true, 0)},
		"first":     {named("old", false, 1), named("first", false, 0), named("second", false, 0)},
	} {
		got := ""
		if l := Current(elb.Observed{LoadBalancers: list}); l != nil {
			got = l.Name
		}
		check(t, "current", want, got)
	}
}

// TestLimits: a member that would exceed what a load balancer may have is refused, and those before and behind it are served.
func TestLimits(t *testing.T) {
	two := func(name string) *networkingv1.Ingress {
		return ingress(name, nil, rule(name, path("/x", "web:80", "Exact"), path("/y", "api:80", "Exact")))
	}
	https := func(name string, a annotations) *networkingv1.Ingress { return ingress(name, a, all(name, "web:80")) }
	for name, tc := range map[string]struct {
		limits   func(*Limits)
		members  []*networkingv1.Ingress
		problems []string
	}{
		"Fits": {limits: func(l *Limits) { l.Rules, l.TargetGroups, l.Listeners = 5, 5, 1 }, members: []*networkingv1.Ingress{two("a"), two("b"), https("c", nil)}},
		"Rules": {
			limits: func(l *Limits) { l.Rules = 3 }, members: []*networkingv1.Ingress{two("a"), two("b"), https("c", nil)},
			problems: []string{"shop/b refused LimitExceeded: with this Ingress the load balancer would have 4 rules, and it may have 3, of which others use 2: move it to another group, or have AWS raise the quota"},
		},
		"RulesOfAllListeners": {
			limits: func(l *Limits) { l.Rules = 3 }, members: []*networkingv1.Ingress{ingress("a", annotations{"listen-ports": `[{"HTTP":80},{"HTTP":81}]`}, rule("a", path("/x", "web:80", "Exact"), path("/y", "api:80", "Exact")))},
			problems: []string{"shop/a refused LimitExceeded: with this Ingress the load balancer would have 4 rules, and it may have 3, of which others use 0: move it to another group, or have AWS raise the quota"},
		},
		"RedirectsHaveNone": {
			limits: func(l *Limits) { l.Rules = 2 }, members: []*networkingv1.Ingress{two("a"), https("b", annotations{"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`, "certificate-arn": "arn:1", "ssl-redirect": "443"})},
			problems: []string{`shop/a partial PathNotServed: its paths are not served: it listens for HTTP only, and the group redirects HTTP to port 443: add {"HTTPS": 443} to listen-ports`},
		},
		"TargetGroups": {
			limits: func(l *Limits) { l.TargetGroups = 3 }, members: []*networkingv1.Ingress{two("a"), two("b"), https("c", nil)},
			problems: []string{"shop/b refused LimitExceeded: with this Ingress the load balancer would have 4 target groups, and it may have 3, of which others use 2: move it to another group, or have AWS raise the quota"},
		},
		"Listeners": {
			limits: func(l *Limits) { l.Listeners = 2 }, members: []*networkingv1.Ingress{https("a", nil), https("b", annotations{"listen-ports": `[{"HTTP":81},{"HTTP":82}]`}), https("c", annotations{"listen-ports": `[{"HTTP":82}]`})},
			problems: []string{"shop/b refused LimitExceeded: with this Ingress the load balancer would have 3 listeners, and it may have 2, of which others use 1: move it to another group, or have AWS raise the quota"},
		},
		"SecurityGroups": {
			limits:   func(l *Limits) { l.SecurityGroups = 2 },
			members:  []*networkingv1.Ingress{ingress("a", annotations{"security-groups": "sg-1,edge,sg-2"}, all("a", "web:80")), ingress("b", annotations{"security-groups": "sg-1,edge,sg-edge"}, all("b", "web:80"))},
			problems: []string{"shop/a refused LimitExceeded: annotation security-groups names 3 security groups, and a load balancer may have 2: name fewer, or have AWS raise the quota of security groups per network interface"},
		},
		"Certificates": {
			limits:   func(l *Limits) { l.Certificates = 2 },
			members:  []*networkingv1.Ingress{https("a", annotations{"certificate-arn": "arn:1,arn:2"}), https("b", annotations{"certificate-arn": "arn:2,arn:3,arn:4"}), https("c", annotations{"certificate-arn": "arn:5,arn:1"})},
			problems: []string{"shop/b refused LimitExceeded: with this Ingress the load balancer would have 4 certificates at port 443, and it may have 3, of which others use 2: move it to another group, or have AWS raise the quota"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			tc.limits(&s.Limits)
			stack, problems := s.build(tc.members...)
			check(t, "problems", tc.problems, told(problems))
			kept := slices.DeleteFunc(problems, func(p Problem) bool { return p.Severity != Refused })
			check(t, "keep", len(kept), len(stack.Keep))
		})
	}
}

// TestLimitsCountWhatIsKept: rules and target groups of members that are refused are there, too.
func TestLimitsCountWhatIsKept(t *testing.T) {
	s := newSite()
	s.Limits.Rules, s.Limits.TargetGroups = 4, 4
	s.observed = has(elb.ObservedListener{Own: true, Listener: elb.Listener{Port: 80, Protocol: "HTTP"}, Has: append(ofOwner("shop/bad", 3), ofOwner("shop/else", 5)...)})
	bad := ingress("bad", annotations{"healthcheck-path": ""}, all("bad", "web:80"))

	_, problems := s.build(bad, ingress("good", nil, all("good", "web:80")))
	check(t, "fits", 1, len(problems))

	_, problems = s.build(bad, ingress("good", nil, rule("good", path("/x", "web:80", "Exact"), path("/y", "api:80", "Exact"))))
	check(t, "exceeds", []string{
		problems[0].Owner + " refused InvalidAnnotation: " + problems[0].Message,
		"shop/good refused LimitExceeded: with this Ingress the load balancer would have 5 rules, and it may have 4, of which others use 3: move it to another group, or have AWS raise the quota",
		"shop/good refused LimitExceeded: with this Ingress the load balancer would have 5 target groups, and it may have 4, of which others use 3: move it to another group, or have AWS raise the quota",
	}, told(problems))
}

// TestTooManySecurityGroups: a member that comes to name more security groups than a load balancer may have keeps what it has, and
// so do the settings of the load balancer.
func TestTooManySecurityGroups(t *testing.T) {
	s := newSite()
	s.observed = has(elb.ObservedListener{Own: true, Listener: elb.Listener{Port: 80, Protocol: "HTTP"}, Has: ofOwner("shop/a", 1)})
	s.observed.LoadBalancers[0].SecurityGroups = []string{"sg-1"}
	stack, problems := s.build(ingress("a", annotations{"security-groups": "sg-1,sg-2,sg-3,sg-4,sg-5,sg-6"}, all("a", "web:80")), ingress("b", nil, all("b", "web:80")))
	check(t, "refused", "shop/a", problems[0].Owner)
	check(t, "kept", []string{"shop/a"}, stack.Keep)
	check(t, "security groups", []string{"sg-1"}, stack.LoadBalancer.SecurityGroups)
}

// TestAllOfAWS: the limits are AWS's.
func TestAllOfAWS(t *testing.T) {
	check(t, "limits", Limits{Limits: route.Limits{Values: 5, Wildcards: 5}, Rules: 100, Listeners: 50, TargetGroups: 100, Certificates: 25, SecurityGroups: 5}, ALB)
	check(t, "quotas that are known", Limits{Limits: route.Limits{Values: 5, Wildcards: 5}, Rules: 1, Listeners: 2, TargetGroups: 3, Certificates: 4, SecurityGroups: 6},
		ALB.With(elb.Quotas{Rules: 1, Listeners: 2, TargetGroups: 3, Certificates: 4, SecurityGroups: 6}))
	check(t, "none is known", ALB, ALB.With(elb.Quotas{}))
}

// TestTooLarge: a rule that cannot be made smaller is not served, and told with its host and path.
func TestTooLarge(t *testing.T) {
	stack, problems := newSite().build(ingress("web", nil, rule("a", path("/*/*/*/*/*/*", "web:80", ""), path("/b", "web:80", ""))))
	check(t, "problems", []string{"shop/web partial LimitExceeded: the rule for host a and path /*/*/*/*/*/* is not served: it needs more than the 5 values or 5 wildcards that a rule may have: write fewer conditions"}, told(problems))
	check(t, "listeners", []string{"HTTP:80 404", "  shop/web: [a][/b] -> shop/web-web:80*1"}, drawn(stack))
}

// TestSubnets: a load balancer that is to be made needs subnets, and one that exists has some.
func TestSubnets(t *testing.T) {
	none := func(subnets.Want) ([]string, error) { return nil, errors.New("no subnet is tagged") }
	s := newSite()
	s.subnets = none
	stack, problems := s.build(ingress("a", nil, all("a", "web:80")), ingress("b", nil, all("b", "web:80")))
	check(t, "problems", []string{
		"shop/a refused NoSubnets: there are no subnets for the load balancer: no subnet is tagged",
		"shop/b refused NoSubnets: there are no subnets for the load balancer: no subnet is tagged",
	}, told(problems))
	check(t, "listeners", []string(nil), drawn(stack))
	check(t, "keep", []string{"shop/a", "shop/b"}, stack.Keep)

	s.observed = has(elb.ObservedListener{Own: true, Listener: elb.Listener{Port: 80, Protocol: "HTTP"}, Has: ofOwner("shop/a", 1)})
	stack, problems = s.build(ingress("a", nil, all("a", "web:80")))
	check(t, "exists", []string(nil), told(problems))
	check(t, "served", []string{"HTTP:80 404", "  shop/a: [a][/*] -> shop/a-web:80*1"}, drawn(stack))

	// A new scheme is a new load balancer, and named subnets are changed: until there are some, all stays as it is.
	for _, a := range []annotations{{"scheme": "internet-facing"}, {"subnets": "x,y"}} {
		stack, problems = s.build(ingress("a", a, all("a", "web:80")))
		check(t, "problems", []string{"shop/a refused NoSubnets: there are no subnets for the load balancer: no subnet is tagged"}, told(problems))
		check(t, "kept", []string{"HTTP:80 ", "  shop/a: kept"}, []string{"HTTP:80 ", drawn(stack)[1]})
		check(t, "load balancer", "has", stack.LoadBalancer.Name)
	}

	// Who names subnets that cannot be used is at fault alone.
	s = newSite()
	s.subnets = func(w subnets.Want) ([]string, error) {
		if len(w.Named) > 0 {
			return nil, fmt.Errorf("there is no subnet %s", w.Named[0])
		}
		return []string{"subnet-a"}, nil
	}
	stack, problems = s.build(ingress("a", nil, all("a", "web:80")), ingress("b", annotations{"subnets": "x"}, all("b", "web:80")), ingress("c", annotations{"subnets": "x"}, all("c", "web:80")), ingress("d", nil, all("d", "web:80")))
	check(t, "at fault", []string{
		"shop/b refused NoSubnets: there are no subnets for the load balancer: there is no subnet x", "shop/c refused NoSubnets: there are no subnets for the load balancer: there is no subnet x",
	}, told(problems))
	check(t, "not at fault", []string{"subnet-a"}, stack.LoadBalancer.Subnets)
	check(t, "not named", false, stack.LoadBalancer.SubnetsNamed)

	_, problems = s.build(ingress("a", annotations{"subnets": "x"}, all("a", "web:80")), ingress("b", nil, all("b", "web:80")))
	check(t, "first at fault", 1, len(problems))

	// Nobody is there to need any.
	_, problems = s.build()
	check(t, "nobody", 0, len(problems))
}

// TestCertificates: each host gets its own, and one without is told and takes none from the others.
func TestCertificates(t *testing.T) {
	s := newSite()
	s.acm = map[string]string{"a.test": "arn:a", "tls.test": "arn:tls", "other.test": "arn:other"}
	https := annotations{"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`}
	web := ingress("web", https, all("a.test", "web:80"), all("none.test", "web:80"), all("", "api:80"))
	web.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{"tls.test", "a.test"}}}
	stack, problems := s.build(web)
	check(t, "problems", []string{"shop/web partial NoCertificate: no certificate for none.test"}, told(problems))
	check(t, "certificates", []string{"arn:a", "arn:tls"}, stack.Listeners[1].Certificates)
	check(t, "of HTTP", []string(nil), stack.Listeners[0].Certificates)

	// Without any there is no listener.
	s = newSite()
	stack, problems = s.build(ingress("web", https, all("", "web:80")))
	check(t, "none", []string{"HTTP:80 404", "  shop/web: [][/*] -> shop/web-web:80*1"}, drawn(stack))
	check(t, "none is told", []string{"shop/web partial NoCertificate: port 443 is not served: HTTPS needs a certificate: name one in the annotation certificate-arn, or have one in ACM for a host of the Ingress"}, told(problems))

	// One that exists keeps those that it has.
	s.observed = has(elb.ObservedListener{Own: true, Listener: elb.Listener{Port: 443, Protocol: "HTTPS", Certificates: []string{"arn:has"}}, Has: ofOwner("shop/web", 1)})
	stack, _ = s.build(ingress("web", https, all("", "web:80")))
	check(t, "has", []string{"arn:has"}, stack.Listeners[1].Certificates)
	stack, _ = s.build(ingress("web", annotations{"certificate-arn": "arn:1"}, all("", "web:80")))
	check(t, "named", []string{"arn:1"}, stack.Listeners[0].Certificates)
}

// TestCertificatesUnknown: while ACM does not answer a listener keeps the certificates that it has, and gets more that are named.
// One whose certificates are all named does not need ACM.
func TestCertificatesUnknown(t *testing.T) {
	has := elb.ObservedListener{Own: true, Listener: elb.Listener{Port: 443, Protocol: "HTTPS", Certificates: []string{"arn:has", "arn:a"}}}
	s := newSite()
	s.acm, s.outage = map[string]string{"a.test": "arn:a"}, true
	s.observed = elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{LoadBalancer: elb.LoadBalancer{Scheme: "internal"}, Listeners: []elb.ObservedListener{has}}}}
	found := ingress("found", annotations{"listen-ports": `[{"HTTPS":443}]`}, all("a.test", "web:80"))
	named := ingress("named", annotations{"certificate-arn": "arn:1"}, all("b.test", "web:80"))

	stack, problems := s.build(found, named)
	check(t, "listener", []string{
		"HTTPS:443 404 arn:has arn:a arn:1", "  shop/found: [a.test][/*] -> shop/found-web:80*1", "  shop/named: [b.test][/*] -> shop/named-web:80*1",
	}, drawn(stack))
	check(t, "problems", []string{"shop/found partial NoCertificate: nobody answers"}, told(problems))
	check(t, "what there is", []string{"arn:has", "arn:a"}, s.observed.LoadBalancers[0].Listeners[0].Certificates)

	stack, problems = s.build(named)
	check(t, "named", []string{"arn:1"}, stack.Listeners[0].Certificates)
	check(t, "problems of named", []string(nil), told(problems))

	s.outage = false
	stack, _ = s.build(found, named)
	check(t, "afterwards", []string{"arn:a", "arn:1"}, stack.Listeners[0].Certificates)
}

// TestTargetGroups: what a Service has to be like, and what is said of one that is not.
func TestTargetGroups(t *testing.T) {
	for name, tc := range map[string]struct {
		a       annotations
		service func(*corev1.Service)
		backend string
		problem string
		want    elb.TargetGroup
	}{
		"Number":     {backend: "web:80", want: elb.TargetGroup{Port: 8080, TargetType: "ip", AddressType: "ipv4"}},
		"Name":       {backend: "web:http", want: elb.TargetGroup{Port: 8080, TargetType: "ip", AddressType: "ipv4"}},
		"PodsName":   {backend: "web:https", want: elb.TargetGroup{Port: 1, TargetType: "ip", AddressType: "ipv4"}},
		"NoTarget":   {backend: "web:80", service: func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.IntOrString{} }, want: elb.TargetGroup{Port: 80, TargetType: "ip", AddressType: "ipv4"}},
		"Instance":   {a: annotations{"target-type": "instance"}, backend: "web:https", want: elb.TargetGroup{Port: 30443, TargetType: "instance", AddressType: "ipv4"}},
		"IPv6":       {a: annotations{"ip-address-type": "dualstack"}, backend: "web:80", service: func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{"IPv6", "IPv4"} }, want: elb.TargetGroup{Port: 8080, TargetType: "ip", AddressType: "ipv6"}},
		"IPv4":       {backend: "web:80", service: func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{"IPv4", "IPv6"} }, want: elb.TargetGroup{Port: 8080, TargetType: "ip", AddressType: "ipv4"}},
		"ClusterIP":  {a: annotations{"target-type": "instance"}, backend: "web:80", service: func(s *corev1.Service) { s.Spec.Ports[0].NodePort = 0 }, problem: `the rule for host * and path /* is not served: the Service "web" has no node port, which target-type instance needs: make it a Service of type NodePort, or let one of type LoadBalancer have node ports, or use target-type ip`},
		"HealthName": {a: annotations{"healthcheck-port": "none"}, backend: "web:80", problem: `the rule for host * and path /* is not served: healthcheck-port "none" is not a port of Service "web": use a number, traffic-port, or the name of one of its ports`},
		"HealthTLS":  {a: annotations{"healthcheck-port": "https"}, backend: "web:80", problem: `the rule for host * and path /* is not served: healthcheck-port "https" is port "tls" of the pods of Service "web", whose number may differ between pods: use a number, or traffic-port`},
		"HealthNode": {a: annotations{"healthcheck-port": "https", "target-type": "instance"}, backend: "web:80", service: func(s *corev1.Service) { s.Spec.Ports[1].NodePort = 0 }, problem: `the rule for host * and path /* is not served: the Service "web" has no node port, which target-type instance needs: make it a Service of type NodePort, or let one of type LoadBalancer have node ports, or use target-type ip`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			if tc.service != nil {
				tc.service(s.services["shop/web"])
			}
			stack, problems := s.build(ingress("web", tc.a, all("", tc.backend)))
			if tc.problem != "" {
				check(t, "problems", []Problem{{Owner: "shop/web", Severity: Partial, Reason: v1alpha1.ReasonPathNotServed, Message: tc.problem}}, problems)
				check(t, "target groups", 0, len(stack.TargetGroups))
				check(t, "listeners", []string{"HTTP:80 404"}, drawn(stack))
				return
			}
			check(t, "problems", []string(nil), told(problems))
			g := stack.TargetGroups[0]
			check(t, "target group", tc.want, elb.TargetGroup{Port: g.Port, TargetType: g.TargetType, AddressType: g.AddressType})
		})
	}
}

// TestIPv6: targets with IPv6 need a load balancer with IPv6, which another member of the group may ask for.
func TestIPv6(t *testing.T) {
	s := newSite()
	s.services["shop/web"].Spec.IPFamilies = []corev1.IPFamily{"IPv6"}
	six, dual := ingress("a", nil, all("a", "web:80")), ingress("b", annotations{"ip-address-type": "dualstack-without-public-ipv4"}, all("b", "api:80"))
	_, problems := s.build(six)
	check(t, "alone", []string{`shop/a refused InvalidAnnotation: Service "web" has IPv6 addresses first, which a load balancer without IPv6 does not reach: set the annotation ip-address-type to dualstack`}, told(problems))
	_, problems = s.build(six, dual)
	check(t, "together", []string(nil), told(problems))
	dual.Annotations[Prefix+"scheme"] = "x"
	_, problems = s.build(six, dual)
	check(t, "with one at fault", 2, len(problems))
}

// TestTargetGroupsOfOneIngress: paths to one port of a Service share a target group, others do not, and a default backend has
// its own.
func TestTargetGroupsOfOneIngress(t *testing.T) {
	web := ingress("web", nil, rule("a", path("/1", "web:80", "Exact"), path("/2", "web:http", "Exact"), path("/3", "api:80", "Exact"), path("/4", "web:80", "Exact")))
	web.Spec.DefaultBackend = new(to("api:http"))
	stack, _ := newSite().build(web)
	var groups []string
	for _, g := range stack.TargetGroups {
		groups = append(groups, g.Resource)
	}
	check(t, "target groups", []string{"shop/web-web:80", "shop/web-web:http", "shop/web-api:80", "shop/web-api:http"}, groups)
	check(t, "default", "shop/web-api:http*1", did(stack.Listeners[0].Default))

	// A default backend that cannot be served is none.
	web.Annotations = annotations{"healthcheck-port": "none"}.full()
	stack, problems := newSite().build(web)
	check(t, "no default", "404", did(stack.Listeners[0].Default))
	if last := problems[len(problems)-1]; last.Message[:len("the default backend")] != "the default backend" {
		t.Errorf("problems: %v", problems)
	}
	check(t, "each is told", 5, len(problems))
}

// TestDefaultOfALongerName: where a listener forwards to by default is not taken for that of an Ingress with which the owner's
// name begins.
func TestDefaultOfALongerName(t *testing.T) {
	of := func(name string) Member { return Member{Ingress: ingress(name, nil)} }
	b := &builder{Group: Group{Members: []Member{of("a"), of("a-b")}, Observed: elb.Observed{
		TargetGroups: []elb.ObservedTargetGroup{{ARN: "arn", TargetGroup: elb.TargetGroup{Resource: "shop/a-b-api:80"}}},
	}}}
	l := elb.ObservedListener{Listener: elb.Listener{Default: elb.Action{Forward: []elb.Forward{{Group: "arn"}}}}}
	check(t, "shop/a", false, b.defaultOf(l, "shop/a"))
	check(t, "shop/a-b", true, b.defaultOf(l, "shop/a-b"))
}

// TestTargetGroupByName: where nobody can find a target group by its name, it is not there.
func TestTargetGroupByName(t *testing.T) {
	s := newSite()
	look := s.lookups()
	look.TargetGroup = nil
	of := ingress("web", annotations{"actions.go": `{"type":"forward","targetGroupName":"theirs"}`}, rule("a", path("/", "go:use-annotation", "Prefix")))
	_, problems := Build(Group{Key: Key{Namespace: "shop", Name: "web"}, Members: []Member{{Ingress: of}}}, s.Settings, look)
	if len(problems) != 1 || problems[0].Severity != Refused {
		t.Errorf("problems: %v", problems)
	}
}

// TestServiceThatComesAndGoes: each Service is looked up once, whatever becomes of it meanwhile.
func TestServiceThatComesAndGoes(t *testing.T) {
	s := newSite()
	look := s.lookups()
	asked := 0
	look.Service = func(namespace, name string) *corev1.Service {
		if asked++; asked > 1 {
			return nil
		}
		return s.services[namespace+"/"+name]
	}
	of := ingress("web", nil, all("a", "web:80"), all("b", "web:80"))
	_, problems := Build(Group{Key: Key{Namespace: "shop", Name: "web"}, Members: []Member{{Ingress: of}}}, s.Settings, look)
	check(t, "problems", []string(nil), told(problems))
	check(t, "asked", 1, asked)
}

// TestActions: backends that are annotations.
func TestActions(t *testing.T) {
	action := func(text string) annotations { return annotations{"actions.go": text} }
	use := rule("a", path("/", "go:use-annotation", "Prefix"))
	for name, tc := range map[string]struct {
		a        annotations
		want     []string
		problems []string
	}{
		"Weights": {
			a:    action(`{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":1},{"serviceName":"api","servicePort":"http","weight":3}]}}`),
			want: []string{"HTTP:80 404", "  shop/web: [a][/*] -> shop/web-web:80*1+shop/web-api:http*3"},
		},
		"Theirs":   {a: action(`{"type":"forward","targetGroupName":"theirs"}`), want: []string{"HTTP:80 404", "  shop/web: [a][/*] -> arn:aws:elasticloadbalancing:x:1:targetgroup/theirs/1*1"}},
		"Answer":   {a: action(`{"type":"fixed-response","fixedResponseConfig":{"statusCode":"503"}}`), want: []string{"HTTP:80 404", "  shop/web: [a][/*] -> 503"}},
		"Redirect": {a: action(`{"type":"redirect","redirectConfig":{"protocol":"HTTPS","port":"443","statusCode":"HTTP_301"}}`), want: []string{"HTTP:80 404", "  shop/web: [a][/*] -> 301 HTTPS:443"}},
		"Missing":  {want: []string{"HTTP:80 404", "  shop/web: [a][/*] -> 503"}, problems: []string{`shop/web partial PathNotServed: path "/" answers 503: there is no annotation actions.go`}},
		"Bad":      {a: action(`{`), problems: []string{`shop/web refused InvalidAnnotation: annotation actions.go cannot be read: not valid JSON: it ends too early`}},
		"NoService": {
			a:    action(`{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"gone","servicePort":80}]}}`),
			want: []string{"HTTP:80 404", "  shop/web: [a][/*] -> 503"}, problems: []string{`shop/web partial PathNotServed: path "/" answers 503: there is no Service "gone"`},
		},
		"OneServiceOfTwo": {
			a:    action(`{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":1},{"serviceName":"gone","servicePort":80,"weight":1}]}}`),
			want: []string{"HTTP:80 404"}, problems: []string{`shop/web partial PathNotServed: path "/" is not served: there is no Service "gone"`},
		},
		"NoPort": {
			a:    action(`{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":81}]}}`),
			want: []string{"HTTP:80 404"}, problems: []string{`shop/web partial PathNotServed: path "/" is not served: Service "web" has no port "81"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stack, problems := newSite().build(ingress("web", tc.a, use))
			check(t, "problems", tc.problems, told(problems))
			check(t, "listeners", tc.want, drawn(stack))
		})
	}
}

// TestRedirectsByAction: the older way to redirect to HTTPS is left out where it would send clients to where they are.
func TestRedirectsByAction(t *testing.T) {
	stack, problems := newSite().build(ingress("web", annotations{
		"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`, "certificate-arn": "arn:1",
		"actions.go": `{"Type":"redirect","RedirectConfig":{"Protocol":"HTTPS","Port":"443","StatusCode":"HTTP_301"}}`,
	}, rule("", path("/*", "go:use-annotation", ""), path("/*", "web:80", ""))))
	check(t, "problems", []string(nil), told(problems))
	check(t, "listeners", []string{
		"HTTP:80 404", "  shop/web: [][/*] -> 301 HTTPS:443",
		"HTTPS:443 404 arn:1", "  shop/web: [][/*] -> shop/web-web:80*1",
	}, drawn(stack))
}

// TestUnreached: a rule that no request reaches is told, with the one that is before it, unless another listener has it, too.
func TestUnreached(t *testing.T) {
	web := ingress("b", nil, rule("a", path("/x", "web:80", "Exact")), all("b", "web:80"))
	_, problems := newSite().build(ingress("a", nil, all("a", "web:80")), web)
	check(t, "problems", []string{`shop/b notice NoEffect: the rule for host a and path /x is never reached, since the rule for host a and path /* of Ingress shop/a is before it: change the order of the paths, or group.order`}, told(problems))

	web.Annotations = annotations{"listen-ports": `[{"HTTP":80},{"HTTP":81}]`}.full()
	_, problems = newSite().build(ingress("a", nil, all("a", "web:80")), web)
	check(t, "elsewhere", []string(nil), told(problems))

	// Within an Ingress as well, where the rule stays.
	stack, problems := newSite().build(ingress("a", nil, all("a", "web:80"), rule("a", path("/x", "api:80", "Exact"))))
	check(t, "own", []string{`shop/a notice NoEffect: the rule for host a and path /x is never reached, since the rule for host a and path /* of Ingress shop/a is before it: change the order of the paths, or group.order`}, told(problems))
	check(t, "own rules", 2, len(stack.Listeners[0].Rules))

	// The order matters, and rules that are kept tell nothing.
	web.Annotations = annotations{"group.order": "-1"}.full()
	_, problems = newSite().build(ingress("a", nil, all("a", "web:80")), web)
	check(t, "before", []string(nil), told(problems))
	_, problems = newSite().build(ingress("a", annotations{"scheme": "x"}, all("a", "web:80")), ingress("b", nil, all("", "web:80")), ingress("c", annotations{"scheme": "x"}, all("", "web:80")))
	check(t, "kept", 2, len(problems))
}

// TestConditions: they are asked for besides what the path asks for.
func TestConditions(t *testing.T) {
	a := annotations{"conditions.web": `[{"field":"source-ip","sourceIPConfig":{"values":["10.0.0.0/8"]}},{"field":"host-header","hostHeaderConfig":{"values":["b"]}}]`}
	stack, problems := newSite().build(ingress("web", a, rule("a", path("/x", "web:80", "Exact"), path("/y", "api:80", "Exact")), rule("", path("", "web:80", ""))))
	check(t, "problems", []string(nil), told(problems))
	check(t, "match", []route.Match{
		{Hosts: []string{"a", "b"}, Paths: []string{"/x"}, Sources: []string{"10.0.0.0/8"}},
		{Hosts: []string{"a"}, Paths: []string{"/y"}},
		{Hosts: []string{"b"}, Sources: []string{"10.0.0.0/8"}},
	}, []route.Match{stack.Listeners[0].Rules[0].Match, stack.Listeners[0].Rules[1].Match, stack.Listeners[0].Rules[2].Match})
}

// TestGRPCNeedsHTTPS: a listener that cannot forward gRPC leaves out the rules that need it, and no others.
func TestGRPCNeedsHTTPS(t *testing.T) {
	s := newSite()
	s.annotate("shop/api", annotations{"backend-protocol-version": "GRPC"})
	of := ingress("web", annotations{"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`, "certificate-arn": "arn:1"}, all("a", "web:80"), all("b", "api:80"))
	of.Spec.DefaultBackend = new(to("api:80"))
	stack, problems := s.build(of)
	check(t, "listeners", []string{
		"HTTP:80 404", "  shop/web: [a][/*] -> shop/web-web:80*1",
		"HTTPS:443 shop/web-api:80*1 arn:1", "  shop/web: [a][/*] -> shop/web-web:80*1", "  shop/web: [b][/*] -> shop/web-api:80*1",
	}, drawn(stack))
	check(t, "problems", []string{
		"shop/web partial PathNotServed: the default backend is not served at port 80: a load balancer has gRPC only with HTTPS: remove the port from listen-ports, or add ssl-redirect",
		"shop/web partial PathNotServed: the rule for host b and path /* is not served at port 80: a load balancer has gRPC only with HTTPS: remove the port from listen-ports, or add ssl-redirect",
	}, told(problems))

	of.Annotations[Prefix+"ssl-redirect"] = "443"
	_, problems = s.build(of)
	check(t, "problems with ssl-redirect", []string(nil), told(problems))
}

// TestNothingIsSilent: whatever has no effect is told, by its name.
func TestNothingIsSilent(t *testing.T) {
	for name, tc := range map[string]struct {
		a    annotations
		more func(*networkingv1.Ingress)
		want string
	}{
		"Unknown":   {a: annotations{"attributes": "a=1"}, want: "AnnotationNotServed: annotation attributes is not known: correct its name, or remove it"},
		"Unserved":  {a: annotations{"enable-frontend-nlb": "true"}, want: "AnnotationNotServed: annotation enable-frontend-nlb is not served, and has no effect"},
		"Family":    {a: annotations{"frontend-nlb-scheme": "internal"}, want: "AnnotationNotServed: annotation frontend-nlb-scheme is not served, and has no effect"},
		"Transform": {a: annotations{"transforms.web": "[]"}, want: "AnnotationNotServed: annotation transforms.web is not served, and has no effect"},
		"Listener":  {a: annotations{"listener-attributes.HTTPS-443": "a=1"}, want: "NoEffect: annotation listener-attributes.HTTPS-443 has no effect: listen-ports has no such listener"},
		"Action":    {a: annotations{"actions.wbe": "{}"}, want: `NoEffect: annotation actions.wbe has no effect: no backend of the Ingress is called "wbe"`},
		"Condition": {a: annotations{"conditions.wbe": "[]"}, want: `NoEffect: annotation conditions.wbe has no effect: no backend of the Ingress is called "wbe"`},
		"Secret": {
			more: func(of *networkingv1.Ingress) { of.Spec.TLS = []networkingv1.IngressTLS{{SecretName: "cert"}, {}} },
			want: `NoEffect: spec.tls.secretName "cert" has no effect: a load balancer has certificates of ACM only, which are found by the hosts, or named by the annotation certificate-arn`,
		},
		"Nginx": {
			more: func(of *networkingv1.Ingress) {
				metav1.SetMetaDataAnnotation(&of.ObjectMeta, "ingress.kubernetes.io/ssl-redirect", "true")
			},
			want: `NoEffect: annotation ingress.kubernetes.io/ssl-redirect has no effect: use alb.ingress.kubernetes.io/ssl-redirect: "443"`,
		},
		"Other": {more: func(of *networkingv1.Ingress) {
			metav1.SetMetaDataAnnotation(&of.ObjectMeta, "nginx.ingress.kubernetes.io/x", "1")
		}},
		"Default": {a: annotations{"actions.go": `{"type":"fixed-response","fixedResponseConfig":{"statusCode":"503"}}`}, more: func(of *networkingv1.Ingress) { of.Spec.DefaultBackend = new(to("go:use-annotation")) }},
		"NoHTTP": {more: func(of *networkingv1.Ingress) {
			of.Spec.Rules = append(of.Spec.Rules, networkingv1.IngressRule{Host: "x"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			of := ingress("web", tc.a, all("", "web:80"))
			if tc.more != nil {
				tc.more(of)
			}
			stack, problems := newSite().build(of)
			var want []string
			if tc.want != "" {
				want = []string{"shop/web notice " + tc.want}
			}
			check(t, "problems", want, told(problems))
			check(t, "served", 1, len(stack.Listeners[0].Rules))
		})
	}
}

// TestLaw13TagsOfOthers: no Ingress marks what is made for it as a part of another stack, such as that of a Service, which would
// delete it with that.
func TestLaw13TagsOfOthers(t *testing.T) {
	for _, key := range []string{ClusterTag, StackTag, ResourceTag, "service.k8s.aws/stack", "service.k8s.aws/resource", elb.OwnerTag, elb.RetiredTag} {
		_, problems := newSite().build(ingress("web", annotations{"tags": key + "=x"}, all("", "web:80")))
		check(t, key, []string{"shop/web refused InvalidAnnotation: the tag " + key + " cannot be set: remove it from the annotation tags"}, told(problems))
	}
	for _, key := range []string{"kubernetes.io/cluster/blue", "k8s.aws", "team", "my.podgate.dev/x"} {
		check(t, key, false, OwnTag(key))
	}
}
