// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Names that are podgate's own.
const (
	// InjectLabel on a namespace or a pod, with the value InjectEnabled, asks for gates
	// at pod creation; with the value InjectDisabled a pod goes without.
	InjectLabel = "podgate.dev/inject"
	// InjectEnabled is InjectLabel's value that asks for gates.
	InjectEnabled = "enabled"
	// InjectDisabled is InjectLabel's value that opts out.
	InjectDisabled = "disabled"
	// DrainLabel on a namespace or a pod, with the value DrainEnabled, asks for preStop hooks
	// at pod creation; with the value DrainDisabled a pod goes without.
	DrainLabel    = "podgate.dev/drain"
	DrainEnabled  = "enabled"
	DrainDisabled = "disabled"
	// GraceAnnotation on a pod keeps the terminationGracePeriodSeconds that it had before
	// the time to drain was added.
	GraceAnnotation = "podgate.dev/grace-period"
	// LeftOutAnnotation on a pod lists what podgate did not add to it, since the pod's manifest could not have been applied a
	// second time: LeftOutGates, LeftOutHooks, or both with a comma.
	LeftOutAnnotation = "podgate.dev/left-out"
	LeftOutGates      = "readinessGates"
	LeftOutHooks      = "preStop"
	// AggregateLabel is "true" on ClusterRoles that say which objects checks may look at. The chart's role podgate-reader aggregates
	// them.
	AggregateLabel = "podgate.dev/aggregate-to-reader"
	// Finalizer keeps a binding until its targets are deregistered and its gates released.
	Finalizer = "podgate.dev/targets"
	// IngressController is what an IngressClass names whose Ingresses become application load balancers of AWS, and a GatewayClass whose
	// Gateways do.
	IngressController = "podgate.dev/alb"
	// IngressFinalizer keeps an Ingress until its load balancer, or its rules at one that others share, are gone.
	IngressFinalizer = "podgate.dev/ingress"
	// StacksAnnotation on an Ingress with that finalizer names the stacks, with commas between them, that may have something of it:
	// that of the group that it is in, and of groups that it left.
	StacksAnnotation = "podgate.dev/ingress-stacks"
	// GatewayFinalizer keeps a Gateway until its load balancer is gone.
	GatewayFinalizer = "podgate.dev/routes"
	// GatewayNamespaceLabel and GatewayNameLabel on a TargetGroupBinding name the Gateway that podgate made it for.
	GatewayNamespaceLabel = "podgate.dev/gateway-namespace"
	GatewayNameLabel      = "podgate.dev/gateway-name"
	// GatewayStackTag and GatewayResourceTag are tags of what podgate made at AWS for a Gateway: which one, and which part of it.
	GatewayStackTag    = "podgate.dev/gateway"
	GatewayResourceTag = "podgate.dev/resource"
	// MadeForAnnotation on a TargetGroupBinding says for what podgate made it. podgate deletes it with that.
	MadeForAnnotation = "podgate.dev/made-for"
	// ProvenAnnotation on a pod records at which address which gates were proven to be about it, and what closed gates wait for.
	ProvenAnnotation = "podgate.dev/proven"
	// NudgeAnnotation on a TargetGroupBinding is when podgate last touched it to wake AWS
	// Load Balancer Controller. Nothing reads it.
	NudgeAnnotation = "podgate.dev/nudge"
	// OverrideAnnotation on a pod holds what a person ordered about its gates; package override reads it.
	OverrideAnnotation = "podgate.dev/override"
	// ApprovalsAnnotation on a ReadinessGate holds what people approved of; package manual (internal/check/manual) reads it.
	ApprovalsAnnotation = "podgate.dev/approvals"
	// PublishedAnnotation on a TargetGroupBinding holds what the leader resolved of its target
	// group, as JSON, so that the webhook needs no call to a load balancer.
	PublishedAnnotation = "podgate.dev/target-group"
	// ManageAnnotation on a binding, with the value "true", asks podgate to serve it under
	// --target-group-bindings=annotated.
	ManageAnnotation = "podgate.dev/manage"
	// RemoveForeignAnnotation on a binding, with the binding's own UID as its value, lets podgate
	// remove targets of its group that serve at addresses of no pod of this cluster. The UID
	// keeps a copy of the binding in another cluster from saying the same.
	RemoveForeignAnnotation = "podgate.dev/remove-foreign-targets"
	// RecordOfAnnotation on the ConfigMap that records a binding's targets is that binding's UID.
	RecordOfAnnotation = "podgate.dev/record-of"
	// RotateAnnotation on the certificate's Secret asks for a rotation now; package certificate
	// has its values. It is removed when the rotation has begun.
	RotateAnnotation = "podgate.dev/rotate"
)

