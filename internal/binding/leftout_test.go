// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// withServices is a cache that finds Services by their names.
type withServices struct{ cluster }

// Get implements client.Reader.
func (c withServices) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for i := range c.services {
		if c.services[i].Name == key.Name {
			c.services[i].DeepCopyInto(into.(*corev1.Service))
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// of makes a pod of a Deployment's revision, with a port of that name if there is one.
func of(deployment, revision, port string) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: deployment + "-" + revision, Labels: map[string]string{"app": "web", "pod-template-hash": revision},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: deployment + "-" + revision, Controller: new(true)}},
	}}
	pod.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.1"}}
	if port != "" {
		pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 8080}}}}
	}
	return pod
}

// TestLaw2WorkersWaitForNothing: Kubernetes leaves them out. A worker's gate must not wait for ever, and that of a rollout that
// loses the port must.
func TestLaw2WorkersWaitForNothing(t *testing.T) {
	ended := of("web", "a", "http")
	ended.Status.Phase = corev1.PodFailed
	job := of("web", "a", "http")
	job.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "migrate", Controller: new(true)}}
	bare := of("bare", "a", "")
	bare.OwnerReferences = nil

	for name, tc := range map[string]struct {
		reason string
		pod    corev1.Pod
		others []corev1.Pod
		want   gate.Claim
	}{
		"Worker":        {reason: "Others have the port, and none of them is a worker.", pod: of("worker", "a", ""), others: []corev1.Pod{of("web", "a", "http")}, want: gate.NotTarget},
		"OtherPort":     {reason: "It has a port, of another name.", pod: of("worker", "a", "metrics"), others: []corev1.Pod{of("web", "a", "http")}, want: gate.NotTarget},
		"Bare":          {reason: "Nothing manages it.", pod: bare, others: []corev1.Pod{of("web", "a", "http")}, want: gate.NotTarget},
		"Renamed":       {reason: "A rollout gives the port another name: its Service is to follow.", pod: of("web", "b", "web"), others: []corev1.Pod{of("web", "a", "http")}, want: gate.Unresolved},
		"RenamedBeside": {reason: "So it is when others have the port, too.", pod: of("web", "b", "web"), others: []corev1.Pod{of("web", "a", "http"), of("admin", "a", "http")}, want: gate.Unresolved},
		"Nobody":        {reason: "The Service is wrong, or those that have the port are to come.", pod: of("worker", "a", ""), others: []corev1.Pod{of("web", "a", "")}, want: gate.Unresolved},
		"Ended":         {reason: "A pod that has ended serves nobody.", pod: of("worker", "a", ""), others: []corev1.Pod{ended}, want: gate.Unresolved},
		"Job":           {reason: "A Job's pod says nothing of what serves.", pod: of("worker", "a", ""), others: []corev1.Pod{job}, want: gate.Unresolved},
		"Has":           {reason: "It is a target.", pod: of("web", "a", "http"), want: gate.Claimed},
	} {
		t.Run(name, func(t *testing.T) {
			web := service("web", map[string]string{"app": "web"})
			web.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}
			b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
			b.Spec.ServiceRef = elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
			all := withServices{cluster{services: []corev1.Service{web}, pods: append(tc.others, tc.pod)}}
			res := Resolution{Group: balancer.Group{Ref: balancer.Ref{Group: "arn:web"}, TargetType: "ip"}}

			got, err := Of(b).Claim(t.Context(), all, &tc.pod, res)
			if err != nil || got.Kind != tc.want {
				t.Errorf("%s\nwant claim %d, got %+v, %v", tc.reason, tc.want, got, err)
			}
			if waits := got.Kind == gate.Unresolved; waits != (got.Recheck > 0) {
				t.Errorf("claim %d is looked at again after %s: the other pods' events do not say so", got.Kind, got.Recheck)
			}
		})
	}
}

// TestNoPodLacksANumber: no pod is left out of a Service whose port has a number, or is missing.
func TestNoPodLacksANumber(t *testing.T) {
	unnamed := of("web", "a", "")
	unnamed.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}
	web := service("web", map[string]string{"app": "web"})
	web.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}
	all := cluster{pods: []corev1.Pod{unnamed, of("admin", "a", "http")}}
	for _, port := range []int32{80, 81} {
		left, err := LeftOut(t.Context(), all, "ReplicaSet/worker", &web, balancer.Group{}, v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(port)})
		if left || err != nil {
			t.Errorf("port %d: left out: %t, %v", port, left, err)
		}
	}
}

// TestWorkload: it is the same for all revisions.
func TestWorkload(t *testing.T) {
	a, b, other := of("web", "a", ""), of("web", "b", ""), of("web-a", "b", "")
	if Workload(&a) != Workload(&b) || Workload(&a) == Workload(&other) {
		t.Errorf("got %q, %q and %q", Workload(&a), Workload(&b), Workload(&other))
	}

	for name, labels := range map[string]map[string]string{"db": {"controller-revision-hash": "db-1"}, "web-1": {"rollouts-pod-template-hash": "1"}} {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: labels, OwnerReferences: []metav1.OwnerReference{{Kind: "X", Name: name, UID: types.UID(name), Controller: new(true)}}}}
		if got, want := Workload(&pod), map[string]string{"db": "X/db", "web-1": "X/web"}[name]; got != want {
			t.Errorf("%s: want %q, got %q", name, want, got)
		}
	}
}
