// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import "time"

// Observed is what there is of a stack. Everything in it carries the stack's tags and is in its VPC, unless it is Foreign or not
// Own. The Tags of everything are all that it has.
type Observed struct {
	LoadBalancers  []ObservedLoadBalancer
	SecurityGroups []ObservedSecurityGroup
	TargetGroups   []ObservedTargetGroup
	// Foreign are the names of load balancers and target groups that the stack wants and that somebody else has, with whose they are
	// as far as their tags say.
	Foreign map[string]string
}

// ObservedLoadBalancer is a load balancer that exists.
type ObservedLoadBalancer struct {
	LoadBalancer
	ARN, DNSName string
	// VPC is the id of the VPC that it is in.
	VPC string
	// State is provisioning, active, active_impaired or failed.
	State     string
	Listeners []ObservedListener
	// Published reports that the cluster still names it: an Ingress's status has its DNS name.
	Published bool
	// Retired is since when the cluster does not name it any more, by its tag; zero: it has none.
	Retired time.Time
	// Protected: it must not be deleted, because a person said so.
	Protected bool
}

// ObservedSecurityGroup is a security group that exists.
type ObservedSecurityGroup struct {
	SecurityGroup
	ID string
}

// ObservedListener is a listener that exists. Its Rules is empty: see Has. Its first certificate is the default one, and the
// others are the list of all others, in which the default one may be once more.
type ObservedListener struct {
	Listener
	ARN string
	// Own reports that it carries the stack's tags.
	Own bool
	// Has are its rules without the default one.
	Has []ObservedRule
}

// ObservedRule is a rule that exists. Its actions name target groups by ARN.
type ObservedRule struct {
	Rule
	ARN      string
	Priority int
	// Own reports that it carries the stack's tags.
	Own bool
}

// ObservedTargetGroup is a target group that exists. Its Owner is what OwnerTag says, see OwnerAmong.
type ObservedTargetGroup struct {
	TargetGroup
	ARN string
	// LoadBalancer is the ARN of the load balancer that uses it; empty: none does.
	LoadBalancer string
	// Bound reports that it has its binding, which is in Binding then, and Unbinding that the binding is being deleted.
	Bound, Unbinding bool
	// Health is nil where it was not asked for.
	Health *Health
}

// Health is what a load balancer says of a group's targets.
type Health struct {
	// Registered are those that are not draining, and Healthy those of them that get requests.
	Registered, Healthy int
	// Draining are those that get no new requests and may still answer some.
	Draining int
}
