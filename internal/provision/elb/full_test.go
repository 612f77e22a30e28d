// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"fmt"
	"slices"
	"testing"

	"github.com/podgate/podgate/internal/route"
)

// full is a settled world whose load balancer has as many rules as it may have.
func full(t *testing.T, rules ...Rule) *world {
	t.Helper()
	s := shop()
	if len(rules) > 0 {
		s.Listeners[0].Rules = rules
	}
	s.MostRules = len(s.Listeners[0].Rules)
	return settled(t, s)
}

func host(name, service string) Rule {
	return Rule{Owner: "shop/web", Match: route.Match{Hosts: []string{name}, Paths: []string{"/*"}}, Action: to("shop/web", service)}
}

func answer(path string, status int) Rule {
	return Rule{Owner: "shop/web", Match: route.Match{Paths: []string{path}}, Action: Action{Answer: &route.Answer{Status: status, ContentType: "text/plain"}}}
}

func TestLaw14FullReplaces(t *testing.T) {
	w := full(t)
	w.stack.TargetGroups[1] = group("shop/new", "new")
	w.stack.Listeners[0].Rules[1] = path("shop/new", "/n*", "new")
	w.sizesOf(2)
	expect(t, "where there is no room for a rule its group is a guest of another one", w.steps(), []string{
		"create target group k8s-new", "modify rule/6: forward to tg/3 (1), tg/8 (0)", "create binding shop/k8s-new",
	})
	expect(t, "which is said", w.make().Waits, []Wait{{Owner: "shop/new", Message: "The rule for every host /n* is made when it can take the place of one that goes, because load balancer web-internal has 2 rules and may have no more."}})
	expect(t, "until it serves", w.run(), []string{
		"replace rule/7 by the rule for every host /n* of shop/new: forward to tg/8 (1)", "modify rule/6: forward to tg/3 (1)", "tag rule/7: resource=shop/new",
		"delete binding shop/k8s-site", "delete tg/4",
	})
}

func TestLaw14FullRedirect(t *testing.T) {
	w := full(t, path("shop/web", "/api", "api"), Rule{Owner: "shop/web", Match: route.Match{Paths: []string{"/*"}}, Action: Action{Redirect: &route.Redirect{Status: 301, Port: "443"}}})
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "new"))
	w.stack.Listeners[0].Rules[1].Action = to("shop/web", "new")
	w.sizesOf(2)
	expect(t, "what takes over from a redirect is a guest, too", w.run(), []string{
		"create target group k8s-new", "modify rule/6: forward to tg/3 (1), tg/8 (0)", "create binding shop/k8s-new",
		"modify rule/7: forward to tg/8 (1)", "modify rule/6: forward to tg/3 (1)",
	})
}

func TestLaw14FullCrosswise(t *testing.T) {
	w := full(t, host("a", "api"), host("b", "site"))
	w.stack.Listeners[0].Rules = []Rule{path("shop/web", "/x*", "api"), path("shop/web", "/y*", "site")}
	expect(t, "where no rule can be replaced without a loss none is", w.steps(), []string(nil))
	expect(t, "which is said", len(w.make().Waits), 2)
	w.stack.MostRules++
	w.run()
	expect(t, "with room for one it goes on", w.rules(), "1 /x*; 2 /y*")
}

func TestLaw14FullParked(t *testing.T) {
	s := shop()
	s.MostRules = 3
	w := settled(t, s)
	w.stack.Listeners[0].Default = to("shop/web", "site")
	w.run()
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "new"))
	w.stack.Listeners[0].Rules = append(w.stack.Listeners[0].Rules, path("shop/web", "/new", "new"))
	w.sizesOf(2)
	expect(t, "a rule that matches nothing", w.steps(), []string{
		"create target group k8s-new", "create rule 3 of listener/5 that matches no request: forward to tg/8 (1)", "create binding shop/k8s-new",
	})
	expect(t, "becomes the one that it was for", w.run(), []string{"replace rule/9 by the rule for every host /new of shop/web: forward to tg/8 (1)", "tag rule/9: resource=shop/web"})
}

// TestLaw14FullOrder: a rule takes no place before those that come before it, and none from which it gets requests that others
// are to answer.
func TestLaw14FullOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		rules, want []Rule
		steps       string
	}{
		"Behind":   {[]Rule{path("shop/web", "/a*", "api"), path("shop/web", "/*", "site")}, []Rule{path("shop/web", "/*", "site"), path("shop/web", "/ab", "api")}, "[set priorities of listener/5: map[rule/6:2 rule/7:1]]"},
		"InFront":  {[]Rule{path("shop/web", "/a*", "api"), path("shop/web", "/*", "site")}, []Rule{path("shop/web", "/ab", "api"), path("shop/web", "/*", "site")}, "[set priorities of listener/5: map[rule/6:2 rule/7:1]]"},
		"Narrower": {[]Rule{path("shop/web", "/a*", "api")}, []Rule{path("shop/web", "/ab", "api")}, "[replace rule/6 by the rule for every host /ab of shop/web: forward to tg/3 (1)]"},
		"Refuses":  {[]Rule{path("shop/web", "/a*", "api")}, []Rule{answer("/ab", 403)}, "[replace rule/6 by the rule for every host /ab of shop/web: answer 403]"},
		"Broken":   {[]Rule{answer("/a*", 403)}, []Rule{path("shop/web", "/ab", "api")}, "[delete rule/6]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := full(t, tc.rules...)
			w.stack.Listeners[0].Rules = slices.Clone(tc.want)
			expect(t, "steps", fmt.Sprint(w.make().Steps), tc.steps)
		})
	}
}
