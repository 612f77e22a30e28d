// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

const (
	// nudgeSpacing is the least time between two nudges of a binding, however many pods
	// become ready meanwhile.
	nudgeSpacing = 2 * time.Second
	// nudgeAgain is when a nudge is repeated for a pod that is not registered by then: the
	// other controller's caches may have lagged behind it. It doubles up to nudgeSeldom.
	nudgeAgain  = 5 * time.Second
	nudgeSeldom = 5 * time.Minute
	// nudgeProof is how soon to look again for a read that is surely about a pod.
	nudgeProof = time.Second
)

// wake has AWS Load Balancer Controller look at an External binding's group when pods
// wait for it there that nothing else tells it of. Unheard says why that controller may
// not hear of the binding's pods; nil when it does. Again is when to look again; zero
// when no pod waits.
func (r *Reconciler) wake(ctx context.Context, b *binding.Binding, group balancer.Group, who population, observed map[gate.Target]gate.Health) (unheard *verdict, again time.Time, err error) {
	how := v1alpha1.Wake("")
	if b.Own() != nil {
		how = b.Own().WokenBy()
	}
	if how != v1alpha1.WakeGate && how != v1alpha1.WakeNudge {
		r.nudges.forget(b.Key())
		return nil, time.Time{}, nil
	}
	theirs, err := r.ofGroup(ctx, b, group)
	if err != nil {
		return nil, time.Time{}, err
	}
	if how == v1alpha1.WakeGate {
		return ungated(b, who, theirs), time.Time{}, nil
	}
	if len(theirs) == 0 {
		unheard = &verdict{ReasonNothingToNudge, fmt.Sprintf("No TargetGroupBinding of Service %q names this target group, so there is nothing to touch: AWS Load Balancer Controller registers targets for one only. Make one, or set spec.wake to None if somebody else registers them.", b.ServiceRef.Name)}
		again = r.now().Add(ownershipPoll)
	}
	if observed == nil {
		return unheard, again, nil // The first read wakes this binding.
	}
	waiting, later := r.unregistered(b, group.Ref, who, observed)
	due, next := r.nudges.due(b.Key(), waiting, r.now())
	if len(theirs) == 0 {
		return unheard, again, nil
	}
	if due {
		if err := r.nudge(ctx, theirs); err != nil {
			return nil, time.Time{}, err
		}
		r.observer.Refresh(group.Ref)
		next = r.nudges.sent(b.Key(), r.now())
	}
	return nil, sooner(next, later), nil
}

// ofGroup lists the TargetGroupBindings that make targets of the same pods in the same group.
func (r *Reconciler) ofGroup(ctx context.Context, b *binding.Binding, group balancer.Group) ([]elbv2.TargetGroupBinding, error) {
	all, err := index.BindingsOf(ctx, r.client, types.NamespacedName{Namespace: b.Namespace, Name: b.ServiceRef.Name})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(t elbv2.TargetGroupBinding) bool {
		return !t.DeletionTimestamp.IsZero() || !elbv2.SameGroup(t.Group(), group.Ref.Group)
	}), nil
}

// ungated tells of pods that got no gate of the binding's, since they have none of the
// other controller's.
func ungated(b *binding.Binding, who population, theirs []elbv2.TargetGroupBinding) *verdict {
	names := []string{b.Key().Name}
	for i := range theirs {
		names = append(names, theirs[i].Name)
	}
	for _, m := range who.members {
		pod := who.pods[m.Target]
		if !m.Wanted || m.Terminating || pod.Labels[v1alpha1.InjectLabel] == v1alpha1.InjectDisabled {
			continue
		}
		if !slices.ContainsFunc(gates.Of(pod), func(name string) bool { return slices.Contains(names, name) }) {
			return &verdict{ReasonNoGateOfLBC, "There are pods without a gate of AWS Load Balancer Controller's for this target group. That controller would not hear that they wait, so they get no gate of this binding either. Have its gate injected and create the pods anew, or set spec.wake to Nudge, or to None if somebody else registers the targets."}
		}
	}
	return nil
}

