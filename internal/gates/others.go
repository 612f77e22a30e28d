// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

// LoadBalancers are how the condition types begin of gates that open when a load balancer reaches
// the pod, whoever sets them. They keep no pod out of a group: two controllers that each waited
// for the other's gate would wait forever. The list is in docs/policies.md, too.
var LoadBalancers = []string{
	// AWS Load Balancer Controller, its version 1, EKS Auto Mode, and AWS Gateway API Controller.
	elbv2.GatePrefix,
	elbv2.LegacyGatePrefix,
	"target-health.eks.amazonaws.com/",
	"application-networking.k8s.aws/pod-readiness-gate",
	// GKE's network endpoint groups.
	"cloud.google.com/load-balancer-neg-ready",
	// Alibaba Cloud's controllers of LoadBalancer Services and of ALB Ingresses.
	"service.readiness.alibabacloud.com/",
	"target-health.alb.k8s.alicloud/",
	// Huawei Cloud's CCE.
	"target-health.elb.k8s.cce/",
	// Tencent Cloud's TKE.
	"cloud.tencent.com/load-balancer-backendgroup-ready",
	// Oracle Cloud's controllers of LoadBalancer Services and of Ingresses.
	"podreadiness.loadbalancer.oraclecloud.com/",
	"podreadiness.ingress.oraclecloud.com/",
}

// HeldBy lists the gates that keep a pod from requests, from whatever load balancer: those that are
// not open, and neither of a kind that holds no pod back nor of another load balancer.
func (k Kinds) HeldBy(pod *corev1.Pod) []string {
	var closed []string
	for _, g := range pod.Spec.ReadinessGates {
		if k.others(g.ConditionType) && !binding.IsTrue(pod, g.ConditionType) {
			closed = append(closed, string(g.ConditionType))
		}
	}
	return closed
}

// FreeSince returns when the last gate opened that could keep the pod from requests, as its owner
// says; zero where that is not known.
func (k Kinds) FreeSince(pod *corev1.Pod) time.Time {
	var last time.Time
	for _, g := range pod.Spec.ReadinessGates {
		if !k.others(g.ConditionType) || !binding.IsTrue(pod, g.ConditionType) {
			continue
		}
		if at := binding.Condition(pod, g.ConditionType).LastTransitionTime.Time; at.After(last) {
			last = at
		}
	}
	return last
}

// others reports whether a gate has nothing to do with load balancers.
func (k Kinds) others(t corev1.PodConditionType) bool {
	if k.Owns(string(t)) {
		return k.Hold(string(t))
	}
	return !slices.ContainsFunc(LoadBalancers, func(prefix string) bool { return strings.HasPrefix(string(t), prefix) })
}
