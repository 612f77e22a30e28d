// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/aws/acm"
	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	routes "github.com/podgate/podgate/internal/route/ingress"
	"github.com/podgate/podgate/internal/route/service"
)

// Network has what there is of a VPC; an *ec2.EC2 does.
type Network interface {
	Subnets(ctx context.Context, filters ...ec2.Filter) ([]ec2.Subnet, error)
	RouteTables(ctx context.Context, filters ...ec2.Filter) ([]ec2.RouteTable, error)
	Zones(ctx context.Context) ([]ec2.Zone, error)
	SecurityGroups(ctx context.Context, filters ...ec2.Filter) ([]ec2.SecurityGroup, error)
}

// Certificates has those of the account; an *acm.ACM does.
type Certificates interface {
	Certificates(ctx context.Context) ([]acm.Certificate, error)
}

const (
	// fresh is for how long an answer about what all groups share serves those that change something, or lack something.
	fresh = time.Minute
	// settled is for how long it serves one group that lacks nothing. Several share the costs, and so have it more often.
	settled = 2 * time.Hour
	// failing is for how long a failure serves all. Who comes later asks again.
	failing = 10 * time.Second
)

// settledFor is for how long an answer serves groups that lack nothing.
func settledFor(groups int) time.Duration { return max(settled/time.Duration(max(groups, 1)), audit) }

// remembered asks once in a while, however many want to know. One asks at a time, and the others wait for it as long as they can.
type remembered[T any] struct {
	turn  chan struct{}
	at    time.Time
	value T
	// failed is when it could not be told last, and err why.
	failed time.Time
	err    error
}

func newRemembered[T any]() *remembered[T] { return &remembered[T]{turn: make(chan struct{}, 1)} }

// get returns what was answered within an age, or asks. An error comes with what was answered last.
func (r *remembered[T]) get(ctx context.Context, now func() time.Time, age time.Duration, ask func() (T, error)) (T, error) {
	var nothing T
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nothing, ctx.Err()
	}

	if !r.at.IsZero() && now().Sub(r.at) < age {
		return r.value, nil
	}
	if r.err != nil && now().Sub(r.failed) < failing {
		return r.value, r.err
	}

	begun := now()
	value, err := ask()
	switch {
	case err == nil:
		r.at, r.value, r.err = begun, value, nil
	case ctx.Err() == nil: // Who had no time left says nothing about AWS.
		r.failed, r.err = now(), err
	}
	return r.value, err
}

// shared is what is the same for all groups.
type shared struct {
	vpc          string
	network      Network
	certificates Certificates
	account      Cloud
	allowed      func(ctx context.Context, namespace string, arns []string) (string, error)
	now          func() time.Time

	subnets *remembered[subnets.Seen]
	groups  *remembered[[]ec2.SecurityGroup]
	issued  *remembered[[]certificates.Certificate]
}

func newShared(o Options) *shared {
	return &shared{
		vpc: o.Settings.VPC, network: o.Network, certificates: o.Certificates, account: o.Cloud, allowed: o.Allowed, now: o.Now,
		subnets: newRemembered[subnets.Seen](), groups: newRemembered[[]ec2.SecurityGroup](), issued: newRemembered[[]certificates.Certificate](),
	}
}

// seen are the subnets of the VPC, with where they lead to.
func (s *shared) seen(ctx context.Context, age time.Duration) (subnets.Seen, error) {
	return s.subnets.get(ctx, s.now, age, func() (subnets.Seen, error) {
		all, err := s.network.Subnets(ctx, ec2.In(s.vpc))
		if err != nil {
			return subnets.Seen{}, err
		}
		tables, err := s.network.RouteTables(ctx, ec2.In(s.vpc))
		if err != nil {
			return subnets.Seen{}, err
		}
		zones, err := s.network.Zones(ctx)
		if err != nil {
			return subnets.Seen{}, err
		}

		kinds := map[string]string{}
		for _, z := range zones {
			kinds[z.Name] = z.Type
		}
		var seen subnets.Seen
		for _, at := range all {
			seen.Subnets = append(seen.Subnets, subnets.Subnet{
				ID: at.ID, VPC: at.VPC, Zone: at.Zone, ZoneType: kinds[at.Zone], Outpost: at.Outpost, Tags: at.Tags, Free: at.Free, IPv6: len(at.IPv6) > 0,
			})
		}
		for _, t := range tables {
			seen.Routes = append(seen.Routes, subnets.RouteTable{VPC: t.VPC, Main: t.Main, Subnets: t.Subnets, Internet: t.Internet})
		}
		return seen, nil
	})
}