// unregistered are the pods that the binding's gate holds back, ready and without a row
// that could become healthy. One that nobody has surely seen without is left out until
// later: registered before, it might be healthy before, and then it would not be known
// whether healthy is said of it or of the pod that had its address (law 1), and the gate
// would wait until the load balancer must have noticed.
func (r *Reconciler) unregistered(b *binding.Binding, ref balancer.Ref, who population, observed map[gate.Target]gate.Health) (waiting []types.UID, later time.Time) {
	name, soon := b.Key().Name, r.now().Add(nudgeProof)
	for _, m := range who.members {
		row, there := observed[m.Target]
		if !m.Wanted || !m.Ready || m.Terminating || there && !row.Leaving() {
			continue
		}
		pod := who.pods[m.Target]
		if !slices.Contains(gates.Of(pod), name) || binding.IsTrue(pod, corev1.PodConditionType(gates.Type(name))) {
			continue
		}
		at, unsure := r.observer.Unsure(ref, client.ObjectKeyFromObject(pod))
		if !unsure {
			waiting = append(waiting, pod.UID)
			continue
		}
		if !at.After(r.now()) {
			r.observer.Refresh(ref)
			at = soon
		}
		later = sooner(later, at)
	}
	return waiting, later
}

// sooner is the first of two times, of which zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// nudge touches those bindings that the other controller holds. Nothing else of them
// is changed, and one that was made anew under the same name is not touched.
func (r *Reconciler) nudge(ctx context.Context, theirs []elbv2.TargetGroupBinding) error {
	for i := range theirs {
		t := &theirs[i]
		if !controllerutil.ContainsFinalizer(t, elbv2.LBCFinalizer) {
			continue // It is podgate's own, or so new that the other controller looks at it anyway.
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"uid":         t.UID,
			"annotations": map[string]string{v1alpha1.NudgeAnnotation: r.now().UTC().Format(time.RFC3339Nano)},
		}})
		if err != nil {
			return fmt.Errorf("encode %s: %w", v1alpha1.NudgeAnnotation, err)
		}
		err = r.client.Patch(ctx, t.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
		if client.IgnoreNotFound(err) != nil {
			return &nudgeError{binding: t.Name, err: err}
		}
		log.FromContext(ctx).Info("Nudged AWS Load Balancer Controller", "targetGroupBinding", t.Name)
	}
	return nil
}

// nudgeError is that a binding of the other controller's could not be touched.
type nudgeError struct {
	binding string
	err     error
}

// Error implements error.
func (e *nudgeError) Error() string { return fmt.Sprintf("nudge binding %s: %v", e.binding, e.err) }

// Unwrap gives the API server's answer.
func (e *nudgeError) Unwrap() error { return e.err }

// nudges remembers for whom bindings were nudged. What ends with the process is nudged
// for once more by the next.
type nudges struct {
	mu sync.Mutex
	m  map[types.NamespacedName]*nudged
}

// nudged is what is remembered of a binding for whose pods somebody was nudged.
type nudged struct {
	// waiting are the pods that wait, and whether they did at the last nudge.
	waiting map[types.UID]bool
	// last is when that was, and pause how long it is to have an effect.
	last  time.Time
	pause time.Duration
}

// due takes which pods wait now, and tells whether to nudge for them, or else when;
// zero when none waits.
func (n *nudges) due(key types.NamespacedName, waiting []types.UID, now time.Time) (bool, time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(waiting) == 0 {
		if s := n.m[key]; s != nil {
			s.waiting = nil
		}
		return false, time.Time{}
	}
	if n.m == nil {
		n.m = map[types.NamespacedName]*nudged{}
	}
	s := n.m[key]
	if s == nil {
		s = &nudged{}
		n.m[key] = s
	}
	news := false
	next := map[types.UID]bool{}
	for _, uid := range waiting {
		next[uid] = s.waiting[uid]
		news = news || !next[uid]
	}
	s.waiting = next
	at := s.last.Add(s.pause)
	if news {
		at = s.last.Add(nudgeSpacing)
		s.pause = 0
	}
	return !now.Before(at), at
}

// sent notes a nudge for all that wait, and gives when it is to be repeated.
func (n *nudges) sent(key types.NamespacedName, now time.Time) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.m[key]
	for uid := range s.waiting {
		s.waiting[uid] = true
	}
	s.last, s.pause = now, min(max(2*s.pause, nudgeAgain), nudgeSeldom)
	return s.last.Add(s.pause)
}

// forget drops what is remembered of a binding.
func (n *nudges) forget(key types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.m, key)
}
