// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index/indextest"
)

// TestLookup: the Services of the namespace that select the pod, and the bindings of every kind
// that refer to them.
func TestLookup(t *testing.T) {
	labels := map[string]string{"app": "web"}
	selecting := func(namespace, name string, selector map[string]string) *corev1.Service {
		svc := service(name, selector, time.Time{})
		svc.Namespace = namespace
		return &svc
	}
	foreign := func(namespace, name, service string) *elbv2.TargetGroupBinding {
		b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		b.Spec.ServiceRef.Name = service
		return b
	}
	own := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own"}}
	own.Spec.ServiceRef.Name = "web"

	cache, err := indextest.New(t.Context(),
		selecting("shop", "web", labels), selecting("shop", "api", map[string]string{"app": "api"}), selecting("shop", "none", nil), selecting("bank", "web", labels),
		foreign("shop", "a", "web"), foreign("shop", "b", "api"), foreign("bank", "c", "web"), own,
		&v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "warm"}}, &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "warm"}},
	)
	if err != nil {
		t.Fatal(err)
	}

	serves := func(*binding.Binding) bool { return false }
	found, err := Lookup(t.Context(), cache, serves, "shop", Pod{Labels: labels})
	if err != nil {
		t.Fatal(err)
	}

	var services, bindings []string
	for _, s := range found.Services {
		services = append(services, s.Namespace+"/"+s.Name)
	}
	for _, b := range found.Bindings {
		bindings = append(bindings, b.Namespace+"/"+b.Name)
	}
	slices.Sort(bindings)

	if diff := cmp.Diff([]string{"shop/web"}, services); diff != "" {
		t.Errorf("Services: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"shop/a", "shop/own"}, bindings); diff != "" {
		t.Errorf("bindings: -want, +got:\n%s", diff)
	}
	if len(found.ReadinessGates) != 1 || found.ReadinessGates[0].Namespace != "shop" {
		t.Errorf("ReadinessGates: %+v, want that of the namespace", found.ReadinessGates)
	}
	if found.Serves == nil || found.Serves(nil) {
		t.Error("whose gates podgate opens is not the caller's answer")
	}
}

// blind is a cache that lists no objects of a kind.
type blind struct {
	client.Reader
	to client.ObjectList
}

var errBlind = errors.New("no answer")

// List implements client.Reader.
func (b blind) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	if reflect.TypeOf(into) == reflect.TypeOf(b.to) {
		return errBlind
	}
	return b.Reader.List(ctx, into, options...)
}

// TestLookupFails: what cannot be read is an error, never a pod without candidates.
func TestLookupFails(t *testing.T) {
	web := service("web", map[string]string{"app": "web"}, time.Time{})
	web.Namespace = "shop"
	cache, err := indextest.New(t.Context(), &web)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []client.ObjectList{&corev1.ServiceList{}, &elbv2.TargetGroupBindingList{}, &v1alpha1.TargetBindingList{}, &v1alpha1.ReadinessGateList{}} {
		if _, err := Lookup(t.Context(), blind{cache, to}, nil, "shop", Pod{Labels: map[string]string{"app": "web"}}); !errors.Is(err, errBlind) {
			t.Errorf("%T: want the reader's error, got %v", to, err)
		}
	}
}

func TestPodOf(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}, CreationTimestamp: metav1.NewTime(noon), OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "once", Controller: new(true)}}},
		Spec: corev1.PodSpec{
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "example.com/ready"}, {ConditionType: prefix + "web"}},
			Containers:     []corev1.Container{{Name: "web", Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}},
		},
	}

	want := Pod{
		Labels: map[string]string{"app": "web"}, Workload: "Job/once", Gates: []string{"example.com/ready", prefix + "web"}, Created: noon,
		Ports: []corev1.ContainerPort{{ContainerPort: 8080}}, Hooks: Hooks{OfJob: true},
	}
	if diff := cmp.Diff(want, PodOf(pod)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}

	pod.OwnerReferences = nil
	if PodOf(pod).Hooks.OfJob {
		t.Error("a pod without an owner is called a Job's")
	}
}

// TestUnchanged: pods are looked at again for every change of a binding by which a pod gets
// something else, and for no other.
func TestUnchanged(t *testing.T) {
	of := func(options ...func(*elbv2.TargetGroupBinding)) *binding.Binding {
		return bound("web", "web", append([]func(*elbv2.TargetGroupBinding){ip, drains(55 * time.Second), created(time.Unix(1e9, 0))}, options...)...)
	}

	for what, change := range map[string]func(*elbv2.TargetGroupBinding){
		"its name":               func(b *elbv2.TargetGroupBinding) { b.Name = "api" },
		"its Service":            func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Name = "api" },
		"its port":               func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromInt32(80) },
		"its group":              func(b *elbv2.TargetGroupBinding) { b.Spec.TargetGroupName = "api" },
		"the type of targets":    typed(elbv2.TargetTypeInstance),
		"that it is deleted":     deleting,
		"when it was created":    created(time.Unix(2e9, 0)),
		"how long its pods take": drains(56 * time.Second),
		"how they drain": func(b *elbv2.TargetGroupBinding) {
			b.Annotations[v1alpha1.DrainModeAnnotation] = v1alpha1.DrainAdaptive
		},
	} {
		if Unchanged(of(), of(change)) {
			t.Errorf("%s changed, and no pod is looked at again", what)
		}
	}

	same := func(b *elbv2.TargetGroupBinding) {
		b.ResourceVersion, b.Labels = "2", map[string]string{"team": "shop"}
		b.Annotations[v1alpha1.ModeAnnotation] = "Track"
	}
	if !Unchanged(of(), of(same)) {
		t.Error("what says nothing of gates and hooks changed, and pods are looked at again")
	}
	if Unchanged(external("own", "web", false), external("own", "web", true)) {
		t.Error("how AWS Load Balancer Controller is woken changed, and no pod is looked at again")
	}
}
