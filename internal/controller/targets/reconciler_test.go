// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/event"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/observe/groups"
)

func TestVerdict(t *testing.T) {
	long := strings.Repeat("a", 64)
	cases := map[string]struct {
		reason string
		change func(w *world, b *elbv2.TargetGroupBinding)
		want   string
		// fails: the queue is to try again.
		fails bool
		// calls are what is done nevertheless.
		calls string
	}{
		"Synced":     {reason: "All is well.", change: func(*world, *elbv2.TargetGroupBinding) {}, want: v1alpha1.ReasonSynced, calls: "register 1"},
		"NoService":  {reason: "The Service does not exist.", change: func(w *world, _ *elbv2.TargetGroupBinding) { delete(w.services, "web") }, want: v1alpha1.ReasonServiceNotFound},
		"NoSelector": {reason: "It selects nothing.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.services["web"].Spec.Selector = nil }, want: v1alpha1.ReasonServiceWithoutSelector},
		"NoPort":     {reason: "It lacks the port.", change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromString("grpc") }, want: v1alpha1.ReasonPortNotFound},
		"NoTargetPort": {reason: "The pods lack the port's name.", change: func(w *world, _ *elbv2.TargetGroupBinding) {
			w.services["web"].Spec.Ports[0].TargetPort = intstr.FromString("x")
		}, want: v1alpha1.ReasonTargetPortNotFound},
		"NotFound":       {reason: "The group does not exist.", change: func(w *world, b *elbv2.TargetGroupBinding) { unpublish(w, b, balancer.ErrNotFound) }, want: v1alpha1.ReasonTargetGroupNotFound, fails: true},
		"Denied":         {reason: "The credentials are refused.", change: func(w *world, b *elbv2.TargetGroupBinding) { unpublish(w, b, balancer.ErrDenied) }, want: v1alpha1.ReasonAccessDenied, fails: true},
		"Throttled":      {reason: "Too many calls, and nothing known from earlier.", change: func(w *world, b *elbv2.TargetGroupBinding) { unpublish(w, b, balancer.ErrThrottled) }, want: v1alpha1.ReasonThrottled, fails: true},
		"Quota":          {reason: "The group is full.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.fail["register"] = balancer.ErrQuota }, want: v1alpha1.ReasonTooManyTargets, fails: true, calls: "register 1"},
		"Invalid":        {reason: "The request is wrong.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.fail["register"] = balancer.ErrInvalid }, want: v1alpha1.ReasonInvalidRequest, fails: true, calls: "register 1"},
		"Unavailable":    {reason: "The API does not answer.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.fail["register"] = errors.New("EOF") }, want: v1alpha1.ReasonLoadBalancerUnavailable, fails: true, calls: "register 1"},
		"Unreadable":     {reason: "What the observer meets is told here.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.viewErr = balancer.ErrThrottled }, want: v1alpha1.ReasonThrottled, calls: "register 1"},
		"TypeMismatch":   {reason: "The binding contradicts its group.", change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Spec.TargetType = new(elbv2.TargetTypeInstance) }, want: v1alpha1.ReasonTargetTypeMismatch},
		"FamilyMismatch": {reason: "So it does here.", change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Spec.IPAddressType = new("ipv6") }, want: v1alpha1.ReasonTargetTypeMismatch},
		"BoundTwice":     {reason: "The older binding has the group.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.bind("older", time.Hour) }, want: v1alpha1.ReasonGroupBoundTwice},
		"BoundTwiceByUs": {reason: "The newer binding is told; this one goes on.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.bind("newer", -time.Hour) }, want: v1alpha1.ReasonSynced, calls: "register 1"},
		"TwoClusters": {reason: "A group that clusters share may have several.", want: v1alpha1.ReasonSynced, calls: "record 10.0.0.1:8080, register 1", change: func(w *world, b *elbv2.TargetGroupBinding) {
			w.bind("older", time.Hour)
			b.Spec.MultiClusterTargetGroup = true
		}},
		"LongName": {reason: "Targets are registered, and that there is no gate is told.", change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Name = long }, want: v1alpha1.ReasonNameTooLong, calls: "register 1"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.pod(1)
			b := w.bindings["web-tg"]
			tc.change(w, b)
			delete(w.bindings, "web-tg")
			w.bindings[b.Name] = b
			_, err := w.try(types.NamespacedName{Namespace: "shop", Name: b.Name})
			if (err != nil) != tc.fails {
				t.Errorf("%s\nReconcile: error %v", tc.reason, err)
			}

			if got := w.ready(b.Name); got != tc.want {
				t.Errorf("%s\nReady: want %s, got %s", tc.reason, tc.want, got)
			}

			if got := w.made(); got != tc.calls {
				t.Errorf("%s\ncalls: want %q, got %q", tc.reason, tc.calls, got)
			}
		})
	}
}

// unpublish makes a binding's group one that has to be asked for, in vain.
func unpublish(w *world, b *elbv2.TargetGroupBinding, err error) {
	b.Annotations = nil
	w.restart()
	w.fail["resolve"] = err
}

func TestVerdictStaysTheSame(t *testing.T) {
	w := &Reconciler{drivers: traits.All()}
	attempt := func(id string) error {
		return &balancer.CallError{Op: "register targets", Subject: "arn:web", Code: "InternalFailure", Detail: "after 3 tries", RequestID: id}
	}
	first, second := w.verdictOf(attempt("one"), elbv2traits.Kind, "web"), w.verdictOf(attempt("two"), elbv2traits.Kind, "web")
	if first != second {
		t.Errorf("two attempts that failed alike are told differently:\n%s\n%s", first.message, second.message)
	}
	if !strings.Contains(first.message, "InternalFailure") {
		t.Errorf("want the cause told, got %q", first.message)
	}
}

// TestPrunedConditions: a CRD that knows no conditions makes no hot loop, and people
// hear of every change once.
func TestPrunedConditions(t *testing.T) {
	for _, prunes := range []bool{false, true} {
		w := newWorld(t)
		w.prunes = prunes
		w.bindings["web-tg"].Status = elbv2.TargetGroupBindingStatus{}
		w.restart()
		w.pod(1)
		w.reconcile()

		for len(w.events.Events) > 0 {
			<-w.events.Events
		}

		w.writes = 0
		for range 5 {
			w.clock = w.clock.Add(time.Minute)
			w.reconcile()
		}

		if w.writes != 0 || len(w.events.Events) != 0 {
			t.Errorf("prunes=%t: nothing changed and the binding was written %d times, with %d events", prunes, w.writes, len(w.events.Events))
		}

		delete(w.services, "web")
		for range 5 {
			w.reconcile()
		}

		if w.writes != 1 || len(w.events.Events) != 2 {
			t.Errorf("prunes=%t: a change was written %d times, with %d events, want it written once and told what is wrong and what is kept", prunes, w.writes, len(w.events.Events))
		}
	}
}

func TestRestartTellsNothingAgain(t *testing.T) {
	w := newWorld(t)
	for len(w.events.Events) > 0 {
		<-w.events.Events
	}
	w.restart()
	w.reconcile()
	if n := len(w.events.Events); n != 0 || w.writes != 0 {
		t.Errorf("a restart alone told %d events and wrote %d times", n, w.writes)
	}
}

func TestRepair(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	delete(w.rows, at(1))
	w.reconcile()
	if got := w.made(); got != "register 1" || w.writes != 0 {
		t.Errorf("want a target that was removed by hand registered again and nothing written, got %q and %d writes", got, w.writes)
	}
}

// TestHostNetwork: on a node's network a dead pod's row is not the other pods' there.
func TestHostNetwork(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	w.pods["web-1"].Spec.HostNetwork = true
	w.reconcile()
	agent := w.pods["web-1"].DeepCopy()
	agent.Name, agent.UID, agent.Labels = "agent", "uid-agent", nil
	agent.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 9100}}}}
	w.pods["agent"] = agent
	w.pod(2) // does not serve yet
	w.reconcile()

	if got := w.made(); got != "register 2" {
		t.Errorf("both run: want the row left alone, got %q", got)
	}

	delete(w.pods, "web-1")
	w.reconcile()

	if got := w.made(); got != "deregister 1" {
		t.Errorf("one is gone: want its row removed, got %q", got)
	}
}

