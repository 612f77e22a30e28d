// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/sim/awssim"
)

// script performs steps one after the other, each made of what was seen, and after each compares what was seen with what a
// process sees that has just started.
type script struct {
	*testing.T
	*account
	cloud *Cloud
	stack elb.Stack
	seen  elb.Observed
}

func (s *script) do(step elb.Step) {
	s.Helper()
	if err := s.cloud.Perform(s.Context(), s.stack.Identity, step, &s.seen); err != nil {
		s.Fatalf("%s: %v", step, err)
	}
	fresh, err := s.account.cloud().Observe(s.Context(), s.stack, true)
	if err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(sorted(fresh), sorted(s.seen), cmpopts.EquateEmpty(), unread); diff != "" {
		s.Fatalf("after %q it is (-) and was taken for (+):\n%s", step, diff)
	}
}

// unread are attributes: of what has just been made they are not read, and nobody named the others. Provisioning ends while
// the test goes on.
var unread = cmp.FilterPath(func(p cmp.Path) bool {
	last := p.Last().String()
	return last == ".Attributes" || last == ".State" || last == ".Protected"
}, cmp.Ignore())

func (s *script) balancer() *elb.ObservedLoadBalancer { return &s.seen.LoadBalancers[0] }

func (s *script) listener(port int32) *elb.ObservedListener {
	s.Helper()
	for i := range s.balancer().Listeners {
		if l := &s.balancer().Listeners[i]; l.Port == port {
			return l
		}
	}
	s.Fatalf("no listener on port %d", port)
	return nil
}

// arns is an action that names target groups by their ARNs.
func (s *script) arns(a elb.Action) elb.Action {
	a.Forward = slices.Clone(a.Forward)
	for i := range a.Forward {
		for _, g := range s.seen.TargetGroups {
			if g.Resource == a.Forward[i].Group {
				a.Forward[i].Group = g.ARN
			}
		}
	}
	return a
}

