// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package index_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bindings "github.com/podgate/podgate/internal/binding"
)

// informers are those of a cache that watches nothing.
type informers struct {
	client.FieldIndexer
	kinds map[reflect.Type]toolscache.SharedIndexInformer
}

// GetInformer is a part of cache.Cache.
func (i informers) GetInformer(_ context.Context, kind client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	of := reflect.TypeOf(kind)
	if i.kinds[of] == nil {
		i.kinds[of] = toolscache.NewSharedIndexInformer(&toolscache.ListWatch{}, kind, 0, toolscache.Indexers{})
	}
	return i.kinds[of], nil
}

// TestEachValueIsKeptOnce: an index holds what it is asked for, in the words of controller-runtime's caches, and nothing twice.
func TestEachValueIsKeptOnce(t *testing.T) {
	c := informers{kinds: map[reflect.Type]toolscache.SharedIndexInformer{}}
	for _, register := range []func(context.Context, client.FieldIndexer) error{bindings.Indexes, bindings.PodIndexes(bindings.IsGate)} {
		if err := register(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}

	web := pod("shop", "web-0", map[string]string{"app": "web"}, "web-tg", "10.0.0.1")
	web.Spec.NodeName = "node-1"
	for _, tc := range []struct {
		of   client.Object
		want map[string][]string
	}{
		{web, map[string][]string{
			"field:podgate.dev/label":    {"shop/app=web"},
			"field:podgate.dev/gate":     {"shop/example.com/other", "shop/target-health.elbv2.k8s.aws/web-tg"},
			"field:podgate.dev/address":  {"__all_namespaces/10.0.0.1"},
			"field:podgate.dev/node":     {"__all_namespaces/node-1"},
			"field:podgate.dev/pressing": {"__all_namespaces/waiting"},
		}},
		{binding("shop", "web-tg", "web", "arn:web"), map[string][]string{
			"field:podgate.dev/service":      {"shop/web"},
			"field:podgate.dev/target-group": {"__all_namespaces/arn:web"},
		}},
		{service("shop", "web", map[string]string{"app": "web"}), map[string][]string{
			"field:podgate.dev/selector-anchor": {"shop/app=web"},
		}},
	} {
		got := map[string][]string{}
		for name, values := range c.kinds[reflect.TypeOf(tc.of)].GetIndexer().GetIndexers() {
			found, err := values(tc.of)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) > 0 {
				got[name] = found
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", tc.of, diff)
		}
	}

	if _, err := c.kinds[reflect.TypeFor[*corev1.Pod]()].GetIndexer().GetIndexers()["field:podgate.dev/node"]("nonsense"); err == nil {
		t.Error("what is no object is indexed")
	}
}
