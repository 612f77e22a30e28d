// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/route"
)

// TestLaw14OldGroupDrains: the target group that a rule leaves stays in use until its targets have drained.
func TestLaw14OldGroupDrains(t *testing.T) {
	w := settled(t, shop())
	w.stack.TargetGroups[0].TargetType = "instance"
	for range 4 {
		w.steps()
		w.tick()
	}
	expect(t, "the old group is drained in its rule", w.steps(), []string{"modify rule/6: forward to tg/8 (1), tg/3 (0)", "delete binding shop/k8s-api"})
	drains := []Wait{{Message: "Target group k8s-api is deleted when its targets have drained."}}
	expect(t, "which is said", w.make().Waits, drains)
	expect(t, "and asks AWS nothing", NeedsHealth(w.stack, w.seen), []string(nil))
	w.tick()
	expect(t, "nothing more is done meanwhile", len(w.steps()), 0)

	w.tick()
	expect(t, "its binding goes when its targets are deregistered", w.tg("tg/3").Unbinding, false)
	expect(t, "so AWS is asked then", NeedsHealth(w.stack, w.seen), []string{"tg/3"})
	expect(t, "and before it answers nothing is done", len(Make(w.stack, w.seen, w.now).Steps), 0)
	expect(t, "nor while targets drain", len(w.steps()), 0)
	expect(t, "which is said, too", w.make().Waits, drains)
	w.tick()
	w.tick()
	expect(t, "then it goes", w.steps(), []string{"modify rule/6: forward to tg/8 (1)", "delete tg/3"})
}

func TestLaw14OldGroupComesBack(t *testing.T) {
	w := settled(t, shop())
	w.stack.TargetGroups[0].TargetType = "instance"
	for range 5 {
		w.steps()
		w.tick()
	}
	w.steps()
	w.stack.TargetGroups[0].TargetType = "ip"
	expect(t, "a group that is wanted again is in the rule already", w.steps(), []string(nil))
	expect(t, "and serves before the other one cools down", w.run(), []string{
		"create binding shop/k8s-api", "modify rule/6: forward to tg/3 (1), tg/8 (0)", "delete binding shop/k8s-api-2", "modify rule/6: forward to tg/3 (1)", "delete tg/8",
	})
}

func TestLaw14OldRuleDrains(t *testing.T) {
	w := settled(t, shop())
	w.stack.Listeners[0].Rules, w.stack.TargetGroups = w.stack.Listeners[0].Rules[1:], w.stack.TargetGroups[1:]
	expect(t, "a rule that goes matches nothing until its targets have drained", w.run(), []string{
		"replace rule/6 by a rule that matches no request: forward to tg/3 (1)", "tag rule/6: resource=", "delete binding shop/k8s-api", "delete rule/6", "delete tg/3",
	})
}

func TestLaw14OldDefaultDrains(t *testing.T) {
	s := shop()
	s.Listeners[0].Default, s.Listeners[0].Rules = to("shop/web", "site"), s.Listeners[0].Rules[:1]
	w := settled(t, s)
	w.stack.Listeners[0].Default, w.stack.TargetGroups = Action{Redirect: &route.Redirect{Status: 301, Port: "443"}}, w.stack.TargetGroups[:1]
	expect(t, "a redirect has no guests, so that another rule names the group first", w.run(), []string{
		"create rule 2 of listener/5 that matches no request: forward to tg/4 (1)", "modify listener/5: HTTP, redirect with 301", "delete binding shop/k8s-site", "delete rule/7", "delete tg/4",
	})
}

// TestLaw14StickyClientsMove: clients do not stick to a target group that cools down.
func TestLaw14StickyClientsMove(t *testing.T) {
	s := shop()
	s.Listeners[0].Rules[0].Action.Sticky = time.Minute
	w := settled(t, s)
	w.stack.TargetGroups[0].TargetType = "instance"
	w.steps()
	for range 4 {
		w.tick()
		w.steps()
	}
	expect(t, "no client sticks to a group", w.seen.LoadBalancers[0].Listeners[0].Has[0].Action, Action{Forward: []Forward{{Group: "tg/8", Weight: 1}, {Group: "tg/3"}}})
	w.run()
	expect(t, "until the old one is gone", w.seen.LoadBalancers[0].Listeners[0].Has[0].Action.Sticky, time.Minute)
}

// aged adds target groups that the stack does not want any more: o, p and q have a binding, going one that is being deleted, and
// gone, drains and unknown have none: drains has a target that drains, and of unknown that is not known.
func aged(_ *Stack, o *Observed) {
	health := map[string]*Health{"going": nil, "gone": {}, "drains": {Draining: 1}, "unknown": nil}
	for _, name := range []string{"o", "p", "q", "going", "gone", "drains", "unknown"} {
		h, goes := health[name]
		o.TargetGroups = append(o.TargetGroups, ObservedTargetGroup{
			TargetGroup: TargetGroup{Resource: "well", Name: name}, ARN: name, LoadBalancer: "lb", Health: h, Bound: !goes, Unbinding: name == "going",
		})
	}
}

