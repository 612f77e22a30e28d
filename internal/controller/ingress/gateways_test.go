// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/gatewayapi"
	"github.com/podgate/podgate/internal/route/gatewayapi/alb"
)

func gatewayClient(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := gwv1.Install(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&gwv1.GatewayClass{}, &gwv1.HTTPRoute{}, &gwv1.GRPCRoute{}).Build()
}

func gatewayClass(name, controller string, params *gwv1.ParametersReference) *gwv1.GatewayClass {
	return &gwv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 2}, Spec: gwv1.GatewayClassSpec{ControllerName: gwv1.GatewayController(controller), ParametersRef: params}}
}

// TestGatewayClasses: podgate's are accepted, unless they ask for what is not served; those of others are left alone.
func TestGatewayClasses(t *testing.T) {
	params := &gwv1.ParametersReference{Group: "example.com", Kind: "X", Name: "x"}
	c := gatewayClient(t, gatewayClass("alb", "podgate.dev/alb", nil), gatewayClass("params", "podgate.dev/alb", params), gatewayClass("theirs", "example.com/other", nil))
	r := gatewayClasses{c, func() time.Time { return noon }}
	for name, want := range map[string]string{"alb": "Accepted", "params": "not InvalidParameters", "theirs": "", "gone": ""} {
		if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: Key{Name: name}}); err != nil {
			t.Fatal(err)
		}
		var now gwv1.GatewayClass
		if err := c.Get(t.Context(), Key{Name: name}, &now); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		got := ""
		for _, condition := range now.Status.Conditions {
			got = condition.Reason
			if condition.Status != metav1.ConditionTrue {
				got = "not " + got
			}
			if condition.ObservedGeneration != 2 || len(now.Status.SupportedFeatures) == 0 {
				t.Errorf("class %s has the status %+v", name, now.Status)
			}
		}
		if got != want {
			t.Errorf("class %s: got %q, want %q", name, got, want)
		}
	}
}

// TestClassOfGateway: a class that is missing or cannot be used is told, and keeps what there is.
func TestClassOfGateway(t *testing.T) {
	c := gatewayClient(t, gatewayClass("alb", "podgate.dev/alb", nil), gatewayClass("params", "podgate.dev/alb", &gwv1.ParametersReference{Name: "x"}), gatewayClass("theirs", "example.com/other", nil))
	for name, want := range map[string]Class{
		"alb": {Served: true}, "theirs": {},
		"params": {Served: true, Refused: `spec.parametersRef of GatewayClass "params" is not served: remove it, and use annotations of Gateways`},
		"gone":   {Refused: `there is no GatewayClass "gone": create it, or name another one`},
	} {
		got, err := classOf(t.Context(), c, &gwv1.Gateway{Spec: gwv1.GatewaySpec{GatewayClassName: gwv1.ObjectName(name)}})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("class %s: %s %v", name, diff, err)
		}
	}
}

// TestParentsOf: an event of a route concerns the Gateways that it names, and those that it named.
func TestParentsOf(t *testing.T) {
	other, service := gwv1.Namespace("other"), gwv1.Kind("Service")
	r := &gwv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	r.Spec.ParentRefs = []gwv1.ParentReference{{Name: "gw"}, {Name: "gw", SectionName: new(gwv1.SectionName("http"))}, {Name: "far", Namespace: &other}, {Name: "mesh", Kind: &service}}
	r.Status.Parents = []gwv1.RouteParentStatus{
		{ControllerName: "podgate.dev/alb", ParentRef: gwv1.ParentReference{Name: "was"}}, {ControllerName: "example.com/other", ParentRef: gwv1.ParentReference{Name: "theirs"}},
	}
	if diff := cmp.Diff("[shop/gw other/far shop/was]", fmt.Sprint(parentsOf(r))); diff != "" {
		t.Error(diff)
	}
}

// TestForwards: an event of a Service concerns the routes that name it.
func TestForwards(t *testing.T) {
	other := gwv1.Namespace("other")
	r := &gwv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	ref := func(name string, namespace *gwv1.Namespace) gwv1.HTTPBackendRef {
		return gwv1.HTTPBackendRef{BackendRef: gwv1.BackendRef{BackendObjectReference: gwv1.BackendObjectReference{Name: gwv1.ObjectName(name), Namespace: namespace}}}
	}
	r.Spec.Rules = []gwv1.HTTPRouteRule{{}, {BackendRefs: []gwv1.HTTPBackendRef{ref("a", nil), ref("b", &other)}}}
	for key, want := range map[Key]bool{
		{Namespace: "shop", Name: "a"}: true, {Namespace: "other", Name: "b"}: true, {Namespace: "other", Name: "a"}: false, {Namespace: "shop", Name: "b"}: false,
	} {
		if forwards(r, key) != want {
			t.Errorf("%s: want %t", key, want)
		}
	}
}

