// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/provision/elb"
)

// made is a stack as it is once everything is made.
func made(stack elb.Stack) elb.Observed {
	tags := func(resource string, own map[string]string) map[string]string {
		return merged(own, stack.Tags, map[string]string{ResourceTag: resource})
	}
	arn := func(a elb.Action) elb.Action {
		var forward []elb.Forward
		for _, f := range a.Forward {
			forward = append(forward, elb.Forward{Group: "arn:" + f.Group, Weight: f.Weight})
		}
		a.Forward = forward
		return a
	}

	lb := elb.ObservedLoadBalancer{LoadBalancer: stack.LoadBalancer, ARN: "arn:lb", DNSName: "lb.test", State: "active", Published: true}
	lb.Tags = tags(lb.Resource, lb.Tags)
	var o elb.Observed
	if g := stack.SecurityGroup; g != nil {
		made := elb.ObservedSecurityGroup{SecurityGroup: *g, ID: "sg-made"}
		made.Tags = tags(g.Resource, g.Tags)
		o.SecurityGroups = append(o.SecurityGroups, made)
		lb.SecurityGroups = append(lb.SecurityGroups, "sg-made")
	}
	for _, g := range stack.TargetGroups {
		made := elb.ObservedTargetGroup{TargetGroup: g, ARN: "arn:" + g.Resource, LoadBalancer: "arn:lb", Bound: true, Health: &elb.Health{Registered: 2, Healthy: 2}}
		made.Tags = merged(tags(g.Resource, g.Tags), map[string]string{elb.OwnerTag: g.Owner})
		o.TargetGroups = append(o.TargetGroups, made)
	}
	for _, l := range stack.Listeners {
		made := elb.ObservedListener{Listener: l, ARN: "arn:" + l.Resource, Own: true}
		made.Rules, made.Default, made.Tags = nil, arn(l.Default), tags(l.Resource, l.Tags)
		for i, r := range l.Rules {
			rule := elb.ObservedRule{Rule: r, ARN: fmt.Sprintf("arn:%s:%d", l.Resource, i), Priority: i + 1, Own: true}
			rule.Action, rule.Tags = arn(r.Action), tags(r.Owner, r.Tags)
			made.Has = append(made.Has, rule)
		}
		lb.Listeners = append(lb.Listeners, made)
	}
	o.LoadBalancers = append(o.LoadBalancers, lb)
	return o
}

// TestLaw14AServiceBeforeItsIngress: a Service that is written a moment before the Ingress that names it, or deleted and made
// again, takes nothing away from clients.
func TestLaw14AServiceBeforeItsIngress(t *testing.T) {
	canary := `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":9},{"serviceName":"api","servicePort":80,"weight":1}]}}`
	for name, tc := range map[string]struct {
		change func(*site)
		a      annotations
	}{
		"Port": {func(s *site) {
			s.services["shop/web"].Spec.Ports[0].Port, s.services["shop/web"].Spec.Ports[0].Name = 8080, "new"
		}, nil},
		"NodePort": {func(s *site) { s.services["shop/web"].Spec.Ports[0].NodePort = 0 }, annotations{"target-type": "instance"}},
		"OneOfTwo": {func(s *site) { delete(s.services, "shop/api") }, annotations{"actions.web": canary}},
		"Deleted":  {func(s *site) { delete(s.services, "shop/web") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			backend := "web:80"
			if tc.a["actions.web"] != "" {
				backend = "web:use-annotation"
			}
			ing := ingress("web", tc.a, all("a", backend), all("b", "api:443"))
			stack, problems := s.build(ing)
			check(t, "problems", []string(nil), told(problems))

			tc.change(s)
			if _, problems = s.build(ing); len(problems) == 0 || problems[0].Severity != Partial {
				t.Errorf("before it was served: %v", problems)
			}
			s.observed = made(stack)
			after, _ := s.build(ing)
			check(t, "keep", []string{"shop/web"}, after.Keep)
			if plan := elb.Make(after, s.observed, time.Unix(0, 0)); len(plan.Steps) > 0 {
				t.Errorf("steps: %v", plan.Steps)
			}
		})
	}
}

