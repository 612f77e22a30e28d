// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/sim/awssim"
)

const region = "eu-test-1"

// account is a simulated account of AWS.
type account struct {
	*awssim.Sim
	cfg    aws.Config
	client *elbv2.Client // somebody else's
}

// simulate starts an account.
func simulate(t *testing.T, cfg awssim.Config) *account {
	t.Helper()
	cfg.Region, cfg.NoDataPath, cfg.Throttle = region, true, awssim.ThrottleOff
	cfg.TimeScale = 1000
	sim, err := awssim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	server := httptest.NewServer(sim.Handler())
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	a := &account{Sim: sim, cfg: aws.Config{
		Region: region, BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient: &http.Client{Transport: transport},
	}}
	a.client = elbv2.NewFromConfig(a.cfg)
	return a
}

// cloud is one that knows nothing yet, as of a process that has just started.
func (a *account) cloud() *Cloud { return New(a.cfg, region, nil) }

// within is a cloud whose calls go through something.
func (a *account) within(w podaws.Within) *Cloud { return New(a.cfg, region, w) }

// operations are the names of the calls since one.
func (a *account) operations(since int64) []string {
	var names []string
	for _, c := range a.Calls(since) {
		names = append(names, c.Operation)
	}
	return names
}

// last is the number of the last call.
func (a *account) last() int64 {
	calls := a.Calls(0)
	if len(calls) == 0 {
		return 0
	}
	return calls[len(calls)-1].Seq
}

const (
	clusterTag  = "elbv2.k8s.aws/cluster"
	stackTag    = "ingress.k8s.aws/stack"
	resourceTag = "ingress.k8s.aws/resource"
	vpc         = "vpc-0a1b2c3d4e5f60718"
	certificate = "arn:aws:acm:" + region + ":123456789012:certificate/"
)

// identity is a stack's.
func identity(stack string) elb.Identity {
	return elb.Identity{VPC: vpc, Tags: map[string]string{clusterTag: "shop", stackTag: stack}, ResourceTag: resourceTag}
}

// web is a stack with a bit of all that there is.
func web(name string) elb.Stack {
	group := func(service string, more func(*elb.TargetGroup)) elb.TargetGroup {
		g := elb.TargetGroup{
			Resource: name + "-" + service + ":80", Owner: name, Name: "k8s-" + service, VPC: vpc, Protocol: "HTTP", Version: "HTTP1", Port: 8080,
			TargetType: "ip", AddressType: "ipv4",
			HealthCheck: elb.HealthCheck{Protocol: "HTTP", Path: "/", Port: "traffic-port", Interval: 15, Timeout: 5, Healthy: 2, Unhealthy: 2, Codes: "200"},
			Binding:     elb.Binding{Namespace: "shop", Service: service, Port: "80"},
		}
		if more != nil {
			more(&g)
		}
		return g
	}

	return elb.Stack{
		Identity: identity(name),
		LoadBalancer: elb.LoadBalancer{
			Resource: "LoadBalancer", Kind: elb.Application, Name: "k8s-web", Scheme: "internet-facing", AddressType: "ipv4", Subnets: []string{"subnet-1", "subnet-2"},
			Attributes: map[string]string{"idle_timeout.timeout_seconds": "120"}, Tags: map[string]string{"team": "one & two"},
		},
		SecurityGroup: &elb.SecurityGroup{
			Resource: "ManagedLBSecurityGroup", Name: "k8s-web", Description: "podgate", VPC: vpc,
			Ingress: []elb.Permission{{Protocol: "tcp", From: 80, To: 80, CIDR: "0.0.0.0/0"}, {Protocol: "tcp", From: 443, To: 443, CIDR: "::/0"}, {Protocol: "tcp", From: 443, To: 443, PrefixList: "pl-1"}},
		},
		TargetGroups: []elb.TargetGroup{
			group("api", func(g *elb.TargetGroup) {
				g.Attributes = map[string]string{"deregistration_delay.timeout_seconds": "30"}
			}),
			group("rpc", func(g *elb.TargetGroup) {
				g.Protocol, g.TargetType, g.HealthCheck = "HTTPS", "instance", elb.HealthCheck{}
			}),
		},
		Listeners: []elb.Listener{
			{
				Resource: "80", Port: 80, Protocol: "HTTP", Default: elb.Action{Redirect: &route.Redirect{Status: 301, Protocol: "HTTPS", Port: "443"}},
			},
			{
				Resource: "443", Port: 443, Protocol: "HTTPS", SSLPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06",
				Certificates: []string{certificate + "one", certificate + "two"},
				Attributes:   map[string]string{"routing.http.response.server.enabled": "false"},
				Default:      elb.Action{Answer: &route.Answer{Status: 404, ContentType: "text/plain"}},
				Rules: []elb.Rule{
					{
						Owner: name, Match: route.Match{Hosts: []string{"shop.example.com"}, Paths: []string{"/api", "/api/*"}},
						Action: elb.Action{Forward: []elb.Forward{{Group: name + "-api:80", Weight: 90}, {Group: name + "-rpc:80", Weight: 10}}, Sticky: 2 * time.Minute},
					},
					{
						Owner: name, Tags: map[string]string{"rule": "two"},
						Match: route.Match{
							Methods: []string{"GET"}, Headers: []route.Header{{Name: "X-A", Values: []string{"b*"}}, {Name: "X-C", Values: []string{"d"}}},
							Queries: [][]route.Query{{{Value: "e"}}},
						},
						Action: elb.Action{Redirect: &route.Redirect{Status: 302, Host: "example.org", Path: "/#{path}/", Query: "a=b"}},
					},
					{
						Owner: name, Match: route.Match{Sources: []string{"10.0.0.0/8"}, Queries: [][]route.Query{{{Key: "f", Value: "g"}}, {{Key: "h", Value: "*"}}}},
						Action: elb.Action{Answer: &route.Answer{Status: 403, ContentType: "application/json", Body: "{}"}},
					},
				},
			},
		},
	}
}

