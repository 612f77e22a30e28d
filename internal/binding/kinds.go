// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/index"
)

// adapter turns the objects of one kind into Bindings.
type adapter struct {
	index.Kind
	// name is what people call the kind.
	name string
	// prefix and an object's name make the binding's key. One kind has none.
	prefix string
	// gate and an object's name make the condition type of the binding's gate.
	gate string
	// ownGates: every binding of the kind has a gate of its own, whatever its load balancer.
	ownGates bool
	// borrowed: the kind is another project's, and a cluster may lack its definition.
	borrowed bool
	// bind returns the Binding of an object of the kind.
	bind func(client.Object) *Binding
}

// adapters are all kinds of objects that say bindings. Another kind is a file beside this one, and a line here.
var adapters = []*adapter{
	&targetGroupBindings,
	&targetBindings,
}

// Kinds returns an empty object of each kind, for what watches them.
func Kinds() []client.Object {
	var all []client.Object
	for _, a := range adapters {
		all = append(all, a.New())
	}
	return all
}

// Borrowed returns an empty object of each kind whose definition a cluster may lack.
func Borrowed() []client.Object {
	var all []client.Object
	for _, a := range adapters {
		if a.borrowed {
			all = append(all, a.New())
		}
	}
	return all
}

// Indexes registers the indexes of Services and of the bindings of all kinds, before the cache starts.
func Indexes(ctx context.Context, c client.FieldIndexer) error {
	if err := index.Services(ctx, c); err != nil {
		return err
	}
	for _, a := range adapters {
		if err := a.Register(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// From returns the Binding that an object says; nil when objects of its kind say none.
func From(o client.Object) *Binding {
	for _, a := range adapters {
		if reflect.TypeOf(o) == reflect.TypeOf(a.New()) {
			return a.bind(o)
		}
	}
	return nil
}

// Get reads the binding of a key.
func Get(ctx context.Context, r client.Reader, key types.NamespacedName) (*Binding, error) {
	a, name := adapterOf(key.Name)
	o := a.New()
	err := r.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: name}, o)
	return a.bind(o), err
}

// adapterOf returns the kind of the binding with a key's name, and the name of its object.
func adapterOf(key string) (a *adapter, name string) {
	for _, each := range adapters {
		if each.prefix == "" {
			a = each
			continue
		}
		if name, ok := strings.CutPrefix(key, each.prefix); ok {
			return each, name
		}
	}
	return a, key
}

// List lists the bindings of all kinds in a namespace, or in all.
func List(ctx context.Context, r client.Reader, namespace string) ([]*Binding, error) {
	var all []*Binding
	for _, a := range adapters {
		list := a.NewList()
		if err := r.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}

		err := meta.EachListItem(list, func(item runtime.Object) error {
			all = append(all, a.bind(item.(client.Object)))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}

	return all, nil
}

// OfService lists the bindings of all kinds that refer to a Service.
func OfService(ctx context.Context, r client.Reader, service types.NamespacedName) ([]*Binding, error) {
	return each(func(a *adapter) ([]client.Object, error) { return a.OfService(ctx, r, service) })
}

// Claiming lists the bindings of all kinds and namespaces that claim a group or a part of one, by
// what their manifests say or what was published on them.
func Claiming(ctx context.Context, r client.Reader, claim string) ([]*Binding, error) {
	return each(func(a *adapter) ([]client.Object, error) { return a.Claiming(ctx, r, claim) })
}

// each lists the bindings of what is found of every kind.
func each(find func(*adapter) ([]client.Object, error)) ([]*Binding, error) {
	var all []*Binding
	for _, a := range adapters {
		found, err := find(a)
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			all = append(all, a.bind(o))
		}
	}
	return all, nil
}

// KeyOf is the key of the binding that an object says.
func KeyOf(o client.Object) types.NamespacedName {
	if b := From(o); b != nil {
		return b.Key()
	}
	return client.ObjectKeyFromObject(o)
}

// SettingsOf reads the settings of the binding that an object says.
func SettingsOf(o client.Object) (Settings, []Problem) {
	if b := From(o); b != nil {
		return b.Settings()
	}
	return Settings{}, nil
}
