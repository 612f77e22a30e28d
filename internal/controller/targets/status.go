// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/limit"
)

// verdict is what a reconciliation found out about a binding.
type verdict struct {
	reason  string
	message string
	// early: it may be over in a moment, so that the condition says it and no event does yet.
	early bool
}

// ok reports whether the binding works as it is meant to, even if that means that podgate leaves the group alone: tools that
// wait for Ready would wait forever otherwise.
func (v verdict) ok() bool { return v.reason == v1alpha1.ReasonSynced || v.ungated() }

// ungated reports whether the binding is in order and its pods get no gate of it.
func (v verdict) ungated() bool {
	return v.alone() || v.reason == v1alpha1.ReasonNameTooLong
}

// normal reports whether there is nothing to do. A group of neither pods nor nodes cannot serve the binding's Service: waiting
// changes nothing about that, and somebody should look at it.
func (v verdict) normal() bool {
	return v.ok() && v.reason != v1alpha1.ReasonNameTooLong && v.reason != v1alpha1.ReasonUnservedTargetType
}

// alone reports whether podgate leaves the group's targets alone because they are not pods.
func (v verdict) alone() bool {
	return v.reason == v1alpha1.ReasonInstanceTargets || v.reason == v1alpha1.ReasonUnservedTargetType
}

// verdictOf turns an error about a group into a reason and a sentence that stays the same while the cause does.
func (r *Reconciler) verdictOf(err error, kind balancer.Kind, group string) verdict {
	if errors.Is(err, errNodesUnknown) {
		return nodesNotRead
	}

	var record *lbc.RecordError
	var nudge *lbc.NudgeError
	switch {
	case errors.As(err, &record):
		return verdict{reason: v1alpha1.ReasonTargetsNotRecorded, message: "What this cluster registers in a shared target group has to be noted in a ConfigMap first, so nothing is registered: " + refusal(record)}
	case errors.As(err, &nudge):
		return verdict{reason: v1alpha1.ReasonNudgeFailed, message: fmt.Sprintf("TargetGroupBinding %q cannot be touched, so AWS Load Balancer Controller may not notice waiting pods: %s", nudge.Binding, refusal(nudge))}
	}

	v := callFailed(err, group)
	traits := r.drivers.Of(kind)
	if v.reason == v1alpha1.ReasonTargetGroupNotFound {
		v.reason = cmp.Or(traits.NotFound, v.reason)
	}

	// Whose load balancer it is knows better what to do.
	if traits.Explain != nil {
		v.message = cmp.Or(traits.Explain(group, err), v.message)
	}

	v.message = sentence(v.message)
	v.early = errors.Is(err, balancer.ErrNotReady) // It ends by itself, and no person made a mistake.
	return v
}

// callFailed is the verdict on a failed call, in words that are true of every load balancer.
func callFailed(err error, group string) verdict {
	switch {
	case errors.Is(err, balancer.ErrNotFound):
		return verdict{reason: v1alpha1.ReasonTargetGroupNotFound, message: fmt.Sprintf("Target group %q does not exist: create it, or make a binding that names another.", group)}
	case errors.Is(err, balancer.ErrDenied):
		return verdict{reason: v1alpha1.ReasonAccessDenied, message: fmt.Sprintf("Access to target group %q is refused: check podgate's credentials. %s", group, balancer.Message(err))}
	case errors.Is(err, balancer.ErrThrottled):
		return verdict{reason: v1alpha1.ReasonThrottled, message: fmt.Sprintf("Calls about target group %q are throttled; they are repeated more slowly.", group)}
	case errors.Is(err, balancer.ErrQuota):
		return verdict{reason: v1alpha1.ReasonTooManyTargets, message: fmt.Sprintf("Target group %q is full: raise its limit, or run fewer pods.", group)}
	case errors.Is(err, balancer.ErrNotReady):
		return verdict{reason: v1alpha1.ReasonTargetGroupNotReady, message: fmt.Sprintf("Target group %q is not ready, and podgate waits for it. %s", group, balancer.Message(err))}
	case errors.Is(err, balancer.ErrInvalid):
		return verdict{reason: v1alpha1.ReasonInvalidRequest, message: fmt.Sprintf("Requests about target group %q cannot succeed as they are. %s", group, balancer.Message(err))}
	}

	return verdict{reason: v1alpha1.ReasonLoadBalancerUnavailable, message: fmt.Sprintf("The load balancer's API does not answer properly about target group %q; it is asked again. %s", group, balancer.Message(err))}
}

