// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/route"
)

// rulesOf is a listener as it is and as it should be, each in words such as
//
//	404: /a well, /b* well+new=0, /c 403 theirs
//
// which are the default action, and each rule's path with its action and whose it is: shop/web's where nothing is said. An
// action is a status, or target groups with their weights, 1 where none is said. Of those well, fine and kept serve, new and sick
// do not, lost is not there, and of others nothing is known. The path - is that of a rule that matches nothing. Rules have the
// priorities 1, 2 and so on, and each ARN is the rule's path.
func rulesOf(is, wanted string, changes ...func(*Stack, *Observed)) *rules {
	var stack Stack
	stack.LoadBalancer.Kind = Application
	listener := ObservedListener{ARN: "listener", Own: true}
	for i, rule := range inWords(is, &listener.Default) {
		arn := rule.Match.Paths[0]
		if arn == "-" {
			rule.Match = parking
		}
		listener.Has = append(listener.Has, ObservedRule{ARN: arn, Rule: rule, Priority: i + 1, Own: rule.Owner != "theirs"})
	}
	want := Listener{}
	want.Rules = inWords(wanted, &want.Default)
	stack.Listeners = []Listener{want}

	seen := Observed{LoadBalancers: []ObservedLoadBalancer{{LoadBalancer: stack.LoadBalancer, ARN: "lb", Listeners: []ObservedListener{listener}}}}
	for _, name := range []string{"well", "fine", "new", "sick", "lost"} {
		stack.TargetGroups = append(stack.TargetGroups, TargetGroup{Resource: name, Name: name, Owner: "shop/web"})
	}
	for name, healthy := range map[string]int{"well": 2, "fine": 2, "kept": 2, "new": 0, "sick": 0} {
		seen.TargetGroups = append(seen.TargetGroups, ObservedTargetGroup{
			TargetGroup: TargetGroup{Resource: name, Name: name}, ARN: name, LoadBalancer: "lb", Health: &Health{Registered: 2, Healthy: healthy},
		})
	}
	for i := range seen.TargetGroups {
		if g := &seen.TargetGroups[i]; g.Name == "kept" {
			g.Owner = "shop/kept"
		}
	}
	for _, change := range changes {
		change(&stack, &seen)
	}

	p := newPlanner(stack, seen, time.Time{})
	r := p.newRules(stack.Listeners[0], &p.balancer.Listeners[0])
	r.next = r.listener.Default
	return r
}

// inWords reads a listener's rules and its default action.
func inWords(text string, otherwise *Action) []Rule {
	first, list, _ := strings.Cut(text, ":")
	*otherwise = actionOf(first)

	var rules []Rule
	for one := range strings.SplitSeq(list, ",") {
		words := append(strings.Fields(one), "shop/web")
		if len(words) > 1 {
			rules = append(rules, Rule{Owner: words[2], Match: route.Match{Paths: words[:1]}, Action: actionOf(words[1])})
		}
	}
	return rules
}

func actionOf(words string) Action {
	if status, err := strconv.Atoi(words); err == nil {
		return Action{Answer: &route.Answer{Status: status}}
	}
	var a Action
	for one := range strings.SplitSeq(words, "+") {
		name, weight, said := strings.Cut(one, "=")
		f := Forward{Group: name, Weight: 1}
		if said {
			n, _ := strconv.Atoi(weight) // a test's own words
			f.Weight = int32(n)
		}
		a.Forward = append(a.Forward, f)
	}
	return a
}

// said is an action in words.
func said(a Action) string {
	if a.Answer != nil {
		return strconv.Itoa(a.Answer.Status)
	}
	var list []string
	for _, f := range a.Forward {
		one := f.Group
		if f.Weight != 1 {
			one += fmt.Sprintf("=%d", f.Weight)
		}
		list = append(list, one)
	}
	return strings.Join(list, "+")
}

// rule is the rule that there is for a path.
func (r *rules) rule(path string) *ObservedRule {
	for i := range r.listener.Has {
		if o := &r.listener.Has[i]; o.ARN == path {
			return o
		}
	}
	return nil
}

// inOrder are the rules that there are for paths.
func (r *rules) inOrder(paths ...string) []*ObservedRule {
	var list []*ObservedRule
	for _, path := range paths {
		list = append(list, r.rule(path))
	}
	return list
}

// place is the one that is wanted for a path.
func (r *rules) place(path string) *place {
	return r.places[slices.IndexFunc(r.places, func(w *place) bool { return w.Match.Paths[0] == path })]
}

