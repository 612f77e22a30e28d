// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Step is one change, of those in this file. What it makes carries all of the tags that it names, the stack's among them.
type Step interface {
	// String says what is done, for logs.
	fmt.Stringer
}

// RetiredTag is the key of the tag of a load balancer that the cluster does not name any more. Its value is since when, as
// RFC 3339 has it.
const RetiredTag = "podgate.dev/retired"

// OwnerTag is the key of the tag of a target group that says whose it is, such as shop/web. The resource tag cannot: that of a
// Service b-c of shop/a is as that of a Service c of shop/a-b.
const OwnerTag = "podgate.dev/owner"

// Steps of security groups.
type (
	// CreateSecurityGroup makes one that lets nobody in.
	CreateSecurityGroup struct{ SecurityGroup SecurityGroup }
	// AuthorizeIngress lets more sources into one.
	AuthorizeIngress struct {
		ID          string
		Permissions []Permission
	}
	// RevokeIngress lets fewer sources into one.
	RevokeIngress struct {
		ID          string
		Permissions []Permission
	}
	// DeleteSecurityGroup deletes one, which nothing uses but perhaps what AWS has not taken down yet.
	DeleteSecurityGroup struct{ ID string }
)

// Steps of load balancers.
type (
	// CreateLoadBalancer makes one, with all of its security groups and without its attributes.
	CreateLoadBalancer struct{ LoadBalancer LoadBalancer }
	// SetSubnets replaces those of one.
	SetSubnets struct {
		LoadBalancer string // ARN
		Subnets      []string
	}
	// SetSecurityGroups replaces those of one.
	SetSecurityGroups struct {
		LoadBalancer   string // ARN
		SecurityGroups []string
	}
	// SetAddressType sets that of one.
	SetAddressType struct {
		LoadBalancer string // ARN
		AddressType  string
	}
	// SetLoadBalancerAttributes sets these attributes, and no other ones.
	SetLoadBalancerAttributes struct {
		LoadBalancer string // ARN
		Attributes   map[string]string
	}
	// Retire tags one that the cluster does not name any more, see RetiredTag.
	Retire struct {
		LoadBalancer string // ARN
		Since        time.Time
	}
	// Unretire takes that tag off again.
	Unretire struct {
		LoadBalancer string // ARN
	}
	// DeleteLoadBalancer deletes one with its listeners and their rules.
	DeleteLoadBalancer struct {
		LoadBalancer string // ARN
	}
)

// Steps of target groups and of their bindings.
type (
	// CreateTargetGroup makes one with its health check, and without its attributes and its binding.
	CreateTargetGroup struct{ TargetGroup TargetGroup }
	// ModifyTargetGroup sets its health check.
	ModifyTargetGroup struct {
		TargetGroup string // ARN
		HealthCheck HealthCheck
	}
	// SetTargetGroupAttributes sets these attributes, and no other ones.
	SetTargetGroupAttributes struct {
		TargetGroup string // ARN
		Attributes  map[string]string
	}
	// DeleteTargetGroup deletes one that nothing uses.
	DeleteTargetGroup struct {
		TargetGroup string // ARN
	}
	// CreateBinding makes the binding of a target group. It is called as the target group is.
	CreateBinding struct {
		ARN         string
		TargetGroup TargetGroup
	}
	// UpdateBinding sets what the binding says of its targets, and its labels besides those of others.
	UpdateBinding struct {
		ARN         string
		TargetGroup TargetGroup
	}
	// DeleteBinding deletes the binding of a target group, whose targets drain.
	DeleteBinding struct {
		ARN string
		// Namespace and Name are the binding's.
		Namespace, Name string
	}
)

// Steps of listeners.
type (
	// CreateListener makes one with its first certificate, and without its attributes and its rules.
	CreateListener struct {
		LoadBalancer string // ARN
		Listener     Listener
	}
	// ModifyListener sets its protocol, first certificate, policies and default action.
	ModifyListener struct {
		ARN      string
		Listener Listener
	}
	// SetListenerAttributes sets these attributes, and no other ones.
	SetListenerAttributes struct {
		Listener   string // ARN
		Attributes map[string]string
	}
	// AddCertificates adds certificates besides the first one.
	AddCertificates struct {
		Listener     string // ARN
		Certificates []string
	}
	// RemoveCertificates removes certificates, of which none is the first one.
	RemoveCertificates struct {
		Listener     string // ARN
		Certificates []string
	}
	// DeleteListener deletes one with its rules.
	DeleteListener struct{ ARN string }
)

// Steps of rules.
type (
	// CreateRule makes one. Its owner is its resource tag.
	CreateRule struct {
		Listener string // ARN
		Priority int
		Rule     Rule
	}
	// ModifyRule sets what one does. Which requests it matches stays.
	ModifyRule struct {
		ARN    string
		Action Action
	}
	// ReplaceRule has one match the requests of another rule and do what that does, at once. Whose it is its tags still say.
	ReplaceRule struct {
		ARN  string
		Rule Rule
	}
	// SetPriorities sets those of rules of one listener, at once.
	SetPriorities struct {
		Listener   string         // ARN
		Priorities map[string]int // by the rule's ARN
	}
	// DeleteRule deletes one.
	DeleteRule struct{ ARN string }
)

