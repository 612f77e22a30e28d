// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// What a program relies on that makes load balancers.

// rule makes a rule of a listener for a host, and returns its ARN.
func (e *env) rule(listener string, priority int32, host string, action types.Action, tags ...types.Tag) string {
	e.Helper()
	out, err := e.elb.CreateRule(e.Context(), &elbv2.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority, Actions: []types.Action{action}, Tags: tags,
		Conditions: []types.RuleCondition{{Field: aws.String("host-header"), Values: []string{host}}},
	})
	if err != nil {
		e.Fatal(err)
	}
	return *out.Rules[0].RuleArn
}

// priorities are those of a listener's rules, by ARN.
func (e *env) priorities(listener string) map[string]string {
	e.Helper()
	out, err := e.elb.DescribeRules(e.Context(), &elbv2.DescribeRulesInput{ListenerArn: &listener})
	if err != nil {
		e.Fatal(err)
	}
	found := map[string]string{}
	for _, r := range out.Rules {
		found[*r.RuleArn] = *r.Priority
	}
	return found
}

// tagsOf are the tags of something, or what the service has against them.
func (e *env) tagsOf(arn string) (map[string]string, error) {
	out, err := e.elb.DescribeTags(e.Context(), &elbv2.DescribeTagsInput{ResourceArns: []string{arn}})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, t := range out.TagDescriptions[0].Tags {
		found[*t.Key] = *t.Value
	}
	return found, nil
}

// shares is a forward to groups in turns.
func shares(weights map[string]int32) types.Action {
	a := types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{}}
	for group, weight := range weights {
		a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups, types.TargetGroupTuple{TargetGroupArn: &group, Weight: &weight})
	}
	return a
}

// TestGroupsAreCheckedBeforeTheyServe: a group of weight 0, and one behind a condition that nobody meets, are checked, and
// get no request.
func TestGroupsAreCheckedBeforeTheyServe(t *testing.T) {
	cfg := instant()
	cfg.TimeScale = 1000
	e := start(t, cfg)
	old, weightless, hidden, idle := e.group("old"), e.group("weightless"), e.group("hidden"), e.group("idle")
	target := map[string]Target{}
	for _, group := range []string{old, weightless, hidden, idle} {
		target[group] = listenHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.UserAgent(), "ELB-HealthChecker") {
				_, _ = fmt.Fprint(w, group)
			}
		})
		e.register(group, target[group])
	}

	listener := e.listen(e.balancer("web", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, shares(map[string]int32{old: 1, weightless: 0}))
	e.rule(listener, 1, "nobody.asks", forwardTo(hidden))

	for _, group := range []string{old, weightless, hidden} {
		e.until("its target is healthy", func() bool { return e.states(group)[target[group]] == "healthy" })
	}
	if got := e.states(idle)[target[idle]]; got != "unused" {
		t.Errorf("the target of a group that nothing names is %s", got)
	}

	address := e.sim.ListenerAddress(listener)
	e.until("it serves", func() bool { status, _, _ := e.get(address, "/"); return status == http.StatusOK })
	for range 20 {
		if status, body, _ := e.get(address, "/"); status != http.StatusOK || body != old {
			t.Fatalf("%d from %s", status, body)
		}
	}

	// With weights of 0 alone nobody is there to answer.
	if err := second(e.elb.ModifyListener(e.Context(), &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: []types.Action{shares(map[string]int32{old: 0, weightless: 0})}})); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := e.get(address, "/"); status != http.StatusServiceUnavailable {
		t.Errorf("two groups of weight 0 answer %d", status)
	}
	if got := e.states(old)[target[old]]; got != "healthy" {
		t.Errorf("a group whose weight became 0 is %s", got)
	}
}

