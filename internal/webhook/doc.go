// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package webhook answers the API server's admission reviews of new pods: it adds the
// readiness gates, or the preStop hooks, that internal/injection decides on. It reads
// caches only, never calls a load balancer, and patches nothing but spec.readinessGates or,
// for hooks, containers without a preStop of their own, terminationGracePeriodSeconds and
// the annotation that keeps what that was. It never denies a pod:
// its own trouble is an HTTP 500, so that the user's failurePolicy decides. It refuses to
// decode a pod into a typed Pod and encode it again, since that drops every field that the
// library at hand does not know.
package webhook

// What the handler's caches read.
//
// +kubebuilder:rbac:groups="",resources=services,verbs=list;watch
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=list;watch
// +kubebuilder:rbac:groups=podgate.dev,resources=targetbindings;readinessgates,verbs=list;watch
