// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lbc stands in for AWS Load Balancer Controller in tests: for the part of it
// that registers pods as targets. It is written after the behaviour of v3.5.0 of that
// controller and is no kinder to those who wait than it is:
//
//   - It looks at a TargetGroupBinding when that object changes in any way, when the
//     addresses or conditions in an EndpointSlice of its Service change, and when a pod
//     changes that carries the gate target-health.elbv2.k8s.aws/<binding>. A pod's
//     ContainersReady changes no EndpointSlice while something else holds the pod back.
//   - Whenever it looks, every pod of the slices counts that is Ready, or whose containers
//     are ready on a node that is, unless it terminates. Whose gate holds the pod back is
//     all one to it. Pods and slices are cached apart, so that either may be older.
//   - It notes a checkpoint on the binding, and while pods and spec are the same as then it
//     calls nobody, whatever has become of the targets, but for a gate of its own that is closed.
//   - It deregisters what it does not know before it registers what is new. Targets that
//     it once saw healthy it does not ask about again for five minutes.
//   - It looks again after 15 s while one of its own gates is closed, and never for others.
//     What fails is tried again after 5 ms, twice that, and so on up to 1000 s.
//   - It holds bindings by a finalizer and leads by a lease that it does not give back.
//
// It refuses to be more: no webhooks, load balancers, security groups, instance targets,
// shared groups, nor that controller's second look after half an hour or more.
package lbc
