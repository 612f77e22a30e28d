// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package replace

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/ungated"
	"github.com/podgate/podgate/internal/controller/ungated/ungatedtest"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// world is a cluster in which a binding asks for replacements, three of whose pods were made before it, a day ago,
// and the leader that replaces them.
type world struct {
	*ungatedtest.Cluster
	*Reconciler
	events  *events.FakeRecorder
	view    observe.View
	evicted []string
	refused error
	// during happens while an eviction is under way.
	during  func(pod string)
	webhook error
	asked   []string
}

// View and Refresh are the observer's.
func (w *world) View(observe.Subject) observe.View { return w.view }
func (w *world) Refresh(observe.Subject)           { w.view.Snapshot.Started = w.Clock }

// Get knows every binding's group.
func (w *world) Get(types.NamespacedName) (binding.Resolution, bool) {
	return binding.Resolution{Group: balancer.Group{Ref: balancer.Ref{Provider: elbv2traits.Kind, Group: "arn"}, TargetType: "ip"}}, true
}

// Inspect is package ungated's.
func (w *world) Inspect(ctx context.Context, pod *corev1.Pod) (ungated.Finding, error) {
	cache := w.Cache()
	inspector := &ungated.Inspector{Reader: cache, Asked: cache, Serves: binding.OwnAll.Serves, Configuration: "podgate-webhook"}
	return inspector.Inspect(ctx, pod)
}

// api is the API server: it reads what exists, and evicts.
type api struct {
	client.Client
	w *world
}

// Get implements client.Reader.
func (a api) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	return a.w.Cache().Get(ctx, key, into, options...)
}

// List implements client.Reader.
func (a api) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	return a.w.Cache().List(ctx, into, options...)
}

// SubResource implements client.SubResourceClientConstructor.
func (a api) SubResource(name string) client.SubResourceClient {
	if name != "eviction" {
		a.w.Errorf("replacing uses the subresource %s", name)
	}
	return evictions{w: a.w}
}

// evictions are those of pods.
type evictions struct {
	client.SubResourceClient
	w *world
}

// Create implements client.SubResourceWriter.
func (e evictions) Create(_ context.Context, pod, eviction client.Object, _ ...client.SubResourceCreateOption) error {
	if uid := eviction.(*policyv1.Eviction).DeleteOptions.Preconditions.UID; *uid != pod.GetUID() {
		e.w.Errorf("pod %s may be another one: evicted by UID %s", pod.GetName(), *uid)
	}

	if e.w.during != nil {
		e.w.during(pod.GetName())
	}

	if e.w.refused != nil {
		return e.w.refused
	}

	e.w.evicted = append(e.w.evicted, pod.GetName())
	return nil
}

func newWorld(t *testing.T) *world {
	w := &world{Cluster: ungatedtest.New(t)}
	svc := w.Objects["service"].(*corev1.Service)
	svc.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}

	w.view.Snapshot.Targets = map[gate.Target]gate.Health{}
	for i := range 3 {
		w.serving(fmt.Sprintf("web-%d", i))
		w.Clock = w.Clock.Add(time.Minute)
	}

	w.Clock = w.Clock.Add(24 * time.Hour)
	b := w.Bind()
	b.Spec.ServiceRef.Port = intstr.FromInt32(80)
	b.Annotations = map[string]string{v1alpha1.ReplaceAnnotation: v1alpha1.ReplaceEnabled}
	w.Configure()

	w.start()
	w.Clock = w.Clock.Add(absence)

	return w
}

// absence is how long a successor may take, and how long a process that has just started waits.
const absence = time.Minute

// start starts the process again.
func (w *world) start() {
	w.Helper()
	w.events = events.NewFakeRecorder(100)
	webhook := Webhook{
		Reader: api{w: w}, Configuration: "podgate-webhook",
		Ask: func(_ context.Context, c *admissionv1.MutatingWebhookConfiguration, pod *corev1.Pod, gates []string) error {
			w.asked = append(w.asked, c.Name+" "+pod.Name+" "+strings.Join(gates, " "))
			return w.webhook
		},
	}

	r, err := NewReconciler(api{w: w}, w, webhook, w, w, Options{Recorder: w.events, AbsenceGrace: absence, Now: w.Now})
	if err != nil {
		w.Fatal(err)
	}

	w.Reconciler = r
}