func paths(rules []*ObservedRule) string {
	var list []string
	for _, o := range rules {
		list = append(list, o.ARN)
	}
	return strings.Join(list, " ")
}

// steps are those that are planned.
func (r *rules) steps() string {
	var list []string
	for _, s := range r.p.plan.Steps {
		switch s := s.(type) {
		case Tag:
		case CreateRule:
			list = append(list, fmt.Sprintf("%d %s %s", s.Priority, strings.Join(slices.Concat(s.Rule.Match.Paths, s.Rule.Match.Sources), " "), said(s.Rule.Action)))
		case ModifyRule:
			list = append(list, fmt.Sprintf("%s does %s", s.ARN, said(s.Action)))
		case ReplaceRule:
			list = append(list, fmt.Sprintf("%s becomes %s %s", s.ARN, strings.Join(slices.Concat(s.Rule.Match.Paths, s.Rule.Match.Sources), " "), said(s.Rule.Action)))
		case SetPriorities:
			list = append(list, fmt.Sprint(s.Priorities))
		case DeleteRule:
			list = append(list, s.ARN+" goes")
		default:
			list = append(list, s.String())
		}
	}
	return strings.Join(list, ", ")
}

func keeping(owner string) func(*Stack, *Observed) {
	return func(s *Stack, _ *Observed) {
		if owner != "" {
			s.Keep = []string{owner}
		}
	}
}

func atMost(rules int) func(*Stack, *Observed) {
	return func(s *Stack, _ *Observed) { s.MostRules = rules }
}

func TestDefaultAction(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted string
		keep, want string
	}{
		"Same":                   {"well:", "well:", "", "well"},
		"GroupLacks":             {"200:", "lost:", "", "200"},
		"ServesAsWell":           {"well:", "fine:", "", "fine"},
		"StaysUntilItServes":     {"well:", "new:", "", "well+new=0"},
		"Kept":                   {"kept:", "404:", "shop/kept", "kept"},
		"NobodyKeepsIt":          {"kept:", "404:", "", "404"},
		"KeptButAnswered":        {"kept:", "200:", "shop/kept", "200"},
		"KeptUntilItServes":      {"kept:", "new:", "shop/kept", "kept+new=0"},
		"RulesAreToTakeOver":     {"well:", "404: /a fine", "", "well"},
		"RulesAreThere":          {"well: /a fine", "404: /a fine", "", "404"},
		"AnswersAsWell":          {"well:", "200: /a fine", "", "200"},
		"NobodyLosesAnything":    {"sick:", "404: /a fine", "", "404"},
		"ComesThoughRulesDo":     {"well:", "new: /a fine", "", "well+new=0"},
		"BesideSeveral":          {"well+fine:", "new:", "", "well+fine+new=0"},
		"OnlyThoseWithRequests":  {"well+fine=0:", "new:", "", "well+new=0"},
		"FiveAtMost":             {"well+fine+o+p:", "new:", "", "well+fine+o+p+new=0"},
		"SixAreTooMany":          {"well+fine+o+p+q:", "new:", "", "well+fine+o+p+q"},
		"OneOfThemIsThere":       {"well:", "well+new:", "", "well+new=0"},
		"NothingToForwardBeside": {"200:", "new:", "", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted, keeping(tc.keep))
			expect(t, "default action", said(r.defaultAction()), tc.want)
		})
	}

	r := rulesOf("200:", "new:")
	r.defaultAction()
	expect(t, "it has those checked that it cannot name", r.warm, []string{"new"})
}

func TestRefusesOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted string
		want       bool
	}{
		"FirstMissing":   {"404: /a* well", "404: /ab fine, /a* 403", true},
		"FirstBehind":    {"404: /a* well, /ab fine", "404: /ab fine, /a* 403", true},
		"FirstBefore":    {"404: /ab fine, /a* well", "404: /ab fine, /a* 403", false},
		"OthersRequests": {"404: /a* well", "404: /b fine, /a* 403", false},
		"OthersBehind":   {"404: /a* well, /b fine", "404: /b fine, /a* 403", false},
		"Answers":        {"404: /a* well", "404: /ab fine, /a* fine", false},
		"Refused":        {"404: /a* sick", "404: /ab fine, /a* 403", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "refuses", r.refusesOthers(r.place("/a*")), tc.want)
			expect(t, "and says so", len(r.p.plan.Waits) > 0, tc.want)
		})
	}
}

func TestStillRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted string
		want       bool
	}{
		"IsToAnswer": {"404: /a sick", "404: /a well", true},
		"IsToRefuse": {"404: /a sick", "404: /a new", false},
		"Answers":    {"404: /a well", "404: /a fine", false},
		"GroupLacks": {"404: /a sick", "404: /a lost", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "still refuses", r.stillRefuses(r.place("/a")), tc.want)
		})
	}
}

func TestCreate(t *testing.T) {
	for name, tc := range map[string]struct {
		is, next, wanted string
		want, warm       string
	}{
		"Plain":              {"404:", "404", "404: /a well", "1 /a well", ""},
		"Behind":             {"404: /b well, /c well theirs", "404", "404: /b well, /a well", "3 /a well", ""},
		"GroupLacks":         {"404:", "404", "404: /a lost", "", ""},
		"RefusesBehind":      {"well:", "well", "well: /ab fine, /a* 403", "1 /ab fine", ""},
		"RefusesNow":         {"well:", "404", "404: /ab fine, /a* 403", "1 /ab fine", ""},
		"RefusesThen":        {"404:", "well", "well: /ab fine, /a* 403", "1 /ab fine", ""},
		"NothingToRefuse":    {"404:", "404", "404: /ab fine, /a* 403", "1 /ab fine, 2 /a* 403", ""},
		"RefusesOthers":      {"well:", "well", "well: /b fine, /a* 403", "1 /b fine, 2 /a* 403", ""},
		"AnswersBehind":      {"well:", "well", "well: /ab fine, /a* fine", "1 /ab fine, 2 /a* fine", ""},
		"Hidden":             {"well: /a* well", "well", "well: /a* well, /a new", "2 /a new", ""},
		"HalfHidden":         {"well: /a* well", "well", "well: /a* well, /* new", "", "new"},
		"HiddenByOthers":     {"well: /a* well theirs", "well", "well: /a new", "", "new"},
		"DefaultAnswers":     {"well:", "well", "well: /a new", "", "new"},
		"DefaultAnswersNow":  {"well:", "404", "404: /a new", "", "new"},
		"DefaultAnswersThen": {"404:", "well", "well: /a new", "", "new"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			r.next = actionOf(tc.next)
			expect(t, "full", len(r.create()), 0)
			expect(t, "steps", r.steps(), tc.want)
			expect(t, "warm", strings.Join(r.warm, " "), tc.warm)
		})
	}

	r := rulesOf("404: /a well", "404: /a well, /b fine, /c fine", atMost(2))
	full := r.create()
	expect(t, "as many as there is room for", r.steps(), "2 /b fine")
	expect(t, "the others are told", len(full) == 1 && full[0] == r.place("/c"), true)

	r = rulesOf("404:", "404: /a well")
	r.p.narrows = true
	expect(t, "nobody is let in before others are shut out", len(r.create())+len(r.p.plan.Steps), 0)
}

func TestRoom(t *testing.T) {
	r := rulesOf("404: /a well, /b well", "404:", atMost(4))
	expect(t, "left", r.p.room(), 2)
	r.p.news = 1
	expect(t, "with one that is planned", r.p.room(), 1)
	expect(t, "without a limit", rulesOf("404:", "404:").p.room(), math.MaxInt)
}

func TestNextPriority(t *testing.T) {
	r := rulesOf("404: /a well", "404:")
	r.listener.Has[0].Priority = lastPriority - 1
	expect(t, "the last one", r.nextPriority(), true)
	expect(t, "is taken", r.last, lastPriority)
	expect(t, "and nothing moves", r.steps(), "")

	r = rulesOf("404: /a well, /b well", "404:")
	r.listener.Has[1].Priority = lastPriority
	expect(t, "none is left", r.nextPriority(), false)
	expect(t, "so that they move up", r.steps(), "map[/b:2]")

	r = rulesOf("404: /a well", "404:")
	for priority := 2; priority <= lastPriority; priority++ {
		r.listener.Has = append(r.listener.Has, ObservedRule{Priority: priority})
	}
	expect(t, "others have all of them", r.nextPriority(), false)
	expect(t, "so that nothing can move", r.steps(), "")
}

