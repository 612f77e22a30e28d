// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/podgate/podgate/internal/provision/elb"
)

// TestRandomGroups: whatever is in the members, the same is built each time, each rule is of a member, and a member that is at fault
// by itself changes nothing in the rules of the others.
func TestRandomGroups(t *testing.T) {
	values := map[string][]string{
		"scheme": {"internal", "internet-facing", "public"}, "target-type": {"ip", "instance", "pod"}, "listen-ports": {`[{"HTTP":80}]`, `[{"HTTP":80},{"HTTPS":443}]`, `[{"HTTPS":80}]`, "80"},
		"certificate-arn": {"arn:1", "arn:1,arn:2"}, "ssl-redirect": {"443", "8443"}, "tags": {"a=1", "a=2,b=1", "x"}, "inbound-cidrs": {"10.0.0.0/8", "10.0.0.0"}, "security-groups": {"sg-1", "nobody"},
		"group.order": {"-5", "5", "5000"}, "auth-type": {"none", "oidc"}, "healthcheck-port": {"http", "none", "80"}, "load-balancer-attributes": {"a=1", "a"}, "subnets": {"x", "y,x"},
		"actions.go": {`{"type":"fixed-response","fixedResponseConfig":{"statusCode":"404"}}`, "{"}, "conditions.web": {`[{"field":"source-ip","sourceIPConfig":{"values":["10.0.0.0/8"]}}]`, "["}, "unknown": {"1"},
	}
	names := slices.Sorted(maps.Keys(values))

	rapid.Check(t, func(t *rapid.T) {
		s := newSite()
		var members []*networkingv1.Ingress
		for i := range rapid.IntRange(0, 4).Draw(t, "members") {
			a := annotations{}
			for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID).Draw(t, "annotations") {
				a[name] = rapid.SampledFrom(values[name]).Draw(t, name)
			}
			backend := rapid.SampledFrom([]string{"web:80", "api:https", "gone:80", "web:81", "go:use-annotation"}).Draw(t, "backend")
			members = append(members, ingress(fmt.Sprint("m", i), a, rule(fmt.Sprint("host", i), path("/", backend, "Prefix"), path("/b", backend, "Exact"))))
		}
		if rapid.Bool().Draw(t, "exists") {
			s.observed = has(elb.ObservedListener{Listener: elb.Listener{Port: 80, Protocol: "HTTP", Default: notFound}, Own: true, Has: ofOwner("shop/m0", 1)})
		}

		stack, problems := s.build(members...)
		again, same := s.build(members...)
		if diff := cmp.Diff(stack, again) + cmp.Diff(problems, same); diff != "" {
			t.Fatalf("built differently:\n%s", diff)
		}
		consistent(t, stack, problems)

		bad := ingress("bad", annotations{"scheme": "public"}, all("bad", "web:80"))
		with, _ := s.build(append(members, bad, ingress("empty", nil))...)
		without, _ := s.build(append(members, ingress("empty", nil))...)
		if diff := cmp.Diff(ofOthers(without), ofOthers(with)); diff != "" {
			t.Fatalf("one at fault changed the others:\n%s", diff)
		}
	})
}

// consistent checks a stack against itself and its problems.
func consistent(t *rapid.T, stack elb.Stack, problems []Problem) {
	groups := map[string]bool{}
	for _, g := range stack.TargetGroups {
		if groups[g.Resource] {
			t.Errorf("target group %s is there twice", g.Resource)
		}
		groups[g.Resource] = true
	}
	for _, p := range problems {
		if refused := p.Severity == Refused; refused && !slices.Contains(stack.Keep, p.Owner) || p.Message == "" || p.Owner == "" || p.Reason == "" {
			t.Errorf("problem %v of a member that is served", p)
		}
	}
	for _, l := range stack.Listeners {
		if l.Protocol == "HTTPS" && len(l.Certificates) == 0 || l.Port == 0 || l.Protocol == "" {
			t.Errorf("listener %v", l)
		}
		for _, r := range l.Rules {
			if r.Kept != slices.Contains(stack.Keep, r.Owner) {
				t.Errorf("rule %v", r)
			}
			for _, f := range r.Action.Forward {
				if !groups[f.Group] {
					t.Errorf("rule for target group %s, which is not there", f.Group)
				}
			}
		}
	}
}

// ofOthers are a stack's listeners and rules without those of the one at fault.
func ofOthers(stack elb.Stack) []string {
	return slices.DeleteFunc(drawn(stack), func(line string) bool { return strings.Contains(line, "shop/bad") })
}
