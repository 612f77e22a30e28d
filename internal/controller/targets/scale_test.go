// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index/indextest"
)

// BenchmarkPopulation lists who is in one group of ten pods, all of which hold a row, in
// one namespace with that many pods: what it costs must not grow with the namespace.
func BenchmarkPopulation(b *testing.B) {
	for _, pods := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			var objects []client.Object
			observed := map[gate.Target]gate.Health{}
			for i := range pods {
				addr := netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(i % 250)})
				objects = append(objects, &corev1.Pod{
					ObjectMeta: metav1.ObjectMeta{
						Namespace: "shop", Name: fmt.Sprintf("pod-%d", i),
						Labels: map[string]string{"app": fmt.Sprintf("app-%d", i/10), "part-of": "shop"},
					},
					Status: corev1.PodStatus{PodIP: addr.String(), PodIPs: []corev1.PodIP{{IP: addr.String()}}},
				})
				if i < 10 {
					observed[gate.Target{Addr: addr, Port: 80}] = gate.Health{State: gate.Healthy}
				}
			}

			svc := &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app-0"},
				Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "app-0"}, Ports: []corev1.ServicePort{{Port: 80}}},
			}

			tgb := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app-0"}}
			tgb.Spec.ServiceRef.Name, tgb.Spec.ServiceRef.Port.IntVal = "app-0", 80
			cache, err := indextest.New(b.Context(), append(objects, svc)...)
			if err != nil {
				b.Fatal(err)
			}

			r := &Reconciler{client: reading{cache: cache}}
			b.ReportAllocs()

			for b.Loop() {
				who, err := r.population(b.Context(), binding.Of(tgb), balancer.Group{}, observed, nil, nil)
				if err != nil || len(who.members) != 10 || len(who.unselected) != 0 {
					b.Fatalf("members %d, unselected %d: %v", len(who.members), len(who.unselected), err)
				}
			}
		})
	}
}

// reading is a client of a cache that never writes.
type reading struct {
	client.Client
	cache *indextest.Cache
}

// Get implements client.Reader.
func (r reading) Get(ctx context.Context, key client.ObjectKey, into client.Object, o ...client.GetOption) error {
	return r.cache.Get(ctx, key, into, o...)
}

// List implements client.Reader.
func (r reading) List(ctx context.Context, into client.ObjectList, o ...client.ListOption) error {
	return r.cache.List(ctx, into, o...)
}
