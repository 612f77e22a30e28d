// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index/indextest"
)

// TestWorkersAreNotComparedWithEachOther: of two thousand pods that share a worker's Service no pod is looked at, so that as
// many workers do not cost their square: only the index hands out where those are that have the port.
func TestWorkersAreNotComparedWithEachOther(t *testing.T) {
	const handed = 64 // Bytes: pointers, and no pod.
	for _, port := range []string{"", "http"} {
		few, many := claims(t, 10, port), claims(t, 2000, port)
		if grows := float64(many-few) / 1990; grows > handed {
			t.Errorf("others of the workload have port %q: a claim costs %.0f more bytes for each pod of its Service, want at most %d", port, grows, handed)
		}
	}
}

// claims returns how many bytes a claim on a worker takes among as many other workers, with a port of that name, and as many
// pods that serve.
func claims(t *testing.T, n int, port string) uint64 {
	t.Helper()
	cache, claim := workers(t.Context(), t, n, port)
	want := gate.NotTarget
	if port != "" {
		want = gate.Unresolved // A rollout loses the port.
	}

	const runs = 5
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		if got, err := claim(cache); err != nil || got.Kind != want {
			t.Fatalf("want claim %d, got %d, %v", want, got.Kind, err)
		}
	}
	runtime.ReadMemStats(&after)

	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// BenchmarkClaimOnWorker claims a worker among others and as many pods that serve.
func BenchmarkClaimOnWorker(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("pods=%d", 2*n), func(b *testing.B) {
			cache, claim := workers(b.Context(), b, n, "")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := claim(cache); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// workers makes a cache of workers, with a port of that name, and as many pods that serve, and returns what claims a worker
// without the port.
func workers(ctx context.Context, tb testing.TB, n int, port string) (*indextest.Cache, func(client.Reader) (binding.Claim, error)) {
	tb.Helper()
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	svc.Spec.Selector = map[string]string{"app": "web"}
	svc.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}
	objects := []client.Object{svc}
	for i := range n {
		objects = append(objects, podOf("worker", i, port), podOf("web", i, "http"))
	}

	cache, err := indextest.New(ctx, objects...)
	if err != nil {
		tb.Fatal(err)
	}

	tgb := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	tgb.Spec.ServiceRef = elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	res := binding.Resolution{Group: balancer.Group{Ref: balancer.Ref{Group: "arn:web"}, TargetType: "ip"}}
	worker := podOf("worker", n, "")
	return cache, func(r client.Reader) (binding.Claim, error) {
		return binding.Of(tgb).Claim(ctx, r, worker, res)
	}
}

// podOf makes a pod of a workload, with a port of that name if there is one.
func podOf(workload string, n int, port string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("%s-%d", workload, n), Labels: map[string]string{"app": "web"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: workload, Controller: new(true)}},
	}}
	pod.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.1"}}
	if port != "" {
		pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 8080}}}}
	}
	return pod
}

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
