// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"fmt"
	"slices"
	"strings"
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
	expect(t, "which is said", w.make().Waits, []Wait{{Owner: "shop/new", Message: "The rule for every host /n* is made when it can take the place of one that goes, because load balancer web-internal has 2 rules and may have no more. Where that lasts, remove a rule, or have AWS raise the quota."}})
	expect(t, "until it serves", w.run(), []string{
		"replace rule/7 by the rule for every host /n* of shop/new: forward to tg/8 (1), tg/4 (0)", "modify rule/6: forward to tg/3 (1)", "tag rule/7: resource=shop/new",
		"delete binding shop/k8s-site", "modify rule/7: forward to tg/8 (1)", "delete tg/4",
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
	s.Listeners[0].Rules[1] = path("shop/web", "/site*", "site")
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

// TestFullWithoutGuests: where no rule of a listener forwards to anything, none can have another target group checked, and what would
// take requests from a rule that answers waits for room.
func TestFullWithoutGuests(t *testing.T) {
	s := shop()
	s.Listeners[0].Rules = s.Listeners[0].Rules[:1]
	other := s.Listeners[0]
	other.Resource, other.Port = "8080", 8080
	other.Rules = []Rule{{Owner: "shop/web", Match: route.Match{Paths: []string{"/a*"}}, Action: Action{Redirect: &route.Redirect{Status: 301, Port: "443"}}}}
	s.Listeners, s.MostRules = append(s.Listeners, other), 2
	w := settled(t, s)

	w.stack.Listeners = slices.Clone(w.stack.Listeners)
	w.stack.Listeners[1].Rules = []Rule{{Owner: "shop/web", Match: route.Match{Hosts: []string{"a"}, Paths: []string{"/a*"}}, Action: to("shop/web", "new")}}
	w.stack.TargetGroups = append(w.stack.TargetGroups, group("shop/web", "new"))
	w.sizesOf(2)
	w.steps()
	expect(t, "who waits, and for what", w.make().Waits, []Wait{
		{Owner: "shop/web", Message: "The rule for a /a* is made when it can take the place of one that goes, because load balancer web-internal has 2 rules and may have no more. Where that lasts, remove a rule, or have AWS raise the quota."},
		{Message: "The health of target group k8s-new is checked when there is a rule to name it, because load balancer web-internal has 2 rules and may have no more."},
	})
	w.stack.MostRules++
	w.run()
	expect(t, "with room for one it goes on", len(w.seen.LoadBalancers[0].Listeners[1].Has), 1)
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

// TestReuse: which step takes the place of a rule that goes, for the first one for which there is no room.
func TestReuse(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted, leaves, missing string
		want                        string
	}{
		"Becomes":        {"404: /x sick, /a well", "404: /a well, /b fine", "/x", "/b", "/x becomes /b fine"},
		"ParkedLast":     {"404: /a well, - new", "404: /a well, /b fine", "-", "/b", "- becomes /b fine"},
		"ParkedInFront":  {"404: - new, /a well", "404: /a well, /b fine", "-", "/b", "map[-:3]"},
		"WouldLoseThem":  {"404: /a* well", "404: /ab fine, /ac fine", "/a*", "/ab", ""},
		"WouldTakeThem":  {"404: /x sick, /a* well", "404: /ab new, /a* well", "/x", "/ab", ""},
		"ParkedBehindIt": {"404: - new, /a well theirs", "404: /b fine", "-", "/b", "- becomes /b fine"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted, atMost(2))
			r.reuse([]*place{r.place(tc.missing)}, r.inOrder(tc.leaves))
			expect(t, "steps", r.steps(), tc.want)
			expect(t, "waits where there is none", len(r.p.plan.Waits) > 0, tc.want == "")
			expect(t, "and has the target groups checked", len(r.warm) > 0, tc.want == "")
		})
	}
}

func TestMayBecome(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted, leaves, missing string
		want                        bool
	}{
		"LeavesRequests": {"404: /a* well", "404: /ab fine, /ac fine", "/a*", "/ab", false},
		"LeavesNone":     {"404: /a* sick", "404: /ab fine, /ac fine", "/a*", "/ab", true},
		"Parked":         {"404: /x* well, - well", "404: /ab fine, /ac fine", "-", "/ab", true},
		"TakesAll":       {"404: /ab well", "404: /a* fine, /a? fine", "/ab", "/a*", true},
		"MayNotStand":    {"404: /a* sick, /* well", "404: /* well, /ab fine", "/a*", "/ab", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "may become", r.mayBecome(r.rule(tc.leaves), r.place(tc.missing)), tc.want)
		})
	}
}

func TestMayStand(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted, leaves, missing string
		want                        bool
	}{
		"BeforeAnother":      {"404: /x sick, /a* well", "404: /ab fine, /a* well", "/x", "/ab", true},
		"BeforeItsFirst":     {"404: /x sick, /a* well", "404: /a* well, /ab fine", "/x", "/ab", false},
		"Hidden":             {"404: /a* well, /ab fine", "404: /a* well, /ab* new", "/ab", "/ab*", true},
		"BehindItsFirst":     {"404: /a* well, /x sick", "404: /a* well, /ab fine", "/x", "/ab", true},
		"ServesNot":          {"404: /x sick, /a* well", "404: /ab new, /a* well", "/x", "/ab", false},
		"RefusesMissing":     {"404: /x sick", "404: /ab fine, /a* 403", "/x", "/a*", false},
		"RefusesNoneMissing": {"404: /x sick", "404: /b fine, /a* 403", "/x", "/a*", true},
		"FirstIsThere":       {"404: /ab fine, /x sick", "404: /ab fine, /a* 403", "/x", "/a*", true},
		"AnswersMissing":     {"404: /x sick", "404: /ab fine, /a* well", "/x", "/a*", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "may stand", r.mayStand(r.place(tc.missing), r.rule(tc.leaves)), tc.want)
		})
	}
}

