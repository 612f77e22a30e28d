// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Membership says who registers and deregisters the targets.
// +kubebuilder:validation:Enum=Managed;External
type Membership string

// The memberships.
const (
	// MembershipManaged has podgate do it.
	MembershipManaged Membership = "Managed"
	// MembershipExternal leaves it to somebody else; podgate observes and gates.
	MembershipExternal Membership = "External"
)

// Wake says how somebody else who registers targets hears of a pod that waits for it.
// +kubebuilder:validation:Enum=Gate;Nudge;None
type Wake string

// The ways to wake.
const (
	// WakeGate leaves it to AWS Load Balancer Controller's own gate, for which that
	// controller wakes: a pod without it gets none of this binding's either.
	WakeGate Wake = "Gate"
	// WakeNudge has podgate touch the annotation podgate.dev/nudge on that controller's
	// TargetGroupBindings of the group.
	WakeNudge Wake = "Nudge"
	// WakeNone says that it needs no waking, since it looks at pods by itself.
	WakeNone Wake = "None"
)

// ServiceReference names a Service of the binding's namespace and one of its ports.
type ServiceReference struct {
	// Name of the Service.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Port of the Service: its number or its name.
	Port intstr.IntOrString `json:"port"`
}

// TargetBindingSpec says whose pods are the targets of what. Exactly one provider is named.
//
// +kubebuilder:validation:XValidation:rule="[has(self.elbv2), has(self.haproxy), has(self.lattice)].exists_one(named, named)",message="name exactly one provider: elbv2, haproxy or lattice"
// +kubebuilder:validation:XValidation:rule="has(self.elbv2) == has(oldSelf.elbv2) && has(self.haproxy) == has(oldSelf.haproxy)",message="the provider cannot be changed: make another binding"
// +kubebuilder:validation:XValidation:rule="!has(self.wake) || has(self.elbv2) && has(self.membership) && self.membership == 'External'",message="wake is for bindings of elbv2 with membership External: with others nobody has to be woken"
// +kubebuilder:validation:XValidation:rule="has(self.elbv2) || !has(self.nodeSelector) && !has(self.nodes)",message="nodeSelector and nodes are for target groups of elbv2: other groups have no nodes as targets"
// +kubebuilder:validation:XValidation:rule="!has(self.lattice) || !has(self.lattice.discover) || !self.lattice.discover || has(self.membership) && self.membership == 'External'",message="lattice.discover needs membership External: to have podgate register targets, name the group"
type TargetBindingSpec struct {
	// ServiceRef names the Service whose pods are the targets, and the port that is registered.
	ServiceRef ServiceReference `json:"serviceRef"`
	// ELBv2 is a target group of an ALB or NLB.
	// +optional
	ELBv2 *ELBv2 `json:"elbv2,omitempty"`
	// HAProxy is a backend of HAProxy.
	// +optional
	HAProxy *HAProxy `json:"haproxy,omitempty"`
	// Lattice is a target group of Amazon VPC Lattice, or those that AWS Gateway API
	// Controller fills for the Service.
	// +optional
	Lattice *Lattice `json:"lattice,omitempty"`
	// Membership says who registers and deregisters the targets: podgate (Managed), or
	// somebody else (External), beside whom podgate observes, gates and reports, and
	// changes nothing at the load balancer.
	// +kubebuilder:default=Managed
	// +optional
	Membership Membership `json:"membership,omitempty"`
	// Wake says how whoever registers the targets of an External binding of elbv2 hears of
	// a pod that waits to be registered; Gate by default. AWS Load Balancer Controller
	// wakes for changes of EndpointSlices and for pods with gates of its own, and a pod
	// that only podgate's gate holds back is neither.
	// +optional
	Wake Wake `json:"wake,omitempty"`
	// Gate says when the pods' gates open and close.
	// +optional
	Gate *GatePolicy `json:"gate,omitempty"`
	// Drain says how long the pods serve on when they leave, from when, and how.
	// +optional
	Drain *DrainPolicy `json:"drain,omitempty"`
	// ReplaceUngated Enabled has podgate evict pods that lack their gate, one by one, while
	// all others serve; Disabled by default. It wins over the annotation
	// podgate.dev/replace-ungated, which counts where the field is absent.
	// +optional
	ReplaceUngated ReplaceUngated `json:"replaceUngated,omitempty"`
	// OtherGates Follow, the default, registers a pod only while all its readiness gates are
	// True but those of load balancers; Ignore looks at its containers alone. It wins over the
	// annotation podgate.dev/other-gates, which counts where the field is absent.
	// +optional
	OtherGates OtherGates `json:"otherGates,omitempty"`
	// NodeSelector selects the nodes that are targets where the group's targets are instances; all nodes when absent.
	// +optional
	NodeSelector *metav1.LabelSelector `json:"nodeSelector,omitempty"`
	// Nodes says which of them are: All, the default, or those WithReadyPods of the Service.
	// It wins over the annotation podgate.dev/nodes, which counts where the field is absent.
	// +optional
	Nodes Nodes `json:"nodes,omitempty"`
}