func TestFinalizerTroubleIsTold(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	now := metav1.NewTime(noon)
	w.bindings["web-tg"].DeletionTimestamp = &now
	w.fail["deregister"] = balancer.ErrDenied
	if _, err := w.try(web); err == nil || w.bindings["web-tg"] == nil {
		t.Errorf("want the binding kept and the failure retried, got %v", err)
	}

	c := w.bindings["web-tg"].Status.Conditions[0]
	if c.Reason != v1alpha1.ReasonAccessDenied || !strings.Contains(c.Message, v1alpha1.Finalizer) {
		t.Errorf("want told why it stays and how to give up, got %s: %s", c.Reason, c.Message)
	}

	w.fail = map[string]error{"health": balancer.ErrNotFound}
	w.reconcile()

	if w.bindings["web-tg"] != nil {
		t.Error("a group that is gone keeps its binding")
	}
}

func TestObservedGroupFollowsTheBinding(t *testing.T) {
	w := newWorld(t)
	b := w.bindings["web-tg"]
	b.Spec.TargetGroupARN, b.Generation = "arn:other", 2
	w.reconcile()

	other := balancer.Ref{Provider: elbv2traits.Kind, Group: "arn:other"}
	said, tracked := w.tracking[other]
	if len(w.tracking) != 1 || !tracked {
		t.Errorf("want the new group observed alone, got %v", w.tracking)
	}
	if g, _ := said.Settings.(balancer.Group); said != groups.Describe(g, w.drivers, false) || g.Ref != other || g.HealthCheckInterval == 0 {
		t.Errorf("the new group is described as %+v", said)
	}

	w.bindings["web-tg"].Spec.TargetGroupARN, w.bindings["web-tg"].Generation = "arn:gone", 3
	w.fail["resolve"] = balancer.ErrNotFound
	_, _ = w.try(web)
	delete(w.bindings, "web-tg")
	w.reconcile()

	if len(w.tracking) != 0 {
		t.Errorf("a binding that is gone has %v observed", w.tracking)
	}
}