// TestAMistakeChangesNothing: what is there stays as it is, all of it, when a member is edited so that it cannot be served, and
// once it is gone the others have what they had without it.
func TestAMistakeChangesNothing(t *testing.T) {
	first := annotations{
		"listen-ports": `[{"HTTP":80},{"HTTPS":443},{"HTTP":8080}]`, "certificate-arn": "arn:1", "ssl-redirect": "443", "scheme": "internet-facing", "inbound-cidrs": "10.0.0.0/8",
		"load-balancer-attributes": "a=1", "tags": "t=1", "group.order": "-1", "ssl-policy": "strict", "listener-attributes.HTTPS-443": "x=1",
	}
	for name, mistake := range map[string]annotations{
		"Ports": {"listen-ports": "443"}, "Scheme": {"scheme": "public"}, "Limits": {"inbound-cidrs": "10.0.0.0"}, "Health": {"healthcheck-path": ""}, "Protection": {"auth-type": "oidc"},
		"All": {"listen-ports": "443", "scheme": "public", "inbound-cidrs": "10.0.0.0", "tags": "x", "load-balancer-attributes": "x", "certificate-arn": "", "group.order": "-1000"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			other := ingress("b", annotations{"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`, "certificate-arn": "arn:2"}, all("b", "api:80"))
			stack, problems := s.build(ingress("a", first, all("a", "web:80"), rule("x", path("/x", "api:http", "Exact"))), other)
			check(t, "problems", []string(nil), told(problems))
			s.observed = made(stack)
			check(t, "steps at first", 0, len(elb.Make(stack, s.observed, time.Time{}).Steps))

			a := annotations(merged(first, mistake))
			stack, problems = s.build(ingress("a", a, all("a", "web:80"), rule("x", path("/x", "api:http", "Exact"))), other)
			if len(problems) == 0 {
				t.Error("no problem")
			}
			for _, step := range elb.Make(stack, s.observed, time.Time{}).Steps {
				t.Errorf("step: %v", step)
			}
		})
	}
}

// TestOrderThatCannotBeRead: rules that stay keep their place among the others, too.
func TestOrderThatCannotBeRead(t *testing.T) {
	order := func(order string) annotations { return annotations{"group.order": order} }
	s := newSite()
	build := func(b string) elb.Stack {
		stack, _ := s.build(ingress("a", order("1"), all("a", "web:80")), ingress("b", order(b), all("b", "web:80")), ingress("c", order("3"), all("c", "web:80")), ingress("d", order("4"), all("d", "web:80")))
		return stack
	}
	want := func(owners ...string) []string {
		list := []string{"HTTP:80 404"}
		for _, o := range owners {
			list = append(list, map[string]string{"b": "  shop/b: kept"}[o])
			if o != "b" {
				list[len(list)-1] = fmt.Sprintf("  shop/%s: [%s][/*] -> shop/%s-web:80*1", o, o, o)
			}
		}
		return list
	}

	check(t, "new", want("b", "a", "c", "d"), drawn(build("x")))
	for before, owners := range map[string][]string{"0": {"b", "a", "c", "d"}, "2": {"a", "b", "c", "d"}, "3": {"a", "b", "c", "d"}, "9": {"a", "c", "d", "b"}} {
		s.observed = elb.Observed{}
		s.observed = made(build(before))
		check(t, "after "+before, want(owners...), drawn(build("x")))
	}

	// Rules that are somebody else's, and the later ones of several, say nothing of the place.
	s.observed = elb.Observed{}
	s.observed = made(build("2"))
	has := &s.observed.LoadBalancers[0].Listeners[0].Has
	stranger, last := (*has)[0], (*has)[0]
	stranger.Own, stranger.Owner, stranger.Priority = false, "shop/d", 1
	last.Owner, last.Priority = "shop/b", 9
	(*has)[0].Priority, (*has)[1].Priority, (*has)[2].Priority, (*has)[3].Priority = 2, 3, 4, 5
	*has = append(*has, stranger, last)
	check(t, "of several", want("a", "b", "c", "d"), drawn(build("x")))
}
