// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// cached is a cache of one namespace, which has a Service web of the port http, a binding of it, and some pods.
type cached struct {
	client.Reader
	pods []corev1.Pod
}

// List implements client.Reader.
func (c cached) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	switch list := into.(type) {
	case *corev1.ServiceList:
		svc := service("web", map[string]string{"app": "web"}, time.Time{})
		svc.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}
		list.Items = []corev1.Service{svc}
	case *elbv2.TargetGroupBindingList:
		list.Items = []elbv2.TargetGroupBinding{*bound("web", "web", ip, port80, drains(time.Minute)).Object.(*elbv2.TargetGroupBinding)}
	case *v1alpha1.TargetBindingList, *v1alpha1.ReadinessGateList:
	case *corev1.PodList:
		list.Items = c.pods
	default:
		return fmt.Errorf("unexpected %T", into)
	}
	return nil
}

// TestPodsThatAServiceLeavesOut: workers with the labels of the pods that serve get neither gate nor hook, and nothing is
// amiss about that; the pods of a rollout that renames the port do.
func TestPodsThatAServiceLeavesOut(t *testing.T) {
	of := func(workload, port string) corev1.Pod {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Labels:          map[string]string{"app": "web"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: workload, Controller: new(true)}},
		}}
		if port != "" {
			pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 8080}}}}
		}
		return pod
	}

	bare := of("", "")
	bare.OwnerReferences = nil
	serving := []corev1.Pod{of("web", "http")}

	for name, tc := range map[string]struct {
		reason string
		pod    corev1.Pod
		others []corev1.Pod
		gate   bool
	}{
		"Worker":  {reason: "Nothing would open its gate.", pod: of("worker", ""), others: serving},
		"Renamed": {reason: "The Service is to follow.", pod: of("web", "web"), others: serving, gate: true},
		"First":   {reason: "Nobody knows yet who serves; a gate that turns out needless is opened.", pod: of("worker", ""), gate: true},
		"Bare":    {reason: "Nobody knows what it is one of.", pod: bare, others: serving, gate: true},
		"Serves":  {reason: "It is a target.", pod: of("web", "http"), others: serving, gate: true},
	} {
		t.Run(name, func(t *testing.T) {
			pod := PodOf(&tc.pod)
			pod.Hooks.PreStop = []bool{false}
			c, err := Lookup(t.Context(), cached{pods: tc.others}, nil, "shop", pod)
			if err != nil {
				t.Fatal(err)
			}

			if plan := Gates(pod, c); plan.Empty() == tc.gate {
				t.Errorf("%s\ngates: %+v", tc.reason, plan)
			}
			if plan := Drain(pod, c); plan.Empty() == tc.gate {
				t.Errorf("%s\nhooks: %+v", tc.reason, plan)
			}

			// Of a pod that exists nobody knows who was there when it was created.
			lacks := pod.Workload != "" && binding.LacksPort(pod.Ports, &c.Services[0], c.Bindings[0].Group(), c.Bindings[0].ServiceRef)
			if f := Explain(pod, c); f.Empty() != lacks {
				t.Errorf("%s\nsaid to be amiss: %+v", tc.reason, f)
			}
		})
	}
}