// TestPerformSeesWhatItDid: after each step what was seen is what there is, so that the next step can be planned without
// asking again, and every setting is read as it was written.
func TestPerformSeesWhatItDid(t *testing.T) {
	a := simulate(t, awssim.Config{ACM: certificates})
	s := &script{T: t, account: a, cloud: a.cloud(), stack: web("shop/web")}
	want := s.stack
	begun := a.last()

	s.do(elb.CreateSecurityGroup{SecurityGroup: *want.SecurityGroup})
	id := s.seen.SecurityGroups[0].ID
	s.do(elb.AuthorizeIngress{ID: id, Permissions: want.SecurityGroup.Ingress})
	s.do(elb.RevokeIngress{ID: id, Permissions: want.SecurityGroup.Ingress[:1]})
	s.do(elb.Tag{ARN: id, Tags: map[string]string{"more": ""}})

	lb := want.LoadBalancer
	lb.SecurityGroups = []string{id}
	s.do(elb.CreateLoadBalancer{LoadBalancer: lb})
	arn := s.balancer().ARN
	s.do(elb.SetSubnets{LoadBalancer: arn, Subnets: []string{"subnet-2", "subnet-3"}})
	s.do(elb.SetAddressType{LoadBalancer: arn, AddressType: "dualstack"})
	s.do(elb.SetSecurityGroups{LoadBalancer: arn, SecurityGroups: []string{"sg-0a1b2c3d4e5f60718", id}})
	s.do(elb.SetLoadBalancerAttributes{LoadBalancer: arn, Attributes: lb.Attributes})
	s.do(elb.Tag{ARN: arn, Tags: map[string]string{"team": "three"}})

	for _, g := range want.TargetGroups {
		s.do(elb.CreateTargetGroup{TargetGroup: g})
	}
	for i := range s.seen.TargetGroups {
		g := s.seen.TargetGroups[i]
		check := elb.HealthCheck{Protocol: "HTTPS", Path: "/other", Port: "8443", Interval: 20, Timeout: 10, Healthy: 5, Unhealthy: 3, Codes: "200,204-206"}
		s.do(elb.ModifyTargetGroup{TargetGroup: g.ARN, HealthCheck: check})
		s.do(elb.SetTargetGroupAttributes{TargetGroup: g.ARN, Attributes: map[string]string{"deregistration_delay.timeout_seconds": "10"}})
		s.do(elb.Tag{ARN: g.ARN, Tags: map[string]string{"more": "b"}})
	}

	for _, l := range want.Listeners {
		s.do(elb.CreateListener{LoadBalancer: arn, Listener: l})
	}
	https := s.listener(443).ARN
	s.do(elb.AddCertificates{Listener: https, Certificates: []string{certificate + "two", certificate + "three"}})
	s.do(elb.RemoveCertificates{Listener: https, Certificates: []string{certificate + "two"}})
	s.do(elb.SetListenerAttributes{Listener: https, Attributes: want.Listeners[1].Attributes})
	s.do(elb.Tag{ARN: https, Tags: map[string]string{"more": "c"}})
	for i, r := range want.Listeners[1].Rules {
		r.Action = s.arns(r.Action)
		s.do(elb.CreateRule{Listener: https, Priority: 10 * (3 - i), Rule: r})
	}

	rules := s.listener(443).Has
	s.do(elb.SetPriorities{Listener: https, Priorities: map[string]int{rules[0].ARN: 30, rules[2].ARN: 10}})
	s.do(elb.ModifyRule{ARN: rules[1].ARN, Action: s.arns(elb.Action{Forward: []elb.Forward{{Group: "shop/web-rpc:80", Weight: 7}}})})
	s.do(elb.ModifyRule{ARN: rules[1].ARN, Action: elb.Action{Answer: &route.Answer{Status: 503, ContentType: "text/plain", Body: "later"}}})
	s.do(elb.ReplaceRule{ARN: rules[1].ARN, Rule: elb.Rule{
		Owner: "shop/web", Match: route.Match{Hosts: []string{"new.example.com"}, Paths: []string{"/new*"}}, Action: s.arns(elb.Action{Forward: []elb.Forward{{Group: "shop/web-rpc:80", Weight: 1}}}),
	}})
	s.do(elb.Tag{ARN: rules[1].ARN, Tags: map[string]string{"more": "d"}})
	changed := want.Listeners[1]
	changed.Certificates, changed.SSLPolicy = []string{certificate + "two"}, "ELBSecurityPolicy-2016-08"
	changed.Default = s.arns(elb.Action{Forward: []elb.Forward{{Group: "shop/web-api:80", Weight: 1}}})
	s.do(elb.ModifyListener{ARN: https, Listener: changed})
	changed = want.Listeners[0]
	changed.Default = elb.Action{Answer: &route.Answer{Status: 404, ContentType: "text/plain"}}
	s.do(elb.ModifyListener{ARN: s.listener(80).ARN, Listener: changed})

	since := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	s.do(elb.Retire{LoadBalancer: arn, Since: since})
	if got := s.balancer().Retired; !got.Equal(since.Truncate(time.Second)) {
		t.Errorf("retired at %s", got)
	}
	s.do(elb.Unretire{LoadBalancer: arn})

	s.do(elb.DeleteRule{ARN: rules[1].ARN})
	s.do(elb.DeleteListener{ARN: s.listener(80).ARN})
	s.do(elb.DeleteLoadBalancer{LoadBalancer: arn})
	for _, g := range slices.Clone(s.seen.TargetGroups) {
		s.do(elb.DeleteTargetGroup{TargetGroup: g.ARN})
	}
	s.do(elb.DeleteSecurityGroup{ID: id})
	if len(s.seen.LoadBalancers)+len(s.seen.TargetGroups)+len(s.seen.SecurityGroups) > 0 {
		t.Errorf("left: %+v", s.seen)
	}

	// Whoever grants the permissions of the list grants enough.
	for _, c := range a.Calls(begun) {
		if action := c.Service + ":" + c.Operation; !slices.Contains(Permissions, action) {
			t.Errorf("%s is not among the permissions", action)
		}
	}
}

