// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package elb is a load balancer of Elastic Load Balancing as it should be and
// as it is, as values, and the steps from the one to the other.
//
// It is pure: it calls nobody, reads no object of Kubernetes and has no clock.
// A plan follows from what is wanted and from what is seen at AWS and in the
// cluster alone, so that a process that dies between two steps goes on at the
// next one.
package elb

import (
	"time"

	"github.com/podgate/podgate/internal/route"
)

// Identity marks what belongs to a stack, by tags and its VPC. What does not carry them, or is in another VPC, was made by
// somebody else: two clusters of one account may have the same name.
type Identity struct {
	// VPC is the id of the VPC that all of it is in.
	VPC string
	// Tags are the cluster's and the stack's, such as elbv2.k8s.aws/cluster and ingress.k8s.aws/stack.
	Tags map[string]string
	// ResourceTag is the key of the tag that says which part of the stack a resource is, such as ingress.k8s.aws/resource.
	ResourceTag string
}

// Stack is a load balancer that is wanted, with all that belongs to it. One without listeners is not wanted any more.
type Stack struct {
	Identity
	LoadBalancer LoadBalancer
	// SecurityGroup is made for the load balancer; nil: it has those that LoadBalancer names.
	SecurityGroup *SecurityGroup
	TargetGroups  []TargetGroup
	Listeners     []Listener
	// MostRules is how many rules the load balancer may have, of all listeners together; 0: as many as there are.
	MostRules int
	// Keep are the owners, such as shop/web, whose rules cannot be made now: those that they have stay, with their
	// target groups and listeners.
	Keep []string
}

// Quotas are how much an account allows a load balancer; 0: it is not known.
type Quotas struct {
	// Rules are of all listeners together, without the default ones.
	Rules, Listeners, TargetGroups int
	// Certificates are besides the default one.
	Certificates   int
	SecurityGroups int
}

// Kind is a kind of load balancer.
type Kind string

// Kinds of load balancers, as AWS names them.
const (
	Application Kind = "application"
	Network     Kind = "network"
)

// LoadBalancer is a load balancer's settings. Of those that were not asked for it has none, and AWS's defaults or somebody
// else's stay.
type LoadBalancer struct {
	// Resource is the value of its resource tag.
	Resource string
	Kind     Kind
	// Name and Scheme cannot be changed: another load balancer is made.
	Name   string
	Scheme string // internal or internet-facing
	// AddressType is ipv4, dualstack or dualstack-without-public-ipv4.
	AddressType string
	// Subnets are ids. Those of a load balancer that exists stay, unless SubnetsNamed: a person has named them.
	Subnets      []string
	SubnetsNamed bool
	// SecurityGroups are ids, besides the one that is made.
	SecurityGroups []string
	Attributes     map[string]string
	Tags           map[string]string
}

// SecurityGroup is a security group's settings.
type SecurityGroup struct {
	Resource          string
	Name, Description string
	VPC               string
	Ingress           []Permission
	Tags              map[string]string
}

// Permission lets a source in. One of CIDR and PrefixList is set.
type Permission struct {
	Protocol   string // tcp, udp or -1
	From, To   int32  // ports
	CIDR       string
	PrefixList string
}

// TargetGroup is a target group's settings, and the port of the Service whose pods or nodes are in it.
type TargetGroup struct {
	// Resource is the value of its resource tag, such as shop/web-api:80, and what actions call it by.
	Resource string
	// Owner is whose it is, such as the Ingress shop/web.
	Owner string
	// Name is what it is called if that name is free. What cannot be changed is Name to AddressType: another group is made.
	Name        string
	VPC         string
	Protocol    string // HTTP, HTTPS, TCP, UDP, TCP_UDP or TLS
	Version     string // HTTP1, HTTP2 or GRPC; empty for network load balancers
	Port        int32
	TargetType  string // instance or ip
	AddressType string // ipv4 or ipv6

	HealthCheck HealthCheck
	Attributes  map[string]string
	Tags        map[string]string

	Binding Binding
}

// Binding is what makes a target group's targets: a TargetGroupBinding.
type Binding struct {
	Namespace, Service string
	// Port is the Service's port as the Ingress writes it: a number or a name.
	Port string
	// Labels are those of the TargetGroupBinding, and Nodes is what the labels of nodes must match.
	Labels, Nodes map[string]string
	MultiCluster  bool
}

// HealthCheck is how targets are checked.
type HealthCheck struct {
	Protocol, Path string
	Port           string // a number or traffic-port
	Interval       int32  // seconds
	Timeout        int32  // seconds
	Healthy        int32
	Unhealthy      int32
	Codes          string // HTTP or gRPC codes, such as 200-299
}

// Listener is a port of the load balancer.
type Listener struct {
	Resource string
	Port     int32
	Protocol string // HTTP, HTTPS, TCP, UDP, TCP_UDP or TLS
	// Certificates are ARNs; the first one is for clients that name no host, or one that no other certificate has.
	Certificates []string
	SSLPolicy    string
	ALPN         string
	Attributes   map[string]string
	Tags         map[string]string

	Default Action
	// Rules are in the order in which they apply.
	Rules []Rule
}

// Rule is a rule of a listener.
type Rule struct {
	// Owner is whose rule it is, such as the Ingress shop/web. It is the value of the rule's resource tag.
	Owner string
	// Kept stands for the rules that its owner has now, see Stack.Keep; it has no more than an owner.
	Kept   bool
	Match  route.Match
	Action Action
	Tags   map[string]string
}

// Action is what becomes of a request: one of the three.
type Action struct {
	Forward  []Forward
	Redirect *route.Redirect
	Answer   *route.Answer
	// Sticky is how long a client stays with its target group; 0: not at all.
	Sticky time.Duration
}

// Forward is a target group's share.
type Forward struct {
	// Group is the resource of a target group of the stack, or the ARN of any other one. At AWS it is an ARN.
	Group string
	// Weight is from 0 to 999.
	Weight int32
}