// TestRoutesOfBothKinds: GRPCRoutes are routes as HTTPRoutes are, also where their names are equal.
func TestRoutesOfBothKinds(t *testing.T) {
	spec := gwv1.CommonRouteSpec{ParentRefs: []gwv1.ParentReference{{Name: "gw"}}}
	web := gwv1.BackendRef{BackendObjectReference: gwv1.BackendObjectReference{Name: "web"}}
	calls := &gwv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: gwv1.GRPCRouteSpec{
		CommonRouteSpec: spec, Rules: []gwv1.GRPCRouteRule{{BackendRefs: []gwv1.GRPCBackendRef{{BackendRef: web}}}},
	}}
	pages := &gwv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: gwv1.HTTPRouteSpec{CommonRouteSpec: spec}}
	c := gatewayClient(t, calls, pages)
	gateway := &gwv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gw"}}
	guests, err := gateways{client: c}.guests(t.Context(), gateway)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range guests {
		got = append(got, nounOf(m.Object)+" "+m.owner())
	}
	if diff := cmp.Diff([]string{"HTTPRoute HTTPRoute/shop/web", "GRPCRoute GRPCRoute/shop/web"}, got); diff != "" {
		t.Error(diff)
	}
	m := gatewayMapper{c}
	want := requests([]Key{{Namespace: "shop", Name: "gw"}})
	if diff := cmp.Diff(want, m.route(t.Context(), calls)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, m.service(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}})); diff != "" {
		t.Error(diff)
	}

	// Each has its own entry.
	routes := []gatewayapi.Route{{Object: pages}, {Object: calls, Parents: []gwv1.RouteParentStatus{{ControllerName: "podgate.dev/alb", ParentRef: spec.ParentRefs[0]}}}}
	p := &pass{members: []member{{Object: gateway, standing: active, class: Class{Served: true}}}, made: built{gateway: &alb.Built{Result: gatewayapi.Result{Routes: routes}}}}
	for _, m := range guests {
		if err := (gateways{client: c, now: time.Now}).tellRoute(t.Context(), p, m.Object); err != nil {
			t.Fatal(err)
		}
	}
	var now gwv1.GRPCRoute
	var other gwv1.HTTPRoute
	if err := errors.Join(c.Get(t.Context(), client.ObjectKeyFromObject(calls), &now), c.Get(t.Context(), client.ObjectKeyFromObject(calls), &other)); err != nil {
		t.Fatal(err)
	}
	if len(now.Status.Parents) != 1 || len(other.Status.Parents) != 0 {
		t.Errorf("the statuses are %+v and %+v", now.Status, other.Status)
	}
}

// TestProgrammed: a Gateway is programmed when its load balancer has a name and nothing failed; a wait does not matter then.
func TestProgrammed(t *testing.T) {
	accepted := gatewayapi.Condition("Accepted", true, "Accepted", "", 1)
	for name, tc := range map[string]struct {
		accepted metav1.Condition
		named    bool
		note     note
		want     string
	}{
		"Named":         {accepted, true, note{}, "True Programmed "},
		"NamedAndWaits": {accepted, true, note{corev1.EventTypeNormal, v1alpha1.ReasonLoadBalancerWaiting, "soon"}, "True Programmed "},
		"Waits":         {accepted, false, note{corev1.EventTypeNormal, v1alpha1.ReasonLoadBalancerWaiting, "soon"}, "False Pending soon"},
		"Failed":        {accepted, true, note{corev1.EventTypeWarning, v1alpha1.ReasonLoadBalancerFailed, "denied"}, "False Pending denied"},
		"Held":          {accepted, true, note{corev1.EventTypeWarning, v1alpha1.ReasonLoadBalancerHeld, "protected"}, "False Pending protected"},
		"Nameless":      {accepted, false, note{}, "False AddressNotAssigned the load balancer is not active yet"},
		"NotAccepted":   {gatewayapi.Condition("Accepted", false, "Invalid", "typo", 1), true, note{}, "False Invalid typo"},
	} {
		t.Run(name, func(t *testing.T) {
			of := &gwv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gw", Generation: 5}}
			if tc.named {
				of.Status.Addresses = []gwv1.GatewayStatusAddress{{Value: "a"}}
			}
			p := &pass{made: built{gateway: &alb.Built{Accepted: tc.accepted}}, notes: map[string][]note{"shop/gw": {tc.note}}}
			if got := p.programmed(of); fmt.Sprintf("%s %s %s", got.Status, got.Reason, got.Message) != tc.want || got.ObservedGeneration != 5 || got.Type != "Programmed" {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
		})
	}
}

// TestListens: a listener is programmed when the load balancer has it.
func TestListens(t *testing.T) {
	seen := elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{Listeners: []elb.ObservedListener{{Own: true, Listener: elb.Listener{Port: 80}}, {Listener: elb.Listener{Port: 81}}}}}}
	for name, tc := range map[string]struct {
		accepted, usable bool
		port             int32
		want             string
	}{
		"There": {true, true, 80, "True Programmed"}, "Theirs": {true, true, 81, "False Pending"}, "Missing": {true, true, 82, "False Pending"},
		"NotUsable": {true, false, 80, "False Invalid"}, "GatewayNotAccepted": {false, true, 80, "False Invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pass{seen: seen, made: built{gateway: &alb.Built{Accepted: gatewayapi.Condition("Accepted", tc.accepted, "", "", 1)}}}
			got := p.listens(&gwv1.Gateway{}, gatewayapi.Listener{Usable: tc.usable, Listener: gwv1.Listener{Port: tc.port}})
			if fmt.Sprintf("%s %s", got.Status, got.Reason) != tc.want {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
		})
	}
}