// sentence ends a text as sentences do, so that another can follow.
func sentence(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// reporter writes conditions, and reports transitions as events, once each.
type reporter struct {
	client   client.Client
	recorder events.EventRecorder
	states   *states
	metrics  *guardMetrics
	now      func() time.Time
	// sees are the pods that podgate knows of, for people.
	sees string
}

func newReporter(c client.Client, s *states, m *guardMetrics, o Options) *reporter {
	r := &reporter{client: c, recorder: o.Recorder, states: s, metrics: m, now: o.Now, sees: thisCluster}
	if o.Namespace != "" {
		r.sees = fmt.Sprintf("namespace %q", o.Namespace)
	}
	return r
}

// ready reports a verdict as the binding's Ready condition.
func (r *reporter) ready(ctx context.Context, b *binding.Binding, v verdict) error {
	conditions := []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: status(v.ok()), Reason: v.reason, Message: v.message},
		managed(b, v),
	}
	switch {
	case v.ungated():
		conditions = append(conditions, metav1.Condition{Type: v1alpha1.ConditionGated, Status: metav1.ConditionFalse, Reason: v.reason, Message: v.message})
	case b.Group().OfNodes():
		conditions = append(conditions, metav1.Condition{Type: v1alpha1.ConditionGated, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInstanceTargets, Message: ungatedNodes})
	}
	for _, c := range []*metav1.Condition{r.supported(b), r.policy(b)} {
		if c != nil {
			conditions = append(conditions, *c)
		}
	}
	if v.early {
		r.wait(b, v.reason)
	} else {
		r.event(b, v.reason, v.message, v.normal())
	}
	return r.write(ctx, b, v.reason, append(conditions, r.heldCondition(b)...))
}

// ungatedNodes says why pods behind nodes have no gate.
const ungatedNodes = "The target group's targets are nodes, and nodes forward requests to Ready pods only. A gate that waited for the nodes would keep pods from becoming Ready, so pods get none."

// managed returns the condition that says who registers the targets of a binding that podgate serves.
func managed(b *binding.Binding, v verdict) metav1.Condition {
	if b.External {
		return metav1.Condition{Type: v1alpha1.ConditionManaged, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonExternal, Message: "The binding says that somebody else registers and deregisters this group's targets."}
	}
	if v.alone() {
		return metav1.Condition{Type: v1alpha1.ConditionManaged, Status: metav1.ConditionFalse, Reason: v.reason, Message: "podgate neither registers nor deregisters this group's targets, because they are not pods."}
	}
	return metav1.Condition{Type: v1alpha1.ConditionManaged, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonOwnedByPodgate, Message: "podgate registers and deregisters this group's targets."}
}

// supported returns the condition that says what of the load balancer's configuration does not apply to the binding's
// targets, nil when nothing is known. An event says it when it changes.
func (r *reporter) supported(b *binding.Binding) *metav1.Condition {
	service := r.states.get(b.Key()).service
	caveat := cmp.Or(service.resolved.group.Caveat, service.caveat)
	if caveat == "" {
		return nil
	}

	c := &metav1.Condition{Type: v1alpha1.ConditionSupported, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotAppliedToTargets, Message: limit.Cut(caveat, limit.Message)}
	if before := meta.FindStatusCondition(*b.Conditions, c.Type); before == nil || before.Message != c.Message {
		r.recorder.Eventf(b.Object, nil, corev1.EventTypeWarning, c.Reason, "Reconcile", "%s", caveat)
	}

	return c
}

// ownedByLBC reports that AWS Load Balancer Controller owns the binding.
func (r *reporter) ownedByLBC(ctx context.Context, b *binding.Binding) error {
	message := "AWS Load Balancer Controller holds a finalizer on this binding and was not silent for long enough, so podgate only observes. Uninstall that controller to let podgate take over within about a minute."
	conditions := []metav1.Condition{
		{Type: v1alpha1.ConditionManaged, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonOwnedByLBC, Message: message},
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonOwnedByLBC, Message: "AWS Load Balancer Controller serves this binding, so podgate has nothing to do."},
	}
	r.event(b, v1alpha1.ReasonOwnedByLBC, message, true)
	return r.write(ctx, b, v1alpha1.ReasonOwnedByLBC, conditions)
}