// Nodes says which nodes are targets in a group whose targets are instances.
// +kubebuilder:validation:Enum=All;WithReadyPods
type Nodes string

// The answers.
const (
	// NodesAll registers all selected nodes, since each of them forwards to the Service's pods.
	NodesAll Nodes = "All"
	// NodesWithReadyPods registers those that run a pod of the Service that is Ready, and all of them while none does.
	NodesWithReadyPods Nodes = "WithReadyPods"
)

// OtherGates says whether readiness gates of other controllers decide which pods are registered.
// +kubebuilder:validation:Enum=Follow;Ignore
type OtherGates string

// The answers.
const (
	// OtherGatesFollow registers no pod that such a gate keeps from being Ready, and removes its
	// target when one closes.
	OtherGatesFollow OtherGates = "Follow"
	// OtherGatesIgnore registers pods whose containers are ready, whatever those gates say.
	OtherGatesIgnore OtherGates = "Ignore"
)

// ReplaceUngated says whether pods that lack their gate are replaced.
// +kubebuilder:validation:Enum=Enabled;Disabled
type ReplaceUngated string

// The answers.
const (
	// ReplaceUngatedEnabled evicts them, one by one.
	ReplaceUngatedEnabled ReplaceUngated = "Enabled"
	// ReplaceUngatedDisabled leaves them.
	ReplaceUngatedDisabled ReplaceUngated = "Disabled"
)

// DrainTimeFrom says where the time comes from for which pods serve on.
// +kubebuilder:validation:Enum=Computed;Recommended
type DrainTimeFrom string

// Where it comes from.
const (
	// DrainTimeComputed is computed from the group's settings.
	DrainTimeComputed DrainTimeFrom = "Computed"
	// DrainTimeRecommended follows what podgate recommends by the latest drains.
	DrainTimeRecommended DrainTimeFrom = "Recommended"
)

// DrainAt says when pods begin to drain.
// +kubebuilder:validation:Enum=Deletion;Taint
type DrainAt string

// When they begin.
const (
	// DrainAtDeletion begins when a pod is deleted.
	DrainAtDeletion DrainAt = "Deletion"
	// DrainAtTaint begins when the pod's node is tainted for its removal.
	DrainAtTaint DrainAt = "Taint"
)

// DrainMode says how the preStop hooks that podgate adds know when to end.
// +kubebuilder:validation:Enum=Sleep;Adaptive
type DrainMode string

// DrainPolicy says how the binding's pods drain. Each field wins over the annotation that it
// names, which counts where the field is absent.
//
// +kubebuilder:validation:XValidation:rule="!has(self.seconds) || !has(self.timeFrom)",message="name seconds or timeFrom, not both"
type DrainPolicy struct {
	// Seconds is how long pods serve on after their deletion has begun, in place of what
	// podgate computes. It wins over the annotation podgate.dev/drain-time.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +optional
	Seconds int32 `json:"seconds,omitempty"`
	// TimeFrom says where that time comes from without seconds: it is Computed, the
	// default, or Recommended by the latest drains (status.drain.recommendedSeconds), within
	// bounds. It wins over the annotation podgate.dev/drain-time.
	// +optional
	TimeFrom DrainTimeFrom `json:"timeFrom,omitempty"`
	// At says when pods begin to drain: at their Deletion, the default, or at the Taint by
	// which their node is to be removed, as far as others serve. It wins over the
	// annotation podgate.dev/drain-at.
	// +optional
	At DrainAt `json:"at,omitempty"`
	// Mode says how the preStop hooks that podgate adds know when to end: they Sleep for
	// the whole time, the default, or are Adaptive and end earlier, when the load balancers
	// send the pod nothing more. It wins over the annotation podgate.dev/drain.
	// +optional
	Mode DrainMode `json:"mode,omitempty"`
}

