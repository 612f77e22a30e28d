// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/service"
)

// edge is a Service that asks for a network load balancer.
func edge() *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "edge", UID: "uid-of-edge", Annotations: map[string]string{}}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: new(service.Class),
		Ports: []corev1.ServicePort{{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP}, {Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}},
	}}
}

// held is a Service of which podgate noted that it has something.
func held(of *corev1.Service) *corev1.Service {
	of.Finalizers = []string{elbv2.LBCServiceFinalizer}
	of.Annotations[v1alpha1.StacksAnnotation] = "shop/edge"
	return of
}

// newServiceWorld is a world whose groups are Services, and in which AWS does all that it is asked for.
func newServiceWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := newWorld(t, objects...)
	w.whole = true
	o := w.options.withDefaults(w.Client)
	var err error
	if w.Reconciler, err = newReconciler(w.Client, o, newShared(o), services{w.Client}, ofServices); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) service(of client.Object) *corev1.Service {
	w.Helper()
	now := &corev1.Service{}
	if err := w.Get(w.Context(), client.ObjectKeyFromObject(of), now); err != nil {
		w.Fatal(err)
	}
	return now
}

// TestServiceComesAndGoes: a Service is held before the first step, gets the name and its ports when all is in place, and is let
// go of when nothing is left.
func TestServiceComesAndGoes(t *testing.T) {
	svc := edge()
	w := newServiceWorld(t, svc)
	w.fails = func(step elb.Step) error {
		if now := w.service(svc); !slices.Equal(now.Finalizers, []string{elbv2.LBCServiceFinalizer}) || now.Annotations[v1alpha1.StacksAnnotation] != "shop/edge" {
			t.Errorf("%s: it is held by %q and %q", step, now.Finalizers, now.Annotations)
		}
		return nil
	}
	group := client.ObjectKeyFromObject(svc)
	if _, err := w.reconcile(group); err != nil {
		t.Fatal(err)
	}

	at := w.service(svc).Status.LoadBalancer.Ingress
	if len(at) != 1 || at[0].Hostname != "lb.example.com" || len(at[0].Ports) != 2 || at[0].Ports[1] != (corev1.PortStatus{Port: 53, Protocol: corev1.ProtocolUDP}) {
		t.Errorf("the status is %+v", at)
	}
	if told := w.told(); !strings.Contains(told, v1alpha1.ReasonLoadBalancerReady) || !strings.Contains(told, "has the listeners of this Service") {
		t.Errorf("told: %s", told)
	}
	var bindings elbv2.TargetGroupBindingList
	if err := w.List(t.Context(), &bindings, client.MatchingLabels(service.Labels(group))); err != nil || len(bindings.Items) != 2 {
		t.Fatalf("there are %d bindings, %v", len(bindings.Items), err)
	}
	if b := bindings.Items[0]; b.Annotations[v1alpha1.MadeForAnnotation] != "Service shop/edge" || boundOfService(t.Context(), &b)[0].NamespacedName != group {
		t.Errorf("a binding is %+v", b.ObjectMeta)
	}

	w.fails = func(elb.Step) error { return nil }
	if err := w.Delete(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	gone := func() bool {
		return apierrors.IsNotFound(w.Get(t.Context(), group, &corev1.Service{}))
	}
	for range 5 {
		if _, err := w.reconcile(group); err != nil {
			t.Fatal(err)
		}
		if left := len(w.seen.LoadBalancers) + len(w.seen.TargetGroups) + len(w.seen.SecurityGroups); gone() != (left == 0) {
			t.Fatalf("%d are left, and the Service is gone: %t", left, gone())
		}
	}
	if !gone() {
		t.Errorf("it is still there; steps %q", w.steps)
	}
}

// TestServiceMembers: the group of a Service is the Service, while it asks for a load balancer or has something of one.
func TestServiceMembers(t *testing.T) {
	plain := func() *corev1.Service {
		of := edge()
		of.Spec.Type, of.Spec.LoadBalancerClass = corev1.ServiceTypeClusterIP, nil
		return of
	}
	ofOthers := plain()
	ofOthers.Finalizers = []string{elbv2.LBCServiceFinalizer}
	for name, tc := range map[string]struct {
		reason  string
		service *corev1.Service
		deleted bool
		want    standing
	}{
		"Asks":    {"it asks for one", edge(), false, active},
		"Held":    {"and has it", held(edge()), false, active},
		"Plain":   {"it asks for none", plain(), false, stranger},
		"Left":    {"it asked for one before", held(plain()), false, leaving},
		"OfLBC":   {"it asked another controller before", ofOthers, false, stranger},
		"Deleted": {"it goes, and has one", held(edge()), true, leaving},
		"Absent":  {"it is not there", nil, false, stranger},
		"AnotherGroup": {"a note of another stack is not this one's", func() *corev1.Service {
			of := held(plain())
			of.Annotations[v1alpha1.StacksAnnotation] = "shop/other"
			return of
		}(), false, stranger},
		"NoteWithout":   {"nor is a note without the finalizer", func() *corev1.Service { of := held(plain()); of.Finalizers = nil; return of }(), false, stranger},
		"OnlyFinalizer": {"the finalizer of a Service that asks does not say whose it is", func() *corev1.Service { of := held(edge()); of.Annotations = map[string]string{}; return of }(), false, active},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if tc.service != nil {
				objects = append(objects, tc.service)
			}
			w := newServiceWorld(t, objects...)
			if tc.deleted {
				if err := w.Delete(t.Context(), tc.service); err != nil {
					t.Fatal(err)
				}
			}

			members, err := w.kind.members(t.Context(), Key{Namespace: "shop", Name: "edge"})
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == stranger {
				if len(members) > 0 {
					t.Errorf("%s: it stands %d", tc.reason, members[0].standing)
				}
				return
			}
			if len(members) != 1 || members[0].standing != tc.want || !members[0].class.LBC {
				t.Errorf("%s: got %+v, want standing %d", tc.reason, members, tc.want)
			}

			made, err := w.kind.build(t.Context(), Key{Namespace: "shop", Name: "edge"}, members, elb.Observed{}, w.settings, (&lookups{shared: w.shared, ctx: t.Context(), reader: w.Client}).all())
			if err != nil {
				t.Fatal(err)
			}
			if wants := tc.want == active; len(made.stack.Listeners) > 0 != wants || made.stack.Tags[service.StackTag] != "shop/edge" || len(made.problems) > 0 {
				t.Errorf("%s: %d listeners, tags %v, problems %v", tc.reason, len(made.stack.Listeners), made.stack.Tags, made.problems)
			}
		})
	}
}

