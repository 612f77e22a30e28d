// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alb makes application load balancers of Gateways: Build returns the
// one of a Gateway and its routes. Annotations of the Gateway and of Services
// are those that Ingresses have.
//
// What there is of a Gateway that cannot be served as it is stays, and nothing
// is ever served more openly than asked.
//
// It asks nobody: what it needs it is given.
package alb

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/internal/route/annotation"
	"github.com/podgate/podgate/internal/route/gatewayapi"
	"github.com/podgate/podgate/internal/route/ingress"
)

// Key names a Gateway.
type Key = ingress.Key

// Values of the tag that says which part of a stack a resource is.
const (
	balancerResource      = "LoadBalancer"
	securityGroupResource = "ManagedLBSecurityGroup"
)

// Identity is what marks the stack of a Gateway at AWS.
func Identity(cluster, vpc string, of Key) elb.Identity {
	return elb.Identity{VPC: vpc, Tags: map[string]string{ingress.ClusterTag: cluster, v1alpha1.GatewayStackTag: of.String()}, ResourceTag: v1alpha1.GatewayResourceTag}
}

// Labels are those of the bindings of a Gateway.
func Labels(of Key) map[string]string {
	return map[string]string{v1alpha1.GatewayNamespaceLabel: of.Namespace, v1alpha1.GatewayNameLabel: of.Name}
}

// Gateway is a Gateway with what concerns it.
type Gateway struct {
	*gwv1.Gateway
	Controller gwv1.GatewayController
	Routes     []gatewayapi.Object
	Grants     []*gwv1beta1.ReferenceGrant
	// Labels returns the labels of a namespace.
	Labels func(namespace string) map[string]string
	// Observed is what there is of its load balancer.
	Observed elb.Observed
	// Unserved: it cannot be served now, for a reason that is told elsewhere. What there is of it stays.
	Unserved bool
}

// Built is the load balancer of a Gateway, with what is said of the Gateway and its routes.
type Built struct {
	Stack    elb.Stack
	Problems []annotation.Problem
	gatewayapi.Result
	// Accepted is the Gateway's condition of that type, without a time.
	Accepted metav1.Condition
}

// Build returns the load balancer of a Gateway.
func Build(g Gateway, settings ingress.Settings, look ingress.Lookups) Built {
	key := Key{Namespace: g.Namespace, Name: g.Name}
	b := &builder{Gateway: g, settings: settings, look: look, current: ingress.Current(g.Observed), groups: map[string]*elb.TargetGroup{}, failed: map[string]error{}}
	b.own = annotation.Of(ingress.Prefix, "", g.Annotations)
	b.Reader = annotation.Reader{Problems: &annotation.Problems{Owner: key.String(), Kind: "Gateway"}, From: []annotation.Source{b.own}}
	b.check()

	can := gatewayapi.ALB
	can.Limits, can.Rules = settings.Limits.Limits, settings.Limits.Rules
	b.read = gatewayapi.Read(gatewayapi.Input{
		Controller: g.Controller, Gateway: g.Gateway, Routes: g.Routes, Grants: g.Grants,
		Service: look.Service, Serve: b.serve, Labels: g.Labels, Has: b.has, Can: can,
	})

	stack := elb.Stack{Identity: Identity(settings.Cluster, settings.VPC, key), MostRules: settings.Limits.Rules}
	b.protect()
	b.findCertificates()
	b.listen(&stack)
	b.balancer(&stack)
	accepted := b.accepted()
	if b.Unserved || accepted.Status == metav1.ConditionFalse {
		stack = elb.Stack{Identity: stack.Identity, Keep: b.owners()}
	}
	return Built{Stack: stack, Problems: b.problems(), Result: b.read, Accepted: accepted}
}

