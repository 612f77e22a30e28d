// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index/indextest"
	"github.com/podgate/podgate/internal/observe"
)

// replacing is a world in which a binding asks for replacements, three of whose pods were made before it, a day ago.
type replacing struct {
	*world
	*Replacer
	view    observe.View
	evicted []string
	refused error
	webhook error
	asked   []string
}

// View and Refresh are the observer's.
func (r *replacing) View(balancer.Ref) observe.View { return r.view }
func (r *replacing) Refresh(balancer.Ref)           { r.view.Snapshot.Started = r.clock }

// Get knows every binding's group.
func (r *replacing) Get(types.NamespacedName) (binding.Resolution, bool) {
	return binding.Resolution{Group: balancer.Group{Ref: balancer.Ref{Group: "arn"}, TargetType: "ip"}}, true
}

func newReplacing(t *testing.T) *replacing {
	r := &replacing{world: newWorld(t)}
	svc := r.objects["service"].(*corev1.Service)
	svc.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}
	r.view.Snapshot.Targets = map[gate.Target]gate.Health{}
	for i := range 3 {
		r.serving(fmt.Sprintf("web-%d", i))
		r.clock = r.clock.Add(time.Minute)
	}

	r.clock = r.clock.Add(24 * time.Hour)
	r.bind()
	b := r.objects["binding"].(*elbv2.TargetGroupBinding)
	b.Spec.ServiceRef.Port = intstr.FromInt32(80)
	b.Annotations = map[string]string{v1alpha1.ReplaceAnnotation: v1alpha1.ReplaceEnabled}
	r.configure()
	r.restart()

	return r
}

// restart makes the process anew, a while ago.
func (r *replacing) restart() {
	r.events = events.NewFakeRecorder(100)
	r.Replacer = newReplacer(Options{
		Serves: binding.OwnAll.Serves, Recorder: r.events, Configuration: "podgate-webhook", Path: "/mutate-v1-pod", AbsenceGrace: starting, Observer: r, Groups: r,
		Ask: func(_ context.Context, c *admissionv1.MutatingWebhookConfiguration, pod *corev1.Pod, gates []string) error {
			r.asked = append(r.asked, c.Name+" "+pod.Name+" "+strings.Join(gates, " "))
			return r.webhook
		},
	}, func() time.Time { return r.clock })

	r.evict = func(_ context.Context, pod *corev1.Pod) error {
		if r.refused != nil {
			return r.refused
		}
		r.evicted = append(r.evicted, pod.Name)
		return nil
	}

	r.clock = r.clock.Add(starting)
}

// serving makes a pod that is Ready and whose target is healthy.
func (r *replacing) serving(name string) *corev1.Pod {
	pod := r.pod(name)
	ip := fmt.Sprintf("10.0.0.%d", len(r.view.Snapshot.Targets)+1)
	pod.Status.PodIPs = []corev1.PodIP{{IP: ip}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	r.view.Snapshot.Targets[gate.Target{Addr: netip.MustParseAddr(ip), Port: 8080}] = gate.Health{State: gate.Healthy}
	return pod
}

// look reconciles until a read that it asked for is there, and gives what was evicted and said.
func (r *replacing) look() (evicted, said []string) {
	r.Helper()
	reader, err := indextest.New(r.Context(), r.all()...)
	if err != nil {
		r.Fatal(err)
	}

	r.reader, r.Replacer.asked = reader, reader
	r.evicted = nil
	for range 2 {
		r.clock = r.clock.Add(progress)
		res, err := r.Reconcile(r.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "web-tg"}})
		if err != nil {
			r.Fatal(err)
		}
		if Asks(r.objects["binding"]) && res.RequeueAfter == 0 {
			r.Error("it is not looked at again")
		}
		if len(r.evicted) > 0 {
			break
		}
	}

	for len(r.events.Events) > 0 {
		said = append(said, <-r.events.Events)
	}

	return r.evicted, said
}