func networked(s *Stack, o *Observed) {
	s.LoadBalancer.Kind, o.LoadBalancers[0].Kind = Network, Network
}

func TestLeaves(t *testing.T) {
	bound := func(_ *Stack, o *Observed) {
		for i := range o.TargetGroups {
			o.TargetGroups[i].Bound = true
		}
	}
	for name, tc := range map[string]struct {
		is, now, next, want string
		change              func(*Stack, *Observed)
	}{
		"Old":         {is: "404: /a o", now: "o", next: "well", want: "o"},
		"Going":       {is: "404: /a going", now: "going", next: "well", want: "going"},
		"Gone":        {is: "404: /a gone", now: "gone", next: "well"},
		"Drains":      {is: "404: /a drains", now: "drains", next: "well", want: "drains"},
		"Unknown":     {is: "404: /a unknown", now: "unknown", next: "well", want: "unknown"},
		"Wanted":      {is: "404: /a fine", now: "fine", next: "new", change: bound},
		"NotTheirs":   {is: "404: /a strange", now: "strange", next: "well"},
		"Stays":       {is: "404: /a o", now: "o", next: "well+o=0"},
		"Elsewhere":   {is: "404: /a o, /b o", now: "o", next: "well"},
		"InDefault":   {is: "o: /a o", now: "o", next: "well"},
		"Several":     {is: "404: /a o+p=0+gone, /b q", now: "o+p=0+gone", next: "well", want: "o p"},
		"ForNobody":   {is: "404: /a o", now: "o", next: "404", want: "o"},
		"WithNetwork": {is: "o:", now: "o", next: "well", change: networked},
	} {
		t.Run(name, func(t *testing.T) {
			change := tc.change
			if change == nil {
				change = func(*Stack, *Observed) {}
			}
			r := rulesOf(tc.is, "404:", aged, change)
			expect(t, "have to cool down", strings.Join(r.leaves(actionOf(tc.now), actionOf(tc.next)), " "), tc.want)
		})
	}
}

func TestLeave(t *testing.T) {
	for name, tc := range map[string]struct {
		is, next string
		most     int
		want     string
		parked   string
	}{
		"Nothing":      {"404: /a gone", "well", 0, "well", ""},
		"Guest":        {"404: /a o", "well", 0, "well+o=0", ""},
		"WeightZero":   {"404: /a o", "well=0", 0, "well+o=0", ""},
		"FiveAtMost":   {"404: /a o", "well+fine+new+sick", 0, "well+fine+new+sick+o=0", ""},
		"Six":          {"404: /a o+p", "well+fine+new+sick", 0, "o+p", "2 192.0.2.1/32 o+p"},
		"Refuses":      {"404: /a o", "404", 0, "o", "2 192.0.2.1/32 o"},
		"RefusesOnly":  {"404: /a gone", "404", 0, "404", ""},
		"RefusesFull":  {"404: /a o", "404", 1, "404", ""},
		"SixFull":      {"404: /a o+p", "well+fine+new+sick", 1, "well+fine+new+sick+o=0", ""},
		"FiveFull":     {"404: /a o", "well+fine+new+sick+x", 1, "well+fine+new+sick+x", ""},
		"RoomForOne":   {"404: /a o", "404", 2, "o", "2 192.0.2.1/32 o"},
		"ParkedBefore": {"404: /a o, - o", "404", 0, "404", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.is, aged, atMost(tc.most))
			next := actionOf(tc.next)
			next.Sticky = time.Minute
			got := r.leave(r.rule("/a").Action, next)
			expect(t, "the next action", said(got), tc.want)
			expect(t, "clients stick unless there are guests", got.Sticky > 0, tc.parked == "" && !strings.Contains(tc.want, "=0"))
			expect(t, "steps", r.steps(), tc.parked)
		})
	}
}

func TestRemove(t *testing.T) {
	for name, tc := range map[string]struct{ is, want string }{
		"Cools":     {"404: /a o", "/a becomes 192.0.2.1/32 o"},
		"Several":   {"404: /a well+o+p=0+gone", "/a becomes 192.0.2.1/32 o+p"},
		"Cold":      {"404: /a gone", "/a goes"},
		"Elsewhere": {"404: /a o, /b well+o=0", "/a goes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, "404:", aged)
			r.remove(r.rule("/a"))
			expect(t, "steps", r.steps(), tc.want)
			_, changed := r.changed["/a"]
			expect(t, "is known to change", changed, strings.Contains(tc.want, "becomes"))
		})
	}
}