func TestRemovable(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted string
		last       string
		all        bool
	}{
		"Nothing":          {"404: /a well", "404:", "/a", true},
		"Missing":          {"404: /a well", "404: /a* fine", "", false},
		"OtherMissing":     {"404: /a well", "404: /b fine", "/a", true},
		"BehindIsNew":      {"404: /a well, /a* new", "404: /a* new", "", false},
		"BeforeIsNew":      {"404: /a* new, /a well", "404: /a* new", "/a", true},
		"OtherIsNew":       {"404: /a well, /b new", "404: /b new", "/a", true},
		"BehindServes":     {"404: /a well, /a* fine", "404: /a* fine", "/a", true},
		"BehindRefuses":    {"404: /a well, /a* 403", "404: /a* fine", "", false},
		"BehindIsToRefuse": {"404: /a well, /a* 403", "404: /a* 403", "/a", true},
		"TheLastFirst":     {"404: /a well, /a* fine", "404:", "/a*", true},
		"BothAtOnce":       {"404: /a well, /b fine", "404:", "/a /b", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			last, all := r.removable()
			expect(t, "last", paths(last), tc.last)
			expect(t, "all", all, tc.all)
		})
	}
}

func TestAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted string
		want       bool
	}{
		"Alone":     {"404: /a well, /b well", "404: /b well", true},
		"Another":   {"404: /a well, /a* well", "404: /a* well", false},
		"Theirs":    {"404: /a well, /a* well theirs", "404:", true},
		"Parked":    {"404: /a well, - new", "404:", true},
		"Missing":   {"404: /a well", "404: /a* well", false},
		"Elsewhere": {"404: /a well", "404: /b well", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "alone", r.alone(r.rule("/a")), tc.want)
		})
	}
}

// TestMayPass: the first rule of each case is to come before the second one, behind which it is now, in an order of all.
func TestMayPass(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted   string
		first, front string
		order        []string
		want         bool
	}{
		"Serves":        {"404: /a* well, /* fine", "404: /* fine, /a* well", "/*", "/a*", []string{"/*", "/a*"}, true},
		"ServesNot":     {"404: /a* well, /* new", "404: /* new, /a* well", "/*", "/a*", []string{"/*", "/a*"}, false},
		"NothingToLose": {"404: /a* sick, /* 403", "404: /* fine, /a* well", "/*", "/a*", []string{"/*", "/a*"}, true},
		"IsToRefuse":    {"404: /a* well, /* 403", "404: /* 403, /a* well", "/*", "/a*", []string{"/*", "/a*"}, true},
		"IsToAnswer":    {"404: /a* well, /* 403", "404: /* fine, /a* well", "/*", "/a*", []string{"/*", "/a*"}, false},
		"OtherMissing":  {"404: /a* well, /* 403", "404: /ab fine, /* 403, /a* well", "/*", "/a*", []string{"/*", "/a*"}, false},
		"OtherBehind":   {"404: /a* well, /* 403, /ab fine", "404: /ab fine, /* 403, /a* well", "/*", "/a*", []string{"/*", "/ab", "/a*"}, false},
		"OtherBefore":   {"404: /a* well, /* 403, /ab fine", "404: /ab fine, /* 403, /a* well", "/*", "/a*", []string{"/ab", "/*", "/a*"}, true},
		"OtherOfThis":   {"404: /a* well, /* 403", "404: /b fine, /* 403, /a* well", "/*", "/a*", []string{"/*", "/a*"}, true},
		"OtherOfThat":   {"404: /* well, /ab 403", "404: /ac fine, /ab 403, /* well", "/ab", "/*", []string{"/ab", "/*"}, true},
		"Goes":          {"404: /a* well, /* 403", "404: /b fine", "/*", "/a*", []string{"/*", "/a*"}, false},
		"GoesAlone":     {"404: /a* well, /* 403", "404: /a* well", "/*", "/a*", []string{"/*", "/a*"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "may pass", r.mayPass(r.rule(tc.front), r.rule(tc.first), r.inOrder(tc.order...)), tc.want)
		})
	}
}

// TestHidden: what gets no requests where it is can go, and become anything.
func TestHidden(t *testing.T) {
	r := rulesOf("404: /a* well, /b* well theirs, /c* well, - new", "404:")
	for match, want := range map[string]string{"/a": "[false true true]", "/b": "[false false false]", "/c": "[false false false]", "/*": "[false false false]"} {
		var got []bool
		for priority := range 3 {
			got = append(got, r.hidden(route.Match{Paths: []string{match}}, priority+1))
		}
		expect(t, match, fmt.Sprint(got), want)
	}
	expect(t, "behind the third", r.hidden(route.Match{Paths: []string{"/c"}}, 4), true)

	r = rulesOf("404: /a* well, /ab fine", "404: /a* well, /ab* new")
	r.change()
	expect(t, "it goes whatever serves", r.steps(), "3 /ab* new, /ab goes")
}