// serving makes a pod that is Ready and whose target is healthy.
func (w *world) serving(name string) *corev1.Pod {
	pod := w.Pod(name)
	ip := fmt.Sprintf("10.0.0.%d", len(w.view.Snapshot.Targets)+1)
	pod.Status.PodIPs = []corev1.PodIP{{IP: ip}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	w.view.Snapshot.Targets[gate.Target{Addr: netip.MustParseAddr(ip), Port: 8080}] = gate.Health{State: gate.Healthy}
	return pod
}

// look reconciles until a read that it asked for is there, and returns what was evicted and said.
func (w *world) look() (evicted, said []string) {
	w.Helper()
	w.evicted = nil
	for range 2 {
		w.Clock = w.Clock.Add(progress)
		res, err := w.Reconcile(w.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "web-tg"}})
		if err != nil {
			w.Fatal(err)
		}
		if Asks(w.Objects["binding"]) && res.RequeueAfter == 0 {
			w.Error("it is not looked at again")
		}
		if len(w.evicted) > 0 {
			break
		}
	}

	for len(w.events.Events) > 0 {
		said = append(said, <-w.events.Events)
	}

	return w.evicted, said
}

// TestReplacedBySlowCalls: a successor that is made while the call of the eviction is still under way counts, or nothing
// would be replaced any more.
func TestReplacedBySlowCalls(t *testing.T) {
	w := newWorld(t)
	w.during = func(pod string) {
		next := w.serving(pod + "-next")
		next.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}
		delete(w.Objects, pod)
		w.Clock = w.Clock.Add(5 * time.Second)
	}

	for i := range 3 {
		old := fmt.Sprintf("web-%d", i)
		if evicted, said := w.look(); !cmp.Equal([]string{old}, evicted) {
			t.Fatalf("evicted %q, want %s; said %q", evicted, old, said)
		}
	}
}

// TestReplaced: pods that lack a gate go one by one, the oldest first, each when the one before has a successor that serves.
func TestReplaced(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		old := fmt.Sprintf("web-%d", i)
		evicted, said := w.look()
		if diff := cmp.Diff([]string{old}, evicted); diff != "" {
			t.Fatal(diff)
		}

		if len(said) != 1 || !strings.Contains(said[0], "Normal Replaced Evicted pod "+old) {
			t.Fatalf("got %q", said)
		}

		none := func(when string) {
			t.Helper()
			if evicted, said := w.look(); len(evicted)+len(said) != 0 {
				t.Fatalf("%s: evicted %q, said %q", when, evicted, said)
			}
		}

		none("before the cache shows the deletion")
		w.Objects[old].(*corev1.Pod).DeletionTimestamp = new(metav1.NewTime(w.Clock))
		none("while it ends")
		delete(w.Objects, old)
		none("while it has no successor")
		next := w.serving(old + "-next")
		next.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}
		next.Status.Conditions = nil
		none("while the successor is not Ready")
		next.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}

	if evicted, said := w.look(); len(evicted)+len(said) != 0 {
		t.Errorf("all have their gates: evicted %q, said %q", evicted, said)
	}

	want := "podgate-webhook web-0 target-health.elbv2.k8s.aws/web-tg"
	if len(w.asked) != 3 || w.asked[0] != want {
		t.Errorf("the webhook was asked %q, want it asked thrice, first %q", w.asked, want)
	}

	if n := testutil.ToFloat64(w.evictions.WithLabelValues("shop", "web-tg")); n != 3 {
		t.Errorf("%v evictions counted, want 3", n)
	}
}

