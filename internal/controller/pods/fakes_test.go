// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/observe"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key  = types.NamespacedName{Namespace: "shop", Name: "web-0"}
	web  = types.NamespacedName{Namespace: "shop", Name: "web-tg"}
	ref  = balancer.Ref{Provider: elbv2traits.Kind, Group: "arn:web"}
)

const gateWeb = "target-health.elbv2.k8s.aws/web-tg"

// world is a cluster with one pod, one Service and one binding, seen through
// fakes: a test changes what it needs and reconciles.
type world struct {
	*Reconciler
	t *testing.T

	pod     *corev1.Pod // nil when there is none
	service *corev1.Service
	binding *elbv2.TargetGroupBinding
	clock   time.Time

	sightings map[gate.Target]observe.Sighting
	waiting   map[observe.Subject]bool
	followed  map[observe.Subject]bool
	// siblings are the binding's other pods.
	siblings  []corev1.Pod
	forgotten int
	patches   []string
	patchErr  error
	kept      int
	events    *events.FakeRecorder
}

// newWorld makes a pod whose containers were ready a moment ago and which the load
// balancer has not been asked about.
func newWorld(t *testing.T) *world {
	w := &world{
		t: t, clock: noon, sightings: map[gate.Target]observe.Sighting{}, waiting: map[observe.Subject]bool{}, followed: map[observe.Subject]bool{}, events: events.NewFakeRecorder(100),
		pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0", UID: "uid-1", Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: gateWeb}}},
			Status: corev1.PodStatus{
				PodIP: "10.0.0.7", PodIPs: []corev1.PodIP{{IP: "10.0.0.7"}},
				Conditions: []corev1.PodCondition{
					{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ReadinessGatesNotReady", LastTransitionTime: metav1.NewTime(noon.Add(-time.Minute))},
					{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(-3 * time.Second))},
				},
			},
		},
		service: &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}},
		},
		binding: &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-tg"}},
	}

	w.binding.Spec.ServiceRef = elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	w.restart()
	w.resolve(resolution())

	return w
}

func resolution() binding.Resolution {
	return binding.Resolution{Group: balancer.Group{
		Ref: ref, TargetType: "ip", IPAddressType: "ipv4", HealthCheckInterval: 10 * time.Second, UnhealthyThreshold: 2,
	}}
}

// restart makes a Reconciler that remembers nothing.
func (w *world) restart() {
	r, err := NewReconciler(Options{
		Drivers: traits.All(),
		Client:  kube{w: w}, Kinds: gates.All(), Observer: w, Registry: binding.NewRegistry(func(types.NamespacedName) {}), Recorder: w.events,
		Metrics: prometheus.NewRegistry(), Now: func() time.Time { return w.clock },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Reconciler = r
}

// wakeups is what finds the pods of this world.
func (w *world) wakeups() wakeups { return wakeups{client: w.client, kinds: w.kinds} }

func (w *world) resolve(res binding.Resolution) { w.registry.Set(web, res) }

// see makes what the observer saw of the pod's target.
func (w *world) see(s observe.Sighting) { w.sightings[target("10.0.0.7")] = s }

func target(addr string) gate.Target {
	return gate.Target{Addr: netip.MustParseAddr(addr), Port: 8080}
}

func sighting(s gate.State, reason string, seenOtherwise bool) observe.Sighting {
	return observe.Sighting{Observed: true, Present: true, Health: gate.Health{State: s, Reason: reason}, SeenOtherwise: seenOtherwise}
}

// reconcile reconciles the pod and gives the result, and how many patches it took.
func (w *world) reconcile() (reconcile.Result, int) {
	w.t.Helper()
	before := len(w.patches)
	res, err := w.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: key})
	if err != nil {
		w.t.Fatal(err)
	}
	return res, len(w.patches) - before
}

// condition gives the pod's own condition of the gate; its zero value when there is none.
func (w *world) condition() corev1.PodCondition {
	if c := binding.Condition(w.pod, gateWeb); c != nil {
		return *c
	}
	return corev1.PodCondition{}
}

// put sets a condition as another writer would.
func (w *world) put(c corev1.PodCondition) {
	w.pod.Status.Conditions = slices.DeleteFunc(w.pod.Status.Conditions, func(o corev1.PodCondition) bool { return o.Type == c.Type })
	w.pod.Status.Conditions = append(w.pod.Status.Conditions, c)
}

// containers makes the pod's containers ready, or not.
func (w *world) containers(s corev1.ConditionStatus) {
	w.put(corev1.PodCondition{Type: corev1.ContainersReady, Status: s, LastTransitionTime: metav1.NewTime(w.clock)})
}

// Watch implements Observer.
func (w *world) Watch(_ types.NamespacedName, in observe.Interest) observe.Sighting {
	s := w.sightings[in.Target]
	if s.ReadAt.IsZero() {
		s.ReadAt = w.clock
	}
	return s
}

// Keep implements Observer.
func (w *world) Keep(_ types.NamespacedName, interests ...observe.Interest) {
	if len(interests) == 0 {
		w.forgotten++
	}
	w.kept++
	clear(w.waiting)
	clear(w.followed)
	for _, in := range interests {
		w.waiting[in.Subject] = w.waiting[in.Subject] || in.Waiting
		w.followed[in.Subject] = w.followed[in.Subject] || in.Follow
	}
}

// kube is the world as a client: what it answers are copies, as a cache's readers must treat them.
type kube struct {
	client.Client
	w *world
}

// Get implements client.Reader.
func (k kube) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	missing := apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	switch o := into.(type) {
	case *corev1.Pod:
		if k.w.pod == nil || k.w.pod.Name != key.Name {
			return missing
		}
		k.w.pod.DeepCopyInto(o)

	case *corev1.Service:
		if k.w.service == nil || k.w.service.Name != key.Name {
			return missing
		}
		k.w.service.DeepCopyInto(o)

	case *elbv2.TargetGroupBinding:
		if k.w.binding == nil || k.w.binding.Name != key.Name {
			return missing
		}
		k.w.binding.DeepCopyInto(o)
	}

	return nil
}

// List implements client.Reader.
func (k kube) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	into.(*corev1.PodList).Items = append([]corev1.Pod{*k.w.pod}, k.w.siblings...)
	return nil
}

// Status implements client.Client.
func (k kube) Status() client.SubResourceWriter { return status{w: k.w} }

type status struct {
	client.SubResourceWriter
	w *world
}

// Patch applies a patch as the API server does: it takes a strategic merge patch and
// refuses one for a pod with another UID.
func (s status) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.SubResourcePatchOption) error {
	s.w.t.Helper()
	data, err := p.Data(o)
	if err != nil {
		s.w.t.Fatal(err)
	}

	if p.Type() != types.StrategicMergePatchType {
		s.w.t.Fatalf("patch of type %s", p.Type())
	}

	s.w.patches = append(s.w.patches, string(data))
	if s.w.patchErr != nil {
		return s.w.patchErr
	}

	before, err := json.Marshal(s.w.pod)
	if err != nil {
		s.w.t.Fatal(err)
	}

	after, err := strategicpatch.StrategicMergePatch(before, data, corev1.Pod{})
	if err != nil {
		s.w.t.Fatal(err)
	}

	var pod corev1.Pod
	if err := json.Unmarshal(after, &pod); err != nil {
		s.w.t.Fatal(err)
	}

	if pod.UID != s.w.pod.UID {
		return apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, pod.Name, nil)
	}

	s.w.pod = &pod
	return nil
}
