// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/sim/awssim"
)

// cluster stands for the cluster and for pods: which target groups are bound, which load balancers are named, and what time
// it is. Targets of a group that is bound are healthy at once, and drain until time goes on, if something names the group.
type cluster struct {
	bound    map[string]elb.Binding // by ARN
	draining map[string]bool        // by ARN
	named    string                 // a DNS name
	now      time.Time
}

func newCluster() *cluster {
	return &cluster{bound: map[string]elb.Binding{}, draining: map[string]bool{}, now: time.Now()}
}

// note adds to what was seen what only the cluster knows.
func (c *cluster) note(seen *elb.Observed) {
	for i := range seen.TargetGroups {
		g := &seen.TargetGroups[i]
		g.Binding, g.Bound = c.bound[g.ARN]
		g.Health = &elb.Health{}
		switch {
		case g.Bound:
			g.Health = &elb.Health{Registered: 2, Healthy: 2}
		case c.draining[g.ARN] && g.LoadBalancer != "":
			g.Health = &elb.Health{Draining: 2}
		}
	}
	for i := range seen.LoadBalancers {
		lb := &seen.LoadBalancers[i]
		lb.Published = c.named == lb.DNSName
	}
}

// bind performs the steps of bindings; false: the step is another one.
func (c *cluster) bind(step elb.Step) bool {
	switch s := step.(type) {
	case elb.CreateBinding:
		c.bound[s.ARN] = s.TargetGroup.Binding
	case elb.UpdateBinding:
		c.bound[s.ARN] = s.TargetGroup.Binding
	case elb.DeleteBinding:
		delete(c.bound, s.ARN)
		c.draining[s.ARN] = true
	default:
		return false
	}
	return true
}

// pass is what a process does with a stack: it observes, and performs what is planned until nothing is left. It reports
// whether something is waited for.
func (c *cluster) pass(ctx context.Context, cloud *Cloud, stack elb.Stack) (waits bool, err error) {
	seen, err := cloud.Observe(ctx, stack, true)
	if err != nil {
		return false, err
	}
	for range 200 {
		c.note(&seen)
		plan := elb.Make(stack, seen, c.now)
		if len(plan.Refusals) > 0 {
			return false, fmt.Errorf("%w: %v", errRefused, plan.Refusals)
		}
		if len(plan.Steps) == 0 {
			// What the cluster names is written last. Time goes on only where it is waited for.
			before := c.named
			c.named = elb.Hostname(stack, seen)
			c.now = c.now.Add(time.Minute)
			clear(c.draining)
			return len(plan.Waits) > 0 || before != c.named, nil
		}
		if step := plan.Steps[0]; !c.bind(step) {
			if err := cloud.Perform(ctx, stack.Identity, step, &seen); err != nil {
				return false, fmt.Errorf("%s: %w", step, err)
			}
		}
	}
	return false, errors.New("no end of steps")
}

var (
	errRefused = errors.New("refused")
	errKilled  = errors.New("the process was killed")
)

// converge has processes at work until nothing is left to do. start makes the Cloud of each; one that is killed has another
// one start.
func (c *cluster) converge(t *testing.T, start func() *Cloud, stack elb.Stack) {
	t.Helper()
	cloud := start()
	for range 3000 {
		switch waits, err := c.pass(t.Context(), cloud, stack); {
		case errors.Is(err, errKilled):
			cloud = start()
		case err != nil && (t.Context().Err() != nil || errors.Is(err, errRefused)):
			t.Fatal(err)
		case err == nil && !waits:
			return
		case err != nil:
			t.Logf("tried again: %v", err)
			time.Sleep(time.Millisecond)
		}
	}
	t.Fatal("no end")
}

// changed is web with about everything changed that can be.
func changed(name string) elb.Stack {
	stack := web(name)
	stack.LoadBalancer.Subnets, stack.LoadBalancer.SubnetsNamed, stack.LoadBalancer.AddressType = []string{"subnet-1", "subnet-3"}, true, "dualstack"
	stack.LoadBalancer.Attributes["idle_timeout.timeout_seconds"] = "30"
	stack.LoadBalancer.Tags["more"] = "a"
	stack.SecurityGroup.Ingress = append(stack.SecurityGroup.Ingress[1:], elb.Permission{Protocol: "tcp", From: 8080, To: 8080, CIDR: "10.0.0.0/8"})

	stack.TargetGroups[0].HealthCheck.Path = "/healthz"
	stack.TargetGroups[1].Port = 9090 // another group
	https := &stack.Listeners[1]
	https.Certificates, https.SSLPolicy = []string{certificate + "three", certificate + "one"}, "ELBSecurityPolicy-2016-08"
	https.Default = elb.Action{Forward: []elb.Forward{{Group: name + "-api:80", Weight: 1}}}
	https.Rules = []elb.Rule{
		https.Rules[2],
		{Owner: name, Match: route.Match{Paths: []string{"/new"}}, Action: elb.Action{Forward: []elb.Forward{{Group: name + "-rpc:80", Weight: 1}}}},
		{Owner: name, Match: https.Rules[0].Match, Action: elb.Action{Forward: []elb.Forward{{Group: name + "-api:80", Weight: 1}}}},
	}
	stack.Listeners[0] = elb.Listener{Resource: "8080", Port: 8080, Protocol: "HTTP", Default: https.Default}
	return stack
}