// TestReplacedBySlowCalls: a successor that is made while the call of the eviction is still under way counts, or nothing
// would be replaced any more.
func TestReplacedBySlowCalls(t *testing.T) {
	r := newReplacing(t)
	evict := r.evict
	r.evict = func(ctx context.Context, pod *corev1.Pod) error {
		next := r.serving(pod.Name + "-next")
		next.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}
		delete(r.objects, pod.Name)
		r.clock = r.clock.Add(5 * time.Second)
		return evict(ctx, pod)
	}

	for i := range 3 {
		old := fmt.Sprintf("web-%d", i)
		if evicted, said := r.look(); !cmp.Equal([]string{old}, evicted) {
			t.Fatalf("evicted %q, want %s; said %q", evicted, old, said)
		}
	}
}

// TestReplaced: pods that lack a gate go one by one, the oldest first, each when the one before has a successor that serves.
func TestReplaced(t *testing.T) {
	r := newReplacing(t)
	for i := range 3 {
		old := fmt.Sprintf("web-%d", i)
		evicted, said := r.look()
		if diff := cmp.Diff([]string{old}, evicted); diff != "" {
			t.Fatal(diff)
		}

		if len(said) != 1 || !strings.Contains(said[0], "Normal Replaced Evicted pod "+old) {
			t.Fatalf("got %q", said)
		}

		none := func(when string) {
			t.Helper()
			if evicted, said := r.look(); len(evicted)+len(said) != 0 {
				t.Fatalf("%s: evicted %q, said %q", when, evicted, said)
			}
		}

		none("before the cache shows the deletion")
		r.objects[old].(*corev1.Pod).DeletionTimestamp = new(metav1.NewTime(r.clock))
		none("while it ends")
		delete(r.objects, old)
		none("while it has no successor")
		next := r.serving(old + "-next")
		next.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}
		next.Status.Conditions = nil
		none("while the successor is not Ready")
		next.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}

	if evicted, said := r.look(); len(evicted)+len(said) != 0 {
		t.Errorf("all have their gates: evicted %q, said %q", evicted, said)
	}

	want := "podgate-webhook web-0 target-health.elbv2.k8s.aws/web-tg"
	if len(r.asked) != 3 || r.asked[0] != want {
		t.Errorf("the webhook was asked %q, want it asked thrice, first %q", r.asked, want)
	}

	if n := testutil.ToFloat64(r.evictions.WithLabelValues("shop", "web-tg")); n != 3 {
		t.Errorf("%v evictions counted, want 3", n)
	}
}