// TestCreatedAgain: what is there with the same settings is answered, whoever made it, and with other settings refused.
func TestCreatedAgain(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff})
	theirs, mine := []types.Tag{{Key: aws.String("owner"), Value: aws.String("them")}}, []types.Tag{{Key: aws.String("owner"), Value: aws.String("me")}}

	balancer := func(edit func(*elbv2.CreateLoadBalancerInput)) (string, error) {
		in := &elbv2.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: []string{"subnet-1", "subnet-2"}, SecurityGroups: []string{"sg-1", "sg-2"}}
		edit(in)
		out, err := e.elb.CreateLoadBalancer(e.Context(), in)
		if err != nil {
			return "", err
		}
		return *out.LoadBalancers[0].LoadBalancerArn, nil
	}
	group := func(edit func(*elbv2.CreateTargetGroupInput)) (string, error) {
		in := &elbv2.CreateTargetGroupInput{Name: aws.String("web"), Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-0a1b2c3d4e5f60718")}
		edit(in)
		out, err := e.elb.CreateTargetGroup(e.Context(), in)
		if err != nil {
			return "", err
		}
		return *out.TargetGroups[0].TargetGroupArn, nil
	}
	lb, err := balancer(func(in *elbv2.CreateLoadBalancerInput) { in.Tags = theirs })
	if err != nil {
		t.Fatal(err)
	}
	listener := func(edit func(*elbv2.CreateListenerInput)) (string, error) {
		in := &elbv2.CreateListenerInput{LoadBalancerArn: &lb, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), DefaultActions: []types.Action{fixed()}}
		edit(in)
		out, err := e.elb.CreateListener(e.Context(), in)
		if err != nil {
			return "", err
		}
		return *out.Listeners[0].ListenerArn, nil
	}
	tg, err := group(func(in *elbv2.CreateTargetGroupInput) { in.Tags = theirs })
	if err != nil {
		t.Fatal(err)
	}
	port, err := listener(func(in *elbv2.CreateListenerInput) { in.Tags = theirs })
	if err != nil {
		t.Fatal(err)
	}

	again := func(arn string, err error) func() (string, error) {
		return func() (string, error) { return arn, err }
	}
	for name, tc := range map[string]struct {
		made func() (string, error)
		want string // an ARN or a code
	}{
		"LoadBalancer": {again(balancer(func(in *elbv2.CreateLoadBalancerInput) {
			in.Tags, in.Subnets, in.SecurityGroups = mine, []string{"subnet-2", "subnet-1"}, []string{"sg-2", "sg-1"}
		})), lb},
		"Scheme":        {again(balancer(func(in *elbv2.CreateLoadBalancerInput) { in.Scheme = types.LoadBalancerSchemeEnumInternal })), "DuplicateLoadBalancerName"},
		"Type":          {again(balancer(func(in *elbv2.CreateLoadBalancerInput) { in.Type = types.LoadBalancerTypeEnumNetwork })), "DuplicateLoadBalancerName"},
		"Subnets":       {again(balancer(func(in *elbv2.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-1", "subnet-3"} })), "DuplicateLoadBalancerName"},
		"Security":      {again(balancer(func(in *elbv2.CreateLoadBalancerInput) { in.SecurityGroups = nil })), "DuplicateLoadBalancerName"},
		"TargetGroup":   {again(group(func(in *elbv2.CreateTargetGroupInput) { in.Tags = mine })), tg},
		"HealthCheck":   {again(group(func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckPath = aws.String("/healthz") })), "DuplicateTargetGroupName"},
		"Listener":      {again(listener(func(in *elbv2.CreateListenerInput) { in.Tags = mine })), port},
		"DefaultAction": {again(listener(func(in *elbv2.CreateListenerInput) { in.DefaultActions = []types.Action{forwardTo(tg)} })), "DuplicateListener"},
	} {
		got, err := tc.made()
		if got+codeOf(err) != tc.want {
			t.Errorf("%s: %q, %v, want %s", name, got, err, tc.want)
		}
	}

	for _, arn := range []string{lb, tg, port} {
		if got, err := e.tagsOf(arn); err != nil || got["owner"] != "them" {
			t.Errorf("%s has the tags %v, %v: a creation does not tag what is there", arn, got, err)
		}
	}
}

// TestPrioritiesChangeTogether: rules change places in one call, or none does.
func TestPrioritiesChangeTogether(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff})
	listener := e.listen(e.balancer("web", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, fixed())
	a, b, c := e.rule(listener, 1, "a", fixed()), e.rule(listener, 2, "b", fixed()), e.rule(listener, 3, "c", fixed())
	set := func(wanted map[string]int32) error {
		in := &elbv2.SetRulePrioritiesInput{}
		for arn, priority := range wanted {
			in.RulePriorities = append(in.RulePriorities, types.RulePriorityPair{RuleArn: &arn, Priority: &priority})
		}
		return second(e.elb.SetRulePriorities(e.Context(), in))
	}

	for name, tc := range map[string]struct {
		wanted map[string]int32
		code   string
	}{
		"Taken":   {map[string]int32{a: 10, b: 3}, "PriorityInUse"},
		"Both":    {map[string]int32{a: 10, b: 10}, "PriorityInUse"},
		"Unknown": {map[string]int32{a: 10, c + "0": 11}, "RuleNotFound"},
		"Nothing": {map[string]int32{a: 10, b: 0}, "ValidationError"},
	} {
		if err := set(tc.wanted); codeOf(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
		got := e.priorities(listener)
		if got[a] != "1" || got[b] != "2" || got[c] != "3" {
			t.Errorf("%s: some have moved: %v", name, got)
		}
	}

	if err := set(map[string]int32{a: 2, b: 1}); err != nil {
		t.Fatal(err)
	}
	if got := e.priorities(listener); got[a] != "2" || got[b] != "1" || got[c] != "3" {
		t.Errorf("two have changed places: %v", got)
	}
}

// TestChangeLag: for a while calls that describe answer what was before.
func TestChangeLag(t *testing.T) {
	const lag = 10 * time.Second
	for name, begin := range map[string]func(*Config) func(*env){
		"Flag": func(c *Config) func(*env) {
			c.ChangeLag = lag
			return func(*env) {}
		},
		"Fault": func(*Config) func(*env) {
			return func(e *env) { e.fault(Fault{Service: "elasticloadbalancing", LagSeconds: lag.Seconds()}) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Throttle: ThrottleOff}
			hidden := begin(&cfg)
			inBubble(t, cfg, func(e *env) {
				lb, group := e.balancer("web", types.LoadBalancerTypeEnumApplication), e.group("web")
				listener := e.listen(lb, types.ProtocolEnumHttp, 80, forwardTo(group))
				a, b := e.rule(listener, 1, "a", fixed(), types.Tag{Key: aws.String("owner"), Value: aws.String("a")}), e.rule(listener, 2, "b", fixed())
				time.Sleep(lag)
				hidden(e)

				must := func(err error) {
					e.Helper()
					if err != nil {
						e.Fatal(err)
					}
				}
				must(second(e.elb.AddTags(e.Context(), &elbv2.AddTagsInput{ResourceArns: []string{a}, Tags: []types.Tag{{Key: aws.String("more"), Value: aws.String("tags")}}})))
				must(second(e.elb.RemoveTags(e.Context(), &elbv2.RemoveTagsInput{ResourceArns: []string{a}, TagKeys: []string{"owner"}})))
				must(e.balancerAttribute(lb, "idle_timeout.timeout_seconds", "120"))
				must(attribute(e, group, "deregistration_delay.timeout_seconds", "30"))
				must(second(e.elb.SetRulePriorities(e.Context(), &elbv2.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{{RuleArn: &a, Priority: aws.Int32(9)}}})))
				must(second(e.elb.DeleteRule(e.Context(), &elbv2.DeleteRuleInput{RuleArn: &b})))

				look := func() []string {
					tags, err := e.tagsOf(a)
					must(err)
					groups, err := e.elb.DescribeTargetGroupAttributes(e.Context(), &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &group})
					must(err)
					rules := e.priorities(listener)
					return []string{
						fmt.Sprint(tags), e.balancerAttributes(lb)["idle_timeout.timeout_seconds"], values(groups.Attributes)["deregistration_delay.timeout_seconds"],
						rules[a], rules[b],
					}
				}
				before, after := []string{"map[owner:a]", "60", "300", "1", "2"}, []string{"map[more:tags]", "120", "30", "9", ""}
				time.Sleep(lag - time.Millisecond)
				if diff := cmp.Diff(before, look()); diff != "" {
					t.Errorf("at first (-want +got):\n%s", diff)
				}
				if err := second(e.elb.DeleteRule(e.Context(), &elbv2.DeleteRuleInput{RuleArn: &b})); codeOf(err) != "RuleNotFound" {
					t.Errorf("a rule that is shown, though it is gone, was deleted again: %v", err)
				}
				time.Sleep(lag)
				if diff := cmp.Diff(after, look()); diff != "" {
					t.Errorf("later (-want +got):\n%s", diff)
				}

				// A load balancer goes with all that belongs to it, and is there for a while.
				must(second(e.elb.DeleteLoadBalancer(e.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &lb})))
				if got := e.balancerView(lb).State.Code; got != types.LoadBalancerStateEnumActive {
					t.Errorf("it is shown as %s", got)
				}
				if got := e.priorities(listener); len(got) != 2 {
					t.Errorf("its rules are %v", got)
				}
				out, err := e.elb.DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{TargetGroupArns: []string{group}})
				must(err)
				if got := out.TargetGroups[0].LoadBalancerArns; len(got) != 1 {
					t.Errorf("its group is shown as one of %v", got)
				}
				time.Sleep(lag)
				if err := second(e.elb.DescribeLoadBalancers(e.Context(), &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb}})); codeOf(err) != "LoadBalancerNotFound" {
					t.Errorf("it is still there: %v", err)
				}
			})
		})
	}
}