// notServed reports that podgate does not serve the binding any longer, if it ever did.
func (r *reporter) notServed(ctx context.Context, b *binding.Binding) error {
	managed := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionManaged)
	if managed == nil || managed.Reason == v1alpha1.ReasonNotServed {
		return nil
	}
	message := "podgate does not serve this binding: the flag --target-group-bindings leaves it out, or wants the annotation " + v1alpha1.ManageAnnotation + "."
	conditions := []metav1.Condition{{Type: v1alpha1.ConditionManaged, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotServed, Message: message}}
	r.event(b, v1alpha1.ReasonNotServed, message, true)
	return r.write(ctx, b, v1alpha1.ReasonNotServed, conditions)
}

// write writes the conditions when one of them changed.
func (r *reporter) write(ctx context.Context, b *binding.Binding, reason string, conditions []metav1.Condition) error {
	before := b.Copy()
	changed := *b.ObservedGeneration == nil || **b.ObservedGeneration != b.Generation
	changed = r.drop(b, conditions) || changed

	for _, c := range conditions {
		c.ObservedGeneration, c.Message = b.Generation, limit.Cut(c.Message, limit.Message) // What people wrote may be in it.
		changed = r.setCondition(b, c) || changed
	}

	changed = b.WriteCount() || changed
	if !changed || r.pruned(before, reasons(conditions)) {
		return nil
	}

	// Once podgate leaves the binding alone, nobody may be there to keep it: tools would wait for each later generation.
	*b.ObservedGeneration = &b.Generation
	if reason == v1alpha1.ReasonNotServed {
		*b.ObservedGeneration = nil
	}
	if err := r.client.Status().Patch(ctx, b.Object, client.MergeFrom(before.Object)); err != nil {
		return client.IgnoreNotFound(err)
	}

	r.states.report(b, func(known *reported) { known.conditions = reasons(conditions) })
	return nil
}

// drop removes the conditions that nobody keeps true from now on, and reports whether there were any. TargetsHeld is not
// written in each pass, so it goes only with the binding.
func (r *reporter) drop(b *binding.Binding, conditions []metav1.Condition) (dropped bool) {
	kept := []string{v1alpha1.ConditionTargetsHeld}
	if conditions[0].Type == v1alpha1.ConditionManaged { // The binding is not podgate's.
		kept = nil
		r.forgetGuards(b)
	}
	for _, c := range conditions {
		kept = append(kept, c.Type)
	}

	for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionTargetsHeld, v1alpha1.ConditionGated, v1alpha1.ConditionSupported} {
		if !slices.Contains(kept, c) {
			dropped = meta.RemoveStatusCondition(b.Conditions, c) || dropped
		}
	}

	return dropped
}

// reasons joins the reasons of conditions.
func reasons(conditions []metav1.Condition) string {
	var all []string
	for _, c := range conditions {
		all = append(all, c.Reason)
	}
	return strings.Join(all, ",")
}

// pruned reports whether the same was written already and the API server dropped it.
func (r *reporter) pruned(b *binding.Binding, reasons string) bool {
	var written string
	r.states.report(b, func(known *reported) { written = known.conditions })
	seen := *b.ObservedGeneration != nil && **b.ObservedGeneration == b.Generation
	return seen && len(*b.Conditions) == 0 && written == reasons
}

// event reports a transition; the first success of a binding is one, a restart of
// this process is not.
func (r *reporter) event(b *binding.Binding, reason, message string, normal bool) {
	if r.alreadyReported(b, reason) {
		return
	}

	kind := corev1.EventTypeWarning
	if normal {
		kind = corev1.EventTypeNormal
	}
	r.recorder.Eventf(b.Object, nil, kind, reason, "Reconcile", "%s", message)
}

// wait keeps what the binding said before as the latest event, since the condition is about to say what no event did.
func (r *reporter) wait(b *binding.Binding, reason string) {
	ready := cmp.Or(meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionReady), &metav1.Condition{})
	r.states.report(b, func(known *reported) {
		if known.event == nil && ready.Reason != reason {
			known.event = &ready.Reason
		}
	})
}

// alreadyReported reports whether the reason is the one that was reported last, and remembers it.
func (r *reporter) alreadyReported(b *binding.Binding, reason string) bool {
	var before *string
	r.states.report(b, func(known *reported) { before, known.event = known.event, &reason })
	if before != nil {
		return *before == reason
	}
	return slices.ContainsFunc(*b.Conditions, func(c metav1.Condition) bool { return c.Reason == reason })
}

func status(ok bool) metav1.ConditionStatus {
	if ok {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}
