// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/service"
)

// services checks Services that ask for network load balancers, with the code that makes these: those of files, and if they are
// asked for those of the namespace. AWS Load Balancer Controller serves such Services, too: they are podgate's where its
// Deployment says that it serves any, and else count if they are asked for.
func (f *flight) services(ctx context.Context, scope preflightScope) error {
	all, err := f.asking(ctx, scope)
	if err != nil || len(all) == 0 {
		return err
	}

	// Without the flags the defaults count.
	var unknown gaps
	asked, err := f.installation.ingressFlags(ctx, f.reader, &unknown)
	if err != nil {
		return err
	}
	if !scope.ingresses && (!asked.known || !asked.on) {
		f.skippedServices = len(all)
		return nil
	}

	for _, svc := range all {
		stack, problems := balance(f.allocated(svc), asked.settings)
		key := client.ObjectKeyFromObject(svc)
		for _, p := range problems {
			f.problem(kindService, key.String(), p)
		}
		f.Services = append(f.Services, Served{Object: "Service " + key.String(), Serves: balances(stack)})
		if err := f.beforeAll(ctx, scope, svc, "Service "+key.String(), stack, key.String()); err != nil {
			return err
		}
	}
	return nil
}

// asking are the Services in scope that ask for network load balancers, in the order of their names.
func (f *flight) asking(ctx context.Context, scope preflightScope) ([]*corev1.Service, error) {
	var all []*corev1.Service
	switch {
	case scope.files:
		for _, o := range f.reader.added {
			if svc, is := o.(*corev1.Service); is {
				all = append(all, svc)
			}
		}
	case scope.ingresses:
		var list corev1.ServiceList
		if err := f.reader.List(ctx, &list, client.InNamespace(scope.namespace)); err != nil {
			return nil, f.unchecked(err, "what Services ask for")
		}
		for i := range list.Items {
			all = append(all, &list.Items[i])
		}
	}

	all = slices.DeleteFunc(all, func(svc *corev1.Service) bool { return !service.Asks(svc) })
	slices.SortFunc(all, func(a, b *corev1.Service) int { return compare(a.Namespace, b.Namespace, a.Name, b.Name) })
	return all, nil
}

// allocated is a Service of a file as the API server makes it: with node ports.
func (f *flight) allocated(svc *corev1.Service) *corev1.Service {
	if asks := svc.Spec.AllocateLoadBalancerNodePorts; asks != nil && !*asks || !f.reader.isNew(svc) {
		return svc
	}
	made := svc.DeepCopy()
	for i := range made.Spec.Ports {
		if p := &made.Spec.Ports[i]; p.NodePort == 0 {
			p.NodePort = firstNodePort + p.Port%nodePorts
		}
	}
	if made.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal && made.Spec.HealthCheckNodePort == 0 {
		made.Spec.HealthCheckNodePort = firstNodePort
	}
	return made
}

// The range of node ports, by default.
const firstNodePort, nodePorts = 30000, 2768

// beforeAll tells of workloads in the files whose pods are made before the bindings that podgate makes for an object of the files.
func (f *flight) beforeAll(ctx context.Context, scope preflightScope, o client.Object, object string, stack elb.Stack, owner string) error {
	if !scope.files || !f.reader.isNew(o) {
		return nil
	}
	for _, g := range stack.TargetGroups {
		if g.Owner != owner || g.TargetType != string(elbv2.TargetTypeIP) {
			continue
		}
		if err := f.before(ctx, object, g); err != nil {
			return err
		}
	}
	return nil
}

// balances says what a load balancer of a Service serves.
func balances(s elb.Stack) string {
	var parts []string
	for _, l := range s.Listeners {
		parts = append(parts, fmt.Sprintf("%s at port %d", l.Protocol, l.Port))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(append(parts, plural.Count(len(s.TargetGroups), "target group")), "; ")
}