func TestRelevant(t *testing.T) {
	w := newWorld(t)
	before := w.pod(1)
	cases := map[string]struct {
		reason string
		change func(p *corev1.Pod)
		want   bool
	}{
		"Annotation": {reason: "Annotations decide nothing here.", change: func(p *corev1.Pod) { p.Annotations = map[string]string{"a": "b"} }},
		"OtherCondition": {reason: "Nor do other conditions.", change: func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: "x"})
		}},
		"Label":     {reason: "Labels decide who is selected.", change: func(p *corev1.Pod) { p.Labels = nil }, want: true},
		"Address":   {reason: "The address is the target.", change: func(p *corev1.Pod) { p.Status.PodIPs = nil }, want: true},
		"Ready":     {reason: "So do the containers.", change: func(p *corev1.Pod) { p.Status.Conditions[0].Status = "False" }, want: true},
		"Deleted":   {reason: "Deletion is urgent.", change: w.terminate, want: true},
		"Over":      {reason: "An ended pod has no address.", change: func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, want: true},
		"SameAgain": {reason: "A resync is no change.", change: func(*corev1.Pod) {}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			after := before.DeepCopy()
			tc.change(after)
			if got := w.relevant(before, after); got != tc.want {
				t.Errorf("%s\nrelevant: want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

func TestSpecChanged(t *testing.T) {
	before := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Generation: 1, Finalizers: []string{v1alpha1.Finalizer}}}
	now := metav1.NewTime(noon)
	cases := map[string]struct {
		reason string
		change func(b *elbv2.TargetGroupBinding)
		want   bool
	}{
		"Status": {reason: "What podgate writes itself is no work.", change: func(b *elbv2.TargetGroupBinding) { b.Status.ObservedGeneration = new(int64(1)) }},
		"Spec":   {reason: "A new spec is.", change: func(b *elbv2.TargetGroupBinding) { b.Generation = 2 }, want: true},
		"Annotation": {reason: "Policies are annotations.", change: func(b *elbv2.TargetGroupBinding) {
			b.Annotations = map[string]string{v1alpha1.ManageAnnotation: "true"}
		}, want: true},
		"Finalizer": {reason: "Another controller's finalizer says whose it is.", change: func(b *elbv2.TargetGroupBinding) { b.Finalizers = append(b.Finalizers, elbv2.LBCFinalizer) }, want: true},
		"Deletion":  {reason: "A deleted binding has to be let go.", change: func(b *elbv2.TargetGroupBinding) { b.DeletionTimestamp = &now }, want: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			after := before.DeepCopy()
			tc.change(after)
			if got := specChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("%s\nwant %t, got %t", tc.reason, tc.want, got)
			}
		})
	}

	if !specChanged().Create(event.CreateEvent{Object: before}) {
		t.Error("a new binding is no work")
	}
}
