// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"cmp"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/gates/gatestest"
	"github.com/podgate/podgate/internal/index/indextest"
)

// scene has a pod that a TargetGroupBinding and a TargetBinding of one Service select.
func scene(kind gates.Kind, gate string, of ...client.Object) func() gatestest.Scene {
	return func() gatestest.Scene {
		s := gatestest.Scene{
			Kind: kind, Gate: gate,
			Pod: &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0", UID: "uid-1", Labels: map[string]string{"app": "web", "tier": "front", "team": "a"}},
				Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(gate)}}},
				Status: corev1.PodStatus{
					PodIP: "10.0.0.7", PodIPs: []corev1.PodIP{{IP: "10.0.0.7"}},
					Conditions: []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}},
				},
			},
			Groups: map[types.NamespacedName]binding.Resolution{},
		}

		for _, o := range of {
			o = o.DeepCopyObject().(client.Object)
			s.Objects = append(s.Objects, o)
			if _, service := o.(*corev1.Service); !service {
				key, provider := binding.KeyOf(o), cmp.Or(binding.From(o).Ref.Provider, elbv2traits.Kind)
				s.Groups[key] = binding.Resolution{Group: balancer.Group{
					Ref: balancer.Ref{Provider: provider, Group: "arn:" + key.Name}, TargetType: "ip", IPAddressType: "ipv4", HealthCheckInterval: 10 * time.Second, UnhealthyThreshold: 2,
				}}
			}
		}

		return s
	}
}

func service(name string, selector map[string]string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}
}

func foreign(name, service string) *elbv2.TargetGroupBinding {
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	b.Spec.ServiceRef = elbv2.ServiceReference{Name: service, Port: intstr.FromInt32(80)}
	return b
}

func own(name, service string) *v1alpha1.TargetBinding {
	b := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	b.Spec.ServiceRef = v1alpha1.ServiceReference{Name: service, Port: intstr.FromInt32(80)}
	return b
}

// sharing is a binding of a load balancer of whose groups a pod has one gate.
func sharing(name, service string) *v1alpha1.TargetBinding {
	b := own(name, service)
	b.Spec.Lattice = &v1alpha1.Lattice{TargetGroupARN: "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"}
	return b
}

// TestBindings holds the kind of which every binding has one to the suite, for both kinds of bindings.
func TestBindings(t *testing.T) {
	web := service("web", map[string]string{"app": "web"})
	for name, s := range map[string]func() gatestest.Scene{
		"TargetGroupBinding": scene(gates.OfBindings{}, "target-health.elbv2.k8s.aws/web", web, foreign("web", "web")),
		"TargetBinding":      scene(gates.OfBindings{}, "targets.podgate.dev/web", web, own("web", "web")),
	} {
		t.Run(name, func(t *testing.T) { gatestest.Run(t, s) })
	}
}

// TestLoadBalancers holds the kind of which a pod has one for all of its groups to the suite.
func TestLoadBalancers(t *testing.T) {
	web, front := service("web", map[string]string{"app": "web"}), service("front", map[string]string{"tier": "front"})
	for name, s := range map[string]func() gatestest.Scene{
		"OneGroup":    scene(gates.OfLoadBalancers{}, gwc.Gate, web, sharing("a", "web")),
		"ThreeGroups": scene(gates.OfLoadBalancers{}, gwc.Gate, web, front, sharing("a", "web"), sharing("b", "front"), sharing("c", "front")),
	} {
		t.Run(name, func(t *testing.T) { gatestest.Run(t, s) })
	}
}

// TestToy holds a kind of two sources to the suite.
func TestToy(t *testing.T) {
	gatestest.Run(t, scene(gatestest.Toy{}, gatestest.ToyGate,
		service("web", map[string]string{"app": "web"}), service("front", map[string]string{"tier": "front"}),
		foreign("a", "web"), own("b", "front"), foreign("c", "front")))
}

// TestKindsShareNoGate: every gate is of one kind, and those of others are of none.
func TestKindsShareNoGate(t *testing.T) {
	kinds := append(gates.All(), gatestest.Toy{})
	for _, gate := range []string{"target-health.elbv2.k8s.aws/web", "targets.podgate.dev/web", gwc.Gate, gatestest.ToyGate, legacyGate, elbv2.LegacyAnyGate} {
		owners := 0
		for _, k := range kinds {
			if k.Owns(gate) {
				owners++
			}
		}
		if owners != 1 {
			t.Errorf("%d kinds own %s", owners, gate)
		}
	}

	pod := &corev1.Pod{}
	for _, g := range []corev1.PodConditionType{"example.com/reviewed", gatestest.ToyGate, "targets.podgate.dev/web"} {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: g})
	}
	if got := kinds.Of(pod); len(got) != 2 || got[0] != gatestest.ToyGate || got[1] != "targets.podgate.dev/web" {
		t.Errorf("gates of the pod: %q", got)
	}
}