// TestServiceLimits: a network load balancer has limits of its own.
func TestServiceLimits(t *testing.T) {
	of := edge()
	of.Spec.Ports = nil
	for port := range int32(51) {
		of.Spec.Ports = append(of.Spec.Ports, corev1.ServicePort{Port: 1 + port, Protocol: corev1.ProtocolTCP})
	}
	w := newServiceWorld(t, of)
	w.settings.Limits.Listeners = 1000
	if _, err := w.reconcile(client.ObjectKeyFromObject(of)); err != nil {
		t.Fatal(err)
	}
	if told := w.told(); len(w.steps) > 0 || !strings.Contains(told, v1alpha1.ReasonLimitExceeded) {
		t.Errorf("steps %q, told %s", w.steps, told)
	}
}

// TestServiceStatus: the status has the ports that are served; that of a Service that is refused keeps them, and another name is
// another load balancer.
func TestServiceStatus(t *testing.T) {
	at80 := []elb.Listener{{Port: 80}}
	named := func(hostname string, ports ...int32) *corev1.Service {
		of := edge()
		at := corev1.LoadBalancerIngress{Hostname: hostname}
		for _, p := range ports {
			at.Ports = append(at.Ports, corev1.PortStatus{Port: p})
		}
		of.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{at}
		return of
	}
	for called, tc := range map[string]struct {
		service   *corev1.Service
		listeners []elb.Listener
		want      []int32
	}{
		"First":        {edge(), at80, []int32{80}},
		"Fewer":        {named("lb", 80, 53), at80, []int32{80}},
		"Refused":      {named("lb", 80, 53), nil, []int32{80, 53}},
		"RefusedMoved": {named("other", 80, 53), nil, nil},
		"Two": {func() *corev1.Service {
			of := named("lb", 80)
			of.Status.LoadBalancer.Ingress = append(of.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: "10.0.0.1"})
			return of
		}(), nil, nil},
	} {
		name(tc.service, "lb", tc.listeners)
		at := tc.service.Status.LoadBalancer.Ingress
		if len(at) != 1 || at[0].Hostname != "lb" {
			t.Fatalf("%s: the status is %+v", called, at)
		}
		var ports []int32
		for _, p := range at[0].Ports {
			ports = append(ports, p.Port)
		}
		if !slices.Equal(ports, tc.want) {
			t.Errorf("%s: ports %v, want %v", called, ports, tc.want)
		}
	}

	of := named("lb")
	of.Status.LoadBalancer.Ingress = append(of.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{Hostname: "theirs"})
	unname(of, func(hostname string) bool { return hostname == "lb" })
	if got := hostnames(of); !slices.Equal(got, []string{"theirs"}) {
		t.Errorf("left are %q", got)
	}
	copied := copyOf[client.Object](of)
	unname(of, func(string) bool { return true })
	if set(of, copied); !slices.Equal(hostnames(of), []string{"theirs"}) {
		t.Errorf("set to %q", hostnames(of))
	}
	if nounOf(of) != "Service" || nounOf(ingressOf("alb")) != "Ingress" || finalizerOf(ingressOf("alb")) != v1alpha1.IngressFinalizer {
		t.Errorf("they are called %s and %s", nounOf(of), nounOf(ingressOf("alb")))
	}
}

