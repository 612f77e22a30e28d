// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package check is the seam between podgate and the checks of a ReadinessGate: what a check is asked, what it may
// answer, and what follows from several answers. It makes no call, and knows none of the checks and no clock.
package check

import (
	"context"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Verdict is what a check says of a pod. Its order is that of Kleene's three-valued logic.
type Verdict int

// The verdicts.
const (
	// Fail means that the pod was asked and did not pass.
	Fail Verdict = iota - 1
	// NoAnswer, the zero value, means that nothing is known. It opens no gate and closes none.
	NoAnswer
	// Pass means that the pod was asked and passed.
	Pass
)

// String is the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Fail:
		return "Fail"
	case Pass:
		return "Pass"
	}
	return "NoAnswer"
}

// Answer is what a check said of one pod. Its zero value is no answer.
type Answer struct {
	Verdict Verdict
	// Word says why, for people.
	Word Word
	// Addr is the pod's address that was asked; invalid when none was, as where the check is not of the network.
	Addr netip.Addr
}

// Subject is a pod that a check is asked about. The UID says which pod it is; another pod may have its name
// or its addresses later.
type Subject struct {
	UID types.UID
	// Addrs are the pod's addresses, its first one first.
	Addrs []netip.Addr
	// HostNetwork: the addresses are those of the node, too.
	HostNetwork bool
	// Ports are those that the pod's containers declare.
	Ports []corev1.ContainerPort
	// Pod is what is known of the pod, for expressions and variables; nil when nothing is.
	Pod *corev1.Pod
	// Since is when the pod's containers became ready by podgate's clock; zero where only the pod says it, by its kubelet's clock.
	Since time.Time
}

// generators are the kinds of controllers that give each pod a name of its own, with a random suffix.
var generators = []string{"ReplicaSet", "DaemonSet", "Job", "ReplicationController"}

// NameReturns reports whether another pod may get a pod's name: a StatefulSet gives it to the next pod, so do
// operators, and people give it to pods without an owner.
func NameReturns(pod metav1.Object) bool {
	owner := metav1.GetControllerOf(pod)
	return owner == nil || !slices.Contains(generators, owner.Kind)
}

// Checker asks about pods: complete or nothing. Without an error the map holds an answer for each of the subjects, by its
// UID, and for no other pod; with an error it is nil. An error means that nobody was asked, or that the context ended.
//
// A checker asks about all subjects at the same time and returns within its own time-out, so that a pod that does
// not answer delays no other. Who calls it passes as many subjects as may be asked at once. A checker keeps nothing between
// two calls, starts nothing that outlives a call, and may be called concurrently. Package checktest holds the tests that each
// checker passes.
type Checker interface {
	Check(ctx context.Context, subjects []Subject) (map[types.UID]Answer, error)
}