// TestPerformNetwork: the same of a network load balancer, whose listeners have no rules.
func TestPerformNetwork(t *testing.T) {
	a := simulate(t, awssim.Config{ACM: certificates})
	stack := elb.Stack{Identity: identity("shop/tcp"), LoadBalancer: elb.LoadBalancer{Resource: "LoadBalancer", Kind: elb.Network, Name: "k8s-tcp", Scheme: "internal", Subnets: []string{"subnet-1"}}}
	group := elb.TargetGroup{
		Resource: "shop/tcp:80", Name: "k8s-tcp", VPC: vpc, Protocol: "TCP", Port: 80, TargetType: "ip",
		HealthCheck: elb.HealthCheck{Protocol: "TCP", Port: "traffic-port", Interval: 10, Timeout: 10, Healthy: 3, Unhealthy: 3},
	}
	s := &script{T: t, account: a, cloud: a.cloud(), stack: stack}
	s.do(elb.CreateLoadBalancer{LoadBalancer: stack.LoadBalancer})
	s.do(elb.CreateTargetGroup{TargetGroup: group})
	to := elb.Action{Forward: []elb.Forward{{Group: s.seen.TargetGroups[0].ARN, Weight: 1}}}
	arn := s.balancer().ARN
	s.do(elb.CreateListener{LoadBalancer: arn, Listener: elb.Listener{Resource: "80", Port: 80, Protocol: "TCP", Default: to}})
	s.do(elb.CreateListener{LoadBalancer: arn, Listener: elb.Listener{
		Resource: "443", Port: 443, Protocol: "TLS", Certificates: []string{certificate + "one"}, SSLPolicy: "ELBSecurityPolicy-2016-08", ALPN: "HTTP2Preferred", Default: to,
	}})
	s.do(elb.ModifyListener{ARN: s.listener(443).ARN, Listener: elb.Listener{Port: 443, Protocol: "TCP", Default: to}})

	group.Name = "k8s-tcp-2"
	s.do(elb.CreateTargetGroup{TargetGroup: group})
	beside := elb.Action{Forward: []elb.Forward{to.Forward[0], {Group: s.seen.TargetGroups[1].ARN}}}
	s.do(elb.ModifyListener{ARN: s.listener(80).ARN, Listener: elb.Listener{Port: 80, Protocol: "TCP", Default: beside}})
	if diff := cmp.Diff(beside, s.listener(80).Default); diff != "" {
		t.Errorf("beside the old target group (-want +got):\n%s", diff)
	}
	if operations := a.operations(0); slices.Contains(operations, "DescribeRules") {
		t.Errorf("called %v", operations)
	}
}

// TestLaw13TagsOfWhatIsMade: whatever a step says, what it makes carries the stack's tags, besides its own.
func TestLaw13TagsOfWhatIsMade(t *testing.T) {
	a := simulate(t, awssim.Config{})
	stack := web("shop/web")
	stack.LoadBalancer.Tags = map[string]string{clusterTag: "another", "team": "one"}
	var seen elb.Observed
	if err := a.cloud().Perform(t.Context(), stack.Identity, elb.CreateLoadBalancer{LoadBalancer: stack.LoadBalancer}, &seen); err != nil {
		t.Fatal(err)
	}
	fresh, err := a.cloud().Observe(t.Context(), stack, true)
	if err != nil || len(fresh.LoadBalancers) != 1 {
		t.Fatalf("got %+v, %v", fresh, err)
	}
	want := map[string]string{clusterTag: "shop", stackTag: "shop/web", resourceTag: "LoadBalancer", "team": "one"}
	if diff := cmp.Diff(want, fresh.LoadBalancers[0].Tags); diff != "" {
		t.Error(diff)
	}
}

