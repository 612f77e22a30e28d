// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/aws/acm"
	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	"github.com/podgate/podgate/internal/balancer/meter"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/ingress"
	"github.com/podgate/podgate/internal/provision/elb/apply"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// elasticLoadBalancing is the service's name in permissions.
const elasticLoadBalancing = "elasticloadbalancing"

// within makes calls that are none of the seam's within the budgets of podgate's own account: those of Elastic Load Balancing
// share that of target groups, which is called own, and each other service has one of its own.
func within(limited *budget.Limited, metered *meter.Metered, own string, limits balancer.Limits) podaws.Within {
	_, place, _ := strings.Cut(own, " ")
	return func(ctx context.Context, charge podaws.Charge, call func(context.Context) error) error {
		account := own
		if charge.Service != elasticLoadBalancing {
			account = strings.TrimSpace(charge.Service + " " + place)
		}
		return limited.Do(ctx, account, limits, charge.Changes, func(ctx context.Context) error {
			return metered.Do(charge.Operation, func() error { return call(ctx) })
		})
	}
}

// addIngress has the leader make load balancers of Ingresses, Services and Gateways, where that was asked for.
func addIngress(mgr ctrlmanager.Manager, prov Balancers, metrics prometheus.Registerer, c Config) error {
	if !c.Ingress.Enabled && !c.Ingress.Gateways {
		return nil
	}

	err := ingress.Setup(mgr, ingress.Options{
		Settings: routes.Settings{
			Cluster: c.Ingress.ClusterName, VPC: c.Ingress.VPC, Scheme: c.Ingress.Scheme, TargetType: c.Ingress.TargetType, SSLPolicy: c.Ingress.SSLPolicy,
			Tags: c.Ingress.Tags, BackendSecurityGroup: c.Ingress.BackendSecurityGroup, Limits: routes.ALB,
		},
		Cloud:        apply.New(prov.AWS.Config, c.AWS.Region, prov.AWS.Within, prov.AWS.Options...),
		Network:      ec2.New(prov.AWS.Config, c.AWS.Region, prov.AWS.Within, prov.AWS.Options...),
		Certificates: acm.New(prov.AWS.Config, c.AWS.Region, prov.AWS.Within, prov.AWS.Options...),
		Labels:       labels(mgr.GetClient(), c),
		Allowed:      allowed(mgr.GetClient(), c),

		Ingresses: c.Ingress.Enabled, Gateways: c.Ingress.Gateways, OneNamespace: c.WatchNamespace != "",
		Reader: mgr.GetAPIReader(), Controllers: c.Ingress.Controllers, LBCLeaseNamespace: c.LBCLeaseNamespace, Manage: binding.Ownership(c.Bindings) == binding.OwnAnnotated,
		Recorder: boundedRecorder{mgr.GetEventRecorder(name)}, Metrics: metrics, Workers: c.Workers, Random: c.Parts.Random,
	})
	if err != nil {
		return fmt.Errorf("set up ingress controller: %w", err)
	}
	return nil
}
