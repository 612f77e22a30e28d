// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/sim/awssim"
)

// small is a stack of a load balancer with one listener, which is made.
func (a *account) small(t *testing.T, cloud *Cloud, name string) elb.Stack {
	t.Helper()
	stack := web(name)
	stack.LoadBalancer.Name = "lb-" + strings.ReplaceAll(name, "/", "-")
	stack.LoadBalancer.Attributes, stack.SecurityGroup, stack.Listeners = nil, nil, stack.Listeners[:1]
	stack.TargetGroups = stack.TargetGroups[:1]
	stack.TargetGroups[0].Name, stack.TargetGroups[0].Attributes = "tg-"+strings.ReplaceAll(name, "/", "-"), nil

	var seen elb.Observed
	perform := func(step elb.Step) {
		t.Helper()
		if err := cloud.Perform(t.Context(), stack.Identity, step, &seen); err != nil {
			t.Fatal(err)
		}
	}
	perform(elb.CreateLoadBalancer{LoadBalancer: stack.LoadBalancer})
	perform(elb.CreateTargetGroup{TargetGroup: stack.TargetGroups[0]})
	perform(elb.CreateListener{LoadBalancer: seen.LoadBalancers[0].ARN, Listener: stack.Listeners[0]})
	return stack
}

func observe(t *testing.T, cloud *Cloud, stack elb.Stack, fresh bool) elb.Observed {
	t.Helper()
	seen, err := cloud.Observe(t.Context(), stack, fresh)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestObserveCostsLittle: where nothing happens one list serves all stacks for minutes, and details are believed for an hour.
func TestObserveCostsLittle(t *testing.T) {
	a := simulate(t, awssim.Config{})
	maker := a.cloud()
	var stacks []elb.Stack
	for i := range 5 {
		stacks = append(stacks, a.small(t, maker, fmt.Sprintf("shop/web%d", i)))
	}

	cloud, now := a.cloud(), time.Now()
	cloud.now = func() time.Time { return now }
	first := map[string]elb.Observed{}
	for _, s := range stacks {
		first[keyOf(s.Identity)] = observe(t, cloud, s, false)
	}

	for _, tc := range []struct {
		after time.Duration
		want  []string
	}{
		{0, nil},
		{listAge - time.Second, nil},
		{2 * time.Second, []string{"DescribeLoadBalancers", "DescribeTargetGroups"}},
		{listAge - 2*time.Second, nil},
		{2 * time.Second, []string{"DescribeLoadBalancers", "DescribeTargetGroups"}},
	} {
		now = now.Add(tc.after)
		before := a.last()
		for _, s := range stacks {
			if diff := cmp.Diff(first[keyOf(s.Identity)], observe(t, cloud, s, false), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
		if got := a.operations(before); !slices.Equal(got, tc.want) {
			t.Errorf("after another %s called %v, want %v", tc.after, got, tc.want)
		}
	}

	// Some time later details are read again, of one stack as of the others.
	now = now.Add(detailAge)
	before := a.last()
	observe(t, cloud, stacks[0], false)
	if got := a.operations(before); !slices.Contains(got, "DescribeRules") || !slices.Contains(got, "DescribeSecurityGroups") {
		t.Errorf("some time later called %v", got)
	}

	// In the long run that is at most one call for each stack and five minutes.
	before, rounds := a.last(), int(3*detailAge/listAge)
	for range rounds {
		now = now.Add(listAge)
		for _, s := range stacks {
			observe(t, cloud, elb.Stack{Identity: s.Identity}, false)
		}
	}
	if got := len(a.operations(before)); got > rounds*len(stacks) {
		t.Errorf("%d calls for %d stacks in %d rounds", got, len(stacks), rounds)
	}
}

// TestObserveCostsLittleAlone: one stack costs no more than one call in five minutes, however often it is looked at, with room
// for what is looked up besides, and notices nevertheless what others change.
func TestObserveCostsLittleAlone(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud, now := a.cloud(), time.Now()
	cloud.now = func() time.Time { return now }
	stack := a.small(t, cloud, "shop/web")
	observe(t, cloud, stack, true)

	before, looks := a.last(), int(24*time.Hour/listAge)
	for range looks {
		now = now.Add(listAge)
		observe(t, cloud, stack, false)
	}
	if got := len(a.operations(before)); got > looks*85/100 {
		t.Errorf("%d calls in %d looks", got, looks)
	}

	arn := observe(t, cloud, stack, false).LoadBalancers[0].Listeners[0].ARN
	if _, err := a.client.DeleteListener(t.Context(), &elbv2.DeleteListenerInput{ListenerArn: &arn}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(detailAge)
	if seen := observe(t, cloud, stack, false); len(seen.LoadBalancers[0].Listeners) != 0 {
		t.Errorf("a listener that is gone is seen: %+v", seen)
	}
}

// TestObserveAfterAStep: what podgate changed itself is known by the answers, and costs the next look no call. When all is read
// again stays as it was.
func TestObserveAfterAStep(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud, now := a.cloud(), time.Now()
	cloud.now = func() time.Time { return now }
	stack := a.small(t, cloud, "shop/web")
	seen := observe(t, cloud, stack, true)
	group := seen.TargetGroups[0].ARN
	change := elb.CreateRule{Listener: seen.LoadBalancers[0].Listeners[0].ARN, Priority: 1, Rule: elb.Rule{
		Owner: "shop/web", Match: stackRule.Match, Action: elb.Action{Forward: []elb.Forward{{Group: group, Weight: 1}}},
	}}
	now = now.Add(detailAge / 2)
	if err := cloud.Perform(t.Context(), stack.Identity, change, &seen); err != nil {
		t.Fatal(err)
	}

	now = now.Add(listAge)
	before := a.last()
	got := observe(t, cloud, stack, false)
	if calls := a.operations(before); slices.Contains(calls, "DescribeRules") || slices.Contains(calls, "DescribeListeners") {
		t.Errorf("called %v", calls)
	}
	if has := got.LoadBalancers[0].Listeners[0].Has; len(has) != 1 || got.TargetGroups[0].LoadBalancer != got.LoadBalancers[0].ARN {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(observe(t, a.cloud(), stack, true), got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("AWS has it otherwise: %s", diff)
	}

	now = now.Add(detailAge/2 - listAge)
	before = a.last()
	observe(t, cloud, stack, false)
	if calls := a.operations(before); !slices.Contains(calls, "DescribeRules") {
		t.Errorf("two hours after all was read called %v", calls)
	}

	// The list does not know yet that the load balancer's target group is free.
	cloud.forget()
	gone := observe(t, cloud, stack, true)
	if err := cloud.Perform(t.Context(), stack.Identity, elb.DeleteLoadBalancer{LoadBalancer: gone.LoadBalancers[0].ARN}, &gone); err != nil {
		t.Fatal(err)
	}
	if got := observe(t, cloud, stack, false); len(got.TargetGroups) != 1 || got.TargetGroups[0].LoadBalancer != "" {
		t.Errorf("without the load balancer got %+v", got)
	}
	if groups, err := cloud.TargetGroups(t.Context(), false); err != nil || len(groups) != 1 || groups[0].LoadBalancer != "" {
		t.Errorf("without the load balancer got %+v, %v", groups, err)
	}
}

// TestObserveAfterAFailure: what AWS answered that it did not do is as it was, and what it gave no answer about is read at once.
func TestObserveAfterAFailure(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud := a.cloud()
	stack := a.small(t, cloud, "shop/web")
	for code, rereads := range map[string]bool{"ValidationError": false, "InternalFailure": true} {
		seen := observe(t, cloud, stack, true)
		id, err := a.AddFault(awssim.Fault{Operation: "DeleteListener", Error: &awssim.APIError{Code: code}})
		if err != nil {
			t.Fatal(err)
		}
		if err := cloud.Perform(t.Context(), stack.Identity, elb.DeleteListener{ARN: seen.LoadBalancers[0].Listeners[0].ARN}, &seen); err == nil {
			t.Fatal("it did not fail")
		}
		before := a.last()
		observe(t, cloud, stack, false)
		if calls := a.operations(before); slices.Contains(calls, "DescribeRules") != rereads {
			t.Errorf("after %s called %v", code, calls)
		}
		if err := a.RemoveFaults(id); err != nil {
			t.Fatal(err)
		}
	}
}

// TestObserveAgain: a stack that is tried again within a minute is read again, and the account is not listed for it, unless
// something that the list has is gone.
func TestObserveAgain(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud, now := a.cloud(), time.Now()
	cloud.now = func() time.Time { return now }
	stack := a.small(t, cloud, "shop/web")
	observe(t, cloud, stack, true)

	lists := 0
	for range 6 {
		now = now.Add(25 * time.Second)
		before := a.last()
		observe(t, cloud, stack, true)
		calls := a.operations(before)
		if !slices.Contains(calls, "DescribeRules") {
			t.Errorf("called %v", calls)
		}
		if slices.Contains(calls, "DescribeTargetGroups") {
			lists++
		}
	}
	if lists != 2 {
		t.Errorf("listed %d times in six tries", lists)
	}

	now = now.Add(namesAge)
	observe(t, cloud, stack, true)
	if _, err := a.client.DeleteLoadBalancer(t.Context(), deleteNamed(t, a, stack.LoadBalancer.Name)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(namesAge / 2)
	if seen := observe(t, cloud, stack, true); len(seen.LoadBalancers) != 0 {
		t.Errorf("what is gone is seen: %+v", seen)
	}
}

// TestObserveNoticesWhatIsGone: a load balancer or target group that somebody deletes is noticed with the next list, and what
// podgate itself has changed at once.
func TestObserveNoticesWhatIsGone(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud, now := a.cloud(), time.Now()
	cloud.now = func() time.Time { return now }
	stack := a.small(t, cloud, "shop/web")
	seen := observe(t, cloud, stack, false)
	if len(seen.LoadBalancers) != 1 || len(seen.LoadBalancers[0].Listeners) != 1 || len(seen.TargetGroups) != 1 {
		t.Fatalf("got %+v", seen)
	}

	if err := cloud.Perform(t.Context(), stack.Identity, elb.DeleteTargetGroup{TargetGroup: seen.TargetGroups[0].ARN}, &seen); err != nil {
		t.Fatal(err)
	}
	if seen := observe(t, cloud, stack, false); len(seen.TargetGroups) != 0 || len(seen.LoadBalancers) != 1 {
		t.Errorf("after its deletion got %+v", seen)
	}

	now = now.Add(lag)
	observe(t, cloud, stack, false)
	if _, err := a.client.DeleteLoadBalancer(t.Context(), deleteNamed(t, a, stack.LoadBalancer.Name)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(loneAge)
	if seen := observe(t, cloud, stack, false); len(seen.LoadBalancers) != 0 {
		t.Errorf("after somebody deleted it got %+v", seen)
	}
}

// TestObserveFresh: who is about to change something sees what others did a moment ago.
func TestObserveFresh(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud, now := a.cloud(), time.Now()
	cloud.now = func() time.Time { return now }
	stack := a.small(t, cloud, "shop/web")
	seen := observe(t, cloud, stack, true)
	if !seen.LoadBalancers[0].Listeners[0].Own {
		t.Fatalf("got %+v", seen)
	}

	arn, listener := seen.LoadBalancers[0].ARN, seen.LoadBalancers[0].Listeners[0].ARN
	for _, untagged := range []string{arn, listener} {
		if _, err := a.client.RemoveTags(t.Context(), &elbv2.RemoveTagsInput{ResourceArns: []string{untagged}, TagKeys: []string{stackTag}}); err != nil {
			t.Fatal(err)
		}
		seen := observe(t, cloud, stack, true)
		switch untagged {
		case arn:
			if len(seen.LoadBalancers) != 0 || seen.Foreign[stack.LoadBalancer.Name] == "" {
				t.Errorf("without its tag it is %+v", seen)
			}
			if _, err := a.client.AddTags(t.Context(), &elbv2.AddTagsInput{ResourceArns: []string{arn}, Tags: tagsFor(stack.Tags)}); err != nil {
				t.Fatal(err)
			}
			now = now.Add(tagAge) // till then somebody else's tags are believed
		case listener:
			if len(seen.LoadBalancers) != 1 || seen.LoadBalancers[0].Listeners[0].Own {
				t.Errorf("without the listener's tag it is %+v", seen)
			}
		}
	}
}

// TestObserveWhatAListLacks: what podgate has just made is seen, although lists may not show it yet.
func TestObserveWhatAListLacks(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud, now := a.cloud(), time.Now()
	cloud.now = func() time.Time { return now }
	stack := a.small(t, cloud, "shop/web")
	for _, operation := range []string{"DescribeLoadBalancers"} {
		if _, err := a.AddFault(awssim.Fault{Operation: operation, LagSeconds: 1e6}); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(lag - time.Second)
	if seen := observe(t, cloud, stack, true); len(seen.LoadBalancers) != 1 {
		t.Errorf("got %+v", seen)
	}
	now = now.Add(2 * time.Second)
	cloud.forget()
	if seen := observe(t, cloud, stack, true); len(seen.LoadBalancers) != 0 {
		t.Errorf("later got %+v", seen)
	}
}

// TestLaw13UntoldTags: what AWS lists and does not know the tags of yet is nobody's. Nothing is planned with it.
func TestLaw13UntoldTags(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud := a.cloud()
	stack := a.small(t, cloud, "shop/web")
	if _, err := a.AddFault(awssim.Fault{Operation: "DescribeTags", LagSeconds: 1e6}); err != nil {
		t.Fatal(err)
	}
	if seen, err := cloud.Observe(t.Context(), stack, true); !errors.Is(err, balancer.ErrNotReady) {
		t.Errorf("got %+v, %v", seen, err)
	}

	// Nor is a name that such a one has somebody else's.
	if seen, err := a.cloud().Observe(t.Context(), stack, true); err != nil || len(seen.Foreign)+len(seen.LoadBalancers) > 0 {
		t.Errorf("got %+v, %v", seen, err)
	}
}

// TestLaw13MadeAndNotVerified: what was made stays known where its tags cannot be read, and nobody takes the stack for gone while
// neither the lists nor the tags tell of it.
func TestLaw13MadeAndNotVerified(t *testing.T) {
	for name, step := range map[string]func(elb.Stack) elb.Step{
		"LoadBalancer": func(s elb.Stack) elb.Step { return elb.CreateLoadBalancer{LoadBalancer: s.LoadBalancer} },
		"TargetGroup":  func(s elb.Stack) elb.Step { return elb.CreateTargetGroup{TargetGroup: s.TargetGroups[0]} },
	} {
		t.Run(name, func(t *testing.T) {
			a := simulate(t, awssim.Config{})
			cloud, now := a.cloud(), time.Now()
			cloud.now = func() time.Time { return now }
			stack := web("shop/web")
			late, err := a.AddFault(awssim.Fault{Service: service, LagSeconds: 1e6})
			if err != nil {
				t.Fatal(err)
			}
			var seen elb.Observed
			if err := cloud.Perform(t.Context(), stack.Identity, step(stack), &seen); err == nil {
				t.Fatal("its tags were read")
			}

			for range 3 {
				now = now.Add(lag / 4)
				if seen, err := cloud.Observe(t.Context(), elb.Stack{Identity: stack.Identity}, true); !errors.Is(err, balancer.ErrNotReady) {
					t.Errorf("got %+v, %v", seen, err)
				}
			}

			if err := a.RemoveFaults(late); err != nil {
				t.Fatal(err)
			}
			if seen := observe(t, cloud, stack, true); len(seen.LoadBalancers)+len(seen.TargetGroups) != 1 {
				t.Errorf("got %+v", seen)
			}
		})
	}
}

// TestObserveShares: however many stacks ask at once, there is one list.
func TestObserveShares(t *testing.T) {
	a := simulate(t, awssim.Config{})
	stack := a.small(t, a.cloud(), "shop/web")
	cloud, before := a.cloud(), a.last()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if seen, err := cloud.Observe(t.Context(), stack, true); err != nil || len(seen.LoadBalancers) != 1 {
				t.Errorf("got %+v, %v", seen, err)
			}
		})
	}
	wg.Wait()
	lists := 0
	for _, operation := range a.operations(before) {
		if operation == "DescribeTargetGroups" {
			lists++
		}
	}
	if lists != 1 {
		t.Errorf("listed %d times", lists)
	}

	// Who has no time left does not wait for it.
	cloud.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cloud.Observe(ctx, stack, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestObserveWhileThingsGo: AWS tells no tags of a batch in which one is gone. The others are seen nevertheless.
func TestObserveWhileThingsGo(t *testing.T) {
	a := simulate(t, awssim.Config{})
	maker := a.cloud()
	for i := range 12 {
		a.small(t, maker, fmt.Sprintf("shop/web%d", i))
	}
	stack := a.small(t, maker, "shop/web")

	gone, doomed := false, deleteNamed(t, a, "lb-shop-web3")
	cloud := a.within(func(ctx context.Context, charge podaws.Charge, call func(context.Context) error) error {
		if charge.Operation == "DescribeTags" && !gone {
			gone = true
			if _, err := a.client.DeleteLoadBalancer(ctx, doomed); err != nil {
				t.Error(err)
			}
		}
		return call(ctx)
	})
	seen := observe(t, cloud, stack, true)
	if len(seen.LoadBalancers) != 1 || len(seen.TargetGroups) != 1 || !gone {
		t.Errorf("got %+v", seen)
	}
}

// TestObserveWaitsForAnAddress: while AWS makes a load balancer nothing else is asked about.
func TestObserveWaitsForAnAddress(t *testing.T) {
	a := simulate(t, awssim.Config{ELB: awssim.ELB{ProvisionDelay: time.Hour}})
	cloud := a.cloud()
	stack := a.small(t, cloud, "shop/web")
	if seen := observe(t, cloud, stack, false); seen.LoadBalancers[0].State != "provisioning" || seen.LoadBalancers[0].DNSName == "" {
		t.Fatalf("got %+v", seen)
	}
	before := a.last()
	if seen := observe(t, cloud, stack, false); seen.LoadBalancers[0].State != "provisioning" {
		t.Errorf("got %+v", seen)
	}
	if got := a.operations(before); !slices.Equal(got, []string{"DescribeLoadBalancers"}) {
		t.Errorf("called %v", got)
	}
}

// TestObserveFreeGroup: a list that is behind has a target group used by a load balancer that was deleted. The group is asked for.
func TestObserveFreeGroup(t *testing.T) {
	a := simulate(t, awssim.Config{})
	stack := web("shop/web")
	lb, _, group := a.foreign(t, "old", stack.Tags)
	if _, err := a.AddFault(awssim.Fault{Service: service, Operation: "DescribeTargetGroups", LagSeconds: 1e6, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.client.DeleteLoadBalancer(t.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &lb}); err != nil {
		t.Fatal(err)
	}

	seen, err := a.cloud().Observe(t.Context(), stack, true)
	if err != nil || len(seen.TargetGroups) != 1 || seen.TargetGroups[0].ARN != group || seen.TargetGroups[0].LoadBalancer != "" {
		t.Errorf("the list is behind: want %s, which nobody uses, got %+v, %v", group, seen.TargetGroups, err)
	}
}

// TestObserveProtection: a load balancer that may have to be deleted is asked whether it is protected, and that is kept.
func TestObserveProtection(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud := a.cloud()
	stack := a.small(t, cloud, "shop/web")
	seen := observe(t, cloud, stack, true)
	if seen.LoadBalancers[0].Attributes != nil {
		t.Errorf("nobody named attributes, and got %v", seen.LoadBalancers[0].Attributes)
	}
	if err := cloud.Perform(t.Context(), stack.Identity, elb.SetLoadBalancerAttributes{LoadBalancer: seen.LoadBalancers[0].ARN, Attributes: map[string]string{protection: "true"}}, &seen); err != nil {
		t.Fatal(err)
	}

	gone := elb.Stack{Identity: stack.Identity}
	seen = observe(t, cloud, gone, true)
	if !seen.LoadBalancers[0].Protected {
		t.Errorf("got %+v", seen)
	}
	if seen := observe(t, cloud, gone, false); !seen.LoadBalancers[0].Protected {
		t.Errorf("later got %+v", seen)
	}
	err := cloud.Perform(t.Context(), stack.Identity, elb.DeleteLoadBalancer{LoadBalancer: seen.LoadBalancers[0].ARN}, &seen)
	if !errors.Is(err, balancer.ErrInvalid) || !strings.Contains(balancer.Message(err), "Switch deletion protection off") || len(seen.LoadBalancers) != 1 {
		t.Errorf("got %v and %+v", err, seen)
	}
}

// TestObserveAttributes: attributes are read of what the stack names some for, and from then on.
func TestObserveAttributes(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud := a.cloud()
	stack := a.small(t, cloud, "shop/web")
	stack.LoadBalancer.Attributes = map[string]string{"idle_timeout.timeout_seconds": "120"}
	stack.TargetGroups[0].Attributes = map[string]string{"deregistration_delay.timeout_seconds": "30"}
	stack.Listeners[0].Attributes = map[string]string{"routing.http.response.server.enabled": "false"}
	now := time.Now()
	cloud.now = func() time.Time { return now }
	for _, fresh := range []bool{true, false, false} {
		seen := observe(t, cloud, stack, fresh)
		now = now.Add(detailAge)
		stack = elb.Stack{Identity: stack.Identity} // who looks whether all is as it was knows no more yet
		lb, g := seen.LoadBalancers[0], seen.TargetGroups[0]
		if lb.Attributes["idle_timeout.timeout_seconds"] != "60" || g.Attributes["deregistration_delay.timeout_seconds"] != "300" ||
			lb.Listeners[0].Attributes["routing.http.response.server.enabled"] != "true" {
			t.Errorf("fresh %v: got %v, %v, %v", fresh, lb.Attributes, g.Attributes, lb.Listeners[0].Attributes)
		}
	}
}

// TestObserveFails: what cannot be read is an error, and never taken for what is not there.
func TestObserveFails(t *testing.T) {
	a := simulate(t, awssim.Config{})
	stack := a.small(t, a.cloud(), "shop/web")
	for _, operation := range []string{"DescribeLoadBalancers", "DescribeTargetGroups", "DescribeTags", "DescribeListeners", "DescribeRules", "DescribeSecurityGroups"} {
		for code, kind := range map[string]error{"Throttling": balancer.ErrThrottled, "AccessDenied": balancer.ErrDenied} {
			id, err := a.AddFault(awssim.Fault{Operation: operation, Error: &awssim.APIError{Code: code}})
			if err != nil {
				t.Fatal(err)
			}
			cloud := a.cloud()
			_, err = cloud.Observe(t.Context(), stack, true)
			if !errors.Is(err, kind) || kind == balancer.ErrDenied && !strings.Contains(balancer.Message(err), ":"+operation) { //nolint:errorlint // it is one of the two
				t.Errorf("%s with %s: got %v", operation, code, err)
			}
			if err := a.RemoveFaults(id); err != nil {
				t.Fatal(err)
			}
			if seen, err := cloud.Observe(t.Context(), stack, false); err != nil || len(seen.LoadBalancers) != 1 {
				t.Errorf("after %s with %s: got %+v, %v", operation, code, seen, err)
			}
		}
	}
}

func TestHealth(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud := a.cloud()
	seen := observe(t, cloud, a.small(t, cloud, "shop/web"), true)
	arn, before := seen.TargetGroups[0].ARN, a.last()
	if err := cloud.Health(t.Context(), &seen, nil); err != nil || seen.TargetGroups[0].Health != nil || len(a.operations(before)) > 0 {
		t.Errorf("nobody asked, and got %+v, %v", seen.TargetGroups[0].Health, err)
	}
	if err := cloud.Health(t.Context(), &seen, []string{arn}); err != nil || seen.TargetGroups[0].Health == nil || *seen.TargetGroups[0].Health != (elb.Health{}) {
		t.Errorf("got %+v, %v", seen.TargetGroups[0].Health, err)
	}

	// One that somebody has deleted is looked for again.
	seen.TargetGroups[0].ARN = strings.Replace(arn, "/tg-", "/no-", 1)
	if err := cloud.Health(t.Context(), &seen, []string{seen.TargetGroups[0].ARN}); !errors.Is(err, balancer.ErrNotReady) {
		t.Errorf("of one that is gone: got %v", err)
	}
	before = a.last()
	observe(t, cloud, elb.Stack{Identity: identity("shop/web")}, false)
	if got := a.operations(before); !slices.Contains(got, "DescribeTargetGroups") {
		t.Errorf("then called %v", got)
	}
}

// TestPerformFails: an error says what was tried, for what, and what to do. What ends by itself is not ready yet.
func TestPerformFails(t *testing.T) {
	a := simulate(t, awssim.Config{})
	cloud := a.cloud()
	stack := a.small(t, cloud, "shop/web")
	first := observe(t, cloud, stack, true)
	lb, listener, group := first.LoadBalancers[0].ARN, first.LoadBalancers[0].Listeners[0].ARN, first.TargetGroups[0].ARN
	rule := elb.CreateRule{Listener: listener, Priority: 1, Rule: elb.Rule{Owner: "shop/web", Match: stackRule.Match, Action: stackRule.Action}}

	for _, tc := range []struct {
		reason, operation, code string
		step                    elb.Step
		kind                    error
		text                    string
	}{
		{"a listener that AWS does not find yet", "CreateRule", "ListenerNotFound", rule, balancer.ErrNotReady, "it is looked for again"},
		{"a group that is still named", "DeleteTargetGroup", "ResourceInUse", elb.DeleteTargetGroup{TargetGroup: group}, balancer.ErrNotReady, "ends within seconds"},
		{"a priority that another rule still has", "CreateRule", "PriorityInUse", rule, balancer.ErrNotReady, "create rule of"},
		{"no permission", "SetSubnets", "AccessDenied", elb.SetSubnets{LoadBalancer: lb, Subnets: []string{"subnet-1"}}, balancer.ErrDenied, "elasticloadbalancing:SetSubnets"},
		{"no permission to tag", "CreateListener", "AccessDeniedException", elb.CreateListener{LoadBalancer: lb, Listener: stack.Listeners[0]}, balancer.ErrDenied, "Allow elasticloadbalancing:CreateListener"},
		{"throttling", "DeleteLoadBalancer", "Throttling", elb.DeleteLoadBalancer{LoadBalancer: lb}, balancer.ErrThrottled, "delete load balancer of"},
		{"a quota", "CreateTargetGroup", "TooManyTargetGroups", elb.CreateTargetGroup{TargetGroup: elb.TargetGroup{Name: "other", Port: 80, VPC: vpc}}, balancer.ErrQuota, "Raise the quota of target groups"},
		{"no such certificate", "CreateListener", "CertificateNotFound", elb.CreateListener{LoadBalancer: lb, Listener: stack.Listeners[0]}, balancer.ErrInvalid, "Name certificates of ACM"},
	} {
		seen := copyOf(first)
		id, err := a.AddFault(awssim.Fault{Operation: tc.operation, Error: &awssim.APIError{Code: tc.code, Message: "No."}})
		if tc.code == "AccessDenied" {
			err = errors.Join(a.RemoveFaults(id), err)
			id, _ = a.AddFault(awssim.Fault{Operation: tc.operation, Error: &awssim.APIError{Code: tc.code}})
		}
		if err != nil {
			t.Fatal(err)
		}
		err = cloud.Perform(t.Context(), stack.Identity, tc.step, &seen)
		if !errors.Is(err, tc.kind) || !strings.Contains(balancer.Message(err), tc.text) {
			t.Errorf("%s: got %v", tc.reason, err)
		}
		if diff := cmp.Diff(first, seen, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", tc.reason, diff)
		}
		if err := a.RemoveFaults(id); err != nil {
			t.Fatal(err)
		}
	}

	// What is gone already was to go.
	for _, tc := range []struct {
		operation, code string
		step            elb.Step
	}{
		{"DeleteTargetGroup", "TargetGroupNotFound", elb.DeleteTargetGroup{TargetGroup: group}},
		{"DeleteListener", "ListenerNotFound", elb.DeleteListener{ARN: listener}},
		{"DeleteLoadBalancer", "LoadBalancerNotFound", elb.DeleteLoadBalancer{LoadBalancer: lb}},
	} {
		id, err := a.AddFault(awssim.Fault{Operation: tc.operation, Error: &awssim.APIError{Code: tc.code, Message: "No."}})
		if err != nil {
			t.Fatal(err)
		}
		if err := cloud.Perform(t.Context(), stack.Identity, tc.step, &first); err != nil {
			t.Errorf("%s: got %v", tc.step, err)
		}
		if err := a.RemoveFaults(id); err != nil {
			t.Fatal(err)
		}
	}
	if len(first.LoadBalancers)+len(first.TargetGroups) > 0 {
		t.Errorf("left %+v", first)
	}

	if err := cloud.Perform(t.Context(), stack.Identity, elb.CreateBinding{}, &first); err == nil {
		t.Error("the step of a binding is performed")
	}
}

// stackRule is a rule of a stack.
var stackRule = func() elb.Rule {
	r := web("shop/web").Listeners[1].Rules[2]
	return r
}()

// TestTargetGroupsOfAll: those of others are told with the load balancers that use them, and asked for once a minute.
func TestTargetGroupsOfAll(t *testing.T) {
	a := simulate(t, awssim.Config{})
	loadBalancer, _, targetGroup := a.foreign(t, "theirs", map[string]string{"team": "edge"})
	cloud, now := a.cloud(), time.Now()
	cloud.now = func() time.Time { return now }
	groups, err := cloud.TargetGroups(t.Context(), true)
	if err != nil || len(groups) != 1 {
		t.Fatalf("got %+v, %v", groups, err)
	}
	if g := groups[0]; g.Name != "theirs" || g.ARN != targetGroup || g.LoadBalancer != loadBalancer || g.VPC != vpc || g.Tags["team"] != "edge" {
		t.Errorf("got %+v", g)
	}

	a.foreign(t, "more", nil)
	if groups, err := cloud.TargetGroups(t.Context(), true); err != nil || len(groups) != 1 {
		t.Errorf("at once: %d, %v", len(groups), err)
	}
	now = now.Add(namesAge)
	if groups, err := cloud.TargetGroups(t.Context(), true); err != nil || len(groups) != 2 {
		t.Errorf("later: %d, %v", len(groups), err)
	}
}