// TestNotReplaced: what keeps pods from being evicted, and who is told.
func TestNotReplaced(t *testing.T) {
	pod := func(w *world, name string) *corev1.Pod { return w.Objects[name].(*corev1.Pod) }
	state := func(w *world, ip string, s gate.State) {
		w.view.Snapshot.Targets[gate.Target{Addr: netip.MustParseAddr(ip), Port: 8080}] = gate.Health{State: s}
	}

	for name, tc := range map[string]struct {
		reason string
		change func(*world)
		told   string
	}{
		"NotAsked":       {reason: "It is opt-in.", change: func(w *world) { w.Objects["binding"].SetAnnotations(nil) }},
		"AskedOtherwise": {reason: "Only the one word asks.", change: func(w *world) { w.Objects["binding"].GetAnnotations()[v1alpha1.ReplaceAnnotation] = "true" }},
		"NotReady":       {reason: "A second one would be missing.", change: func(w *world) { pod(w, "web-2").Status.Conditions = nil }},
		"Terminating":    {reason: "As while somebody else scales or rolls.", change: func(w *world) { pod(w, "web-2").DeletionTimestamp = new(metav1.NewTime(w.Clock)) }},
		"Unhealthy":      {reason: "It is Ready since it has no gate, and serves nothing.", change: func(w *world) { state(w, "10.0.0.3", gate.Unhealthy) }},
		"Draining":       {reason: "Somebody took it out.", change: func(w *world) { state(w, "10.0.0.3", gate.Draining) }},
		"ReadsFail": {reason: "No data is not healthy.", change: func(w *world) {
			w.view.Err = errors.New("down")
		}},
		"OnlyOne": {reason: "Nothing would serve meanwhile.", told: "only one of its Service", change: func(w *world) {
			delete(w.Objects, "web-1")
			delete(w.Objects, "web-2")
		}},
		"NoOwner": {reason: "Nobody would make them anew.", told: "nothing would replace it", change: func(w *world) {
			for i := range 3 {
				pod(w, fmt.Sprintf("web-%d", i)).OwnerReferences = nil
			}
		}},
		"Job": {reason: "It does not repeat what was evicted as one would want.", told: "does not know whether Job", change: func(w *world) {
			for i := range 3 {
				pod(w, fmt.Sprintf("web-%d", i)).OwnerReferences[0].Kind = "Job"
			}
		}},
		"WebhookAway": {reason: "The next one would lack its gate, too.", told: "The webhook does not say", change: func(w *world) { w.webhook = errors.New("no answer") }},
		"JustLost": {reason: "The webhook answers podgate, but not the API server.", told: "the webhook did not gate it", change: func(w *world) {
			w.Clock = w.Clock.Add(time.Hour)
			w.serving("web-4")
		}},
		"Budget": {reason: "The PodDisruptionBudget decides.", told: "PodDisruptionBudget", change: func(w *world) {
			w.refused = apierrors.NewTooManyRequests("budget", 0)
		}},
		"Forbidden": {reason: "The role lacks the right.", told: "could not be evicted", change: func(w *world) { w.refused = errors.New("forbidden") }},
		"Uncovered": {reason: "The webhook is not asked about them.", change: func(w *world) { w.Objects["namespace"].SetLabels(nil) }},
		"Started":   {reason: "What an earlier process evicted may be on its way.", change: func(w *world) { w.start() }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			evicted, said := w.look()
			if len(evicted) > 0 {
				t.Fatalf("%s\nevicted %q", tc.reason, evicted)
			}

			want := 0
			if tc.told != "" {
				want = 1
			}

			if len(said) != want || want == 1 && !strings.Contains(said[0], "Warning NotReplaced") || want == 1 && !strings.Contains(said[0], tc.told) {
				t.Errorf("%s\nwant %q told once, got %q", tc.reason, tc.told, said)
			}
		})
	}
}

// TestNoSuccessor: an owner that makes no successor keeps the others, and its scale-up lets them go on.
func TestNoSuccessor(t *testing.T) {
	w := newWorld(t)
	w.look()
	delete(w.Objects, "web-0")
	w.Clock = w.Clock.Add(time.Hour)
	evicted, said := w.look()
	if len(evicted) != 0 || !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "has no successor") }) {
		t.Fatalf("evicted %q, said %q", evicted, said)
	}

	next := w.serving("web-3")
	next.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}

	if evicted, _ := w.look(); len(evicted) != 1 {
		t.Errorf("it has one now: evicted %q", evicted)
	}
}

// TestReplacingOfAnyBinding: two bindings of one Service that both ask evict one pod together.
func TestReplacingOfAnyBinding(t *testing.T) {
	w := newWorld(t)
	other := w.Objects["binding"].DeepCopyObject().(*elbv2.TargetGroupBinding)
	other.Name = "web-other"
	w.Objects["other"] = other
	if evicted, _ := w.look(); len(evicted) != 1 {
		t.Fatalf("evicted %q", evicted)
	}

	w.evicted = nil
	if _, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "web-other"}}); err != nil {
		t.Fatal(err)
	}

	if len(w.evicted) > 0 {
		t.Errorf("the other binding evicts %q at the same time", w.evicted)
	}
}

// TestReplacingOfAnyService: pods of two Services, whose bindings both ask, go one by one all the same.
func TestReplacingOfAnyService(t *testing.T) {
	w := newWorld(t)
	svc := w.Objects["service"].DeepCopyObject().(*corev1.Service)
	svc.Name = "web-internal"
	w.Objects["service-internal"] = svc
	other := w.Objects["binding"].DeepCopyObject().(*elbv2.TargetGroupBinding)
	other.Name, other.Spec.ServiceRef.Name = "web-internal", "web-internal"
	w.Objects["other"] = other
	evicted, _ := w.look()
	if len(evicted) != 1 {
		t.Fatalf("evicted %q", evicted)
	}

	delete(w.Objects, evicted[0])
	w.evicted = nil
	if _, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "web-internal"}}); err != nil {
		t.Fatal(err)
	}

	if len(w.evicted) > 0 {
		t.Errorf("while the first has no successor the binding of the other Service evicts %q", w.evicted)
	}
}
