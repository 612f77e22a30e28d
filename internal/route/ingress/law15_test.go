// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"slices"
	"strings"
	"testing"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
)

// TestLaw15WhatProtectsIsServedOrRefuses: an annotation that limits who may reach the targets refuses the Ingress, unless its value
// limits nobody.
func TestLaw15WhatProtectsIsServedOrRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		refused     bool
	}{
		{"auth-type", "cognito", true}, {"auth-type", "oidc", true}, {"auth-type", "none", false}, {"auth-type", "", true},
		{"auth-idp-oidc", "{}", true}, {"auth-scope", "openid", true},
		{"jwt-validation", "{}", true}, {"jwt-validation", "none", true},
		{"mutual-authentication", `[{"port":443,"mode":"verify"}]`, true}, {"mutual-authentication", `[{"port":443,"mode":"off"}]`, false},
		{"mutual-authentication", `[{"port":443,"mode":"off"},{"port":444,"mode":"passthrough"}]`, true}, {"mutual-authentication", `off`, true}, {"mutual-authentication", `[{"port":443}]`, true},
		{"wafv2-acl-arn", "arn:aws:wafv2:1", true}, {"wafv2-acl-arn", "none", false}, {"wafv2-acl-name", "acl", true}, {"wafv2-acl-name", "none", false},
		{"waf-acl-id", "1", true}, {"waf-acl-id", "none", false}, {"web-acl-id", "1", true}, {"web-acl-id", "none", false},
		{"shield-advanced-protection", "true", true}, {"shield-advanced-protection", "false", false},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			for _, on := range []string{"Ingress", "Service"} {
				s, a := newSite(), annotations{tc.name: tc.value}
				if on == "Service" {
					s.annotate("shop/web", a)
					a = nil
				}
				stack, problems := s.build(ingress("web", a, all("", "web:80")))

				if !tc.refused {
					check(t, on+": problems", []string(nil), told(problems))
					check(t, on+": listeners", 1, len(stack.Listeners))
					continue
				}
				check(t, on+": listeners", []string(nil), drawn(stack))
				check(t, on+": kept", []string{"shop/web"}, stack.Keep)
				if len(problems) != 1 || problems[0].Severity != Refused || problems[0].Reason != v1alpha1.ReasonProtectionNotServed || !strings.Contains(problems[0].Message, "annotation "+tc.name) {
					t.Errorf("%s: %v", on, problems)
				}
			}
		})
	}
}

// TestLaw15Misspelt: an annotation that nobody knows, and that seems to limit who may connect, refuses the Ingress as one that is
// not served does.
func TestLaw15Misspelt(t *testing.T) {
	for _, name := range []string{"wafv2-web-acl-arn", "web-acl", "shield-protection", "jwt", "mutual-auth", "mtls-mode", "oidc-issuer", "cognito-pool", "inbound-cidr", "security-group", "whitelist-source-range", "allowlist"} {
		t.Run(name, func(t *testing.T) {
			stack, problems := newSite().build(ingress("web", annotations{name: "none"}, all("", "web:80")))
			check(t, "listeners", []string(nil), drawn(stack))
			check(t, "problems", []string{"shop/web refused ProtectionNotServed: annotation " + name + " is not known, and seems to limit who may connect: correct its name, or remove it"}, told(problems))
		})
	}
}

// TestLaw15ClassIsWider: a class that lets in clients that the Ingress does not cannot win.
func TestLaw15ClassIsWider(t *testing.T) {
	for name, tc := range map[string]struct {
		class   []string
		own     string
		refused string
	}{
		"Same":     {class: []string{"10.0.0.0/8"}, own: "10.0.0.0/8"},
		"Narrower": {class: []string{"10.1.0.0/16", "2001:db8:1::/48"}, own: "192.0.2.0/24, 10.0.0.0/8,2001:db8::/32"},
		"Wider":    {class: []string{"10.1.0.0/16", "10.0.0.0/7"}, own: "10.0.0.0/8", refused: "10.0.0.0/7"},
		"Other":    {class: []string{"192.0.2.0/24"}, own: "10.0.0.0/8", refused: "192.0.2.0/24"},
		"Unread":   {class: []string{"192.0.2.0/24"}, own: "10.0.0.0", refused: "192.0.2.0/24"},
		"Silent":   {class: []string{"0.0.0.0/0"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newSite(), annotations{}
			if tc.own != "" {
				a["inbound-cidrs"] = tc.own
			}
			s.params = map[string]Member{"web": {Params: &elbv2.IngressClassParamsSpec{InboundCIDRs: tc.class}}}
			stack, problems := s.build(ingress("web", a, all("", "web:80")))

			var refused []string
			for _, p := range problems {
				if p.Severity == Refused {
					refused = append(refused, p.Message)
				}
			}
			if tc.refused == "" {
				check(t, "refused", []string(nil), refused)
				return
			}
			check(t, "listeners", []string(nil), drawn(stack))
			check(t, "refused", []string{"annotation inbound-cidrs does not let in " + tc.refused + ", which the class's IngressClassParams does, and the Ingress would be served more openly than it asks for: remove it, or use another class"}, refused)
		})
	}
}

