// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package balancer is the seam between podgate and load balancers: what podgate asks
// of one, in the domain's words, and the errors that mean something. It knows no load
// balancer, no SDK and no metrics.
package balancer

import (
	"context"
	"errors"
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// Kind names a load balancer's driver, which says how it is spelled. Its zero value is of a load
// balancer that podgate does not know.
type Kind string

// Ref names one target group at one load balancer. It is comparable and is used as
// a key; two bindings of the same group have equal Refs.
type Ref struct {
	// Provider is whose group it is; empty when podgate does not know.
	Provider Kind
	// Group is the provider's identifier of the group, such as an ARN.
	Group string
	// Region is where the group is; empty for podgate's own region, if it has one.
	Region string
	// RoleARN is the role to assume for calls about this group; empty for podgate's own.
	RoleARN string
	// ExternalID is handed to the provider when RoleARN is assumed.
	ExternalID string
}

// String returns the group's identifier, which is what people know it by.
func (r Ref) String() string { return r.Group }

// Settings are what a binding says of how its group is served, in a form that only the
// group's driver makes and reads. They travel with every call, so that a driver keeps
// none; they are comparable, and empty where a driver needs none.
type Settings string

// Group is a target group besides its targets: in a call as far as the caller knows it,
// with its Ref and Settings at least; in an answer as the load balancer describes it.
type Group struct {
	Ref Ref
	// Settings are those of the binding that names the group.
	Settings Settings
	// Name is the short name, for people.
	Name string
	// Before is the Name with which the group was found before, in a call that looks it up again; empty otherwise.
	Before string
	// TargetType is "ip" or "instance" (or another type that podgate does not serve).
	TargetType string
	// Protocol is the group's protocol, such as HTTP or TCP.
	Protocol string
	// Version is the version of a protocol that has several, such as HTTP1 or GRPC; empty where nobody tells.
	Version string
	// IPAddressType is "ipv4" or "ipv6".
	IPAddressType string
	// HealthCheckEnabled is false when the load balancer checks nothing.
	HealthCheckEnabled bool
	// HealthCheckInterval is the time between two checks of a target.
	HealthCheckInterval time.Duration
	// HealthCheckPort is the port at which all targets are checked; 0 when each is at its own.
	HealthCheckPort int32
	// HealthyThreshold and UnhealthyThreshold count consecutive checks.
	HealthyThreshold, UnhealthyThreshold int
	// DeregistrationDelay is how long a deregistered target may finish requests.
	DeregistrationDelay time.Duration
	// Caveat says, in sentences for people, what at the load balancer is not as the binding takes it to be, such as
	// configuration that does not apply to targets that podgate registers, and what to do; empty when nothing is known.
	Caveat string
	// Unfinished says that the load balancer is making a part of the group, which is to be looked up again soon.
	Unfinished bool
}

// The target types of groups whose targets are pods' addresses, and nodes' instances.
const (
	typeIP       = "ip"
	typeInstance = "instance"
)

// OfPods reports whether the group's targets are pods. No other type of target gets a gate,
// whichever types a load balancer knows.
func (g Group) OfPods() bool { return g.TargetType == typeIP }

// NotOfPods reports whether the group's targets are known not to be pods. A group whose
// type nobody has said yet may be of pods.
func (g Group) NotOfPods() bool { return g.TargetType != "" && !g.OfPods() }

// OfNodes reports whether the group's targets are nodes. Traits.Nodes says whether podgate serves such groups.
func (g Group) OfNodes() bool { return g.TargetType == typeInstance }

// DetectionTime is how long the load balancer may take to notice that a target
// stopped answering: its unhealthy threshold times its interval.
func (g Group) DetectionTime() time.Duration {
	return time.Duration(g.UnhealthyThreshold) * g.HealthCheckInterval
}

// Reporter tells the health of a group's targets: complete or nothing. A target
// that is absent from the map is not registered; absent is never healthy. It only
// reads: it changes nothing at the load balancer.
type Reporter interface {
	Health(ctx context.Context, g Group) (map[gate.Target]gate.Health, error)
}

// Pod names the pod that a target is registered for.
type Pod struct{ Namespace, Name, UID string }

// Pods tells whose the targets of a call are. Load balancers that give their members
// names put the pod into them, so that an address that is used again is another member;
// others need no Pods. A target without an entry is known by its address alone.
type Pods map[gate.Target]Pod

// Registrar changes a group's members. Both calls are idempotent: registering a
// member and deregistering a stranger succeed. Partial success is a *PartialError.
type Registrar interface {
	Register(ctx context.Context, g Group, targets []gate.Target, pods Pods) error
	Deregister(ctx context.Context, g Group, targets []gate.Target) error
}

// Resolver finds a group by its identifier or by its name; exactly one of
// wanted.Ref.Group and wanted.Name is used, the identifier first.
type Resolver interface {
	Resolve(ctx context.Context, wanted Group) (Group, error)
}

// Tender is a driver whose drains go on only as somebody looks after them. Tend takes
// them a step further: who reads such a group again and again calls it after each read
// that succeeded. It is idempotent, and what did not work is made up for by the next call.
type Tender interface {
	// Due reports whether a step is due, by what the driver read last. It makes no call, and
	// is true where the driver cannot tell.
	Due(g Group) bool
	Tend(ctx context.Context, g Group) error
}

// Due reports whether p has to look after a group's drains now; never if it is not a Tender.
func Due(p Provider, g Group) bool {
	t, ok := p.(Tender)
	return ok && t.Due(g)
}

// Tend has p look after a group's drains if it is a Tender.
func Tend(ctx context.Context, p Provider, g Group) error {
	if t, ok := p.(Tender); ok {
		return t.Tend(ctx, g)
	}
	return nil
}

// Provider is everything that podgate asks of every load balancer.
type Provider interface {
	Reporter
	Registrar
	Resolver
}

// Limits is a budget of calls for one account. Rates are calls a second.
type Limits struct {
	// DescribeRate and DescribeBurst bound calls that only read.
	DescribeRate  float64
	DescribeBurst int
	// ChangeRate and ChangeBurst bound calls that register and deregister.
	ChangeRate  float64
	ChangeBurst int
	// Batch is how many targets the provider sends in one call; 0 means all.
	Batch int
}

// Errors that a provider wraps so that one policy can handle them all. An error
// that wraps none of them is transient: the call may succeed when repeated.
var (
	// ErrNotFound means that the group does not exist.
	ErrNotFound = errors.New("target group not found")
	// ErrDenied means that the credentials are refused or lack a permission.
	ErrDenied = errors.New("access denied")
	// ErrThrottled means that the provider asks for fewer calls.
	ErrThrottled = errors.New("throttled")
	// ErrQuota means that the group is full.
	ErrQuota = errors.New("quota exceeded")
	// ErrInvalid means that the request can never succeed as it is: a malformed
	// identifier, another region's, an address that the group does not take.
	ErrInvalid = errors.New("invalid request")
	// ErrNotReady means that the load balancer makes or removes the group, or is at another
	// change of it. It did nothing, and it may be asked again soon: nobody has made a mistake.
	ErrNotReady = errors.New("not ready yet")
)

// PartialError says that a call succeeded for all targets but those in Failed.
type PartialError struct {
	// Failed holds the targets that were not handled.
	Failed []gate.Target
	// Err is the first cause.
	Err error
}

// Error implements error.
func (e *PartialError) Error() string { return "some targets failed: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *PartialError) Unwrap() error { return e.Err }
