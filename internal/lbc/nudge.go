// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"cmp"
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
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
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

// Observer is the part of observe.Observer that a Nudger needs.
type Observer interface {
	Refresh(observe.Subject)
	Unsure(in observe.Subject, pod types.NamespacedName, target gate.Target) (time.Time, bool)
}

// Nudger has AWS Load Balancer Controller look at the groups of External bindings for whose pods that controller alone
// registers targets, and that no event tells it of. What it remembers ends with the process: the next one nudges once more.
type Nudger struct {
	client   client.Client
	observer Observer
	now      func() time.Time

	mu     sync.Mutex
	nudged map[types.NamespacedName]*nudged
}

// NewNudger makes a Nudger that has nudged nobody yet.
func NewNudger(c client.Client, observer Observer, now func() time.Time) *Nudger {
	return &Nudger{client: c, observer: observer, now: now, nudged: map[types.NamespacedName]*nudged{}}
}

// Pods are a binding's pods and what is known of their group.
type Pods struct {
	Members  []membership.Member
	ByTarget map[gate.Target]*corev1.Pod
	// Observed is nil until the group was read.
	Observed map[gate.Target]gate.Health
}

// Unheard says why the other controller may not hear of a binding's pods.
type Unheard struct{ Reason, Message string }

// Wake nudges that controller when pods of an External binding wait for it. Unheard is nil when the controller hears of the
// pods. Again is when to look again; zero when no pod waits.
func (n *Nudger) Wake(ctx context.Context, b *binding.Binding, group balancer.Group, pods Pods) (unheard *Unheard, again time.Time, err error) {
	if b.Wake != v1alpha1.WakeGate && b.Wake != v1alpha1.WakeNudge {
		n.Forget(b.Key())
		return nil, time.Time{}, nil
	}

	theirs, err := n.ofGroup(ctx, b, group)
	if err != nil {
		return nil, time.Time{}, err
	}

	if b.Wake == v1alpha1.WakeGate {
		return ungated(b, pods, theirs), time.Time{}, nil
	}

	again, err = n.touch(ctx, b, group, pods, theirs)
	if err == nil && len(theirs) == 0 {
		return nothingToNudge(b), n.now().Add(Poll), nil
	}
	return nil, again, err
}

// nothingToNudge says that nobody is told of a binding's pods, since there is no binding of the other controller's to touch.
func nothingToNudge(b *binding.Binding) *Unheard {
	return &Unheard{v1alpha1.ReasonNothingToNudge, fmt.Sprintf("No TargetGroupBinding of Service %q names this target group, so there is nothing to touch: AWS Load Balancer Controller registers targets for one only. Make one, or set spec.wake to None if somebody else registers them.", b.ServiceRef.Name)}
}

// touch nudges the other controller when pods wait and that is due, and returns when to look again; zero when no pod waits.
func (n *Nudger) touch(ctx context.Context, b *binding.Binding, group balancer.Group, pods Pods, theirs []*binding.Binding) (time.Time, error) {
	if pods.Observed == nil {
		return time.Time{}, nil // The first read wakes this binding.
	}

	// What waits is noted even while there is nothing to touch, so that a binding made later is touched for new pods only.
	waiting, later := n.unregistered(b, group.Ref, pods)
	due, next := n.due(b.Key(), waiting, n.now())
	if !due || len(theirs) == 0 {
		return sooner(next, later), nil
	}

	if err := n.nudge(ctx, theirs); err != nil {
		return time.Time{}, err
	}

	// The gate opens at once if a read shows the target absent before the other controller registers it.
	n.observer.Refresh(group.Ref)
	return sooner(n.sent(b.Key(), n.now()), later), nil
}

// ofGroup lists the TargetGroupBindings that make targets of the same pods in the same group.
func (n *Nudger) ofGroup(ctx context.Context, b *binding.Binding, group balancer.Group) ([]*binding.Binding, error) {
	all, err := binding.OfService(ctx, n.client, types.NamespacedName{Namespace: b.Namespace, Name: b.ServiceRef.Name})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(t *binding.Binding) bool {
		return !t.OfLBC || !t.DeletionTimestamp.IsZero() || !elbv2.SameGroup(cmp.Or(t.Ref.Group, t.GroupName), group.Ref.Group)
	}), nil
}