// check tells which annotations of the Gateway are not served.
func (b *builder) check() {
	own := b.own
	own.Values = maps.Clone(own.Values)
	for _, name := range slices.Sorted(maps.Keys(own.Values)) {
		family, _, _ := strings.Cut(name, ".")
		if slices.Contains(ofIngresses, name) || slices.Contains(ofIngresses, family) {
			b.Notice(v1alpha1.ReasonNoEffect, "%s has no effect on a Gateway: its listeners and routes say that", own.Called(name))
			delete(own.Values, name)
		}
	}
	ingress.Check(b.Problems, own, slices.Concat(ofGateways, ingress.OfTargets), nil)
}

// builder builds one stack.
type builder struct {
	Gateway
	annotation.Reader
	own      annotation.Source
	settings ingress.Settings
	look     ingress.Lookups
	// current is the load balancer that there is; nil: there is none.
	current *elb.ObservedLoadBalancer

	read gatewayapi.Result
	// groups are the target groups that can be made, by resource, and failed is why others cannot.
	groups map[string]*elb.TargetGroup
	failed map[string]error
	// certificates are those of each port.
	certificates map[int32][]string
	// invalid is the reason and the message because of which the Gateway is not accepted, apart from its annotations.
	invalid [2]string
}

// name is that of a part of the Gateway's load balancer.
func (b *builder) name(parts ...string) string {
	return named(b.Namespace, b.Name, slices.Concat([]string{b.settings.Cluster, "Gateway", b.Owner}, parts)...)
}

func named(namespace, name string, parts ...string) string {
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(parts, "\n"))))
	return fmt.Sprintf("k8s-%.8s-%.8s-%.10s", ingress.Readable(namespace), ingress.Readable(name), hash)
}

// groupResource is the value of the resource tag of a backend's target group. A port that HTTPRoutes and GRPCRoutes name has two.
func groupResource(b route.Backend) string {
	resource := fmt.Sprintf("%s/%s:%s", b.Namespace, b.Service, b.Port)
	if b.Version != "" {
		resource += "/" + b.Version
	}
	return cmp.Or(b.Group, resource)
}

// h2c is the application protocol of ports that speak HTTP/2 without TLS.
const h2c = "kubernetes.io/h2c"

// serve makes the target group of a backend, which all routes share. Protection that a Service asks for and that is not served, and
// annotations that cannot be read, are no other backend's business.
func (b *builder) serve(backend route.Backend, service *corev1.Service) error {
	resource := groupResource(backend)
	if err, failed := b.failed[resource]; failed {
		return err
	}
	if b.groups[resource] != nil {
		return nil
	}

	g, err := b.newTargetGroup(resource, backend, service)
	if err != nil {
		b.failed[resource] = err
		return err
	}
	b.groups[resource] = &g
	return nil
}

func (b *builder) newTargetGroup(resource string, backend route.Backend, service *corev1.Service) (elb.TargetGroup, error) {
	problems := &annotation.Problems{Owner: b.Owner, Kind: "Gateway"}
	r := annotation.Reader{Problems: problems, From: []annotation.Source{ingress.OfService(service), b.own}}
	ingress.Check(problems, r.From[0], ingress.OfTargets, nil)
	if backend.Version != "" {
		r.From = append([]annotation.Source{{Values: map[string]string{"backend-protocol-version": backend.Version}}}, r.From...)
	}
	g, err := ingress.NewTargetGroup(r, backend, service, b.settings)
	if err != nil {
		return g, err
	}
	for _, p := range problems.List {
		if p.Severity == annotation.Refused {
			return g, fmt.Errorf("%s", p.Message)
		}
		b.Notice(p.Reason, "%s", p.Message)
	}

	_, _, said := r.Get("backend-protocol-version")
	for _, p := range service.Spec.Ports {
		if strconv.Itoa(int(p.Port)) == backend.Port && p.AppProtocol != nil && *p.AppProtocol == h2c && !said {
			g.Version = "HTTP2"
		}
	}
	if g.Version == route.GRPC && backend.Version == "" {
		return g, fmt.Errorf("backend-protocol-version of Service %q is GRPC, which an HTTPRoute does not have: use a GRPCRoute, or remove the annotation", service.Name)
	}
	if g.AddressType == "ipv6" && b.addressType() == "ipv4" {
		return g, fmt.Errorf("the Service %q has IPv6 addresses first, which a load balancer without IPv6 does not reach: set the annotation ip-address-type of the Gateway to dualstack", service.Name)
	}

	g.Resource, g.Owner, g.Binding.Labels = resource, b.Owner, Labels(Key{Namespace: b.Namespace, Name: b.Name})
	g.Name = named(backend.Namespace, backend.Service, b.settings.Cluster, "Gateway", b.Owner, backend.Namespace, backend.Service, string(service.UID), backend.Port,
		strconv.Itoa(int(g.Port)), g.TargetType, g.Protocol, g.Version)
	return g, nil
}

