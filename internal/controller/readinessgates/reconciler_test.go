// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package readinessgates

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/limit"
	"github.com/podgate/podgate/internal/observe/checks"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// world is a namespace with a ReadinessGate, and what is found out about it.
type world struct {
	*testing.T
	client.Client
	*Reconciler
	events          *events.FakeRecorder
	reason, message string
	failure         error
	said            []checks.Said
	tried           []string
	passing         int
	clock           time.Time
	writes          int
}

// Said implements Observer.
func (w *world) Said(id checks.Gate) []checks.Said {
	if id != (checks.Gate{Namespace: "shop", Name: "warm", UID: "1"}) {
		w.Errorf("asked what is said of %+v", id)
	}
	return w.said
}

// Try implements Observer.
func (w *world) Try(_ checks.Gate, pods []types.NamespacedName) {
	w.tried = nil
	for _, pod := range pods {
		w.tried = append(w.tried, pod.Name)
	}
}

// Passing implements Observer.
func (w *world) Passing(checks.Gate) int { return w.passing }

// indexes makes the fake client's indexes.
type indexes struct{ *fake.ClientBuilder }

// IndexField implements client.FieldIndexer.
func (i indexes) IndexField(_ context.Context, o client.Object, field string, values client.IndexerFunc) error {
	i.WithIndex(o, field, values)
	return nil
}

func newWorld(t *testing.T, pods ...corev1.Pod) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}

	g := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "warm", UID: "1", Generation: 3}}
	g.Spec.Gate.TimeoutSeconds = 60
	w := &world{T: t, events: events.NewFakeRecorder(100), reason: v1alpha1.ReasonServing, message: "all is well", clock: noon}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(g).WithObjects(g).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			w.writes++
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
	for i := range pods {
		builder = builder.WithObjects(&pods[i])
	}
	if err := binding.PodIndexes(func(string) bool { return true })(t.Context(), indexes{builder}); err != nil {
		t.Fatal(err)
	}

	w.Client = builder.Build()
	w.Reconciler = NewReconciler(w.Client, Options{
		Judge: func(context.Context, *v1alpha1.ReadinessGate) (string, string, error) {
			return w.reason, w.message, w.failure
		},
		Observer: w, Recorder: w.events, Now: func() time.Time { return w.clock },
	})
	return w
}

// reconcile returns the status afterwards, and when to look again.
func (w *world) reconcile() (v1alpha1.ReadinessGateStatus, time.Duration) {
	w.Helper()
	key := types.NamespacedName{Namespace: "shop", Name: "warm"}
	result, err := w.Reconcile(w.Context(), reconcile.Request{NamespacedName: key})
	if err != nil {
		w.Fatal(err)
	}
	var g v1alpha1.ReadinessGate
	if err := w.Get(w.Context(), key, &g); err != nil {
		w.Fatal(err)
	}
	return g.Status, result.RequeueAfter
}

// edit changes the gate.
func (w *world) edit(change func(*v1alpha1.ReadinessGate)) {
	w.Helper()
	var g v1alpha1.ReadinessGate
	if err := w.Get(w.Context(), types.NamespacedName{Namespace: "shop", Name: "warm"}, &g); err != nil {
		w.Fatal(err)
	}
	change(&g)
	if err := w.Update(w.Context(), &g); err != nil {
		w.Fatal(err)
	}
}

// told takes the events that were made so far.
func (w *world) told() (all []string) {
	for len(w.events.Events) > 0 {
		all = append(all, <-w.events.Events)
	}
	return all
}

// pod carries the gate; its containers have been ready for a time, and its gate's condition has a status and a reason.
func pod(name string, ready time.Duration, status corev1.ConditionStatus, reason string) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "checks.podgate.dev/warm"}}
	if ready > 0 {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.ContainersReady, Status: "True", LastTransitionTime: metav1.NewTime(noon.Add(-ready))})
	}
	if status != "" {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: "checks.podgate.dev/warm", Status: status, Reason: reason})
	}
	return p
}

// TestPodsAreCounted: those that carry the gate and run, by what they wait for.
func TestPodsAreCounted(t *testing.T) {
	other := pod("other", time.Minute, "", "")
	other.Spec.ReadinessGates[0].ConditionType = "checks.podgate.dev/other"
	elsewhere := pod("elsewhere", time.Minute, "", "")
	elsewhere.Namespace = "bank"
	over := pod("over", time.Minute, "", "")
	over.Status.Phase = corev1.PodSucceeded

	w := newWorld(t, other, elsewhere, over,
		pod("starting", 0, "", ""), pod("restarted", 0, "False", "ContainersNotReady"),
		pod("open", time.Hour, "True", "ChecksPassed"),
		pod("new", 59*time.Second, "", ""), pod("late", 60*time.Second, "False", "Check.Failed"), pod("unapproved", time.Second, "False", "Check.NotApproved"),
	)
	status, again := w.reconcile()
	want := &v1alpha1.GatedPods{Gated: 6, Open: 1, Waiting: 3, TimedOut: 1, ApprovalNeeded: 1}
	if diff := cmp.Diff(want, status.Pods); diff != "" {
		t.Errorf("pods: -want, +got:\n%s", diff)
	}
	if again == 0 {
		t.Error("nothing wakes the controller for the checks' answers about pods that wait")
	}
	if *status.ObservedGeneration != 3 {
		t.Errorf("observedGeneration %d", *status.ObservedGeneration)
	}
}