// TestLaw15OthersOfAuthentication have no effect where the Ingress says that there is none.
func TestLaw15OthersOfAuthentication(t *testing.T) {
	_, problems := newSite().build(ingress("web", annotations{"auth-type": "none", "auth-scope": "openid"}, all("", "web:80")))
	check(t, "problems", []string(nil), told(problems))
}

// TestLaw15ClassProtects: what the class says refuses its Ingresses as well.
func TestLaw15ClassProtects(t *testing.T) {
	for name, spec := range map[string]elbv2.IngressClassParamsSpec{"ARN": {WAFv2ACLArn: "arn:aws:wafv2:1"}, "Name": {WAFv2ACLName: "acl"}} {
		s := newSite()
		s.params = map[string]Member{"web": {Params: &spec}}
		stack, problems := s.build(ingress("web", nil, all("", "web:80")))
		if len(stack.Listeners) != 0 || len(problems) != 1 || problems[0].Severity != Refused || !strings.Contains(problems[0].Message, "of the class's IngressClassParams") {
			t.Errorf("%s: %v, %v", name, drawn(stack), problems)
		}
	}
}

// TestLaw15LimitsNeedTheOwnSecurityGroup: who may connect cannot be limited in security groups that are somebody else's.
func TestLaw15LimitsNeedTheOwnSecurityGroup(t *testing.T) {
	for _, limit := range []annotations{{"inbound-cidrs": "10.0.0.0/8"}, {"security-group-prefix-lists": "pl-1"}} {
		limit["security-groups"] = "sg-1"
		stack, problems := newSite().build(ingress("web", limit, all("", "web:80")))
		if len(stack.Listeners) != 0 || len(problems) != 1 || problems[0].Severity != Refused || problems[0].Reason != v1alpha1.ReasonProtectionNotServed {
			t.Errorf("%v: %v, %v", limit, drawn(stack), problems)
		}
	}

	// In a group the later one would have no effect.
	stack, problems := newSite().build(ingress("a", annotations{"security-groups": "sg-1"}, all("a", "web:80")), ingress("b", annotations{"inbound-cidrs": "10.0.0.0/8"}, all("b", "web:80")))
	check(t, "problems", []string{
		`shop/b refused ConflictInGroup: the limit to who may connect is "inbound-cidrs or security-group-prefix-lists", and Ingress shop/a, which is before it in the group, has "security-groups": use the same value, or another group`,
	}, told(problems))
	check(t, "listeners", []string{"HTTP:80 404", "  shop/a: [a][/*] -> shop/a-web:80*1", "  shop/b: kept"}, drawn(stack))
}

