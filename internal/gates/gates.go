// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gates says what there is of readiness gates: each kind answers which condition
// types are its own, and what such a gate of a pod waits for. It reads caches only, makes
// no call to a load balancer, and decides nothing; package gate does.
package gates

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/observe"
)

// Kind is one sort of readiness gate. A kind remembers nothing: what it needs comes with
// the question. Package gatestest holds the tests that every kind passes.
type Kind interface {
	// Name is the kind's own, for logs and tests.
	Name() string
	// Owns reports whether a condition type is a gate of this kind. No two kinds own the same.
	Owns(conditionType string) bool
	// Origin says for people where a gate of this kind comes from, by its condition type alone.
	Origin(conditionType string) string
	// Sources lists what a pod's gate waits for now, in an order that stays. ours is false
	// while another controller writes the gate, or may: it is left as it is. An error means
	// that nobody could tell, and a gate without sources is released after a while.
	Sources(ctx context.Context, in Cluster, pod *corev1.Pod, conditionType string) (sources []Source, ours bool, err error)
	// Wanted returns the condition types of the gates that a new pod should have, as
	// injection.Kind describes.
	Wanted(injection.Pod, injection.Candidates) map[string]injection.Cause
	// Holds reports whether a gate of this kind holds its pod back from requests until it is open, so that no load balancer
	// has the pod for a target before. No load balancer's gate may: the pod would be held back from what opens it.
	Holds() bool
	// Sees reports whether what feeds gates of this kind may look at all that Kubernetes says of the pod, which caches keep then.
	Sees() bool
	// FedBy lists the condition types of the gates of this kind that a source's owner may
	// feed, in the owner's namespace, so that a change of the owner wakes their pods. One that ends with "/" stands for all
	// that begin so.
	FedBy(owner types.NamespacedName) []string
}

// Cluster is what kinds find sources in.
type Cluster struct {
	// Reader reads the caches.
	Reader client.Reader
	// Registry holds what is known of the bindings' groups; a *binding.Registry does.
	Registry Resolutions
	// Had are the names of the sources that a gate which is still closed had before: one whose
	// Service is missing may be so for a moment only.
	Had []string
}

// Resolutions says what is known of the bindings' groups.
type Resolutions interface {
	// Get returns what is known of one; false when nothing is, or podgate does not serve it.
	Get(types.NamespacedName) (binding.Resolution, bool)
}

// Source is one thing that a gate waits for: a target in a load balancer's group, or what the checks of a ReadinessGate say.
type Source struct {
	// Name tells the sources of one gate apart, in the record on the pod as well; empty
	// for a kind whose gates have one source each.
	Name string
	// Owner is the object that the source is there for, such as a binding.
	Owner types.NamespacedName
	// Checks: the source is what checks say of the pod, which has no target then, and no Service.
	Checks bool
	// Alternative: one of the gate's sources is enough, of which all are alternatives then.
	Alternative bool
	// Claim says what the owner wants with the pod, Trouble what is wrong about it.
	Claim   gate.Claim
	Trouble string
	// Recheck is when to ask again though no event says so; 0 when one does.
	Recheck time.Duration
	// Subject is what the target is observed in, nil while that is not known, and Detection
	// how long it may take to be noticed there that a target no longer answers.
	Subject   observe.Subject
	Detection time.Duration
	// Target is the pod's; only where Claim is gate.Claimed.
	Target gate.Target
	// Service is what selects the pod; only where Claim is gate.Claimed or gate.Unresolved.
	Service *corev1.Service
	// Policy is the owner's.
	Policy gate.Policy
	// FollowsOthers: the pod becomes a target only when gates of other controllers let it.
	FollowsOthers bool
}

// Kinds are all the kinds of gates that there are.
type Kinds []Kind

// All lists every kind, one a line.
func All() Kinds {
	return Kinds{
		OfBindings{},
		OfLoadBalancers{},
		OfChecks{},
		OfLegacy{},
	}
}

// of returns the kind of a condition type; nil when it is no gate of podgate's.
func (k Kinds) of(conditionType string) Kind {
	for _, kind := range k {
		if kind.Owns(conditionType) {
			return kind
		}
	}
	return nil
}

// Owns reports whether a condition type is a gate of any kind.
func (k Kinds) Owns(conditionType string) bool { return k.of(conditionType) != nil }

