// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// cluster is a cache of one namespace.
type cluster struct {
	client.Reader
	services []corev1.Service
	bindings []elbv2.TargetGroupBinding
	own      []v1alpha1.TargetBinding
	pods     []corev1.Pod
	err      error
}

// List implements client.Reader.
func (c cluster) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	switch list := into.(type) {
	case *corev1.ServiceList:
		list.Items = c.services
	case *elbv2.TargetGroupBindingList:
		list.Items = c.bindings
	case *v1alpha1.TargetBindingList:
		list.Items = c.own
	case *corev1.PodList:
		list.Items = c.pods
	default:
		return fmt.Errorf("unexpected %T", into)
	}

	return c.err
}

func service(name string, selector map[string]string) corev1.Service {
	return corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
}

func bindingTo(name, svc string) elbv2.TargetGroupBinding {
	b := elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	b.Spec.ServiceRef.Name = svc
	return b
}

func TestForPod(t *testing.T) {
	c := cluster{
		services: []corev1.Service{
			service("web", map[string]string{"app": "web"}),
			service("all", map[string]string{"app": "web", "tier": "front"}),
			service("other", map[string]string{"app": "other"}),
			service("external", nil),
		},
		bindings: []elbv2.TargetGroupBinding{
			bindingTo("one", "web"), bindingTo("two", "web"), bindingTo("three", "all"),
			bindingTo("four", "other"), bindingTo("five", "external"), bindingTo("six", "missing"),
		},
	}

	cases := map[string]struct {
		reason string
		labels map[string]string
		want   []string
	}{
		"Selected":   {reason: "Every binding of a Service that selects the pod claims it.", labels: map[string]string{"app": "web", "x": "y"}, want: []string{"one", "two"}},
		"Both":       {reason: "A pod may belong to several Services.", labels: map[string]string{"app": "web", "tier": "front"}, want: []string{"one", "three", "two"}},
		"None":       {reason: "A Service without a selector selects nothing.", labels: map[string]string{"app": "nobody's"}},
		"Unlabelled": {reason: "Nor does any other select a pod without labels."},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found, err := ForPod(t.Context(), c, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range found {
				got = append(got, b.Name)
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s\nForPod: want %v, got %v", tc.reason, tc.want, got)
			}
		})
	}

	c.err = errors.New("cache is broken")
	if _, err := ForPod(t.Context(), c, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}}); !errors.Is(err, c.err) {
		t.Errorf("want a broken cache told, got %v", err)
	}
}

func TestTarget(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	pod := &corev1.Pod{
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{
				{Ports: []corev1.ContainerPort{{Name: "setup", ContainerPort: 1}}},
				{RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "proxy", ContainerPort: 15001}}},
			},
			Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
				{Name: "http", ContainerPort: 53, Protocol: corev1.ProtocolUDP},
				{Name: "http", ContainerPort: 8080},
			}}},
		},
		Status: corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: "10.0.0.7"}, {IP: "2001:db8::7"}}},
	}

	cases := map[string]struct {
		reason string
		port   corev1.ServicePort
		family string
		want   string
	}{
		"Number":      {reason: "The target port is on the pod.", port: corev1.ServicePort{Port: 80, TargetPort: intstr.FromInt32(8080)}, family: "ipv4", want: "10.0.0.7:8080"},
		"NoNumber":    {reason: "Without one it is the Service's.", port: corev1.ServicePort{Port: 80}, want: "10.0.0.7:80"},
		"Name":        {reason: "A name is looked up with its protocol, TCP when not given.", port: corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("http")}, want: "10.0.0.7:8080"},
		"UDP":         {reason: "One name may stand for two protocols.", port: corev1.ServicePort{Port: 80, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromString("http")}, want: "10.0.0.7:53"},
		"Sidecar":     {reason: "A sidecar is an init container that stays.", port: corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("proxy")}, want: "10.0.0.7:15001"},
		"InitPort":    {reason: "Other init containers are gone when the pod serves.", port: corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("setup")}},
		"MissingName": {reason: "A name that no container has is no target.", port: corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("htpp")}},
		"IPv6":        {reason: "The group decides which of the pod's addresses it takes.", port: corev1.ServicePort{Port: 80}, family: "ipv6", want: "[2001:db8::7]:80"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := targetAt(pod, tc.port, tc.family)
			if (err != nil) != (tc.want == "") {
				t.Fatalf("%s\nTarget: error %v", tc.reason, err)
			}
			if err == nil && got.String() != tc.want {
				t.Errorf("%s\nTarget: want %s, got %s", tc.reason, tc.want, got)
			}
		})
	}

	for _, ips := range [][]corev1.PodIP{nil, {{IP: "2001:db8::7"}}, {{IP: "nonsense"}}} {
		if got, err := targetAt(&corev1.Pod{Status: corev1.PodStatus{PodIPs: ips}}, corev1.ServicePort{Port: 80}, "ipv4"); err == nil {
			t.Errorf("a pod with addresses %v: want an error, got %s", ips, got)
		}
	}
}

