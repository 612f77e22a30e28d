// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
)

// publish writes the load balancer's name into the status of its Ingresses. What is there stays where there is no name now.
func (p *pass) publish(ctx context.Context, plan elb.Plan) error {
	hostname := strings.ToLower(elb.Hostname(p.stack, p.seen))
	if hostname == "" {
		return nil
	}

	var errs []error
	for _, m := range p.members {
		if m.standing != active && m.standing != kept {
			continue
		}
		if p.culprits[m.owner()] != nil && len(hostnames(m.Object)) == 0 {
			continue // It has no name before its rules are in place.
		}
		errs = append(errs, p.publishOn(ctx, m, hostname))
		waits := slices.ContainsFunc(plan.Waits, func(w elb.Wait) bool { return w.Owner == m.owner() })
		if m.standing == active && !waits && p.culprits[m.owner()] == nil {
			p.note(m.owner(), corev1.EventTypeNormal, v1alpha1.ReasonLoadBalancerReady, "load balancer "+hostname+" is active and has the "+p.kind.parts()+" of this "+nounOf(m.Object))
		}
	}
	p.notePublished()
	return errors.Join(errs...)
}

func (p *pass) publishOn(ctx context.Context, m member, hostname string) error {
	before := copyOf(m.Object)
	name(m.Object, hostname, p.stack.Listeners)
	if reflect.DeepEqual(before, m.Object) {
		return nil
	}
	if err := p.client.Status().Patch(ctx, m.Object, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		set(m.Object, before)
		return fmt.Errorf("write the status of %s %s: %w", nounOf(m.Object), m.owner(), err)
	}
	p.log.Info("Published the load balancer's name", strings.ToLower(nounOf(m.Object)), m.owner(), "hostname", hostname)
	return nil
}

// withdraw takes the load balancer's name off the status of Ingresses that went to a class of others, while it is known: before
// the first step that takes their rules away. What others wrote stays. An Ingress that podgate serves in another group gets the
// name of that one when it serves.
func (p *pass) withdraw(ctx context.Context) error {
	for _, m := range p.members {
		if m.standing != leaving || !m.GetDeletionTimestamp().IsZero() || m.class.Served {
			continue
		}
		ours := func(hostname string) bool {
			return slices.ContainsFunc(p.seen.LoadBalancers, func(lb elb.ObservedLoadBalancer) bool { return strings.EqualFold(lb.DNSName, hostname) })
		}
		if !slices.ContainsFunc(hostnames(m.Object), ours) {
			continue
		}

		before := copyOf(m.Object)
		unname(m.Object, ours)
		err := p.client.Status().Patch(ctx, m.Object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("write the status of %s %s: %w", nounOf(m.Object), m.owner(), err)
		}
		p.log.Info("Withdrew the load balancer's name", strings.ToLower(nounOf(m.Object)), m.owner())
	}
	return nil
}

// notePublished adds to what is observed which load balancers the cluster names.
func (p *pass) notePublished() {
	named := map[string]bool{}
	for _, m := range p.members {
		for _, hostname := range hostnames(m.Object) {
			named[hostname] = m.standing != leaving || named[hostname]
		}
	}
	for i := range p.seen.LoadBalancers {
		p.seen.LoadBalancers[i].Published = named[strings.ToLower(p.seen.LoadBalancers[i].DNSName)]
	}
}
