// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import "strings"

const (
	// LegacyGatePrefix starts the condition types of the ALB ingress controller v1. Of one of an Ingress follow the names of
	// the Ingress and the Service and the Service's port as the Ingress has it, with "_" between them.
	LegacyGatePrefix = "target-health.alb.ingress.k8s.aws/"
	// LegacyAnyGate is that controller's gate which one healthy target is enough for, in whatever group.
	LegacyAnyGate = LegacyGatePrefix + "load-balancer-any-tg-ready"
)

// Labels that AWS Load Balancer Controller gives the bindings of an Ingress: its namespace and name, or the name alone of the
// group of Ingresses that it is in.
const (
	IngressNamespaceLabel = "ingress.k8s.aws/stack-namespace"
	IngressNameLabel      = "ingress.k8s.aws/stack-name"
	IngressGroupLabel     = "ingress.k8s.aws/stack"
)

// Labels that AWS Load Balancer Controller gives the bindings of a Service: its namespace and name.
const (
	ServiceNamespaceLabel = "service.k8s.aws/stack-namespace"
	ServiceNameLabel      = "service.k8s.aws/stack-name"
)

// LoadBalancerClass is the spec.loadBalancerClass of Services for which AWS Load Balancer Controller makes network load balancers.
const LoadBalancerClass = "service.k8s.aws/nlb"

// ClusterTag is the key of the tag with the name of the cluster that something at AWS belongs to.
const ClusterTag = "elbv2.k8s.aws/cluster"

// The security group that AWS Load Balancer Controller shares between the load balancers of a cluster has this tag besides.
const (
	ResourceTag          = "elbv2.k8s.aws/resource"
	BackendSecurityGroup = "backend-sg"
)

// LegacyBackend returns the Ingress, Service and port that a legacy gate names; false when it names none.
func LegacyBackend(conditionType string) (ingress, service, port string, ok bool) {
	name, legacy := strings.CutPrefix(conditionType, LegacyGatePrefix)
	parts := strings.Split(name, "_") // None of the names may have one.
	if !legacy || len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}
