// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package indextest is a cache in memory for tests and benchmarks, with the indexes of
// package index. It never changes by itself.
package indextest

import (
	"context"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// Cache is a client.Reader of the objects that it was made of. It gives what it holds, not copies.
type Cache struct {
	kinds map[reflect.Type]toolscache.Indexer
}

// New makes a cache of objects.
func New(ctx context.Context, objects ...client.Object) (*Cache, error) {
	c := &Cache{kinds: map[reflect.Type]toolscache.Indexer{}}
	for _, register := range []func(context.Context, client.FieldIndexer) error{binding.Indexes, binding.PodIndexes(binding.IsGate)} {
		if err := register(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, o := range objects {
		if err := c.of(reflect.TypeOf(o)).Add(o); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// of gives what is held of a kind.
func (c *Cache) of(kind reflect.Type) toolscache.Indexer {
	if c.kinds[kind] == nil {
		c.kinds[kind] = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{})
	}
	return c.kinds[kind]
}

// IndexField implements client.FieldIndexer.
func (c *Cache) IndexField(_ context.Context, kind client.Object, field string, values client.IndexerFunc) error {
	return c.of(reflect.TypeOf(kind)).AddIndexers(toolscache.Indexers{field: func(o any) ([]string, error) {
		var keys []string
		for _, v := range values(o.(client.Object)) {
			keys = append(keys, "/"+v, o.(client.Object).GetNamespace()+"/"+v)
		}
		return keys, nil
	}})
}

// Get implements client.Reader.
func (c *Cache) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	o, found, err := c.of(reflect.TypeOf(into)).GetByKey(toolscache.NewObjectName(key.Namespace, key.Name).String())
	if err != nil {
		return err
	}
	if !found {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(o).Elem())
	return nil
}

// List implements client.Reader, for questions that an index answers, and for a namespace's ReadinessGates, which are few.
func (c *Cache) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	items, ok := reflect.TypeOf(into).Elem().FieldByName("Items")
	if !ok {
		return fmt.Errorf("list %T: it has no items", into)
	}

	kind := c.of(reflect.PointerTo(items.Type.Elem()))
	_, few := into.(*v1alpha1.ReadinessGateList)
	var found []any
	switch {
	case o.FieldSelector != nil && len(o.FieldSelector.Requirements()) == 1:
		asked := o.FieldSelector.Requirements()[0]
		var err error
		if found, err = kind.ByIndex(asked.Field, o.Namespace+"/"+asked.Value); err != nil {
			return err
		}
	case few && o.Namespace != "":
		found = kind.List()
	default:
		return fmt.Errorf("list %T: not asked through an index", into)
	}

	objects := make([]runtime.Object, 0, len(found))
	for _, f := range found {
		if o.Namespace != "" && f.(client.Object).GetNamespace() != o.Namespace {
			continue
		}
		if o.LabelSelector != nil && !o.LabelSelector.Matches(labels.Set(f.(client.Object).GetLabels())) {
			continue
		}
		if objects = append(objects, f.(runtime.Object)); int64(len(objects)) == o.Limit {
			break
		}
	}

	return meta.SetList(into, objects)
}