func TestSetPriorities(t *testing.T) {
	r := rulesOf("404: /a well, /b well", "404:")
	expect(t, "in order", r.setPriorities(r.inOrder("/a", "/b")), false)
	expect(t, "steps", r.steps(), "")
	expect(t, "out of order", r.setPriorities(r.inOrder("/b", "/a")), true)
	expect(t, "steps", r.steps(), "map[/a:2 /b:1]")
}

// TestNothingGoesWhileRulesMove: what a rule that goes stands before is known only for one order.
func TestNothingGoesWhileRulesMove(t *testing.T) {
	r := rulesOf("404: /a sick", "404: /a* fine")
	r.change()
	expect(t, "nothing moves", r.steps(), "2 /a* fine, /a goes")

	r = rulesOf("404: /c well, /d fine, /a sick", "404: /d fine, /c well, /a* fine")
	r.change()
	expect(t, "some move", r.steps(), "4 /a* fine, map[/c:2 /d:1]")
}

func TestTakesOver(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted string
		order      []string
		want       bool
	}{
		"Nothing": {"404: /a well", "404:", nil, false},
		"Missing": {"404: /a well", "404: /a* fine", nil, true},
		"Behind":  {"404: /a well, /a* fine", "404: /a* fine", []string{"/a", "/a*"}, true},
		"Before":  {"404: /a well, /a* fine", "404: /a* fine", []string{"/a*", "/a"}, false},
		"Others":  {"404: /a well, /b fine", "404: /b fine", []string{"/a", "/b"}, false},
		"Default": {"404: /a well", "fine:", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "takes over", r.takesOver(r.rule("/a"), r.inOrder(tc.order...)), tc.want)
		})
	}
}

func TestDefaultTakesOver(t *testing.T) {
	for name, tc := range map[string]struct {
		is, wanted string
		want       bool
	}{
		"Refuses":          {"404: /a well", "404:", false},
		"RefusesThen":      {"fine: /a well", "404:", false},
		"Serves":           {"fine: /a well", "fine:", false},
		"IsNotThereYet":    {"404: /a well", "fine:", true},
		"AnswerIsNotThere": {"404: /a well", "200:", true},
		"ServesNotYet":     {"new: /a well", "new:", true},
		"GroupLacks":       {"lost: /a well", "lost:", true},
		"OwnerLeaves":      {"404: /a well shop/gone", "fine:", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "takes over", r.defaultTakesOver(r.rule("/a")), tc.want)
		})
	}
}

func TestNeeds(t *testing.T) {
	for name, tc := range map[string]struct{ is, wanted, want string }{
		"Missing":     {"404: /a well", "404: /a well, /b new", "new"},
		"Changes":     {"404: /a well", "404: /a fine", "fine"},
		"Default":     {"well:", "fine:", "fine"},
		"AllIsThere":  {"well: /a fine", "well: /a fine", ""},
		"WithAGuest":  {"404: /a well+new=0", "404: /a well", ""},
		"ManyOfThem":  {"404:", "404: /a well+new, /b fine", "fine new well"},
		"Parked":      {"404: - new", "404: /a new", "new"},
		"ParkedAlone": {"404: - new", "404:", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted)
			expect(t, "needed", strings.Join(slices.Sorted(maps.Keys(r.needed)), " "), tc.want)
			r.unpark()
			expect(t, "what nobody needs is parked no more", r.steps() == "- goes", name == "ParkedAlone")
		})
	}
}

func TestPark(t *testing.T) {
	r := rulesOf("404: /a well", "404:")
	r.warm = []string{"strange", "well", "sick", "new", "new"}
	r.park()
	expect(t, "those that are the stack's, and that nothing names", r.steps(), "2 192.0.2.1/32 new+sick")

	r = rulesOf("404: /a well", "404: /a well", func(s *Stack, o *Observed) { s.LoadBalancer.Kind, o.LoadBalancers[0].Kind = Network, Network })
	r.warm = []string{"new"}
	r.park()
	expect(t, "a network load balancer has no rules", r.steps(), "")

	r = rulesOf("404: /a well", "404: /a well", atMost(1))
	r.warm = []string{"new"}
	r.park()
	expect(t, "where there is no room they are guests", r.steps(), "/a does well+new=0")
}