// TestRegistrationsOfATargetAreLimited where an account has such a quota.
func TestRegistrationsOfATargetAreLimited(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff, ELB: ELB{Quotas: Quotas{RegistrationsPerTarget: 2}}})
	one, two := e.group("one"), e.group("two")
	listener := e.listen(e.balancer("web", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, forwardTo(one))
	e.register(one, Target{ID: "10.0.0.1", Port: 80}, Target{ID: "10.0.0.1", Port: 81}, Target{ID: "10.0.0.2"})

	register := func(group string, target Target) error {
		return second(e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: described(target)}))
	}
	if err := register(one, Target{ID: "10.0.0.1", Port: 82}); codeOf(err) != "TooManyRegistrationsForTargetId" || !strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("a third port: %v", err)
	}
	if err := register(two, Target{ID: "10.0.0.1"}); err != nil {
		t.Errorf("a group of no load balancer: %v", err)
	}
	if err := second(e.elb.CreateRule(e.Context(), &elbv2.CreateRuleInput{ListenerArn: &listener, Priority: aws.Int32(1), Conditions: []types.RuleCondition{hosts(1)}, Actions: []types.Action{forwardTo(two)}})); codeOf(err) != "TooManyRegistrationsForTargetId" {
		t.Errorf("a rule that brings a third registration: %v", err)
	}
}

