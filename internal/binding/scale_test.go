// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index/indextest"
)

// BenchmarkForPod asks for a pod's bindings in one namespace with ten pods for each of
// its Services: what it costs must not grow with the namespace.
func BenchmarkForPod(b *testing.B) {
	for _, services := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			var objects []client.Object
			for i := range services {
				name := fmt.Sprintf("app-%d", i)
				tgb := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
				tgb.Spec.ServiceRef.Name = name
				objects = append(objects, tgb, &corev1.Service{
					ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": name}},
				})
			}

			cache, err := indextest.New(b.Context(), objects...)
			if err != nil {
				b.Fatal(err)
			}

			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "app-5", "pod-template-hash": "5d9c7b8f6", "team": "shop"}}}
			b.ReportAllocs()

			for b.Loop() {
				if found, err := binding.ForPod(b.Context(), cache, pod); err != nil || len(found) != 1 {
					b.Fatalf("found %d bindings: %v", len(found), err)
				}
			}
		})
	}
}