// TestNotReplaced: what keeps pods from being evicted, and who is told.
func TestNotReplaced(t *testing.T) {
	pod := func(r *replacing, name string) *corev1.Pod { return r.objects[name].(*corev1.Pod) }
	state := func(r *replacing, ip string, s gate.State) {
		r.view.Snapshot.Targets[gate.Target{Addr: netip.MustParseAddr(ip), Port: 8080}] = gate.Health{State: s}
	}

	for name, tc := range map[string]struct {
		reason string
		change func(*replacing)
		told   string
	}{
		"NotAsked":       {reason: "It is opt-in.", change: func(r *replacing) { r.objects["binding"].SetAnnotations(nil) }},
		"AskedOtherwise": {reason: "Only the one word asks.", change: func(r *replacing) { r.objects["binding"].GetAnnotations()[v1alpha1.ReplaceAnnotation] = "true" }},
		"NotReady":       {reason: "A second one would be missing.", change: func(r *replacing) { pod(r, "web-2").Status.Conditions = nil }},
		"Terminating":    {reason: "As while somebody else scales or rolls.", change: func(r *replacing) { pod(r, "web-2").DeletionTimestamp = new(metav1.NewTime(r.clock)) }},
		"Unhealthy":      {reason: "It is Ready since it has no gate, and serves nothing.", change: func(r *replacing) { state(r, "10.0.0.3", gate.Unhealthy) }},
		"Draining":       {reason: "Somebody took it out.", change: func(r *replacing) { state(r, "10.0.0.3", gate.Draining) }},
		"ReadsFail": {reason: "No data is not healthy.", change: func(r *replacing) {
			r.view.Err = errors.New("down")
		}},
		"OnlyOne": {reason: "Nothing would serve meanwhile.", told: "only one of its Service", change: func(r *replacing) {
			delete(r.objects, "web-1")
			delete(r.objects, "web-2")
		}},
		"NoOwner": {reason: "Nobody would make them anew.", told: "nothing would replace it", change: func(r *replacing) {
			for i := range 3 {
				pod(r, fmt.Sprintf("web-%d", i)).OwnerReferences = nil
			}
		}},
		"Job": {reason: "It does not repeat what was evicted as one would want.", told: "nothing would replace it", change: func(r *replacing) {
			for i := range 3 {
				pod(r, fmt.Sprintf("web-%d", i)).OwnerReferences[0].Kind = "Job"
			}
		}},
		"WebhookAway": {reason: "The next one would lack its gate, too.", told: "The webhook does not say", change: func(r *replacing) { r.webhook = errors.New("no answer") }},
		"JustLost": {reason: "The webhook answers podgate, but not the API server.", told: "the webhook did not gate it", change: func(r *replacing) {
			r.clock = r.clock.Add(time.Hour)
			r.serving("web-4")
		}},
		"Budget": {reason: "The PodDisruptionBudget decides.", told: "PodDisruptionBudget", change: func(r *replacing) {
			r.refused = apierrors.NewTooManyRequests("budget", 0)
		}},
		"Forbidden": {reason: "The role lacks the right.", told: "could not be evicted", change: func(r *replacing) { r.refused = errors.New("forbidden") }},
		"Uncovered": {reason: "The webhook is not asked about them.", change: func(r *replacing) { r.objects["namespace"].SetLabels(nil) }},
		"Started":   {reason: "What an earlier process evicted may be on its way.", change: func(r *replacing) { r.started = r.clock }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplacing(t)
			tc.change(r)
			evicted, said := r.look()
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
	r := newReplacing(t)
	r.look()
	delete(r.objects, "web-0")
	r.clock = r.clock.Add(time.Hour)
	evicted, said := r.look()
	if len(evicted) != 0 || !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "has no successor") }) {
		t.Fatalf("evicted %q, said %q", evicted, said)
	}

	next := r.serving("web-3")
	next.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}

	if evicted, _ := r.look(); len(evicted) != 1 {
		t.Errorf("it has one now: evicted %q", evicted)
	}
}

// TestReplacingOfAnyBinding: two bindings of one Service that both ask evict one pod together.
func TestReplacingOfAnyBinding(t *testing.T) {
	r := newReplacing(t)
	other := r.objects["binding"].DeepCopyObject().(*elbv2.TargetGroupBinding)
	other.Name = "web-other"
	r.objects["other"] = other
	if evicted, _ := r.look(); len(evicted) != 1 {
		t.Fatalf("evicted %q", evicted)
	}

	r.evicted = nil
	if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "web-other"}}); err != nil {
		t.Fatal(err)
	}

	if len(r.evicted) > 0 {
		t.Errorf("the other binding evicts %q at the same time", r.evicted)
	}
}

// TestReplacingOfAnyService: pods of two Services, whose bindings both ask, go one by one all the same.
func TestReplacingOfAnyService(t *testing.T) {
	r := newReplacing(t)
	svc := r.objects["service"].DeepCopyObject().(*corev1.Service)
	svc.Name = "web-internal"
	r.objects["service-internal"] = svc
	other := r.objects["binding"].DeepCopyObject().(*elbv2.TargetGroupBinding)
	other.Name, other.Spec.ServiceRef.Name = "web-internal", "web-internal"
	r.objects["other"] = other
	evicted, _ := r.look()
	if len(evicted) != 1 {
		t.Fatalf("evicted %q", evicted)
	}

	delete(r.objects, evicted[0])
	reader, err := indextest.New(t.Context(), r.all()...)
	if err != nil {
		t.Fatal(err)
	}

	r.reader, r.Replacer.asked = reader, reader
	r.evicted = nil
	if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "web-internal"}}); err != nil {
		t.Fatal(err)
	}

	if len(r.evicted) > 0 {
		t.Errorf("while the first has no successor the binding of the other Service evicts %q", r.evicted)
	}
}