// TestNothingWaits: nothing is looked at again by the clock, and nothing is written twice.
func TestNothingWaits(t *testing.T) {
	w := newWorld(t, pod("open", time.Hour, "True", "ChecksPassed"))
	for range 3 {
		if _, again := w.reconcile(); again != 0 {
			t.Errorf("looked at again after %s", again)
		}
		w.clock = w.clock.Add(time.Hour)
	}
	if w.writes != 1 {
		t.Errorf("%d writes of one status", w.writes)
	}
}

// TestReady: the condition and one event say whether podgate can serve the gate.
func TestReady(t *testing.T) {
	w := newWorld(t)
	w.reconcile()
	w.reason, w.message = v1alpha1.ReasonInvalidSpec, "check warm: no such thing"
	w.reconcile()
	status, again := w.reconcile()
	if again == 0 {
		t.Error("what keeps it from being served may change without it, and nothing looks again")
	}

	c := status.Conditions[0]
	if len(status.Conditions) != 1 || c.Type != "Ready" || c.Status != "False" || c.Reason != "InvalidSpec" || c.Message != "check warm: no such thing" || c.ObservedGeneration != 3 {
		t.Errorf("conditions %+v", status.Conditions)
	}

	if diff := cmp.Diff([]string{"Normal Serving all is well", "Warning InvalidSpec check warm: no such thing"}, w.told()); diff != "" {
		t.Errorf("events: -want, +got:\n%s", diff)
	}
}

// TestLongMessage: it is cut. The API server refuses a status with a longer one, and without the condition new pods go on getting
// a gate that cannot open.
func TestLongMessage(t *testing.T) {
	w := newWorld(t)
	w.reason, w.message = v1alpha1.ReasonInvalidSpec, strings.Repeat("no such path; ", 10_000)
	status, _ := w.reconcile()
	if n := len(status.Conditions[0].Message); n > limit.Message {
		t.Errorf("a message of %d bytes", n)
	}
}

// TestNobodyCanTell: what was said stays while it cannot be told whether the gate can be served.
func TestNobodyCanTell(t *testing.T) {
	w := newWorld(t)
	w.reconcile()
	w.failure = fmt.Errorf("no namespace")
	_, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "warm"}})
	if err == nil || !strings.Contains(err.Error(), "no namespace") || w.writes != 1 {
		t.Errorf("error %v, %d writes", err, w.writes)
	}
}

// TestChecks: their answers are counted, with the time since when the counts hold.
func TestChecks(t *testing.T) {
	w := newWorld(t, pod("new", time.Second, "", ""))
	w.said = []checks.Said{{Check: "warm", Passing: 2, Failing: 1, Problem: "HTTP status 503"}, {Check: "errors", NoAnswer: 3, Problem: "timed out"}}
	w.reconcile()
	w.clock = noon.Add(time.Minute)
	w.said[1] = checks.Said{Check: "errors", Passing: 3}
	status, _ := w.reconcile()

	want := []v1alpha1.CheckStatus{
		{Name: "warm", Passing: 2, Failing: 1, Problem: "HTTP status 503", Since: &metav1.Time{Time: noon}},
		{Name: "errors", Passing: 3, Since: &metav1.Time{Time: noon.Add(time.Minute)}},
	}
	if diff := cmp.Diff(want, status.Checks, cmp.Comparer(func(a, b metav1.Time) bool { return a.Equal(&b) })); diff != "" {
		t.Errorf("checks: -want, +got:\n%s", diff)
	}
}

// TestGone: a gate that is not there has no status.
func TestGone(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "gone"}}); err != nil || w.writes != 0 {
		t.Errorf("error %v, %d writes", err, w.writes)
	}
}

// TestDryRun: the checks are asked about the pods that would get the gate, and no longer than the dry run lasts.
func TestDryRun(t *testing.T) {
	labelled := func(name string, change func(*corev1.Pod)) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": "web"}}}
		change(&p)
		return p
	}
	w := newWorld(t,
		labelled("a", func(*corev1.Pod) {}), labelled("b", func(*corev1.Pod) {}),
		labelled("over", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }),
		labelled("another", func(p *corev1.Pod) { p.Labels["app"] = "api" }),
		labelled("elsewhere", func(p *corev1.Pod) { p.Namespace = "bank" }),
	)
	w.passing = 1

	w.edit(func(g *v1alpha1.ReadinessGate) {
		g.Spec.DryRun, g.Spec.Selector = true, &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	})
	status, again := w.reconcile()
	if diff := cmp.Diff(&v1alpha1.DryRunStatus{Selected: 2, WouldOpen: 1, WouldWait: 1}, status.DryRun); diff != "" || again == 0 {
		t.Errorf("looked at again after %s; -want, +got:\n%s", again, diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, w.tried); diff != "" {
		t.Errorf("asked about: -want, +got:\n%s", diff)
	}

	w.edit(func(g *v1alpha1.ReadinessGate) { g.Spec.DryRun = false })
	if status, _ := w.reconcile(); status.DryRun != nil || w.tried != nil {
		t.Errorf("after the dry run: %+v, asked about %q", status.DryRun, w.tried)
	}

	// A gate without a selector would be given to nobody.
	w.edit(func(g *v1alpha1.ReadinessGate) { g.Spec.DryRun, g.Spec.Selector = true, nil })
	if status, _ := w.reconcile(); *status.DryRun != (v1alpha1.DryRunStatus{}) {
		t.Errorf("without a selector: %+v", status.DryRun)
	}

	// With the gate the dry run goes.
	w.edit(func(g *v1alpha1.ReadinessGate) {
		g.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	})
	w.reconcile()
	if err := w.Delete(t.Context(), &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "warm"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "warm"}}); err != nil || w.tried != nil {
		t.Errorf("error %v, asked about %q", err, w.tried)
	}
}