func TestClosedCarriers(t *testing.T) {
	gated := func(name string, conditions ...corev1.PodCondition) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "example.com/x"}, {ConditionType: "target-health.elbv2.k8s.aws/web"}}},
			Status:     corev1.PodStatus{Conditions: conditions},
		}
	}

	state := func(s corev1.ConditionStatus) corev1.PodCondition {
		return corev1.PodCondition{Type: "target-health.elbv2.k8s.aws/web", Status: s}
	}

	over, dying := gated("over"), gated("dying")
	over.Status.Phase = corev1.PodFailed
	now := metav1.Now()
	dying.DeletionTimestamp = &now
	c := cluster{pods: []corev1.Pod{
		gated("new"), gated("closed", state(corev1.ConditionFalse)), gated("unknown", state(corev1.ConditionUnknown)),
		gated("open", state(corev1.ConditionTrue)), over, dying, {ObjectMeta: metav1.ObjectMeta{Name: "ungated"}},
	}}

	for name, want := range map[string][]string{"web": {"new", "closed", "unknown"}, "other": nil} {
		gate := GateType(name)
		pods, err := Carriers(t.Context(), c, "", gate, func(pod *corev1.Pod) bool { return !IsTrue(pod, corev1.PodConditionType(gate)) })
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range pods {
			got = append(got, p.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("waiting at the gate of %q: want %v, got %v", name, want, got)
		}
	}
}

func TestMayHave(t *testing.T) {
	ports := []corev1.ContainerPort{{ContainerPort: 8080}}
	cases := map[string]struct {
		reason string
		spec   corev1.PodSpec
		port   int32
		want   bool
	}{
		"OwnAddress":   {reason: "A pod's own address has no other pod's ports.", spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: ports}}}, port: 9090, want: true},
		"HostsPort":    {reason: "The pod declares the port.", spec: corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Ports: ports}}}, port: 8080, want: true},
		"OtherPort":    {reason: "It declares others, so this is another pod's on the node.", spec: corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Ports: ports}}}, port: 9090},
		"DeclaresNone": {reason: "What it does not say it may have.", spec: corev1.PodSpec{HostNetwork: true}, port: 9090, want: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := MayHave(&corev1.Pod{Spec: tc.spec}, tc.port); got != tc.want {
				t.Errorf("%s\nMayHave: want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

// TestCarriers: pods whose gate is open are told of too, since it may have to close.
func TestCarriers(t *testing.T) {
	open := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "open"},
		Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web"}}},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: "target-health.elbv2.k8s.aws/web", Status: corev1.ConditionTrue}}},
	}

	closed, over := *open.DeepCopy(), *open.DeepCopy()
	closed.Name, closed.Status.Conditions = "closed", nil
	over.Name, over.Status.Phase = "over", corev1.PodSucceeded
	c := cluster{pods: []corev1.Pod{open, closed, over, {ObjectMeta: metav1.ObjectMeta{Name: "ungated"}}}}
	for name, want := range map[string][]types.NamespacedName{"web": {{Name: "open"}, {Name: "closed"}}, "other": nil} {
		got, err := Carriers(t.Context(), c, "", GateType(name), func(*corev1.Pod) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pods with the gate of %q: want %v, got %v", name, want, got)
		}
	}
}

func TestRegistry(t *testing.T) {
	web, other := types.NamespacedName{Name: "web"}, types.NamespacedName{Name: "other"}
	one := Resolution{Group: balancer.Group{Ref: balancer.Ref{Group: "arn:one"}}}
	var heard []string
	r := NewRegistry(func(key types.NamespacedName) { heard = append(heard, key.Name) })
	if _, known := r.Get(web); known {
		t.Error("a binding of which nothing was said is known")
	}

	r.Set(web, Resolution{})
	if res, known := r.Get(web); !known || res.Resolved() {
		t.Errorf("an unresolved binding: known %t, resolved %t", known, res.Resolved())
	}

	for what, set := range []struct {
		key   types.NamespacedName
		res   Resolution
		heard int
	}{{web, Resolution{}, 1}, {web, one, 2}, {web, one, 2}, {other, one, 3}} {
		r.Set(set.key, set.res)
		if len(heard) != set.heard {
			t.Errorf("step %d: want %d changes told, got %v", what, set.heard, heard)
		}
	}

	if got := r.Users(one.Group.Ref); len(got) != 2 {
		t.Errorf("users of the group: want both, got %v", got)
	}

	r.Delete(other)
	r.Delete(other)

	if got := r.Users(one.Group.Ref); !slices.Equal(got, []types.NamespacedName{web}) {
		t.Errorf("users of the group: want web's, got %v", got)
	}

	if want := []string{"web", "web", "other", "other"}; !slices.Equal(heard, want) {
		t.Errorf("subscribers hear of changes only: want %v, got %v", want, heard)
	}
}