func TestLaw14FullCools(t *testing.T) {
	for name, tc := range map[string]struct{ is, wanted, leaves, want string }{
		"WithGuest":  {"404: /a well, - o", "404: /a well, /b fine", "-", "- becomes /b fine+o=0"},
		"ParkedWait": {"404: /a well, - o", "404: /a well, /b 200", "-", ""},
		"ParkedSix":  {"404: /a well, - o+p", "404: /a well, /b well+fine+x+y", "-", ""},
		"Cold":       {"404: /a well, - gone", "404: /a well, /b 200", "-", "- becomes /b 200"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted, aged, atMost(2))
			r.reuse([]*place{r.place("/b")}, r.inOrder(tc.leaves))
			expect(t, "steps", r.steps(), tc.want)
		})
	}
}

// TestNeedsHealthOfDrains: only the health of those matters that have no binding any more and are named.
func TestNeedsHealthOfDrains(t *testing.T) {
	r := rulesOf("404: /a well+o=0, /b well+going=0, /c well+unknown=0, /d well+gone=0", "404: /a well, /b well, /c well, /d well", aged, func(_ *Stack, o *Observed) {
		for i := range o.TargetGroups {
			if g := &o.TargetGroups[i]; g.Bound {
				g.Health = nil
			}
		}
	})
	expect(t, "asked for", NeedsHealth(r.p.stack, r.p.seen), []string{"unknown"})
}

// TestUsed: the bindings of groups go that get no requests, but for those whose owner cannot be built now.
func TestUsed(t *testing.T) {
	for name, tc := range map[string]struct {
		is, group string
		want      use
	}{
		"Unused":       {"404: /a well", "o", unused},
		"Alone":        {"404: /a o=0", "o", ours},
		"Guest":        {"404: /a well+o=0", "o", idle},
		"First":        {"404: /a o=0+well", "o", idle},
		"GuestElse":    {"404: /a o, /b well+o=0", "o", ours},
		"Share":        {"404: /a well+o", "o", ours},
		"Default":      {"o:", "o", ours},
		"DefaultGuest": {"well+o=0:", "o", idle},
		"Parked":       {"404: - o", "o", idle},
		"Kept":         {"404: /a well+kept=0 shop/kept", "kept", ours},
		"BesideKept":   {"404: /a kept+o=0 shop/kept", "o", idle},
		"Theirs":       {"404: /a well+o=0 theirs, /b o", "o", strange},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, "404:", aged, keeping("shop/kept"))
			expect(t, "used", r.p.used(tc.group), tc.want)
		})
	}
}

func TestPlainSticks(t *testing.T) {
	for name, tc := range map[string]struct {
		is         string
		has, wants time.Duration
		want       string
	}{
		"Guest":        {"well+o=0", 0, 2, "well 2ns"},
		"ColdGuest":    {"well+gone=0", 0, 2, "well+gone=0 0s"},
		"NoGuest":      {"well", 0, 2, "well 0s"},
		"StillSticks":  {"well+o=0", 3, 2, "well 3ns"},
		"NobodySticks": {"well+o=0", 0, 0, "well 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf("404: /a "+tc.is, "404:", aged)
			is, want := actionOf(tc.is), actionOf("well")
			is.Sticky, want.Sticky = tc.has, tc.wants
			got := r.plain(is, want)
			expect(t, "without guests", said(got)+" "+got.Sticky.String(), tc.want)
		})
	}
}

// TestCooledDown: rules are as they should be where they have guests that cool down, and no longer.
func TestCooledDown(t *testing.T) {
	for name, tc := range map[string]struct{ is, wanted, want string }{
		"Guest":       {"404: /a well+o=0", "404: /a well", ""},
		"Cold":        {"404: /a well+gone=0", "404: /a well", "/a does well"},
		"Parked":      {"404: - o", "404:", ""},
		"ParkedGoing": {"404: - going", "404:", ""},
		"ParkedDrain": {"404: - drains", "404:", ""},
		"ParkedCold":  {"404: - gone", "404:", "- goes"},
		"TwoGuests":   {"404: /a well+o=0+gone=0", "404: /a well", "/a does well+o=0"},
		"Another":     {"404: /a well+o=0", "404: /a new", "/a does well+new=0+o=0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rulesOf(tc.is, tc.wanted, aged)
			r.change()
			expect(t, "steps", r.steps(), tc.want)
		})
	}
	r := rulesOf("well+o=0:", "well:", aged)
	expect(t, "so is the default action", said(r.defaultAction()), "well+o=0")
	r = rulesOf("o:", "well:", aged)
	expect(t, "which cools down, too", said(r.defaultAction()), "well+o=0")
}