var certificates = awssim.ACM{Certificates: []awssim.Certificate{{ID: "one"}, {ID: "two"}, {ID: "three"}}}

// foreign makes a load balancer of the name with a listener and a target group, and returns their ARNs.
func (a *account) foreign(t *testing.T, name string, tags map[string]string) (loadBalancer, listener, targetGroup string) {
	t.Helper()
	ctx := t.Context()
	group, err := a.client.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{
		Name: &name, VpcId: aws.String(vpc), Protocol: types.ProtocolEnumHttp, Port: aws.Int32(8080), TargetType: types.TargetTypeEnumIp, Tags: tagsFor(tags),
	})
	if err != nil {
		t.Fatal(err)
	}
	lb, err := a.client.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-1", "subnet-2"}, Tags: tagsFor(tags)})
	if err != nil {
		t.Fatal(err)
	}
	targetGroup, loadBalancer = *group.TargetGroups[0].TargetGroupArn, *lb.LoadBalancers[0].LoadBalancerArn
	return loadBalancer, a.listen(t, loadBalancer, targetGroup, 80), targetGroup
}

// listen makes a listener that forwards to a target group, as a person does.
func (a *account) listen(t *testing.T, loadBalancer, targetGroup string, port int32) string {
	t.Helper()
	out, err := a.client.CreateListener(t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: &loadBalancer, Port: &port, Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &targetGroup}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Listeners[0].ListenerArn
}

// sorted is what was seen in an order of its own, for comparisons.
func sorted(seen elb.Observed) elb.Observed {
	seen = copyOf(seen)
	byARN := func(a, b elb.ObservedListener) int { return int(a.Port - b.Port) }
	for i := range seen.LoadBalancers {
		slices.SortFunc(seen.LoadBalancers[i].Listeners, byARN)
		if len(seen.LoadBalancers[i].Listeners) == 0 {
			seen.LoadBalancers[i].Listeners = nil
		}
		for j := range seen.LoadBalancers[i].Listeners {
			if l := &seen.LoadBalancers[i].Listeners[j]; len(l.Has) == 0 {
				l.Has = nil
			}
		}
	}
	slices.SortFunc(seen.LoadBalancers, func(a, b elb.ObservedLoadBalancer) int { return compare(a.ARN, b.ARN) })
	slices.SortFunc(seen.TargetGroups, func(a, b elb.ObservedTargetGroup) int { return compare(a.ARN, b.ARN) })
	slices.SortFunc(seen.SecurityGroups, func(a, b elb.ObservedSecurityGroup) int { return compare(a.ID, b.ID) })
	for i := range seen.SecurityGroups {
		g := &seen.SecurityGroups[i]
		g.Ingress = slices.Clone(g.Ingress)
		slices.SortFunc(g.Ingress, func(a, b elb.Permission) int {
			return compare(a.CIDR+a.PrefixList, b.CIDR+b.PrefixList)
		})
	}
	return seen
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// deleteNamed is a request to delete the load balancer of a name.
func deleteNamed(t *testing.T, a *account, name string) *elbv2.DeleteLoadBalancerInput {
	t.Helper()
	out, err := a.client.DescribeLoadBalancers(t.Context(), &elbv2.DescribeLoadBalancersInput{Names: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	return &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: out.LoadBalancers[0].LoadBalancerArn}
}