// TestLaw13ACreationAdoptsNothing: AWS answers a creation with what is there if it has the same settings. Whosever that is,
// it does not become the stack's, and nothing is done to it.
func TestLaw13ACreationAdoptsNothing(t *testing.T) {
	for reason, tags := range map[string]map[string]string{
		"nobody's":                   nil,
		"another cluster's":          {clusterTag: "other", stackTag: "shop/web", resourceTag: "LoadBalancer"},
		"another stack's":            {clusterTag: "shop", stackTag: "shop/other", resourceTag: "LoadBalancer"},
		"one of which the tags miss": {stackTag: "shop/web", resourceTag: "LoadBalancer"},
	} {
		t.Run(reason, func(t *testing.T) {
			a := simulate(t, awssim.Config{})
			a.foreign(t, "k8s-web", tags)
			stack := web("shop/web")
			group := createTargetGroup(stack.TargetGroups[0])
			group.Tags = tagsFor(tags)
			if _, err := a.client.CreateTargetGroup(t.Context(), group); err != nil {
				t.Fatal(err)
			}
			cloud, seen := a.cloud(), elb.Observed{}
			before := a.last()
			for _, step := range []elb.Step{elb.CreateLoadBalancer{LoadBalancer: stack.LoadBalancer}, elb.CreateTargetGroup{TargetGroup: stack.TargetGroups[0]}} {
				if err := cloud.Perform(t.Context(), stack.Identity, step, &seen); err != nil {
					t.Fatal(err)
				}
			}
			if len(seen.LoadBalancers)+len(seen.TargetGroups) > 0 || seen.Foreign["k8s-web"] == "" || seen.Foreign["k8s-api"] == "" {
				t.Errorf("got %+v", seen)
			}
			for _, operation := range a.operations(before) {
				if !slices.Contains([]string{"CreateLoadBalancer", "CreateTargetGroup", "DescribeTags"}, operation) {
					t.Errorf("%s was called", operation)
				}
			}

			// It is seen before anything is tried, too.
			fresh, err := a.cloud().Observe(t.Context(), stack, true)
			if err != nil || len(fresh.LoadBalancers)+len(fresh.TargetGroups) > 0 || fresh.Foreign["k8s-web"] == "" || fresh.Foreign["k8s-api"] == "" {
				t.Errorf("observed %+v, %v", fresh, err)
			}
		})
	}
}

// TestLaw13NothingStrangeIsTouched: no step changes or deletes what does not carry the stack's tags, not even beside what
// does, and no call is made for it.
func TestLaw13NothingStrangeIsTouched(t *testing.T) {
	a := simulate(t, awssim.Config{ACM: certificates})
	loadBalancer, listener, targetGroup := a.foreign(t, "other", map[string]string{clusterTag: "shop", stackTag: "shop/other"})
	stack := web("shop/web")
	cloud := a.cloud()
	var seen elb.Observed
	if err := cloud.Perform(t.Context(), stack.Identity, elb.CreateLoadBalancer{LoadBalancer: stack.LoadBalancer}, &seen); err != nil {
		t.Fatal(err)
	}
	own := seen.LoadBalancers[0].ARN
	_, _, spare := a.foreign(t, "spare", nil)
	lb, err := a.client.DeleteLoadBalancer(t.Context(), deleteNamed(t, a, "spare"))
	if err != nil {
		t.Fatal(err, lb)
	}
	beside := a.listen(t, own, spare, 8080)
	seen, err = cloud.Observe(t.Context(), stack, true)
	if err != nil {
		t.Fatal(err)
	}
	if l := seen.LoadBalancers[0].Listeners; len(l) != 1 || l[0].Own {
		t.Fatalf("got %+v", l)
	}

	before, snapshot := a.last(), copyOf(seen)
	attributes := map[string]string{"a": "b"}
	for _, step := range []elb.Step{
		elb.AuthorizeIngress{ID: "sg-0a1b2c3d4e5f60718"}, elb.RevokeIngress{ID: "sg-0a1b2c3d4e5f60718"}, elb.DeleteSecurityGroup{ID: "sg-0a1b2c3d4e5f60718"},
		elb.Tag{ARN: loadBalancer}, elb.Tag{ARN: listener}, elb.Tag{ARN: targetGroup}, elb.Tag{ARN: "sg-0a1b2c3d4e5f60718"}, elb.Tag{ARN: beside},
		elb.SetSubnets{LoadBalancer: loadBalancer}, elb.SetSecurityGroups{LoadBalancer: loadBalancer}, elb.SetAddressType{LoadBalancer: loadBalancer},
		elb.SetLoadBalancerAttributes{LoadBalancer: loadBalancer, Attributes: attributes}, elb.Retire{LoadBalancer: loadBalancer}, elb.Unretire{LoadBalancer: loadBalancer},
		elb.DeleteLoadBalancer{LoadBalancer: loadBalancer},
		elb.ModifyTargetGroup{TargetGroup: targetGroup}, elb.SetTargetGroupAttributes{TargetGroup: targetGroup, Attributes: attributes}, elb.DeleteTargetGroup{TargetGroup: targetGroup},
		elb.CreateListener{LoadBalancer: loadBalancer, Listener: stack.Listeners[0]},
		elb.ModifyListener{ARN: listener}, elb.SetListenerAttributes{Listener: listener, Attributes: attributes}, elb.AddCertificates{Listener: listener},
		elb.RemoveCertificates{Listener: listener}, elb.DeleteListener{ARN: listener}, elb.CreateRule{Listener: listener}, elb.DeleteRule{ARN: listener},
		elb.ModifyListener{ARN: beside}, elb.SetListenerAttributes{Listener: beside, Attributes: attributes}, elb.AddCertificates{Listener: beside},
		elb.RemoveCertificates{Listener: beside}, elb.DeleteListener{ARN: beside}, elb.CreateRule{Listener: beside},
		elb.ModifyRule{ARN: listener}, elb.ReplaceRule{ARN: listener}, elb.SetPriorities{Listener: listener, Priorities: map[string]int{listener: 1}},
	} {
		if err := cloud.Perform(t.Context(), stack.Identity, step, &seen); !errors.Is(err, balancer.ErrInvalid) {
			t.Errorf("%s: got %v", step, err)
		}
	}
	if calls := a.operations(before); len(calls) > 0 {
		t.Errorf("called %v", calls)
	}
	if diff := cmp.Diff(snapshot, seen); diff != "" {
		t.Error(diff)
	}
}