// TestNobodysGate: a gate of no kind, and one whose binding another controller serves, is not
// podgate's to write.
func TestNobodysGate(t *testing.T) {
	s := scene(gates.OfBindings{}, "target-health.elbv2.k8s.aws/web", service("web", map[string]string{"app": "web"}), foreign("web", "web"))()
	cache, err := indextest.New(t.Context(), append(s.Objects, s.Pod)...)
	if err != nil {
		t.Fatal(err)
	}

	registry := binding.NewRegistry(func(types.NamespacedName) {})
	for key, res := range s.Groups {
		registry.Set(key, res)
	}
	in := gates.Cluster{Reader: cache, Registry: registry}
	if sources, ours, err := gates.All().Sources(t.Context(), in, s.Pod, s.Gate); len(sources) != 1 || !ours || err != nil {
		t.Errorf("podgate serves it: got %+v, %t, %v", sources, ours, err)
	}
	if sources, ours, err := gates.All().Sources(t.Context(), in, s.Pod, "example.com/reviewed"); sources != nil || ours || err != nil {
		t.Errorf("it is of no kind: got %+v, %t, %v", sources, ours, err)
	}

	for key, res := range s.Groups {
		res.Foreign = true
		registry.Set(key, res)
	}
	if sources, ours, err := gates.All().Sources(t.Context(), in, s.Pod, s.Gate); sources != nil || ours || err != nil {
		t.Errorf("another controller serves it: got %+v, %t, %v", sources, ours, err)
	}

	key := types.NamespacedName{Namespace: "shop", Name: "web"}
	registry.Delete(key)
	if sources, ours, err := gates.All().Sources(t.Context(), in, s.Pod, s.Gate); sources != nil || ours || err != nil {
		t.Errorf("nobody has looked at it: got %+v, %t, %v", sources, ours, err)
	}
}

// TestFollowsOthers: where the Service publishes pods that are not ready, gates of other controllers stop no time-out, be the
// pod's port known or not.
func TestFollowsOthers(t *testing.T) {
	const name = "target-health.elbv2.k8s.aws/web"
	for what, tc := range map[string]struct {
		publish bool
		port    int32
		want    bool
	}{
		"it is a target":                       {port: 80, want: true},
		"the port is wrong":                    {port: 81, want: true},
		"it is a target, ready or not":         {port: 80, publish: true},
		"it is served not ready, a wrong port": {port: 81, publish: true},
	} {
		svc, b := service("web", map[string]string{"app": "web"}), foreign("web", "web")
		svc.Spec.PublishNotReadyAddresses = tc.publish
		b.Spec.ServiceRef.Port = intstr.FromInt32(tc.port)
		s := scene(gates.OfBindings{}, name, svc, b)()
		cache, err := indextest.New(t.Context(), append(s.Objects, s.Pod)...)
		if err != nil {
			t.Fatal(err)
		}

		registry := binding.NewRegistry(func(types.NamespacedName) {})
		for key, res := range s.Groups {
			registry.Set(key, res)
		}
		sources, ours, err := gates.All().Sources(t.Context(), gates.Cluster{Reader: cache, Registry: registry}, s.Pod, name)
		if err != nil || !ours || len(sources) != 1 || sources[0].FollowsOthers != tc.want {
			t.Errorf("%s: want it to follow others %t, got %+v, %t, %v", what, tc.want, sources, ours, err)
		}
	}
}

// TestFed: a change of a binding wakes its pods whether their gates are open or not, and only those
// that wait where that is asked for.
func TestFed(t *testing.T) {
	const gate = "target-health.elbv2.k8s.aws/web"
	waits := scene(gates.OfBindings{}, gate)().Pod
	open := waits.DeepCopy()
	open.Name = "web-1"
	open.Status.Conditions = append(open.Status.Conditions, corev1.PodCondition{Type: gate, Status: corev1.ConditionTrue})
	cache, err := indextest.New(t.Context(), waits, open)
	if err != nil {
		t.Fatal(err)
	}

	owner := types.NamespacedName{Namespace: "shop", Name: "web"}
	if fed, err := gates.All().Fed(t.Context(), cache, owner); err != nil || len(fed) != 2 {
		t.Errorf("want both pods, got %v, %v", fed, err)
	}
	if waiting, err := gates.All().Waiting(t.Context(), cache, owner); err != nil || len(waiting) != 1 || waiting[0].Name != "web-0" {
		t.Errorf("want the one that waits, got %v, %v", waiting, err)
	}

	// A pod with two gates that one binding feeds is told of once.
	twice := gates.Kinds{gates.OfBindings{}, gates.OfBindings{}}
	if fed, err := twice.Fed(t.Context(), cache, owner); err != nil || len(fed) != 2 {
		t.Errorf("want each pod once, got %v, %v", fed, err)
	}
}

// TestOrigin: people are told where a gate of a kind comes from, and nothing of others' gates.
func TestOrigin(t *testing.T) {
	if got := gates.All().Origin("targets.podgate.dev/web"); got == "" {
		t.Error("nothing is said of a binding's gate")
	}
	if got := gates.All().Origin("example.com/reviewed"); got != "" {
		t.Errorf("of somebody else's gate it is said that it comes from %s", got)
	}
}