// have are the account's certificates.
func (s *shared) have(ctx context.Context, age time.Duration) ([]certificates.Certificate, error) {
	return s.issued.get(ctx, s.now, age, func() ([]certificates.Certificate, error) {
		all, err := s.certificates.Certificates(ctx)
		var have []certificates.Certificate
		for _, c := range all {
			have = append(have, certificates.Certificate(c))
		}
		return have, err
	})
}

// lookups are those of one pass.
type lookups struct {
	*shared
	ctx    context.Context
	reader client.Reader
	// stack is whose pass it is, and observed is what there is of it.
	stack    elb.Identity
	observed elb.Observed
	// age is for how long answers serve, and lacks reports that something was not found in them. What is new may be it.
	age   time.Duration
	lacks bool
	// failed is why something cannot be told now. What was built then is not used.
	failed error
	// missed is why something could not be looked for. What it concerns keeps what it has, and all else goes on.
	missed error
}

func (l *lookups) all() routes.Lookups {
	return routes.Lookups{Service: l.service, Subnets: l.choose, SecurityGroup: l.securityGroup, TargetGroup: l.targetGroup, Certificates: l.found}
}

func (l *lookups) fail(err error) { l.failed = errors.Join(l.failed, err) }

// service returns a Service; nil: there is none.
func (l *lookups) service(namespace, name string) *corev1.Service {
	service := &corev1.Service{}
	err := l.reader.Get(l.ctx, client.ObjectKey{Namespace: namespace, Name: name}, service)
	if err != nil {
		if client.IgnoreNotFound(err) != nil {
			l.fail(fmt.Errorf("get Service %s/%s: %w", namespace, name, err))
		}
		return nil
	}
	return service
}

// choose returns the subnets for a load balancer.
func (l *lookups) choose(want subnets.Want) ([]string, error) {
	seen, err := l.seen(l.ctx, l.age)
	if err != nil {
		l.fail(err)
		return nil, err
	}
	choice, err := subnets.Choose(seen, want)
	l.lacks = l.lacks || err != nil
	return choice.IDs, err
}

// backendGroup returns the id of the security group that the stack's load balancers have besides their own: the one that the
// settings name, or else the one that AWS Load Balancer Controller shares between its load balancers, where one of these has it.
// Nodes and pods let that in, so it stays. Empty: there is none.
func (l *lookups) backendGroup(settings routes.Settings) string {
	if settings.BackendSecurityGroup != "" {
		return settings.BackendSecurityGroup
	}

	var others []string
	for _, lb := range l.observed.LoadBalancers {
		for _, id := range lb.SecurityGroups {
			if !slices.ContainsFunc(l.observed.SecurityGroups, func(own elb.ObservedSecurityGroup) bool { return own.ID == id }) {
				others = append(others, id)
			}
		}
	}
	if len(others) == 0 {
		return ""
	}

	all, err := l.securityGroups()
	if err != nil {
		l.fail(err)
	}
	for _, g := range all {
		if slices.Contains(others, g.ID) && g.Tags[routes.ClusterTag] == settings.Cluster && g.Tags[elbv2.ResourceTag] == elbv2.BackendSecurityGroup {
			return g.ID
		}
	}
	return ""
}

// securityGroups are those of the VPC.
func (l *lookups) securityGroups() ([]ec2.SecurityGroup, error) {
	return l.groups.get(l.ctx, l.now, l.age, func() ([]ec2.SecurityGroup, error) { return l.network.SecurityGroups(l.ctx, ec2.In(l.vpc)) })
}

