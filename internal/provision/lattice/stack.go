// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lattice is what VPC Lattice is to have for a Gateway and what it has,
// as values, and the steps from the one to the other: services with listeners,
// rules and target groups, in a service network that somebody else made.
//
// It is pure: it calls nobody, reads no object of Kubernetes and has no clock.
// A plan follows from what is wanted and from what is seen at AWS and in the
// cluster alone, so that a process that dies between two steps goes on at the
// next one.
package lattice

import "maps"

// Identity marks what belongs to a stack, by tags. What does not carry them was made by somebody else: an equal name proves nothing.
type Identity struct {
	// Tags are the cluster's and the stack's.
	Tags map[string]string
	// ResourceTag is the key of the tag that says which part of the stack a resource is.
	ResourceTag string
}

// All returns the tags of a part of a stack, its own and the stack's.
func (i Identity) All(resource string, own map[string]string) map[string]string {
	tags := maps.Clone(own)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, i.Tags)
	tags[i.ResourceTag] = resource
	return tags
}

// OwnerTag is the key of the tag of a rule that says whose it is, such as HTTPRoute/shop/web.
const OwnerTag = "podgate.dev/owner"

// Stack is all that is wanted. One without services is not wanted any more.
type Stack struct {
	Identity
	// Network is the id of the service network that all services are to be in; empty: it is not known, and none changes its network.
	Network  string
	Services []Service
	// Quotas are how much an account allows.
	Quotas Quotas
	// Keep: the stack cannot be made now. Nothing changes until it can.
	Keep bool
}

// Quotas are how much an account allows.
type Quotas struct {
	// Rules are of each listener without the default one, and at most MaxRules. Listeners and TargetGroups are of each service.
	Rules, Listeners, TargetGroups int
}

// DefaultQuotas are those of an account that never asked for more (VPC Lattice, quotas).
var DefaultQuotas = Quotas{Rules: 10, Listeners: 2, TargetGroups: 10}

// Bounds of the API.
const (
	maxPriority = 100
	// MaxRules is how many rules a listener can have. One priority stays free, so that rules can change places.
	MaxRules = maxPriority - 1
	// MaxForward is to how many target groups a rule can forward, and MaxWeight the largest weight of one.
	MaxForward = 10
	MaxWeight  = 999
)

// Service is what the requests for one host go to.
type Service struct {
	// Resource is the value of its resource tag. It never changes while the host stays, since clients know the service's DNS name.
	Resource string
	Name     string
	// Domain is its custom domain name; empty: it is known by the name that AWS makes.
	Domain string
	// Certificate is an ARN; empty: that of AWS.
	Certificate string
	Tags        map[string]string

	Listeners    []Listener
	TargetGroups []TargetGroup
}

// Listener is a port of a service. What no rule matches is answered with 404.
type Listener struct {
	Name     string
	Port     int32
	Protocol string // HTTP or HTTPS
	Tags     map[string]string
	// Rules are in the order in which they apply.
	Rules []Rule
}

// Rule is a rule of a listener.
type Rule struct {
	// Owner is whose rule it is, see OwnerTag.
	Owner  string
	Match  Match
	Action Action
	Tags   map[string]string
}

// Match is what a request has to be like, in all of this.
type Match struct {
	// Method is empty for every one.
	Method string
	// Path is all of the path, or with Prefix what it begins with. Its case matters.
	Path   string
	Prefix bool
	// Headers have exactly these values, in this case.
	Headers []Header
}

// Header is a header with its value. The case of the name does not matter.
type Header struct{ Name, Value string }

// Action is what becomes of a request: it goes to one of the groups, or is answered.
type Action struct {
	Forward []Forward
	// Answer is a status, 404 or 500; 0: it forwards.
	Answer int
}

// Forward is a target group's share.
type Forward struct {
	// Group is the resource of a target group of the service, or the ARN of one that exists. At AWS it is an ARN.
	Group string
	// Weight is from 0 to MaxWeight.
	Weight int32
}

// TargetGroup is a target group of one service: no two services can share one.
type TargetGroup struct {
	// Resource is the value of its resource tag, and what actions call it by.
	Resource string
	// Name says all that cannot be changed: another group is made then. What cannot be changed is Name to AddressType.
	Name        string
	VPC         string
	Protocol    string // HTTP or HTTPS
	Version     string // HTTP1, HTTP2 or GRPC
	Port        int32
	AddressType string // IPV4 or IPV6

	HealthCheck HealthCheck
	Tags        map[string]string
	Binding     Binding
}

// HealthCheck is how targets are checked. What is empty or 0 stays as it is.
type HealthCheck struct {
	Off               bool
	Protocol, Version string
	Path, Codes       string
	Port              int32
	Interval, Timeout int32 // seconds
	Healthy           int32
	Unhealthy         int32
}

// Binding is what makes a target group's targets: a TargetBinding, which is called as the target group is.
type Binding struct {
	Namespace, Service string
	// Port is the Service's port.
	Port   int32
	Labels map[string]string
}
