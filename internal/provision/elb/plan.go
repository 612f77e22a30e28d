// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Plan is what to do now, and why not more.
type Plan struct {
	// Steps can be done now, any of them, whether those before it were done or not. What can be done after one of them may be
	// more or less: plan again.
	Steps []Step
	// Waits are what has to happen first. What is left is planned then.
	Waits []Wait
	// Refusals are what is not done because it is not the stack's to change.
	Refusals []Refusal
}

// Wait is something that nobody but AWS, the cluster or time brings about.
type Wait struct {
	// Owner is who waits, such as the Ingress shop/web; empty: all of the stack.
	Owner   string
	Message string
	// Until is when there is something to do; zero: nobody knows, so look again soon.
	Until time.Time
}

// Refusal is something that a person has to decide. The message says what to do.
type Refusal struct {
	// Owner is whom it concerns, such as the Ingress shop/web; empty: all of the stack.
	Owner   string
	Message string
}

// Make plans. Everything follows from the stack, from what is seen and from the time.
func Make(stack Stack, seen Observed, now time.Time) Plan {
	return newPlanner(stack, seen, now).make()
}

// NeedsHealth returns the ARNs of the target groups whose health is not known although Make or Hostname depend on it. With
// what is read another one may matter, so ask until there is none. What is not known is taken for serving where it is there, and
// for not serving where it comes. What is known of a target group does not hold any more once nothing names it.
func NeedsHealth(stack Stack, seen Observed) []string {
	p := newPlanner(stack, seen, time.Time{})
	p.make()
	p.hostname()
	return slices.Sorted(maps.Keys(p.asked))
}

// planner makes one plan.
type planner struct {
	stack Stack
	seen  Observed
	now   time.Time
	plan  Plan

	// group is the security group that the stack makes, and balancer the load balancer that is as it should be; nil: not yet.
	group    *ObservedSecurityGroup
	balancer *ObservedLoadBalancer
	// groups are the target groups that are as they should be, by resource.
	groups map[string]*ObservedTargetGroup
	// seenGroups are all target groups of the stack, by ARN.
	seenGroups map[string]*ObservedTargetGroup
	// uses are how often a listener or a rule names a target group after the steps that are planned, by ARN.
	uses map[string]int
	// news is how many rules are planned.
	news int
	// ended reports that no more can be planned now.
	ended bool
	// narrows reports that clients are taken out, before which no rule is made that may be for fewer.
	narrows bool
	// asked are the ARNs of target groups whose health matters and is not known.
	asked map[string]bool
}

func newPlanner(stack Stack, seen Observed, now time.Time) *planner {
	p := &planner{stack: stack, seen: seen, now: now, groups: map[string]*ObservedTargetGroup{}, seenGroups: map[string]*ObservedTargetGroup{},
		uses: map[string]int{}, asked: map[string]bool{}}
	// Nothing of a stack that is not wanted is.
	if p.gone() {
		p.stack.TargetGroups, p.stack.SecurityGroup = nil, nil
	}

	for i := range seen.TargetGroups {
		p.seenGroups[seen.TargetGroups[i].ARN] = &seen.TargetGroups[i]
	}
	p.group = p.findSecurityGroup()
	p.balancer = p.findLoadBalancer()
	for _, lb := range seen.LoadBalancers {
		for _, l := range lb.Listeners {
			p.use(l.Default)
			for _, r := range l.Has {
				p.use(r.Action)
			}
		}
	}
	for _, want := range p.stack.TargetGroups {
		if g := p.findTargetGroup(want); g != nil {
			p.groups[want.Resource] = g
		}
	}
	return p
}

// make plans what comes before what goes.
func (p *planner) make() Plan {
	if !p.gone() {
		if p.loadBalancer() {
			p.openSecurityGroup()
			p.targetGroups()
			p.listeners()
		}
	}

	p.oldLoadBalancers()
	p.oldTargetGroups()
	p.closeSecurityGroups()
	if len(p.asked) > 0 {
		p.wait("", "The health of target groups has to be known.")
	}
	return p.plan
}

// gone reports that nothing of the stack is wanted.
func (p *planner) gone() bool { return len(p.stack.Listeners) == 0 && len(p.stack.Keep) == 0 }

func (p *planner) do(s Step) {
	if !p.ended {
		p.plan.Steps = append(p.plan.Steps, s)
	}
}

// use counts the target groups that an action names which there is or will be.
func (p *planner) use(a Action) {
	for _, f := range a.Forward {
		p.uses[f.Group]++
	}
}

// unuse counts the target groups that an action names which goes. One that nothing names for a moment is not checked any
// more, so what is known of its health does not hold after that step.
func (p *planner) unuse(a Action) {
	for _, f := range a.Forward {
		p.uses[f.Group]--
		if g := p.seenGroups[f.Group]; g != nil && p.uses[f.Group] == 0 && p.groups[g.Resource] == g {
			p.ended = true
		}
	}
}

func (p *planner) refuse(owner, format string, args ...any) {
	p.plan.Refusals = append(p.plan.Refusals, Refusal{Owner: owner, Message: fmt.Sprintf(format, args...)})
}

func (p *planner) wait(owner, format string, args ...any) {
	p.plan.Waits = append(p.plan.Waits, Wait{Owner: owner, Message: fmt.Sprintf(format, args...)})
}

// tag adds the tags that are missing or different.
func (p *planner) tag(arn string, want, has map[string]string) {
	if diff := changes(want, has); len(diff) > 0 {
		p.do(Tag{ARN: arn, Tags: diff})
	}
}