// TestServiceEvents: only Services that ask for a load balancer or may have one count, and of those not what only their status says.
func TestServiceEvents(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.Service)
		want   bool
	}{
		"Nothing": {func(*corev1.Service) {}, false},
		"Resync":  {func(of *corev1.Service) { of.ResourceVersion = "2" }, false},
		"Status": {func(of *corev1.Service) {
			of.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "lb"}}
		}, false},
		"Labels":      {func(of *corev1.Service) { of.Labels = map[string]string{"a": "b"} }, false},
		"Spec":        {func(of *corev1.Service) { of.Spec.Ports[0].Port = 81 }, true},
		"Annotations": {func(of *corev1.Service) { of.Annotations["a"] = "b" }, true},
		"Finalizers":  {func(of *corev1.Service) { of.Finalizers = nil }, true},
		"Deletion":    {func(of *corev1.Service) { of.DeletionTimestamp = new(metav1.NewTime(noon)) }, true},
	} {
		now := held(edge())
		tc.change(now)
		if got := written().Update(event.UpdateEvent{ObjectOld: held(edge()), ObjectNew: now}); got != tc.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
	if p := written(); !p.Create(event.CreateEvent{Object: edge()}) || !p.Delete(event.DeleteEvent{Object: edge()}) {
		t.Error("those that come or go are dropped")
	}

	plain := held(edge())
	plain.Spec.Type = corev1.ServiceTypeNodePort
	never := plain.DeepCopy()
	never.Finalizers = nil
	for name, tc := range map[string]struct {
		object client.Object
		want   int
	}{"Asks": {edge(), 1}, "Had": {plain, 1}, "Never": {never, 0}, "Ingress": {ingressOf("alb"), 0}} {
		if got := balanced(t.Context(), tc.object); len(got) != tc.want {
			t.Errorf("%s: wakes %v", name, got)
		}
	}
	for name, labels := range map[string]map[string]string{
		"None": nil, "OfIngress": labelsOf(Key{Namespace: "shop", Name: "web"}), "Namespace": {elbv2.ServiceNamespaceLabel: "shop"}, "Name": {elbv2.ServiceNameLabel: "edge"},
	} {
		if got := boundOfService(t.Context(), &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Labels: labels}}); got != nil {
			t.Errorf("%s: a binding wakes %v", name, got)
		}
	}
}

// TestServiceOfLBC: a Service that AWS Load Balancer Controller had is taken over when that is gone for a minute, with all that
// there is of it: nothing is made anew, and the finalizer, which both controllers have, stays.
func TestServiceOfLBC(t *testing.T) {
	first := newServiceWorld(t, edge())
	group := client.ObjectKeyFromObject(edge())
	if _, err := first.reconcile(group); err != nil {
		t.Fatal(err)
	}
	var bindings elbv2.TargetGroupBindingList
	if err := first.List(t.Context(), &bindings); err != nil {
		t.Fatal(err)
	}
	svc := first.service(edge())
	delete(svc.Annotations, v1alpha1.StacksAnnotation)
	objects := []client.Object{svc}
	for i := range bindings.Items {
		delete(bindings.Items[i].Annotations, v1alpha1.MadeForAnnotation)
		objects = append(objects, &bindings.Items[i])
	}
	for _, o := range objects {
		o.SetResourceVersion("")
	}

	w := newServiceWorld(t, objects...)
	w.seen = first.seen
	for range 5 {
		_, _ = w.reconcile(group)
		if now := w.service(svc); now.Annotations[v1alpha1.StacksAnnotation] != "" || len(w.steps) > 0 {
			t.Fatalf("it is taken at once; steps %q", w.steps)
		}
		w.clock = w.clock.Add(10 * time.Second)
	}
	for range 5 {
		w.clock = w.clock.Add(10 * time.Second)
		if _, err := w.reconcile(group); err != nil {
			t.Fatal(err)
		}
	}
	now := w.service(svc)
	if now.Annotations[v1alpha1.StacksAnnotation] != "shop/edge" || !slices.Equal(now.Finalizers, []string{elbv2.LBCServiceFinalizer}) {
		t.Errorf("it is held by %q and %q", now.Finalizers, now.Annotations)
	}
	if told := w.told(); len(w.steps) > 0 || !strings.Contains(told, v1alpha1.ReasonTakenOverFromLBC) {
		t.Errorf("steps %q, told %s", w.steps, told)
	}
}