// TestSecurityGroupThatIsNotListed: one that was made, and that EC2 does not list yet, is not made again and is no error of
// anybody's. It is found by its name.
func TestSecurityGroupThatIsNotListed(t *testing.T) {
	a := simulate(t, awssim.Config{ACM: certificates})
	stack := web("shop/web")
	step := elb.CreateSecurityGroup{SecurityGroup: *stack.SecurityGroup}
	seen := observe(t, a.cloud(), stack, true)
	if err := a.cloud().Perform(t.Context(), stack.Identity, step, &seen); err != nil {
		t.Fatal(err)
	}
	id := seen.SecurityGroups[0].ID

	lag, err := a.AddFault(awssim.Fault{Service: "ec2", Operation: "DescribeSecurityGroups", LagSeconds: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	again := a.cloud()
	if seen = observe(t, again, stack, true); len(seen.SecurityGroups) > 0 {
		t.Fatalf("it is listed: %+v", seen.SecurityGroups)
	}
	if err := again.Perform(t.Context(), stack.Identity, step, &seen); !errors.Is(err, balancer.ErrNotReady) || len(seen.SecurityGroups) > 0 {
		t.Errorf("while it is not listed: %v, %+v", err, seen.SecurityGroups)
	}
	if err := a.RemoveFaults(lag); err != nil {
		t.Fatal(err)
	}
	if err := again.Perform(t.Context(), stack.Identity, step, &seen); err != nil || len(seen.SecurityGroups) != 1 || seen.SecurityGroups[0].ID != id {
		t.Errorf("when it is listed: %v, %+v", err, seen.SecurityGroups)
	}
	if diff := cmp.Diff(observe(t, a.cloud(), stack, true).SecurityGroups, seen.SecurityGroups, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("EC2 has it otherwise: %s", diff)
	}
}

// TestLaw13SecurityGroupOfSomebodyElse: one of the name that a stack wants is left to whoever has it.
func TestLaw13SecurityGroupOfSomebodyElse(t *testing.T) {
	a := simulate(t, awssim.Config{ACM: certificates})
	stack := web("shop/web")
	theirs := *stack.SecurityGroup
	other := identity("shop/other")
	seen := observe(t, a.cloud(), elb.Stack{Identity: other}, true)
	if err := a.cloud().Perform(t.Context(), other, elb.CreateSecurityGroup{SecurityGroup: theirs}, &seen); err != nil {
		t.Fatal(err)
	}
	seen = observe(t, a.cloud(), stack, true)
	err := a.cloud().Perform(t.Context(), stack.Identity, elb.CreateSecurityGroup{SecurityGroup: theirs}, &seen)
	if !errors.Is(err, balancer.ErrInvalid) || len(seen.SecurityGroups) > 0 {
		t.Errorf("%v, %+v", err, seen.SecurityGroups)
	}
}
