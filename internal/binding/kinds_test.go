// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// toys is a kind of binding that nothing else knows: a ConfigMap that names a Service and a group.
var toys = adapter{
	name: "Toy", prefix: "toys.example.com/", gate: "toys.example.com/",
	bind: func(o client.Object) *Binding { return ofToy(o.(*corev1.ConfigMap)) },
	Kind: index.Kind{
		New:     func() client.Object { return &corev1.ConfigMap{} },
		NewList: func() client.ObjectList { return &corev1.ConfigMapList{} },
		Service: func(o client.Object) string { return o.(*corev1.ConfigMap).Data["service"] },
		Claims:  func(o client.Object) []string { return []string{o.(*corev1.ConfigMap).Data["group"]} },
	},
}

func ofToy(o *corev1.ConfigMap) *Binding {
	return &Binding{
		ObjectMeta: &o.ObjectMeta, Object: o, kind: toy{o: o}, Conditions: new([]metav1.Condition),
		ServiceRef: v1alpha1.ServiceReference{Name: o.Data["service"]}, Ref: balancer.Ref{Group: o.Data["group"]},
	}
}

// toy holds nothing of what podgate finds out.
type toy struct{ o *corev1.ConfigMap }

func (k toy) adapter() *adapter                                         { return &toys }
func (k toy) policies() map[string]string                               { return k.o.Annotations }
func (k toy) copied() *Binding                                          { return ofToy(k.o.DeepCopy()) }
func (toy) states(string) bool                                          { return true }
func (toy) published() (balancer.Group, bool)                           { return balancer.Group{}, false }
func (toy) publish(balancer.Group) (bool, error)                        { return false, nil }
func (toy) recommend(drain.Terms) bool                                  { return false }
func (toy) count() bool                                                 { return false }
func (toy) noted(time.Time, map[gate.Target]gate.Health, []gate.Target) {}
func (toy) followed() time.Duration                                     { return 0 }
func (toy) recommended() time.Duration                                  { return 0 }
func (toy) counts() *v1alpha1.TargetCounts                              { return nil }
func (toy) write(context.Context, client.Client, client.Patch) error    { return nil }
func (toy) inherit(client.Object)                                       {}

// TestAnotherKindIsOneLine: a kind in the list is found by whoever asks for bindings, and answers what it is asked.
func TestAnotherKindIsOneLine(t *testing.T) {
	before := adapters
	adapters = append(adapters[:len(adapters):len(adapters)], &toys)
	t.Cleanup(func() { adapters = before })

	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}}}
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{v1alpha1.ModeAnnotation: string(gate.Track)}},
		Data:       map[string]string{"service": "web", "group": "shelf"},
	}
	key := types.NamespacedName{Namespace: "shop", Name: "toys.example.com/web"}

	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, elbv2.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}

	builder := fake.NewClientBuilder().WithScheme(known).WithObjects(svc, object)
	if err := Indexes(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}

	r := builder.Build()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{"app": "web"}}}
	one := func(b *Binding, err error) ([]*Binding, error) { return []*Binding{b}, err }
	for name, ask := range map[string]func() ([]*Binding, error){
		"Get":       func() ([]*Binding, error) { return one(Get(t.Context(), r, key)) },
		"From":      func() ([]*Binding, error) { return one(From(object), nil) },
		"List":      func() ([]*Binding, error) { return List(t.Context(), r, "shop") },
		"OfService": func() ([]*Binding, error) { return OfService(t.Context(), r, client.ObjectKeyFromObject(svc)) },
		"Claiming":  func() ([]*Binding, error) { return Claiming(t.Context(), r, "shelf") },
		"ForPod":    func() ([]*Binding, error) { return ForPod(t.Context(), r, pod) },
	} {
		found, err := ask()
		if err != nil || len(found) != 1 {
			t.Errorf("%s: found %d bindings, %v", name, len(found), err)
			continue
		}

		b := found[0]
		if name, ok := OfGate(GateType(b.Key().Name)); !ok || name != key.Name {
			t.Errorf("%s: its gate is of %q", name, name)
		}
		if b.Key() != key || b.Kind() != "Toy" || b.Group().Ref.Group != "shelf" {
			t.Errorf("%s: got %s, a %s of group %q", name, b.Key(), b.Kind(), b.Group().Ref.Group)
		}
		if settings, _ := b.Settings(); settings.Gate.Mode != gate.Track {
			t.Errorf("%s: its policy is %+v", name, settings.Gate)
		}
		if !OwnNone.Serves(b) {
			t.Errorf("%s: nobody else would serve it, and podgate does not", name)
		}
	}

	if settings, _ := SettingsOf(object); KeyOf(object) != key || settings.Gate.Mode != gate.Track {
		t.Errorf("its object: key %s, settings %+v", KeyOf(object), settings)
	}
}

// indexer registers indexes with a client that is not built yet.
type indexer struct{ *fake.ClientBuilder }

// IndexField implements client.FieldIndexer.
func (i indexer) IndexField(_ context.Context, o client.Object, field string, values client.IndexerFunc) error {
	i.WithIndex(o, field, values)
	return nil
}