// ELBv2 names a target group with targets of type ip.
//
// +kubebuilder:validation:XValidation:rule="has(self.targetGroupARN) != has(self.targetGroupName)",message="name the group by targetGroupARN or by targetGroupName"
// +kubebuilder:validation:XValidation:rule="has(self.targetGroupARN) == has(oldSelf.targetGroupARN) && (has(self.targetGroupARN) ? self.targetGroupARN == oldSelf.targetGroupARN : self.targetGroupName == oldSelf.targetGroupName)",message="the target group cannot be changed: make another binding"
// +kubebuilder:validation:XValidation:rule="has(self.region) == has(oldSelf.region) && (!has(self.region) || self.region == oldSelf.region)",message="the region cannot be changed: make another binding"
// +kubebuilder:validation:XValidation:rule="!has(self.region) || !has(self.targetGroupARN) || self.targetGroupARN.contains(':' + self.region + ':')",message="region is not the ARN's: leave it out or correct it"
// +kubebuilder:validation:XValidation:rule="!has(self.externalID) || has(self.roleARN)",message="externalID needs roleARN"
type ELBv2 struct {
	// TargetGroupARN is the group's ARN.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	TargetGroupARN string `json:"targetGroupARN,omitempty"`
	// TargetGroupName is the group's name in its region.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +optional
	TargetGroupName string `json:"targetGroupName,omitempty"`
	// Region is the AWS region of the group; podgate's own when absent, or the ARN's when
	// podgate has none.
	// +kubebuilder:validation:Pattern=`^[a-z0-9-]+$`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Region string `json:"region,omitempty"`
	// RoleARN is the role to assume for calls about the group; podgate's own when absent.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	RoleARN string `json:"roleARN,omitempty"`
	// ExternalID is handed to STS when the role is assumed.
	// +kubebuilder:validation:MaxLength=1224
	// +optional
	ExternalID string `json:"externalID,omitempty"`
}