// Origin says for people where a gate comes from; empty when it is a gate of no kind.
func (k Kinds) Origin(conditionType string) string {
	if kind := k.of(conditionType); kind != nil {
		return kind.Origin(conditionType)
	}
	return ""
}

// Of lists the condition types of a pod's gates that are of some kind.
func (k Kinds) Of(pod *corev1.Pod) []string {
	var owned []string
	for _, g := range pod.Spec.ReadinessGates {
		if k.Owns(string(g.ConditionType)) {
			owned = append(owned, string(g.ConditionType))
		}
	}
	return owned
}

// See reports whether what feeds one of a pod's gates may look at all that Kubernetes says of the pod.
func (k Kinds) See(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool {
		kind := k.of(string(g.ConditionType))
		return kind != nil && kind.Sees()
	})
}

// Hold reports whether a gate holds its pod back from requests until it is open.
func (k Kinds) Hold(conditionType string) bool {
	kind := k.of(conditionType)
	return kind != nil && kind.Holds()
}

// AtAdmission returns the kinds as injection asks them.
func (k Kinds) AtAdmission() []injection.Kind {
	kinds := make([]injection.Kind, len(k))
	for i, kind := range k {
		kinds[i] = kind
	}
	return kinds
}

// Sources asks the kind of a gate for its sources, as Kind describes.
func (k Kinds) Sources(ctx context.Context, in Cluster, pod *corev1.Pod, conditionType string) (sources []Source, ours bool, err error) {
	kind := k.of(conditionType)
	if kind == nil {
		return nil, false, nil
	}
	return kind.Sources(ctx, in, pod, conditionType)
}

// Fed lists the running pods with a gate that a source's owner may feed, open or not.
func (k Kinds) Fed(ctx context.Context, r client.Reader, owner types.NamespacedName) ([]types.NamespacedName, error) {
	return k.fed(ctx, r, owner, func(*corev1.Pod, string) bool { return true })
}

// Waiting lists the running pods with a gate that a source's owner may feed and that is not open.
func (k Kinds) Waiting(ctx context.Context, r client.Reader, owner types.NamespacedName) ([]types.NamespacedName, error) {
	return k.fed(ctx, r, owner, func(pod *corev1.Pod, gate string) bool {
		return !binding.IsTrue(pod, corev1.PodConditionType(gate))
	})
}

// ToRelease lists the running pods with a closed gate that an owner which is being deleted feeds,
// and nothing else but such owners: the gate is to be released while it is known why.
func (k Kinds) ToRelease(ctx context.Context, in Cluster, owner types.NamespacedName) ([]types.NamespacedName, error) {
	var failed error
	left, err := k.fed(ctx, in.Reader, owner, func(pod *corev1.Pod, conditionType string) bool {
		if binding.IsTrue(pod, corev1.PodConditionType(conditionType)) {
			return false
		}

		sources, _, err := k.Sources(ctx, in, pod, conditionType)
		failed = errors.Join(failed, err)
		feeds := func(s Source) bool { return s.Owner == owner }
		stays := func(s Source) bool { return s.Claim != gate.Releasing }
		return slices.ContainsFunc(sources, feeds) && !slices.ContainsFunc(sources, stays)
	})
	return left, errors.Join(err, failed)
}

// fed lists the running pods for which holds is true of a gate that the owner may feed.
func (k Kinds) fed(ctx context.Context, r client.Reader, owner types.NamespacedName, holds func(pod *corev1.Pod, gate string) bool) ([]types.NamespacedName, error) {
	var found []types.NamespacedName
	known := map[types.NamespacedName]bool{}
	for _, kind := range k {
		for _, gate := range kind.FedBy(owner) {
			pods, err := binding.Carriers(ctx, r, owner.Namespace, gate, func(pod *corev1.Pod) bool {
				return slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool {
					return index.IsGate(gate, string(g.ConditionType)) && holds(pod, string(g.ConditionType))
				})
			})
			if err != nil {
				return nil, err
			}

			for _, pod := range pods {
				// One owner may feed several gates of a pod.
				if !known[pod] {
					known[pod] = true
					found = append(found, pod)
				}
			}
		}
	}

	return found, nil
}