// ungated reports pods that got no gate of the binding's, since they have none of the
// other controller's.
func ungated(b *binding.Binding, pods Pods, theirs []*binding.Binding) *Unheard {
	gates := []string{b.Gate()}
	for _, t := range theirs {
		gates = append(gates, t.Gate())
	}

	for _, m := range pods.Members {
		pod := pods.ByTarget[m.Target]
		if !m.Wanted || m.Terminating || pod.Labels[v1alpha1.InjectLabel] == v1alpha1.InjectDisabled {
			continue
		}
		if !slices.ContainsFunc(gates, func(gate string) bool { return binding.HasGate(pod, gate) }) {
			return &Unheard{v1alpha1.ReasonNoGateOfLBC, "There are pods without a gate of AWS Load Balancer Controller's for this target group. That controller may not notice that they wait, so they get no gate of this binding either. Have its gate injected and restart the pods, or set spec.wake to Nudge, or to None if somebody else registers the targets."}
		}
	}

	return nil
}

// unregistered are the pods that the binding's gate holds back, ready and without a row
// that could become healthy. One that nobody has surely seen without is left out until
// later: registered before, it might be healthy before, and then it would not be known
// whether healthy is said of it or of the pod that had its address (law 1), and the gate
// would wait until the load balancer must have noticed.
func (n *Nudger) unregistered(b *binding.Binding, ref balancer.Ref, pods Pods) (waiting []types.UID, later time.Time) {
	own, soon := b.Gate(), n.now().Add(nudgeProof)
	for _, m := range pods.Members {
		row, there := pods.Observed[m.Target]
		if !m.Wanted || !m.Ready || m.Terminating || there && !row.Leaving() {
			continue
		}

		pod := pods.ByTarget[m.Target]
		if !binding.HasGate(pod, own) || binding.IsTrue(pod, corev1.PodConditionType(own)) {
			continue
		}

		at, unsure := n.observer.Unsure(ref, client.ObjectKeyFromObject(pod), m.Target)
		if !unsure {
			waiting = append(waiting, pod.UID)
			continue
		}

		if !at.After(n.now()) {
			n.observer.Refresh(ref)
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
// is changed, and one that was made again under the same name is not touched.
func (n *Nudger) nudge(ctx context.Context, theirs []*binding.Binding) error {
	for _, t := range theirs {
		if !controllerutil.ContainsFinalizer(t.Object, elbv2.LBCFinalizer) {
			continue // It is podgate's own, or so new that the other controller looks at it anyway.
		}

		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"uid":         t.UID,
			"annotations": map[string]string{v1alpha1.NudgeAnnotation: n.now().UTC().Format(time.RFC3339Nano)},
		}})
		if err != nil {
			return fmt.Errorf("encode %s: %w", v1alpha1.NudgeAnnotation, err)
		}

		err = n.client.Patch(ctx, t.Copy().Object, client.RawPatch(types.MergePatchType, patch))
		if client.IgnoreNotFound(err) != nil {
			return &NudgeError{Binding: t.Name, err: err}
		}

		log.FromContext(ctx).Info("Nudged AWS Load Balancer Controller", "targetGroupBinding", t.Name)
	}

	return nil
}

// NudgeError says that a binding of the other controller's could not be touched.
type NudgeError struct {
	Binding string // its name
	err     error
}

// Error implements error.
func (e *NudgeError) Error() string { return fmt.Sprintf("nudge binding %s: %v", e.Binding, e.err) }

// Unwrap returns the API server's answer.
func (e *NudgeError) Unwrap() error { return e.err }

// nudged is what is remembered of a binding for whose pods somebody was nudged.
type nudged struct {
	// waiting are the pods that wait, and whether they did at the last nudge.
	waiting map[types.UID]bool
	// last is when that was, and pause how long it is to have an effect.
	last  time.Time
	pause time.Duration
}

// due takes which pods wait now, and reports whether to nudge for them, or else when;
// zero when none waits.
func (n *Nudger) due(key types.NamespacedName, waiting []types.UID, now time.Time) (bool, time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()

	if len(waiting) == 0 {
		if s := n.nudged[key]; s != nil {
			s.waiting = nil
		}
		return false, time.Time{}
	}

	s := n.nudged[key]
	if s == nil {
		s = &nudged{}
		n.nudged[key] = s
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

// sent notes a nudge for all that wait, and returns when it is to be repeated.
func (n *Nudger) sent(key types.NamespacedName, now time.Time) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.nudged[key]
	for uid := range s.waiting {
		s.waiting[uid] = true
	}
	s.last, s.pause = now, min(max(2*s.pause, nudgeAgain), nudgeSeldom)
	return s.last.Add(s.pause)
}

// Forget drops what is remembered of a binding.
func (n *Nudger) Forget(key types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.nudged, key)
}