// Lattice names a target group of VPC Lattice with targets of type ip, or has podgate find
// those of the binding's Service.
//
// +kubebuilder:validation:XValidation:rule="[has(self.targetGroupARN), has(self.targetGroupName), has(self.discover) && self.discover].exists_one(named, named)",message="name the group by exactly one of targetGroupARN, targetGroupName and discover: true"
// +kubebuilder:validation:XValidation:rule="has(self.targetGroupARN) == has(oldSelf.targetGroupARN) && has(self.targetGroupName) == has(oldSelf.targetGroupName) && (!has(self.targetGroupARN) || self.targetGroupARN == oldSelf.targetGroupARN) && (!has(self.targetGroupName) || self.targetGroupName == oldSelf.targetGroupName)",message="the target group cannot be changed: make another binding"
// +kubebuilder:validation:XValidation:rule="has(self.region) == has(oldSelf.region) && (!has(self.region) || self.region == oldSelf.region)",message="the region cannot be changed: make another binding"
// +kubebuilder:validation:XValidation:rule="!has(self.region) || !has(self.targetGroupARN) || !self.targetGroupARN.startsWith('arn:') || self.targetGroupARN.contains(':' + self.region + ':')",message="region is not the ARN's: leave it out or correct it"
// +kubebuilder:validation:XValidation:rule="!has(self.clusterName) || has(self.discover) && self.discover",message="clusterName says whose groups discover: true finds: leave it out where the group is named"
// +kubebuilder:validation:XValidation:rule="!has(self.externalID) || has(self.roleARN)",message="externalID needs roleARN"
type Lattice struct {
	// TargetGroupARN is the group's ARN, or its id, which begins with tg-.
	// +kubebuilder:validation:XValidation:rule="self.matches('^(arn:[a-z0-9-]+:vpc-lattice:[a-z0-9-]+:[0-9]{12}:targetgroup/)?tg-[0-9a-z]{17}$')",message="must be the ARN of a target group of VPC Lattice, such as arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0, or its id"
	// +kubebuilder:validation:MaxLength=512
	// +optional
	TargetGroupARN string `json:"targetGroupARN,omitempty"`
	// TargetGroupName is the group's name in its region: 3 to 128 lower-case letters, digits
	// and single dashes.
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('tg-')",message="a group's name does not begin with tg-: name a group by its id in targetGroupARN"
	// +kubebuilder:validation:Pattern=`^[a-z0-9]+(-[a-z0-9]+)*$`
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=128
	// +optional
	TargetGroupName string `json:"targetGroupName,omitempty"`
	// Discover has podgate find all groups that AWS Gateway API Controller fills for the
	// binding's Service, by that controller's tags, while routes come and go. It needs
	// membership External.
	// +optional
	Discover bool `json:"discover,omitempty"`
	// ClusterName is the cluster's name in those tags, which AWS Gateway API Controller has from
	// its configuration. State it wherever a second cluster of the account may have a Service of
	// the same namespace and name: without it a new binding is refused then, and one that has
	// found its groups goes on with those of the same cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	ClusterName string `json:"clusterName,omitempty"`
	// Region is the AWS region of the groups; podgate's own when absent, or the ARN's when
	// podgate has none.
	// +kubebuilder:validation:Pattern=`^[a-z0-9-]+$`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Region string `json:"region,omitempty"`
	// RoleARN is the role to assume for calls about the groups; podgate's own when absent.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	RoleARN string `json:"roleARN,omitempty"`
	// ExternalID is handed to STS when the role is assumed.
	// +kubebuilder:validation:MaxLength=1224
	// +optional
	ExternalID string `json:"externalID,omitempty"`
}

// HAProxy names a backend at all the HAProxy processes that serve it.
//
// +kubebuilder:validation:XValidation:rule="self.backend == oldSelf.backend",message="the backend cannot be changed: make another binding"
type HAProxy struct {
	// Backend is the backend's name in HAProxy's configuration.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_.:-]+$`
	// +kubebuilder:validation:MaxLength=120
	Backend string `json:"backend"`
	// Instances are the runtime API sockets of all HAProxy processes that serve the
	// backend, such as unix:/run/haproxy/admin.sock or tcp:192.0.2.10:9999, with level
	// admin. What goes over TCP is neither encrypted nor authenticated.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:Pattern=`^(unix:/|tcp:)[^, ]+$`
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Instances []string `json:"instances"`
	// Owner tells the servers of clusters that share a backend apart: up to 20 lower-case
	// letters, digits and dashes; empty when no other cluster uses it.
	// +kubebuilder:validation:Pattern=`^[a-z0-9-]*$`
	// +kubebuilder:validation:MaxLength=20
	// +optional
	Owner string `json:"owner,omitempty"`
	// IPFamily says which of a pod's addresses is registered.
	// +kubebuilder:validation:Enum=ipv4;ipv6
	// +kubebuilder:default=ipv4
	// +optional
	IPFamily string `json:"ipFamily,omitempty"`
	// Check is how HAProxy checks the servers. What is asked, such as option httpchk, is
	// the backend's.
	// +optional
	Check HAProxyCheck `json:"check,omitempty"`
	// Weight is each server's share of the load.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	// +kubebuilder:default=100
	// +optional
	Weight int32 `json:"weight,omitempty"`
	// MaxConn bounds a server's connections; no bound when absent.
	// +kubebuilder:validation:Minimum=1
	// +optional
	MaxConn int32 `json:"maxConn,omitempty"`
	// MaxServers bounds the servers of the backend, those of others included; no bound
	// but HAProxy's own when absent.
	// +kubebuilder:validation:Minimum=1
	// +optional
	MaxServers int32 `json:"maxServers,omitempty"`
	// Keywords are further words for each server, such as check-ssl, verify, none.
	// HAProxy does not apply its default-server lines to servers added at runtime.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_.:/,=+@()%-]+$`
	// +kubebuilder:validation:items:MaxLength=200
	// +listType=atomic
	// +optional
	Keywords []string `json:"keywords,omitempty"`
	// DrainSeconds is how long a server that leaves may get requests that insist on it
	// (cookies, stick tables). It goes earlier when it has no connection left, and those
	// that it has then are never closed.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=30
	// +optional
	DrainSeconds int32 `json:"drainSeconds,omitempty"`
}

