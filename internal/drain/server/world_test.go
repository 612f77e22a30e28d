// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain/hook"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index/indextest"
	"github.com/podgate/podgate/internal/observe"
)

var (
	noon   = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	target = gate.Target{Addr: netip.MustParseAddr("10.0.0.2"), Port: 8080}
)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// world is a pod that is being deleted since noon, its bindings, what is known of their
// groups, and the leader's clock.
type world struct {
	*testing.T
	h       *Handler
	clock   time.Time
	pod     *corev1.Pod
	objects []client.Object
	known   map[string]binding.Resolution
	views   map[balancer.Ref]observe.View
	asked   map[balancer.Ref]int
	live    live
}

// newWorld has the binding web of a group of a protocol.
func newWorld(t *testing.T, ref balancer.Ref, protocol string) *world {
	w := &world{T: t, clock: noon, known: map[string]binding.Resolution{}, views: map[balancer.Ref]observe.View{}, asked: map[balancer.Ref]int{}}
	w.pod = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "u1", Labels: map[string]string{"app": "web"}, DeletionTimestamp: new(metav1.NewTime(at(85)))},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.2"}}},
	}

	w.objects = append(w.objects, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}, {Name: "admin", Port: 81, TargetPort: intstr.FromInt32(9090)},
		}},
	})

	w.bind("web", ref, protocol, 80)
	return w
}

func (w *world) bind(name string, ref balancer.Ref, protocol string, port int32) {
	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       elbv2.TargetGroupBindingSpec{ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(port)}},
	}
	w.objects = append(w.objects, b)
	w.known[name] = binding.Resolution{Group: balancer.Group{Ref: ref, TargetType: "ip", Protocol: protocol, IPAddressType: "ipv4", DeregistrationDelay: 5 * time.Minute}}
}

// read is what a read at the clock's time says of the pod's targets; Unknown that they are absent.
func (w *world) read(ref balancer.Ref, state gate.State) {
	targets := map[gate.Target]gate.Health{}
	if state != gate.Unknown {
		targets[target] = gate.Health{State: state}
		targets[gate.Target{Addr: target.Addr, Port: 9090}] = gate.Health{State: state}
	}
	w.views[ref] = observe.View{Snapshot: observe.Snapshot{Started: w.clock, Targets: targets}}
}

// handler makes the handler of a new leader.
func (w *world) handler() *Handler {
	w.Helper()
	cache, err := indextest.New(w.Context(), append(w.objects, w.pod)...)
	if err != nil {
		w.Fatal(err)
	}
	w.h, err = New(Options{Elected: closedChannel(), Cache: cache, Live: &w.live, Observer: w, Resolutions: w, Drivers: traits.All(), Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
	if err != nil {
		w.Fatal(err)
	}
	w.h.now = func() time.Time { return w.clock }
	return w.h
}

func closedChannel() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Get implements Resolutions.
func (w *world) Get(key types.NamespacedName) (binding.Resolution, bool) {
	r, ok := w.known[key.Name]
	return r, ok
}

// View implements Observer.
func (w *world) View(ref observe.Subject) observe.View { return w.views[ref.(balancer.Ref)] }

// Refresh implements Observer.
func (w *world) Refresh(ref observe.Subject) { w.asked[ref.(balancer.Ref)]++ }

func (w *world) question(bindings ...string) hook.Question {
	return hook.Question{Namespace: "shop", Pod: "web-1", UID: "u1", Container: "app", Bindings: bindings}
}

// ask puts the pod's question for the binding web, or others.
func (w *world) ask(bindings ...string) hook.Answer {
	w.Helper()
	if w.h == nil {
		w.handler()
	}
	if bindings == nil {
		bindings = []string{"web"}
	}
	a, err := w.h.answer(w.Context(), w.question(bindings...))
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// live is the API server.
type live struct {
	pod    *corev1.Pod
	events []corev1.Event
	err    error
	asked  int
}

func (l *live) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if l.err != nil {
		return l.err
	}
	*into.(*corev1.Pod) = *l.pod
	return nil
}

func (l *live) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	l.asked++
	var o client.ListOptions
	o.ApplyOptions(options)
	uid, _ := o.FieldSelector.RequiresExactMatch("involvedObject.uid")
	reason, _ := o.FieldSelector.RequiresExactMatch("reason")
	if o.Namespace != "shop" || uid != "u1" || reason != "Killing" {
		return errors.New("not the question that was to be asked: " + o.FieldSelector.String())
	}
	into.(*corev1.EventList).Items = l.events
	return l.err
}