// Annotations on a binding that state policies of its gates; gate.Policy tells what they mean.
const (
	// ModeAnnotation is Latch or Track.
	ModeAnnotation = "podgate.dev/mode"
	// TrackAfterAnnotation is a duration.
	TrackAfterAnnotation = "podgate.dev/track-after"
	// TrackFloorAnnotation is a percentage or a number of gates.
	TrackFloorAnnotation = "podgate.dev/track-floor"
	// TimeoutAnnotation is a duration.
	TimeoutAnnotation = "podgate.dev/timeout"
	// OnTimeoutAnnotation is Hold or Open, and so are the following.
	OnTimeoutAnnotation           = "podgate.dev/on-timeout"
	OnUnusedAnnotation            = "podgate.dev/on-unused"
	OnUnavailableAnnotation       = "podgate.dev/on-unavailable"
	OnUnhealthyDrainingAnnotation = "podgate.dev/on-unhealthy-draining"
	// DrainTimeAnnotation on a binding is a duration: how long its pods serve on after their
	// deletion has begun, in place of what podgate computes; or "recommended".
	DrainTimeAnnotation = "podgate.dev/drain-time"
	// DrainRecommended is the value of DrainTimeAnnotation that leaves the time to what
	// podgate recommends, within its bounds.
	DrainRecommended = "recommended"
	// ReplaceAnnotation on a binding, with the value ReplaceEnabled, has its pods that lack a gate
	// evicted, one by one.
	ReplaceAnnotation = "podgate.dev/replace-ungated"
	ReplaceEnabled    = "enabled"
	// OtherGatesAnnotation on a binding is OtherGatesFollow, the default, or OtherGatesIgnore: whether
	// the readiness gates of other controllers decide which of its pods are registered.
	OtherGatesAnnotation = "podgate.dev/other-gates"
	// NodesAnnotation on a binding is NodesAll, the default, or NodesWithReadyPods: which nodes are targets in a group of nodes.
	NodesAnnotation = "podgate.dev/nodes"
	// RecommendedDrainAnnotation on a binding is the duration that podgate recommends for
	// DrainTimeAnnotation, by what it has observed; absent while the computed one is right.
	RecommendedDrainAnnotation = "podgate.dev/recommended-drain-time"
	// DrainAtAnnotation on a binding is Deletion, or Taint: its pods drain as soon as their
	// node is tainted for its removal, as far as others serve.
	DrainAtAnnotation = "podgate.dev/drain-at"
	// DrainModeAnnotation on a binding is DrainSleep, the default, or DrainAdaptive: how the
	// preStop hooks that its pods get know when to end.
	DrainModeAnnotation = "podgate.dev/drain"
	// DrainSleep sleeps for the computed time.
	DrainSleep = "Sleep"
	// DrainAdaptive ends earlier, when the load balancers have let go of the pod.
	DrainAdaptive = "Adaptive"
	// DrainIdleAnnotation on a binding is DrainIdleWait, the default, or DrainIdleLeave: whether adaptive hooks wait for
	// connections on which nothing moves.
	DrainIdleAnnotation = "podgate.dev/drain-idle"
	// DrainIdleWait waits until the load balancer closes them.
	DrainIdleWait = "Wait"
	// DrainIdleLeave says that nobody waits on a connection where the pod sent last and nothing moves for some seconds.
	DrainIdleLeave = "Leave"
	// Domain begins the names of podgate's own annotations and labels.
	Domain = "podgate.dev/"
)