// TestGroupsHaveAVPC that is there, and that of their load balancer and of their instances.
func TestGroupsHaveAVPC(t *testing.T) {
	e := start(t, ec2Config())
	make := func(name, vpc string) (string, error) {
		out, err := e.elb.CreateTargetGroup(e.Context(), &elbv2.CreateTargetGroupInput{Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: &vpc})
		if err != nil {
			return "", err
		}
		return *out.TargetGroups[0].TargetGroupArn, nil
	}
	if _, err := make("nowhere", "vpc-z"); codeOf(err) != "ValidationError" || !strings.Contains(err.Error(), "The VPC ID 'vpc-z' is not found") {
		t.Errorf("a VPC that is not there: %v", err)
	}

	near, err := make("near", "vpc-a")
	if err != nil {
		t.Fatal(err)
	}
	far, err := make("far", "vpc-b")
	if err != nil {
		t.Fatal(err)
	}

	out, err := e.elb.CreateLoadBalancer(e.Context(), &elbv2.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: []string{"subnet-a1", "subnet-a2"}})
	if err != nil {
		t.Fatal(err)
	}
	listen := func(port int32, group string) error {
		return second(e.elb.CreateListener(e.Context(), &elbv2.CreateListenerInput{
			LoadBalancerArn: out.LoadBalancers[0].LoadBalancerArn, Protocol: types.ProtocolEnumHttp, Port: &port, DefaultActions: []types.Action{forwardTo(group)},
		}))
	}
	if err := listen(80, far); codeOf(err) != "InvalidConfigurationRequest" {
		t.Errorf("a group of another VPC: %v", err)
	}
	if err := listen(80, near); err != nil {
		t.Errorf("a group of the same VPC: %v", err)
	}

	if err := e.sim.PlaceInstances(Instance{ID: "i-0a", Subnet: "subnet-a1", Address: "10.0.0.20"}); err != nil {
		t.Fatal(err)
	}
	for group, code := range map[string]string{near: "", far: "InvalidTarget"} {
		if err := second(e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: described(Target{ID: "i-0a"})})); codeOf(err) != code {
			t.Errorf("an instance of vpc-a in %s: %v, want %q", group, err, code)
		}
	}
}

// TestHostsResolve: a client finds out where the name of a load balancer leads.
func TestHostsResolve(t *testing.T) {
	cfg := instant()
	cfg.EphemeralPorts = false
	e := start(t, cfg)
	port := freePort(t)
	want := ""
	for i, name := range []string{"first", "other"} {
		arn := e.balancer(name, types.LoadBalancerTypeEnumApplication)
		e.listen(arn, types.ProtocolEnumHttp, port, fixed())
		want += fmt.Sprintf("127.0.%d.1 %s\n", i, *e.balancerView(arn).DNSName)
	}

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/_awssim/hosts", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := direct{e.handler}.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var got strings.Builder
	if err := answer.Write(&got); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(got.String(), "\r\n\r\n"+want) {
		t.Errorf("hosts:\n%s\nwant:\n%s", got.String(), want)
	}

	for _, h := range e.sim.Hosts() {
		if status, _, _ := e.get(fmt.Sprintf("%s:%d", h.Address, port), "/", func(r *http.Request) { r.Host = h.Name }); status != http.StatusOK {
			t.Errorf("%s at %s answers %d", h.Name, h.Address, status)
		}
	}
}