// Tag adds tags to anything, or changes them.
type Tag struct {
	// ARN is a security group's id, and an ARN for all else.
	ARN  string
	Tags map[string]string
}

func (s CreateSecurityGroup) String() string { return "create security group " + s.SecurityGroup.Name }
func (s AuthorizeIngress) String() string {
	return "authorize " + list(s.Permissions) + " into " + s.ID
}
func (s RevokeIngress) String() string       { return "revoke " + list(s.Permissions) + " from " + s.ID }
func (s DeleteSecurityGroup) String() string { return "delete security group " + s.ID }

func (s CreateLoadBalancer) String() string { return "create load balancer " + s.LoadBalancer.Name }
func (s SetSubnets) String() string {
	return "set subnets of " + s.LoadBalancer + ": " + strings.Join(s.Subnets, ", ")
}
func (s SetSecurityGroups) String() string {
	return "set security groups of " + s.LoadBalancer + ": " + strings.Join(s.SecurityGroups, ", ")
}
func (s SetAddressType) String() string {
	return "set address type of " + s.LoadBalancer + ": " + s.AddressType
}
func (s SetLoadBalancerAttributes) String() string {
	return "set attributes of " + s.LoadBalancer + ": " + pairs(s.Attributes)
}
func (s Retire) String() string             { return "retire " + s.LoadBalancer }
func (s Unretire) String() string           { return "unretire " + s.LoadBalancer }
func (s DeleteLoadBalancer) String() string { return "delete " + s.LoadBalancer }

func (s CreateTargetGroup) String() string { return "create target group " + s.TargetGroup.Name }
func (s ModifyTargetGroup) String() string { return "set health check of " + s.TargetGroup }
func (s SetTargetGroupAttributes) String() string {
	return "set attributes of " + s.TargetGroup + ": " + pairs(s.Attributes)
}
func (s DeleteTargetGroup) String() string { return "delete " + s.TargetGroup }
func (s CreateBinding) String() string {
	return "create binding " + s.TargetGroup.Binding.Namespace + "/" + s.TargetGroup.Name
}
func (s UpdateBinding) String() string {
	return "update binding " + s.TargetGroup.Binding.Namespace + "/" + s.TargetGroup.Name
}
func (s DeleteBinding) String() string { return "delete binding " + s.Namespace + "/" + s.Name }

func (s CreateListener) String() string {
	return fmt.Sprintf("create listener %s:%d of %s", s.Listener.Protocol, s.Listener.Port, s.LoadBalancer)
}
func (s ModifyListener) String() string {
	return fmt.Sprintf("modify %s: %s, %s", s.ARN, s.Listener.Protocol, s.Listener.Default)
}
func (s SetListenerAttributes) String() string {
	return "set attributes of " + s.Listener + ": " + pairs(s.Attributes)
}
func (s AddCertificates) String() string {
	return "add certificates to " + s.Listener + ": " + strings.Join(s.Certificates, ", ")
}
func (s RemoveCertificates) String() string {
	return "remove certificates from " + s.Listener + ": " + strings.Join(s.Certificates, ", ")
}
func (s DeleteListener) String() string { return "delete " + s.ARN }

func (s CreateRule) String() string {
	if s.Rule.Owner == "" {
		return fmt.Sprintf("create rule %d of %s that matches no request: %s", s.Priority, s.Listener, s.Rule.Action)
	}
	return fmt.Sprintf("create rule %d of %s for %s", s.Priority, s.Listener, s.Rule.Owner)
}
func (s ModifyRule) String() string { return "modify " + s.ARN + ": " + s.Action.String() }
func (s ReplaceRule) String() string {
	if s.Rule.Owner == "" {
		return fmt.Sprintf("replace %s by a rule that matches no request: %s", s.ARN, s.Rule.Action)
	}
	return fmt.Sprintf("replace %s by the rule for %s of %s: %s", s.ARN, describe(s.Rule.Match), s.Rule.Owner, s.Rule.Action)
}
func (s SetPriorities) String() string {
	return fmt.Sprintf("set priorities of %s: %v", s.Listener, s.Priorities)
}
func (s DeleteRule) String() string { return "delete " + s.ARN }

func (s Tag) String() string { return "tag " + s.ARN + ": " + pairs(s.Tags) }

// String says what becomes of requests, for logs.
func (a Action) String() string {
	switch {
	case a.Redirect != nil:
		return fmt.Sprintf("redirect with %d", a.Redirect.Status)
	case a.Answer != nil:
		return fmt.Sprintf("answer %d", a.Answer.Status)
	}

	var parts []string
	for _, f := range a.Forward {
		parts = append(parts, fmt.Sprintf("%s (%d)", f.Group, f.Weight))
	}
	return "forward to " + strings.Join(parts, ", ")
}

// list says which permissions.
func list(permissions []Permission) string {
	var parts []string
	for _, p := range permissions {
		parts = append(parts, fmt.Sprintf("%s%s %s:%d-%d", p.CIDR, p.PrefixList, p.Protocol, p.From, p.To))
	}
	return strings.Join(parts, ", ")
}

// pairs are the entries of a map, in order.
func pairs(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ", ")
}