// has are the rules that the load balancer that there is has of an owner, by port.
func (b *builder) has(owner string) map[int32][]route.Rule {
	all := map[int32][]route.Rule{}
	if b.current == nil {
		return all
	}
	for _, l := range b.current.Listeners {
		for _, r := range l.Has {
			if !l.Own || !r.Own || r.Owner != owner {
				continue
			}
			a := route.Action{Redirect: r.Action.Redirect, Answer: r.Action.Answer, Sticky: r.Action.Sticky}
			for _, f := range r.Action.Forward {
				a.Backends = append(a.Backends, route.Backend{Group: f.Group, Weight: f.Weight})
			}
			all[l.Port] = append(all[l.Port], route.Rule{Owner: owner, Match: r.Match, Action: a})
		}
	}
	return all
}

// owners are all who have something of the load balancer that there is.
func (b *builder) owners() []string {
	owners := []string{b.Owner}
	for _, lb := range b.Observed.LoadBalancers {
		for _, l := range lb.Listeners {
			for _, r := range l.Has {
				if r.Own && !slices.Contains(owners, r.Owner) {
					owners = append(owners, r.Owner)
				}
			}
		}
	}
	return owners
}

// refuse has the Gateway not be accepted.
func (b *builder) refuse(reason gwv1.GatewayConditionReason, format string, args ...any) {
	if b.invalid[0] == "" {
		b.invalid = [2]string{string(reason), fmt.Sprintf(format, args...)}
	}
}

// protect refuses what of a Gateway's spec is not served, and would be missed.
func (b *builder) protect() {
	spec := b.Spec
	if reason, message := gatewayapi.Unserved(b.Gateway.Gateway); message != "" {
		b.refuse(reason, "%s", message)
	}
	if i := spec.Infrastructure; i != nil && len(i.Labels)+len(i.Annotations) > 0 {
		b.Notice(v1alpha1.ReasonNoEffect, "labels and annotations of spec.infrastructure have no effect: use the annotation %stags of the Gateway", ingress.Prefix)
	}
}

// accepted is the Gateway's condition of that type.
func (b *builder) accepted() metav1.Condition {
	for _, p := range b.Problems.List {
		if p.Severity == annotation.Refused {
			return gatewayapi.Accepted(b.Gateway.Gateway, nil, gwv1.GatewayReasonInvalid, p.Message)
		}
	}
	return gatewayapi.Accepted(b.Gateway.Gateway, b.read.Listeners, gwv1.GatewayConditionReason(b.invalid[0]), b.invalid[1])
}

// problems are those of the Gateway and of its routes.
func (b *builder) problems() []annotation.Problem {
	list := b.Problems.List
	if b.invalid[0] != "" {
		list = append(list, annotation.Problem{Owner: b.Owner, Severity: annotation.Refused, Reason: v1alpha1.ReasonGatewayNotServed, Message: b.invalid[1]})
	}
	return slices.Concat(list, b.read.Problems())
}
