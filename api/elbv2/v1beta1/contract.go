// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Names that users of AWS Load Balancer Controller have in their clusters.
const (
	// InjectLabel on a namespace, with the value InjectEnabled, asks for gates at pod creation.
	InjectLabel = "elbv2.k8s.aws/pod-readiness-gate-inject"
	// InjectEnabled is InjectLabel's value that asks for gates.
	InjectEnabled = "enabled"
	// GatePrefix and a binding's name make the condition type of its gate.
	GatePrefix = "target-health.elbv2.k8s.aws/"
	// LegacyGatePrefix starts the condition types of the ALB ingress controller v1.
	LegacyGatePrefix = "target-health.alb.ingress.k8s.aws/"
	// MaxGateName is the longest binding name that makes a valid condition type.
	MaxGateName = 63
	// LBCFinalizer is AWS Load Balancer Controller's on bindings that it manages.
	LBCFinalizer = "elbv2.k8s.aws/resources"
	// LBCLease is AWS Load Balancer Controller's leader election lease.
	LBCLease = "aws-load-balancer-controller-leader"
	// LBCCheckpoint on a binding is AWS Load Balancer Controller's note of what it last
	// brought in step, which it does not look at again; LBCCheckpointTime is when that was.
	LBCCheckpoint     = "elbv2.k8s.aws/checkpoint"
	LBCCheckpointTime = "elbv2.k8s.aws/checkpoint-timestamp"
	// LBCTargetsPrefix and a binding's name make the name of the ConfigMap in which AWS
	// Load Balancer Controller keeps what a cluster registered in a shared group.
	LBCTargetsPrefix = "aws-lbc-targets-"
	// LBCTargetsKey is the key in that ConfigMap: targets as "address:port", separated by commas.
	LBCTargetsKey = "targets"
)

// Names that are podgate's own.
const (
	// PodgateInjectLabel on a namespace or a pod, with the value InjectEnabled, asks for gates
	// at pod creation; with the value InjectDisabled a pod goes without.
	PodgateInjectLabel = "podgate.dev/inject"
	// InjectDisabled is PodgateInjectLabel's value that opts out.
	InjectDisabled = "disabled"
	// DrainLabel on a namespace or a pod, with the value DrainEnabled, asks for preStop hooks
	// at pod creation; with the value DrainDisabled a pod goes without.
	DrainLabel    = "podgate.dev/drain"
	DrainEnabled  = "enabled"
	DrainDisabled = "disabled"
	// GraceAnnotation on a pod keeps the terminationGracePeriodSeconds that it had before
	// the time to drain was added.
	GraceAnnotation = "podgate.dev/grace-period"
	// Finalizer keeps a binding until its targets are deregistered and its gates released.
	Finalizer = "podgate.dev/targets"
	// ProvenAnnotation on a pod records at which address which gates were proven to be about it.
	ProvenAnnotation = "podgate.dev/proven"
	// NudgeAnnotation on a TargetGroupBinding is when podgate last touched it to wake AWS
	// Load Balancer Controller. Nothing reads it.
	NudgeAnnotation = "podgate.dev/nudge"
	// OverrideAnnotation on a pod holds what a person ordered about its gates; package override reads it.
	OverrideAnnotation = "podgate.dev/override"
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
	// ReplaceAnnotation on a binding, with the value ReplaceEnabled, has its pods that lack a gate
	// evicted, one by one.
	ReplaceAnnotation = "podgate.dev/replace-ungated"
	ReplaceEnabled    = "enabled"
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
	// Domain begins the names of podgate's own annotations and labels.
	Domain = "podgate.dev/"
)

// GateType is the condition type of a binding's gate.
func GateType(binding string) string { return GatePrefix + binding }

// SameGroup tells whether two target groups, each by its ARN or its name, are the same
// as far as that tells.
func SameGroup(a, b string) bool {
	nameA, byARN := groupName(a)
	nameB, too := groupName(b)
	if byARN && too {
		return a == b
	}
	return nameA == nameB && nameA != ""
}

// groupName is the name in a target group's ARN; what is no ARN is a name.
func groupName(group string) (name string, arn bool) {
	_, rest, arn := strings.Cut(group, ":targetgroup/")
	if !arn {
		return group, false
	}
	name, _, _ = strings.Cut(rest, "/")
	return name, true
}

// Group is the target group as the manifest names it: its ARN, or else its name.
func (b *TargetGroupBinding) Group() string {
	if b.Spec.TargetGroupARN != "" {
		return b.Spec.TargetGroupARN
	}
	return b.Spec.TargetGroupName
}

// Gates lists the names of the bindings whose gates a pod carries.
func Gates(pod *corev1.Pod) []string {
	var names []string
	for _, g := range pod.Spec.ReadinessGates {
		if name, ok := strings.CutPrefix(string(g.ConditionType), GatePrefix); ok {
			names = append(names, name)
		}
	}
	return names
}
