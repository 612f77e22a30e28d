// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbapi "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/elb/apply"
	"github.com/podgate/podgate/internal/route/routetest"
	"github.com/podgate/podgate/sim/awssim"
)

// account is a simulated account of AWS with the network, the certificates and the target group that the corpus names.
type account struct {
	sim *awssim.Sim
	cfg aws.Config
	// elsewhere is the ARN of the target group.
	elsewhere string
}

func simulate(t *testing.T, change ...func(*awssim.Config)) *account {
	t.Helper()
	network := awssim.VPC{ID: "vpc-1", IPv6CIDR: "2001:db8::/56", SecurityGroups: []awssim.SecurityGroup{{ID: "sg-edge", Name: "edge"}}}
	for i, s := range routetest.VPC().Subnets {
		at := string(rune('0' + i))
		network.Subnets = append(network.Subnets, awssim.Subnet{
			ID: s.ID, Zone: "eu-west-1" + s.Zone, CIDR: "10.0." + at + ".0/24", IPv6CIDR: "2001:db8:0:" + at + "::/64", Private: strings.Contains(s.ID, "inner"), Tags: s.Tags,
		})
	}
	config := awssim.Config{TimeScale: 10000, Throttle: awssim.ThrottleOff, ACM: awssim.ACM{Certificates: []awssim.Certificate{{ID: "star", Domains: []string{"*.example.com"}}, {ID: "old", ValidDays: -1}}}}
	config.Region, config.AccountID, config.NoDataPath, config.EC2 = "eu-west-1", "111122223333", true, awssim.EC2{VPCs: []awssim.VPC{network}}
	for _, f := range change {
		f(&config)
	}
	sim, err := awssim.New(config)
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

	a := &account{sim: sim, cfg: aws.Config{
		Region: config.Region, BaseEndpoint: &server.URL, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}}
	out, err := elbapi.NewFromConfig(a.cfg).CreateTargetGroup(t.Context(), &elbapi.CreateTargetGroupInput{
		Name: new("elsewhere"), VpcId: new("vpc-1"), Port: new(int32(80)), Protocol: types.ProtocolEnumHttp, TargetType: types.TargetTypeEnumIp,
	})
	if err != nil {
		t.Fatal(err)
	}
	a.elsewhere = *out.TargetGroups[0].TargetGroupArn
	return a
}

// unmodelled are manifests with what awssim does not have: versions of HTTP.
var unmodelled = map[string]bool{"grpc.yaml": true, "delivery-grpc.yaml": true}

// TestCorpusIsAccepted makes the load balancers of every manifest at a simulated AWS, which checks what AWS does. What is there
// in the end is what was wanted: a process that has just started finds nothing to do.
func TestCorpusIsAccepted(t *testing.T) {
	for _, file := range routetest.Corpus(t, 30) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			if unmodelled[filepath.Base(file)] {
				t.Skip("awssim knows no HTTP/2")
			}
			m := readManifest(t, file)
			a := simulate(t)
			for _, i := range m.ingresses {
				for name, value := range i.Annotations {
					i.Annotations[name] = strings.ReplaceAll(value, "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/elsewhere/0123456789abcdef", a.elsewhere)
				}
			}

			stacks, _ := m.build()
			for _, s := range stacks {
				p := &provision{T: t, cloud: apply.New(a.cfg, "eu-west-1", nil), stack: s, bound: map[string]elb.Binding{}}
				p.run()
				if steps := p.observe(apply.New(a.cfg, "eu-west-1", nil)).Steps; len(steps) > 0 {
					t.Errorf("all was done, and a new process wants to %v", steps)
				}
			}
		})
	}
}

// provision makes a stack. The cluster does what is asked of it at once, and every target serves.
type provision struct {
	*testing.T
	cloud *apply.Cloud
	stack elb.Stack
	seen  elb.Observed
	// bound are the bindings of target groups, by the ARNs of these.
	bound map[string]elb.Binding
}

// observe reads what there is, and plans.
func (p *provision) observe(cloud *apply.Cloud) elb.Plan {
	p.Helper()
	var err error
	if p.seen, err = cloud.Observe(p.Context(), p.stack, true); err != nil {
		p.Fatal(err)
	}
	return p.plan()
}

// plan plans with what was seen.
func (p *provision) plan() elb.Plan {
	for i := range p.seen.TargetGroups {
		g := &p.seen.TargetGroups[i]
		g.Binding, g.Bound = p.bound[g.ARN]
		g.Health = &elb.Health{Registered: 1, Healthy: 1}
	}
	return elb.Make(p.stack, p.seen, time.Now())
}

// run performs steps until there are none, and nothing is waited for.
func (p *provision) run() {
	p.Helper()
	deadline := time.Now().Add(time.Minute)
	for plan := p.observe(p.cloud); len(plan.Steps)+len(plan.Waits) > 0; {
		if len(plan.Refusals) > 0 || time.Now().After(deadline) {
			p.Fatalf("refused: %v, left: %v, waiting: %v", plan.Refusals, plan.Steps, plan.Waits)
		}
		if len(plan.Steps) == 0 {
			time.Sleep(time.Millisecond) // A load balancer is being started.
			plan = p.observe(p.cloud)
			continue
		}

		err := p.do(plan.Steps[0])
		if err != nil && !errors.Is(err, balancer.ErrNotReady) {
			p.Fatalf("%s: %v", plan.Steps[0], err)
		}
		plan = p.plan()
		if err != nil {
			plan = p.observe(p.cloud)
		}
	}
}

func (p *provision) do(step elb.Step) error {
	if s, is := step.(elb.CreateBinding); is {
		p.bound[s.ARN] = s.TargetGroup.Binding
		return nil
	}
	return p.cloud.Perform(p.Context(), p.stack.Identity, step, &p.seen)
}