// TestLaw15RedirectsServeNothingElse: with ssl-redirect no listener answers without TLS, whichever member asks for it.
func TestLaw15RedirectsServeNothingElse(t *testing.T) {
	s := newSite()
	stack, problems := s.build(
		ingress("a", nil, all("a", "web:80")),
		ingress("b", annotations{"listen-ports": `[{"HTTP":80},{"HTTP":8080},{"HTTPS":443}]`, "certificate-arn": "arn:1", "ssl-redirect": "443"}, all("b", "web:80")),
	)
	if len(problems) != 1 || problems[0].Owner != "shop/a" || problems[0].Severity != Partial {
		t.Errorf("nobody tells a: %v", problems)
	}
	check(t, "listeners", []string{"HTTP:80 301 HTTPS:443", "HTTPS:443 404 arn:1", "  shop/b: [b][/*] -> shop/b-web:80*1", "HTTP:8080 301 HTTPS:443"}, drawn(stack))

	// Without any certificate the redirect stays.
	s = newSite()
	stack, _ = s.build(ingress("web", annotations{"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`, "ssl-redirect": "443"}, all("a", "web:80")))
	check(t, "without certificate", []string{"HTTP:80 301 HTTPS:443"}, drawn(stack))
}

// TestLaw15RedirectsStay: while a member's wish for a redirect cannot be read, nobody is served without TLS at its listener.
func TestLaw15RedirectsStay(t *testing.T) {
	both := annotations{"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`, "certificate-arn": "arn:1", "ssl-redirect": "443", "ssl-policy": "strict"}
	s := newSite()
	stack, _ := s.build(ingress("a", both, all("a", "web:80")), ingress("b", nil))
	s.observed = made(stack)

	both["ssl-redirect"] = "https"
	stack, _ = s.build(ingress("a", both, all("a", "web:80")), ingress("b", annotations{"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`, "certificate-arn": "arn:2"}, all("b", "web:80")))
	check(t, "listeners", []string{"HTTP:80 301 HTTPS:443", "  shop/a: kept", "HTTPS:443 404 arn:1 arn:2", "  shop/a: kept", "  shop/b: [b][/*] -> shop/b-web:80*1"}, drawn(stack))
	check(t, "policy", "strict", stack.Listeners[1].SSLPolicy)
}

// TestLaw15ConditionsThatCannotBeRead do not let everybody in.
func TestLaw15ConditionsThatCannotBeRead(t *testing.T) {
	stack, problems := newSite().build(ingress("web", annotations{"conditions.web": `[{"field":"source-ip"}]`}, all("", "web:80")))
	if len(stack.Listeners) != 0 || len(problems) != 1 || problems[0].Severity != Refused {
		t.Errorf("%v, %v", drawn(stack), problems)
	}
}

// TestLaw15SettingsAreHeld: while the limits of a member that is served are not known, nobody else's wish widens them.
func TestLaw15SettingsAreHeld(t *testing.T) {
	limited := elb.LoadBalancer{Resource: "LoadBalancer", Kind: elb.Application, Name: "has", Scheme: "internal", AddressType: "ipv4", SecurityGroups: []string{"sg-made", "sg-else"}}
	group := elb.SecurityGroup{Resource: "ManagedLBSecurityGroup", Name: "g", Ingress: []elb.Permission{{Protocol: "tcp", From: 80, To: 80, CIDR: "10.0.0.0/8"}}}
	observed := elb.Observed{
		LoadBalancers: []elb.ObservedLoadBalancer{{LoadBalancer: limited, Published: true, Listeners: []elb.ObservedListener{{
			Listener: elb.Listener{Port: 80, Protocol: "HTTP", Default: notFound}, Own: true,
			Has: []elb.ObservedRule{{Rule: elb.Rule{Owner: "shop/a", Match: route.Match{Hosts: []string{"a"}}}, Own: true}},
		}}}},
		SecurityGroups: []elb.ObservedSecurityGroup{{SecurityGroup: elb.SecurityGroup{Resource: "other"}, ID: "sg-else"}, {SecurityGroup: group, ID: "sg-made"}},
	}

	for name, tc := range map[string]struct {
		a, b annotations
		held bool
	}{
		"Unreadable": {a: annotations{"inbound-cidrs": "10.0.0.0"}, held: true},
		"Scheme":     {a: annotations{"scheme": "inside"}, b: annotations{"scheme": "internet-facing"}, held: true},
		"Conflict":   {a: annotations{"inbound-cidrs": "10.0.0.0/8", "group.order": "2"}, b: annotations{"inbound-cidrs": "0.0.0.0/0", "group.order": "1"}, held: true},
		"Harmless":   {a: annotations{"inbound-cidrs": "10.0.0.0/8", "load-balancer-name": "x", "group.order": "2"}, b: annotations{"load-balancer-name": "y", "group.order": "1"}, held: true},
		"Readable":   {a: annotations{"healthcheck-path": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			s.observed = observed
			stack, problems := s.build(ingress("a", tc.a, all("a", "web:80")), ingress("b", tc.b, all("b", "web:80")))

			b := "  shop/b: [b][/*] -> shop/b-web:80*1"
			if rules := drawn(stack); !slices.Contains(rules, b) || !slices.Contains(rules, "  shop/a: kept") {
				t.Errorf("rules: %v", rules)
			}
			want := limited
			want.SecurityGroups = []string{"sg-else"}
			if tc.held {
				check(t, "load balancer", want, stack.LoadBalancer)
				check(t, "security group", &group, stack.SecurityGroup)
				if last := told(problems); !slices.Contains(last, "shop/b notice SettingsHeld: the settings of the load balancer stay as they are until Ingress shop/a is corrected, since it has rules there") {
					t.Errorf("nobody tells b: %v", last)
				}
			} else if stack.LoadBalancer.Name == limited.Name || slices.ContainsFunc(problems, func(p Problem) bool { return p.Reason == v1alpha1.ReasonSettingsHeld }) {
				t.Errorf("settings are held: %v", stack.LoadBalancer)
			}
		})
	}

	// One that has no rules holds nothing.
	s := newSite()
	stack, _ := s.build(ingress("a", annotations{"inbound-cidrs": "10.0.0.0"}, all("a", "web:80")), ingress("b", nil, all("b", "web:80")))
	if stack.LoadBalancer.Name == limited.Name || stack.SecurityGroup == nil || stack.SecurityGroup.Ingress[0].CIDR != "0.0.0.0/0" {
		t.Errorf("held: %v", stack.LoadBalancer)
	}
}