// elsewhere is web behind another load balancer, which takes the place of the first.
func elsewhere(name string) elb.Stack {
	stack := changed(name)
	stack.LoadBalancer.Scheme, stack.LoadBalancer.Name = "internal", "k8s-inside"
	stack.LoadBalancer.AddressType = "ipv4"
	for i := range stack.TargetGroups {
		stack.TargetGroups[i].Attributes = nil
	}
	return stack
}

// lives are the stacks that one becomes, to its end.
func lives(name string) []elb.Stack {
	return []elb.Stack{web(name), changed(name), elsewhere(name), {Identity: identity(name)}}
}

// all describes all that there is in an account, without what AWS chooses: ARNs, ids and DNS names.
func (a *account) all(t *testing.T) string {
	t.Helper()
	cloud := a.cloud()
	if err := cloud.list(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	groups, err := ec2.New(a.cfg, region, nil).SecurityGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	names := map[string]string{}
	var lines []string
	for _, g := range groups {
		names[g.ID] = g.Name
		var rules []string
		for _, r := range g.Ingress {
			rules = append(rules, fmt.Sprint(r))
		}
		slices.Sort(rules)
		lines = append(lines, fmt.Sprintf("security group %s %v %v", g.Name, g.Tags, rules))
	}
	for arn, r := range cloud.all {
		names[arn] = r.name
	}
	for _, r := range cloud.all {
		if g := r.targetGroup; g != nil {
			seen := elb.ObservedTargetGroup{TargetGroup: g.TargetGroup}
			if err := cloud.readTargetGroup(t.Context(), reader{attributes: map[string]bool{g.ARN: true}}, g); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("target group %s %v %+v of %q with %v", r.name, r.tags, seen.TargetGroup, names[g.LoadBalancer], g.Attributes))
			continue
		}
		lb := *r.loadBalancer
		if err := errors.Join(cloud.readAttributes(t.Context(), &lb), cloud.readListeners(t.Context(), reader{}, &lb)); err != nil {
			t.Fatal(err)
		}
		listeners := lb.Listeners
		lb.Listeners, lb.ARN, lb.DNSName = nil, "", ""
		lines = append(lines, fmt.Sprintf("load balancer %s %v %+v", r.name, r.tags, lb))
		for _, l := range listeners {
			line := fmt.Sprintf("listener of %s: %s %v %v", r.name, l.Tags, l.Certificates, show(l.Default))
			for _, has := range l.Has {
				line += fmt.Sprintf("\n  %v %+v %s", has.Tags, has.Match, show(has.Action))
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)

	// The longest first, so that no name is cut short by another one.
	text := strings.Join(lines, "\n")
	ids := make([]string, 0, len(names))
	for id := range names {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, id := range ids {
		text = strings.ReplaceAll(text, id, names[id])
	}
	return text
}

func show(a elb.Action) string {
	switch {
	case a.Redirect != nil:
		return fmt.Sprintf("redirect %+v", *a.Redirect)
	case a.Answer != nil:
		return fmt.Sprintf("answer %+v", *a.Answer)
	}
	return fmt.Sprintf("forward %+v", a)
}

// TestAppliedIsObservedEqual: when a stack was applied there is nothing to do, whoever looks.
func TestAppliedIsObservedEqual(t *testing.T) {
	a := simulate(t, awssim.Config{ACM: certificates})
	c := newCluster()
	for i, stack := range lives("shop/web") {
		c.converge(t, a.cloud, stack)
		seen := observe(t, a.cloud(), stack, true)
		c.note(&seen)
		if plan := elb.Make(stack, seen, c.now); len(plan.Steps)+len(plan.Waits)+len(plan.Refusals) > 0 {
			t.Errorf("life %d: left to do: %+v", i, plan)
		}
	}
	if left := a.all(t); strings.Contains(left, "shop/web") {
		t.Errorf("left at the end:\n%s", left)
	}
}

// changes reports whether a call changes something.
func changes(c podaws.Charge) bool { return c.Changes }

// killing makes clouds whose process is killed by a call once the answer is there, the first one that at returns true for.
func (a *account) killing(at func(podaws.Charge) bool) func() *Cloud {
	return func() *Cloud {
		dead := false
		return a.within(func(ctx context.Context, charge podaws.Charge, call func(context.Context) error) error {
			if dead {
				return errKilled
			}
			err := call(ctx)
			if err == nil && at(charge) {
				dead = true
				return errKilled
			}
			return err
		})
	}
}

// TestLaw13KilledAfterEachChange: processes of which each lives for one change, and never learns what it was answered, make
// the same of every stack as one that lives on. Nothing is made twice, and nothing of anybody else's is touched.
func TestLaw13KilledAfterEachChange(t *testing.T) {
	reference, killed := simulate(t, awssim.Config{ACM: certificates}), simulate(t, awssim.Config{ACM: certificates})
	ones, others := newCluster(), newCluster()
	for _, a := range []*account{reference, killed} {
		a.foreign(t, "theirs", map[string]string{clusterTag: "shop", stackTag: "shop/other", resourceTag: "LoadBalancer"})
		a.foreign(t, "nobodys", nil)
	}
	for i, stack := range lives("shop/web") {
		ones.converge(t, reference.cloud, stack)
		others.converge(t, killed.killing(changes), stack)
		if d := diff.Diff(reference.all(t), killed.all(t)); d != "" {
			t.Fatalf("life %d: with (+) and without (-) being killed:\n%s", i, d)
		}
	}
}

// TestKilledAfterEachCall: a process that is killed after any one of its calls, one after the other, leaves nothing that the
// next one does not bring to the same end.
func TestKilledAfterEachCall(t *testing.T) {
	small := func() []elb.Stack {
		stack := web("shop/web")
		stack.LoadBalancer.Attributes, stack.Listeners = nil, stack.Listeners[:1]
		stack.TargetGroups = stack.TargetGroups[:1]
		stack.TargetGroups[0].Attributes = nil
		stack.Listeners[0].Rules = []elb.Rule{{Owner: "shop/web", Match: route.Match{Paths: []string{"/a"}}, Action: elb.Action{Forward: []elb.Forward{{Group: "shop/web-api:80", Weight: 1}}}}}
		return []elb.Stack{stack, {Identity: stack.Identity}}
	}

	want := []string{}
	calls := 0
	for n := 0; n == 0 || n <= calls; n++ {
		a := simulate(t, awssim.Config{})
		c, made := newCluster(), 0
		start := a.killing(func(podaws.Charge) bool {
			made++
			return made == n
		})
		for i, stack := range small() {
			c.converge(t, start, stack)
			got := a.all(t)
			if n == 0 {
				want = append(want, got)
			} else if d := diff.Diff(want[i], got); d != "" {
				t.Fatalf("killed after call %d:\n%s", n, d)
			}
		}
		if n == 0 {
			calls = made
		}
	}
	t.Logf("%d calls", calls)
}

// TestLaw13SlowToNotice: the same with an AWS that notices late what was done.
func TestLaw13SlowToNotice(t *testing.T) {
	a := simulate(t, awssim.Config{ACM: certificates, EC2: awssim.EC2{Lag: 3 * time.Second, InterfaceLinger: 20 * time.Second}})
	if _, err := a.AddFault(awssim.Fault{Service: service, LagSeconds: 3}); err != nil {
		t.Fatal(err)
	}
	reference := simulate(t, awssim.Config{ACM: certificates})
	ones, others := newCluster(), newCluster()
	for i, stack := range lives("shop/web") {
		ones.converge(t, reference.cloud, stack)
		others.converge(t, a.killing(changes), stack)
		time.Sleep(10 * time.Millisecond) // the time that it is behind
		if d := diff.Diff(reference.all(t), a.all(t)); d != "" {
			t.Fatalf("life %d: late (+) and at once (-):\n%s", i, d)
		}
	}
}

// TestForeignNamesAreLeftAlone: a load balancer of the name that a stack wants stops the stack, and nothing else happens.
func TestForeignNamesAreLeftAlone(t *testing.T) {
	a := simulate(t, awssim.Config{ACM: certificates})
	a.foreign(t, "k8s-web", nil)
	before := a.all(t)
	c := newCluster()
	stack := web("shop/web")
	stack.SecurityGroup = nil
	if _, err := c.pass(t.Context(), a.cloud(), stack); !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "k8s-web") {
		t.Errorf("got %v", err)
	}
	if d := diff.Diff(before, a.all(t)); d != "" {
		t.Error(d)
	}
}
