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
	// MaxGateName is the longest binding name that makes a valid condition type.
	MaxGateName = 63
	// LBCFinalizer is AWS Load Balancer Controller's on bindings that it manages.
	LBCFinalizer = "elbv2.k8s.aws/resources"
	// LBCIngressFinalizer is AWS Load Balancer Controller's on an Ingress that is in no group, and LBCIngressGroupFinalizer begins the
	// one on an Ingress of a group; the group's name follows.
	LBCIngressFinalizer      = "ingress.k8s.aws/resources"
	LBCIngressGroupFinalizer = "group.ingress.k8s.aws/"
	// LBCServiceFinalizer is AWS Load Balancer Controller's on a Service.
	LBCServiceFinalizer = "service.k8s.aws/resources"
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

// GateType is the condition type of a binding's gate.
func GateType(binding string) string { return GatePrefix + binding }

// SameGroup reports whether two target groups, each by its ARN or its name, are the same
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
