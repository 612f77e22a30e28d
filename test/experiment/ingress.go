// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/experiment/report"
)

// profileIngress is an Application Load Balancer that podgate makes for an Ingress.
const profileIngress = "ingress"

// game is the application behind the Ingress, as a template of env.App.
//
//go:embed 2048.yaml
var game string

// Names in its manifest.
const (
	gameDeployment = "2048-deployment"
	gameIngress    = "2048-ingress"
	gameGate       = "target-health.alb.ingress.k8s.aws/2048-ingress_service-2048_80"
)

// The instance of the cluster's node, as the simulator and the node know it, and its address.
const (
	nodeInstance = "i-0123456789abcdef0"
	nodeAddress  = "172.30.0.2"
)

// behindIngress makes the application of a run the one behind the Ingress.
func (e *experiment) behindIngress(run string, a env.App) env.App {
	o := e.options
	a.Source, a.Name, a.Ingress, a.Labels = game, gameDeployment, gameIngress, map[string]string{"app": "2048"}
	a.Namespace = "2048-game-" + strconv.FormatInt(time.Now().Unix(), 36)
	if run == report.GatedPrestop {
		a.Gates = []string{gameGate}
	}

	targets := "ip"
	if run == report.Instance {
		targets = "instance"
	}

	check := o.healthCheck
	a.Annotations = map[string]string{
		"alb.ingress.kubernetes.io/scheme":                       "internet-facing",
		"alb.ingress.kubernetes.io/target-type":                  targets,
		"alb.ingress.kubernetes.io/target-group-attributes":      fmt.Sprintf("deregistration_delay.timeout_seconds=%d", o.deregistrationDelay),
		"alb.ingress.kubernetes.io/healthcheck-path":             check.Path,
		"alb.ingress.kubernetes.io/healthcheck-interval-seconds": strconv.Itoa(int(check.Interval)),
		"alb.ingress.kubernetes.io/healthcheck-timeout-seconds":  strconv.Itoa(int(check.Timeout)),
		"alb.ingress.kubernetes.io/healthy-threshold-count":      strconv.Itoa(int(check.Healthy)),
		"alb.ingress.kubernetes.io/unhealthy-threshold-count":    strconv.Itoa(int(check.Unhealthy)),
	}

	return a
}

// ingressed is the load balancer of an Ingress.
type ingressed struct {
	*rollout
	// name is what the Ingress publishes, and address where that leads.
	name, address string
	// balancer and groups are ARNs.
	balancer string
	groups   []string
}

func (i *ingressed) url() string   { return "http://" + net.JoinHostPort(i.address, "80") + "/" }
func (i *ingressed) host() string  { return i.name }
func (i *ingressed) bind(*env.App) {}

// ready waits until the Ingress publishes a name, and finds out where it leads and which target groups are behind it.
func (i *ingressed) ready(ctx context.Context) error {
	if err := i.watch(ctx, "waiting for the Ingress's load balancer", func(ctx context.Context) (bool, error) {
		var ing networkingv1.Ingress
		if err := i.cluster.Get(ctx, client.ObjectKey{Namespace: i.app.Namespace, Name: gameIngress}, &ing); err != nil {
			return false, err
		}
		for _, at := range ing.Status.LoadBalancer.Ingress {
			i.name = at.Hostname
		}
		return i.name != "", nil
	}); err != nil {
		return err
	}

	hosts, err := i.sim.Hosts(ctx)
	if err != nil {
		return err
	}
	if i.address = hosts[i.name]; i.address == "" {
		return fmt.Errorf("the Ingress publishes %q, which is the name of no load balancer", i.name)
	}

	all, err := i.sim.ELB().DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})
	if err != nil {
		return fmt.Errorf("find the Ingress's load balancer: %w", err)
	}
	for _, b := range all.LoadBalancers {
		if strings.EqualFold(*b.DNSName, i.name) {
			i.balancer = *b.LoadBalancerArn
		}
	}

	groups, err := i.sim.ELB().DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{LoadBalancerArn: &i.balancer})
	if err != nil {
		return fmt.Errorf("find the Ingress's target groups: %w", err)
	}
	for _, g := range groups.TargetGroups {
		i.groups = append(i.groups, *g.TargetGroupArn)
	}
	return nil
}

func (i *ingressed) transitions(ctx context.Context) ([]awssim.Transition, error) {
	all, err := i.sim.Transitions(ctx, 0)
	if err != nil {
		return nil, err
	}
	var some []awssim.Transition
	for _, arn := range i.groups {
		some = append(some, ofGroup(all, arn)...)
	}
	return some, nil
}

// remove asserts that podgate has taken the load balancer away with the Ingress.
func (i *ingressed) remove(ctx context.Context) error {
	if i.balancer == "" {
		return nil
	}
	return i.watch(ctx, "waiting for the load balancer to go", func(ctx context.Context) (bool, error) {
		hosts, err := i.sim.Hosts(ctx)
		return hosts[i.name] == "", err
	})
}

// nodeIsInstance gives the cluster's node the instance that the simulator knows, as a cloud provider does.
func (e *experiment) nodeIsInstance(ctx context.Context) error {
	var nodes corev1.NodeList
	if err := e.cluster.List(ctx, &nodes); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	if len(nodes.Items) != 1 {
		return errors.New("the demo of Ingresses needs a cluster of one node")
	}
	node := &nodes.Items[0]
	if node.Spec.ProviderID != "" {
		return nil
	}
	patch := fmt.Appendf(nil, `{"spec":{"providerID":"aws:///%sa/%s"}}`, e.options.region, nodeInstance)
	if err := e.cluster.Patch(ctx, node, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("give node %s an instance: %w", node.Name, err)
	}
	return nil
}

// stays returns which targets are to be sent requests once an update is over.
func (r *rollout) stays() map[string]bool {
	if r.name == report.Instance {
		return map[string]bool{nodeInstance: true}
	}
	return staying(r.pods.Pods())
}