// TestMayLeave: whether the rule /a* may become the one for /ab, for the requests that it leaves.
func TestMayLeave(t *testing.T) {
	for name, tc := range map[string]struct {
		is, next, wanted string
		want             bool
	}{
		"DefaultAnswers":        {"well: /a* fine", "well", "new: /ab fine", true},
		"DefaultRefusesNow":     {"404: /a* fine", "well", "new: /ab fine", false},
		"DefaultRefusesThen":    {"well: /a* fine", "404", "new: /ab fine", false},
		"DefaultIsFewerNow":     {"well+sick: /a* fine", "well", "new: /ab fine", false},
		"DefaultIsFewerThen":    {"well: /a* fine", "well+sick", "new: /ab fine", false},
		"NobodyAnswers":         {"404: /a* well", "404", "404: /ab fine", true},
		"BehindRefusesAndGoes":  {"404: /a* well, /ac 403", "404", "404: /ab fine", false},
		"BehindAnswersAndGoes":  {"404: /a* well, /ac fine", "404", "404: /ab fine", true},
		"BehindRefuses":         {"404: /a* well, /ac 403", "404", "404: /ab fine, /ac 403", true},
		"BehindIsToAnswer":      {"404: /a* well, /ac 403", "404", "404: /ab fine, /ac well", false},
		"FirstRefuses":          {"404: /a* well, /ac 403", "404", "404: /ac 403, /ab fine", true},
		"FirstIsToAnswer":       {"404: /a* well, /ac 403", "404", "404: /ac well, /ab fine", false},
		"BehindServesNot":       {"404: /a* well, /ac new", "404", "404: /ab fine, /ac new", false},
		"BehindIsOthers":        {"404: /a* well, /c 403", "404", "404: /ab fine", true},
		"Before":                {"404: /ac new, /a* well", "404", "404: /ac new, /ab fine", true},
		"MissingUncovered":      {"404: /a* well", "404", "404: /ab fine, /ac fine", false},
		"MissingCovered":        {"404: /a* well, /* fine", "404", "404: /ab fine, /ac well, /* fine", true},
		"MissingHalfCovered":    {"404: /a* well, /ad* fine", "404", "404: /ab fine, /ac well, /ad* fine", false},
		"MissingRefused":        {"404: /a* well, /* 403", "404", "404: /ab fine, /ac well, /* 403", false},
		"MissingBehindDefault":  {"well: /a* fine", "well", "well: /ab fine, /ac fine", true},
		"MissingElsewhere":      {"well: /a* fine", "well", "well: /ab fine, /b lost", true},
		"MissingGroup":          {"well: /a* fine", "well", "well: /ab fine, /ac lost", false},
		"MissingServesNot":      {"well: /a* fine", "well", "well: /ab fine, /ac new", false},
		"MissingBeforeItsFirst": {"well: /a* fine, /* fine", "well", "well: /ab fine, /* fine", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			r.next = actionOf(tc.next)
			expect(t, "may leave", r.mayLeave(r.rule("/a*"), r.place("/ab")), tc.want)
		})
	}
}

func TestBehind(t *testing.T) {
	r := rulesOf("404: /a well, /ab well, - new, /b well, /ac well theirs, /a* well", "404:")
	expect(t, "from a priority on", paths(r.behind(2, route.Match{Paths: []string{"/a*"}})), "/ab /a*")
	expect(t, "for all requests", paths(r.behind(1, route.Match{})), "/a /ab /b /a*")
}

func TestLodge(t *testing.T) {
	for name, tc := range map[string]struct {
		is, warm, want string
		waits          bool
	}{
		"One":            {"404: /a well", "new", "/a does well+new=0", false},
		"WithoutWeight":  {"404: /a well=0", "new", "/a does well+new=0", false},
		"OfTwo":          {"404: /a well=0+fine", "new", "/a does well=0+fine+new=0", false},
		"FiveAtMost":     {"404: /a well+fine+o+p, /b well", "new sick", "/a does well+fine+o+p+new=0, /b does well+sick=0", false},
		"NoPlace":        {"404: /a well+fine+o+p+q, /b well", "new sick", "/b does well+new=0+sick=0", false},
		"NoPlaceForBoth": {"404: /a well+fine+o+p", "new sick", "/a does well+fine+o+p+new=0", true},
		"NobodyForwards": {"404: /a 200", "new", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.is)
			r.lodge(strings.Fields(tc.warm))
			expect(t, "steps", r.steps(), tc.want)
			expect(t, "waits", len(r.p.plan.Waits) > 0, tc.waits)
		})
	}
}

func TestHosts(t *testing.T) {
	r := rulesOf("404: /a well, /b 200, /c well theirs, /d well, /e kept shop/kept, /f well, /g fine", "404: /d fine, /a well, /b 200, /g fine", keeping("shop/kept"))
	r.changed["/g"] = actionOf("well")
	expect(t, "rules that may have guests", paths(r.hosts()), "/a /f")
}

func TestPlain(t *testing.T) {
	for name, tc := range map[string]struct{ is, wanted, want string }{
		"Guest":       {"404: /a well+new=0", "404: /a well, /b new", "well"},
		"NotNeeded":   {"404: /a well+new=0", "404: /a well", "well+new=0"},
		"Own":         {"404: /a well+new=0", "404: /a well+new=0, /b new", "well+new=0"},
		"HasRequests": {"404: /a well+new", "404: /a well, /b new", "well+new"},
		"Alone":       {"404: /a new=0", "404: /a well, /b new", "new=0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "without guests", said(r.plain(r.place("/a").has.Action, r.place("/a").Action)), tc.want)
		})
	}
}
