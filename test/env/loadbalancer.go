// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// AccessKeyID and SecretAccessKey are credentials that the simulator takes, as it takes
// any. They open nothing.
const (
	AccessKeyID     = "AKIAEXAMPLEEXAMPLE00"
	SecretAccessKey = "not-a-secret"
)

// ELB is a client of the simulator's AWS API.
func (s *Simulator) ELB() *elb.Client { return s.elbAs(AccessKeyID) }

// ACM is another one, for certificates.
func (s *Simulator) ACM() *acm.Client {
	return acm.New(acm.Options{
		BaseEndpoint: aws.String(s.Endpoint), Region: s.Region, Retryer: patient(),
		Credentials: credentials.NewStaticCredentialsProvider(AccessKeyID, SecretAccessKey, ""),
	})
}

// AWS, and so the simulator, lets an account make 20 calls that change something at once,
// and 3 a second after that. A load balancer takes four of them, so that of several that
// are made at the same time some have to wait, for longer than the SDK's three attempts last.
const (
	callAttempts = 100
	callPause    = 300 * time.Millisecond
)

// patient has a client repeat throttled calls, for half a minute.
func patient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = callAttempts
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return callPause, nil })
		o.RateLimiter = ratelimit.None // Its tokens would be used up before the attempts are.
	})
}

// elbAs is a client with another access key, and so perhaps of another account.
func (s *Simulator) elbAs(accessKeyID string) *elb.Client {
	return elb.New(elb.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(accessKeyID, SecretAccessKey, ""),
		Retryer:      patient(),
	})
}

// HealthCheck is a target group's, over HTTP.
type HealthCheck struct {
	// Path that is asked for.
	Path string
	// Interval and Timeout are in seconds.
	Interval, Timeout int32
	// Healthy and Unhealthy are the thresholds.
	Healthy, Unhealthy int32
}

// TargetGroupOptions say what a load balancer forwards to.
type TargetGroupOptions struct {
	// Name of the target group and of the load balancer.
	Name string
	// NLB makes a Network Load Balancer with TCP instead of an Application Load Balancer with HTTP.
	NLB bool
	// Lattice makes a service of VPC Lattice in a service network. Nobody can choose how long its targets drain.
	Lattice bool
	// Unused makes the group alone, which nothing forwards to; of VPC Lattice only.
	Unused bool
	// Unchecked has health checks off; of VPC Lattice only.
	Unchecked bool
	// Instances makes a group of instances instead of addresses.
	Instances bool
	// Tags of the group; of VPC Lattice only.
	Tags        map[string]string
	HealthCheck HealthCheck
	// DeregistrationDelay in seconds.
	DeregistrationDelay int
	// AccessKeyID is whose account all is made in; podgate's own when empty.
	AccessKeyID string
}

// LoadBalancer is a simulated load balancer with one listener and one group of targets.
type LoadBalancer struct {
	// TargetGroupARN and the load balancer's own name.
	TargetGroupARN, ARN string
	// URL of its listener.
	URL string
	// Host is the name that requests must ask for; empty when that is the address of URL.
	Host string

	elb *elb.Client
}

// vpc and subnets are those that the simulator has unless others are configured.
const vpc = "vpc-0a1b2c3d4e5f60718"

var subnets = []string{"subnet-1", "subnet-2"}

// CreateLoadBalancer makes a target group and a load balancer that forwards to it. It leaves
// nothing behind when it fails.
func (s *Simulator) CreateLoadBalancer(ctx context.Context, o TargetGroupOptions) (*LoadBalancer, error) {
	if o.Lattice {
		return s.createLattice(ctx, o)
	}
	b := &LoadBalancer{elb: s.elbAs(cmp.Or(o.AccessKeyID, AccessKeyID))}
	if err := s.create(ctx, b, o); err != nil {
		return nil, errors.Join(err, b.Delete(context.WithoutCancel(ctx)))
	}
	return b, nil
}