// HAProxyCheck is how HAProxy checks a server.
type HAProxyCheck struct {
	// IntervalMilliseconds is the time between two checks.
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=3600000
	// +kubebuilder:default=2000
	// +optional
	IntervalMilliseconds int32 `json:"intervalMilliseconds,omitempty"`
	// Rise is how many checks in a row must pass before the server gets traffic.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=2
	// +optional
	Rise int32 `json:"rise,omitempty"`
	// Fall is how many must fail in a row before it gets none any more.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=3
	// +optional
	Fall int32 `json:"fall,omitempty"`
	// Port is checked instead of the target's own.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}

// GateMode says what an open gate does while its target is not healthy.
// +kubebuilder:validation:Enum=Latch;Track
type GateMode string

// GateAnswer says whether a gate opens where the load balancer does not say healthy.
// +kubebuilder:validation:Enum=Hold;Open
type GateAnswer string

// GatePolicy says when gates open and close other than by health alone.
//
// +kubebuilder:validation:XValidation:rule="!has(self.onTimeout) || self.onTimeout == 'Hold' || has(self.timeoutSeconds)",message="onTimeout: Open needs timeoutSeconds"
type GatePolicy struct {
	// Mode Latch, the default, keeps an open gate open until the pod's containers become
	// unready; Track closes it while its target fails.
	// +optional
	Mode GateMode `json:"mode,omitempty"`
	// TrackAfterSeconds is how long a target must fail before Track closes its gate; 30 by default.
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	// +optional
	TrackAfterSeconds int32 `json:"trackAfterSeconds,omitempty"`
	// TrackFloor is how many gates Track leaves open: a percentage such as 50% (the
	// default) or a number.
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]?%|100%|[1-9][0-9]{0,5})$`
	// +optional
	TrackFloor string `json:"trackFloor,omitempty"`
	// TimeoutSeconds is how long after its containers became ready a pod waits before
	// onTimeout counts; without end by default.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
	// OnTimeout says what a gate does then; Hold by default.
	// +optional
	OnTimeout GateAnswer `json:"onTimeout,omitempty"`
	// OnUnused is for a target that no load balancer uses; Hold by default.
	// +optional
	OnUnused GateAnswer `json:"onUnused,omitempty"`
	// OnUnavailable is for a target whose health the load balancer cannot tell; Hold by default.
	// +optional
	OnUnavailable GateAnswer `json:"onUnavailable,omitempty"`
	// OnUnhealthyDraining is for an unhealthy target whose connections are being closed
	// (NLB); Hold by default.
	// +optional
	OnUnhealthyDraining GateAnswer `json:"onUnhealthyDraining,omitempty"`
}

// TargetCounts counts targets by what the load balancer says of them.
type TargetCounts struct {
	// Total is how many the group holds.
	Total int32 `json:"total"`
	// Healthy targets get traffic.
	Healthy int32 `json:"healthy"`
	// Initial targets are being registered or checked for the first time.
	Initial int32 `json:"initial,omitempty"`
	// Unhealthy targets fail their checks.
	Unhealthy int32 `json:"unhealthy,omitempty"`
	// Draining targets are leaving.
	Draining int32 `json:"draining,omitempty"`
	// Other targets are unused, or nobody can tell their health.
	Other int32 `json:"other,omitempty"`
	// Foreign are those among them that serve at addresses of no pod of this cluster, and
	// that podgate does not remove.
	Foreign int32 `json:"foreign,omitempty"`
}

// ResolvedGroup is what podgate found out about the group.
type ResolvedGroup struct {
	// Of is the UID of the binding that it was written for: podgate does not go by a
	// status that was copied from another one.
	// +optional
	Of types.UID `json:"of,omitempty"`
	// ID is the provider's identifier.
	ID string `json:"id"`
	// Name is for people. Groups that were discovered go by service:NAMESPACE/SERVICE@CLUSTER.
	// +optional
	Name string `json:"name,omitempty"`
	// TargetType is ip where pods are targets, and instance where nodes are.
	// +optional
	TargetType string `json:"targetType,omitempty"`
	// Protocol such as HTTP or TCP.
	// +optional
	Protocol string `json:"protocol,omitempty"`
	// IPAddressType is ipv4 or ipv6.
	// +optional
	IPAddressType string `json:"ipAddressType,omitempty"`
	// HealthCheckIntervalMilliseconds and UnhealthyThreshold say how soon the load
	// balancer notices a dead target.
	// +optional
	HealthCheckIntervalMilliseconds int64 `json:"healthCheckIntervalMilliseconds,omitempty"`
	// UnhealthyThreshold counts failed checks in a row.
	// +optional
	UnhealthyThreshold int32 `json:"unhealthyThreshold,omitempty"`
	// HealthCheckPort is the port at which all targets are checked; absent when each is at its own.
	// +optional
	HealthCheckPort int32 `json:"healthCheckPort,omitempty"`
	// HealthCheckDisabled: the load balancer does not check the group's targets.
	// +optional
	HealthCheckDisabled bool `json:"healthCheckDisabled,omitempty"`
	// DrainSeconds is how long a deregistered target may finish requests.
	// +optional
	DrainSeconds int64 `json:"drainSeconds,omitempty"`
}

// DrainStatus is how long the binding's pods serve on after their deletion has begun.
type DrainStatus struct {
	// Seconds is for how long the pods do that are created now.
	Seconds int64 `json:"seconds"`
	// RecommendedSeconds is what podgate recommends instead of what it computes, by what
	// it has observed of the latest drains; absent while the computed time is right.
	// The field spec.drain.timeFrom: Recommended has it followed, and so has the annotation
	// podgate.dev/drain-time: recommended.
	// +optional
	RecommendedSeconds int64 `json:"recommendedSeconds,omitempty"`
}

// TargetBindingStatus is podgate's view of the binding.
type TargetBindingStatus struct {
	// ObservedGeneration is the generation that the status is about.
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// Conditions tell whether the binding works, and if not, why and what to do.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Targets are counted when they change, not at every observation.
	// +optional
	Targets *TargetCounts `json:"targets,omitempty"`
	// ObservedAt is when the load balancer first said what targets counts; later
	// observations that say the same are not written.
	// +optional
	ObservedAt *metav1.Time `json:"observedAt,omitempty"`
	// Group is what the binding's provider resolved.
	// +optional
	Group *ResolvedGroup `json:"group,omitempty"`
	// Drain is how long pods serve on when they are deleted.
	// +optional
	Drain *DrainStatus `json:"drain,omitempty"`
}

// TargetBinding says that the pods of a Service are the targets of a load balancer's
// group, and gives them the readiness gate targets.podgate.dev/<name>.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=all,shortName=tb
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name must have at most 63 characters: it becomes the name of a readiness gate"
// +kubebuilder:printcolumn:name="Service",type=string,JSONPath=`.spec.serviceRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Healthy",type=integer,JSONPath=`.status.targets.healthy`
// +kubebuilder:printcolumn:name="Targets",type=integer,JSONPath=`.status.targets.total`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Membership",type=string,JSONPath=`.spec.membership`,priority=1
// +kubebuilder:printcolumn:name="Draining",type=integer,JSONPath=`.status.targets.draining`,priority=1
// +kubebuilder:printcolumn:name="Drain",type=integer,JSONPath=`.status.drain.seconds`,priority=1
// +kubebuilder:printcolumn:name="Group",type=string,JSONPath=`.status.group.name`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type TargetBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   TargetBindingSpec   `json:"spec"`
	Status TargetBindingStatus `json:"status,omitempty"`
}

// TargetBindingList is a list of TargetBinding.
// +kubebuilder:object:root=true
type TargetBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TargetBinding `json:"items"`
}