// securityGroup returns the id of the security group with a tag Name.
func (l *lookups) securityGroup(name string) (string, error) {
	all, err := l.securityGroups()
	if err != nil {
		l.fail(err)
		return "", err
	}

	var ids []string
	for _, g := range all {
		if g.Tags["Name"] == name {
			ids = append(ids, g.ID)
		}
	}
	l.lacks = l.lacks || len(ids) != 1
	switch len(ids) {
	case 0:
		return "", fmt.Errorf("no security group of %s has the tag Name %q", l.vpc, name)
	case 1:
		return ids[0], nil
	}
	return "", fmt.Errorf("several security groups of %s have the tag Name %q: %s", l.vpc, name, strings.Join(ids, ", "))
}

// targetGroup returns the ARN of a target group that Ingresses of a namespace may name, by its name or its ARN.
func (l *lookups) targetGroup(namespace, named string) (string, error) {
	all, err := l.account.TargetGroups(l.ctx, l.age <= fresh)
	if err != nil {
		l.fail(err)
		return "", err
	}
	i := slices.IndexFunc(all, func(g elb.ObservedTargetGroup) bool { return g.Name == named || g.ARN == named })
	if i < 0 {
		l.lacks = true
		return "", fmt.Errorf("there is no target group %q in the account and region", named)
	}
	err = l.usable(namespace, all[i])
	l.lacks = l.lacks || err != nil
	return all[i].ARN, err
}

// usable says why an Ingress of a namespace cannot have a target group that it names.
func (l *lookups) usable(namespace string, g elb.ObservedTargetGroup) error {
	if l.allowed != nil {
		refused, err := l.allowed(l.ctx, namespace, []string{g.ARN})
		if err != nil {
			l.fail(err)
			return err
		}
		if refused != "" {
			return fmt.Errorf("the Ingresses of namespace %q may not name %s: ask the podgate administrator to allow it with --allow-targets and namespace labels", namespace, refused)
		}
	}

	own := slices.ContainsFunc(l.observed.LoadBalancers, func(lb elb.ObservedLoadBalancer) bool { return lb.ARN == g.LoadBalancer })
	switch {
	case g.VPC != "" && g.VPC != l.vpc:
		return fmt.Errorf("target group %q is in %s, and the load balancer is in %s: name one of the same VPC", g.Name, g.VPC, l.vpc)
	case g.LoadBalancer != "" && !own:
		return fmt.Errorf("target group %q belongs to load balancer %s, and can have only one: name another target group", g.Name, g.LoadBalancer)
	}
	for _, key := range []string{routes.ClusterTag, routes.StackTag, service.StackTag, v1alpha1.GatewayStackTag} {
		if has, made := g.Tags[key]; made && has != l.stack.Tags[key] {
			return fmt.Errorf("target group %q is that of others, by its tag %s=%s: name one that no controller makes", g.Name, key, has)
		}
	}
	return nil
}

// found returns the certificates for hosts. While ACM does not answer, those that are named are judged by what it said last, and
// what there is for the other hosts is unknown.
func (l *lookups) found(hosts []certificates.Host) []certificates.Found {
	if len(hosts) == 0 {
		return nil
	}
	have, err := l.have(l.ctx, l.age)
	found := certificates.ForHosts(have, hosts, l.now())
	l.lacks = l.lacks || slices.ContainsFunc(found, func(f certificates.Found) bool { return f.Problem != "" })
	if err == nil {
		return found
	}
	if l.ctx.Err() != nil {
		l.fail(err)
		return found
	}
	for i, h := range hosts {
		if len(h.Named) == 0 {
			l.missed = fmt.Errorf("look for certificates: %w", err)
			found[i] = certificates.Found{
				Host: h.Name, Unknown: true,
				Problem: fmt.Sprintf("ACM cannot be asked for certificates now, and listeners keep those that they have: %v", err),
			}
		}
	}
	return found
}