func (s *Simulator) create(ctx context.Context, b *LoadBalancer, o TargetGroupOptions) error {
	if err := b.createTargetGroup(ctx, o); err != nil {
		return fmt.Errorf("create target group %s: %w", o.Name, err)
	}

	listener, err := b.createListener(ctx, o)
	if err != nil {
		return fmt.Errorf("create load balancer %s: %w", o.Name, err)
	}

	all, err := s.Listeners(ctx)
	if err != nil {
		return err
	}

	for _, l := range all {
		if l.ListenerARN == listener && l.Address != "" {
			b.URL = "http://" + l.Address + "/"
			return nil
		}
	}

	return fmt.Errorf("create load balancer %s: its listener is not open", o.Name)
}

func (b *LoadBalancer) createTargetGroup(ctx context.Context, o TargetGroupOptions) error {
	protocol, targets := types.ProtocolEnumHttp, types.TargetTypeEnumIp
	if o.NLB {
		protocol = types.ProtocolEnumTcp
	}
	if o.Instances {
		targets = types.TargetTypeEnumInstance
	}

	made, err := b.elb.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: &o.Name, Protocol: protocol, Port: aws.Int32(80), VpcId: aws.String(vpc), TargetType: targets,
		HealthCheckProtocol: types.ProtocolEnumHttp, HealthCheckPath: &o.HealthCheck.Path,
		HealthCheckIntervalSeconds: &o.HealthCheck.Interval, HealthCheckTimeoutSeconds: &o.HealthCheck.Timeout,
		HealthyThresholdCount: &o.HealthCheck.Healthy, UnhealthyThresholdCount: &o.HealthCheck.Unhealthy,
	})
	if err != nil {
		return err
	}

	b.TargetGroupARN = *made.TargetGroups[0].TargetGroupArn
	_, err = b.elb.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &b.TargetGroupARN,
		Attributes: []types.TargetGroupAttribute{{
			Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String(strconv.Itoa(o.DeregistrationDelay)),
		}},
	})

	return err
}

func (b *LoadBalancer) createListener(ctx context.Context, o TargetGroupOptions) (string, error) {
	kind, protocol := types.LoadBalancerTypeEnumApplication, types.ProtocolEnumHttp
	if o.NLB {
		kind, protocol = types.LoadBalancerTypeEnumNetwork, types.ProtocolEnumTcp
	}

	made, err := b.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: &o.Name, Type: kind, Subnets: subnets})
	if err != nil {
		return "", err
	}

	b.ARN = *made.LoadBalancers[0].LoadBalancerArn
	listener, err := b.elb.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: &b.ARN, Protocol: protocol, Port: aws.Int32(80),
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &b.TargetGroupARN}},
	})
	if err != nil {
		return "", err
	}

	return *listener.Listeners[0].ListenerArn, nil
}

// Delete removes the load balancer, with its listener, and the target group. A service of VPC Lattice stays until the
// simulator ends: its group cannot be deleted for as long as targets drain.
func (b *LoadBalancer) Delete(ctx context.Context) error {
	if b.elb == nil {
		return nil
	}

	var errs []error
	if b.ARN != "" {
		_, err := b.elb.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &b.ARN})
		errs = append(errs, err)
	}

	if b.TargetGroupARN != "" {
		_, err := b.elb.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &b.TargetGroupARN})
		errs = append(errs, err)
	}

	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("delete load balancer: %w", err)
	}

	return nil
}

// States counts the group's targets by state.
func (b *LoadBalancer) States(ctx context.Context) (map[types.TargetHealthStateEnum]int, error) {
	out, err := b.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &b.TargetGroupARN})
	if err != nil {
		return nil, fmt.Errorf("describe target health: %w", err)
	}
	states := map[types.TargetHealthStateEnum]int{}
	for _, d := range out.TargetHealthDescriptions {
		states[d.TargetHealth.State]++
	}
	return states, nil
}

// WaitHealthy waits until n targets are healthy and no others are there.
func (b *LoadBalancer) WaitHealthy(ctx context.Context, n int) error {
	return poll(ctx, fmt.Sprintf("%d healthy targets", n), func(ctx context.Context) (bool, error) {
		states, err := b.States(ctx)
		return len(states) == 1 && states[types.TargetHealthStateEnumHealthy] == n, err
	})
}
