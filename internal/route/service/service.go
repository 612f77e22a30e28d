// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package service makes network load balancers of Services of type
// LoadBalancer: Build returns the one of a Service. Annotations, names and tags
// are AWS Load Balancer Controller's.
//
// Nothing in a Service is without effect silently, and what limits access is
// served, or else the Service is not.
//
// It asks nobody: what it needs it is given.
package service

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/annotation"
	"github.com/podgate/podgate/internal/route/ingress"
)

// Class is the spec.loadBalancerClass of Services that are served.
const Class = elbv2.LoadBalancerClass

// Prefix begins the annotations that Services are served by.
const Prefix = "service.beta.kubernetes.io/aws-load-balancer-"

// Tags by which AWS Load Balancer Controller finds what belongs to a Service.
const (
	StackTag    = "service.k8s.aws/stack"
	ResourceTag = "service.k8s.aws/resource"
)

// Values of ResourceTag.
const (
	balancerResource      = "LoadBalancer"
	securityGroupResource = "ManagedLBSecurityGroup"
)

// Key names a Service.
type Key = ingress.Key

// Limits are what AWS allows for a network load balancer, unless the account has other quotas.
var Limits = ingress.Limits{Listeners: 50, Certificates: 25, SecurityGroups: 5}

// Asks reports whether a Service asks for a load balancer of this kind: by its class, or where it has none by annotations
// that have the cloud's own controller leave it alone.
func Asks(s *corev1.Service) bool {
	switch class := s.Spec.LoadBalancerClass; {
	case s.Spec.Type != corev1.ServiceTypeLoadBalancer:
		return false
	case class != nil:
		return *class == Class
	}
	switch s.Annotations[Prefix+"type"] {
	case "nlb-ip":
		return true
	case "external":
		return slices.Contains([]string{"ip", "instance"}, s.Annotations[Prefix+"nlb-target-type"])
	}
	return false
}

// Identity is what marks the stack of a Service at AWS.
func Identity(cluster, vpc string, of Key) elb.Identity {
	return elb.Identity{VPC: vpc, Tags: map[string]string{ingress.ClusterTag: cluster, StackTag: of.String()}, ResourceTag: ResourceTag}
}

// Labels are those of the bindings of a Service.
func Labels(of Key) map[string]string {
	return map[string]string{elbv2.ServiceNamespaceLabel: of.Namespace, elbv2.ServiceNameLabel: of.Name}
}

// name is that of a part of a Service's load balancer. Names follow AWS Load Balancer Controller's formulas.
func (b *builder) name(parts ...string) string {
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(b.settings.Cluster+strings.Join(parts, ""))))
	return fmt.Sprintf("k8s-%.8s-%.8s-%.10s", ingress.Readable(b.Namespace), ingress.Readable(b.Name), hash)
}

// Build returns the load balancer of a Service, and what of the Service is not served as it asks. observed is what there is of
// it: where the Service is refused, all of that stays as it is.
func Build(of *corev1.Service, observed elb.Observed, settings ingress.Settings, look ingress.Lookups) (elb.Stack, []annotation.Problem) {
	key := Key{Namespace: of.Namespace, Name: of.Name}
	b := &builder{Service: of, settings: settings, look: look, current: ingress.Current(observed)}
	b.own = annotation.Of(Prefix, "", of.Annotations)
	b.own.Kind = "annotation aws-load-balancer-"
	b.Reader = annotation.Reader{Problems: &annotation.Problems{Owner: key.String()}, From: []annotation.Source{b.own}}

	stack := elb.Stack{Identity: Identity(settings.Cluster, settings.VPC, key)}
	b.targetType = b.readTargetType()
	b.readTLS()
	b.readPorts()
	for _, p := range b.ports {
		b.listen(&stack, p)
	}
	b.balancer(&stack)
	b.check()

	if b.Refused() {
		return elb.Stack{Identity: stack.Identity, Keep: []string{b.Owner}}, b.Problems.List
	}
	return stack, b.Problems.List
}

// builder builds one stack.
type builder struct {
	*corev1.Service
	annotation.Reader
	own      annotation.Source
	settings ingress.Settings
	look     ingress.Lookups
	// current is the load balancer that there is; nil: there is none.
	current *elb.ObservedLoadBalancer

	targetType string
	tls        tls
	ports      []port
	// read are annotations that a port was served by, and whose names have the port in them.
	read []string
}

// readTargetType is what targets are.
func (b *builder) readTargetType() string {
	otherwise := b.settings.TargetType
	switch kind, called, ok := b.Get("type"); {
	case !ok, kind == "external":
	case kind == "nlb-ip":
		otherwise = "ip"
	default:
		b.noEffect(called, "spec.loadBalancerClass says whose the Service is")
	}
	return b.OneOf("nlb-target-type", otherwise, "instance", "ip")
}

// tags are those of everything that is made.
func (b *builder) tags() map[string]string {
	tags := b.Pairs("additional-resource-tags")
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if ingress.OwnTag(key) {
			b.Invalid(b.own.Called("additional-resource-tags"), key, "this tag cannot be set")
		}
	}
	maps.Copy(tags, b.settings.Tags)
	return tags
}
