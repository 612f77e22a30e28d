// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/webhook"
)

// mounted says that all nodes mount images as volumes.
var mounted atomic.Bool

func helper() webhook.Helper {
	return webhook.Helper{Image: "podgate", Address: "10.96.0.7:443", ServerName: "podgate-webhook.podgate-system.svc", CA: []byte("PEM"), Mounted: mounted.Load()}
}

// testAdaptive: the API server accepts a pod with an adaptive hook wherever it accepts it
// without: in a namespace that enforces the restricted Pod Security Standard, that limits
// what a container asks for, and that has a quota for no more than the pod. The pod is of
// the same quality of service.
func (a *apiserver) testAdaptive(t *testing.T) {
	for name, images := range map[string]bool{"EmptyDir": false, "Image": true} {
		t.Run(name, func(t *testing.T) {
			mounted.Store(images)
			a.assertAdaptive(t, images)
		})
	}
}

// assertAdaptive has one made, with the program in an image or in an emptyDir.
func (a *apiserver) assertAdaptive(t *testing.T, images bool) {
	t.Helper()
	namespace := kubetest.Namespace(t, a.Client, map[string]string{v1alpha1.DrainLabel: v1alpha1.DrainEnabled, "pod-security.kubernetes.io/enforce": "restricted"})
	a.must(t, a.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}))
	a.must(t, a.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}))

	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-tg", Annotations: map[string]string{v1alpha1.DrainModeAnnotation: v1alpha1.DrainAdaptive}},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupName: "web", TargetType: new(elbv2.TargetTypeIP), ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)},
		},
	}

	a.must(t, a.Create(t.Context(), b))
	a.must(t, a.Create(t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "limits"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer,
			Min:  corev1.ResourceList{"memory": resource.MustParse("64Mi")}, Max: corev1.ResourceList{"memory": resource.MustParse("256Mi")},
		}}},
	}))

	var pod corev1.Pod
	for try := 0; len(pod.Spec.InitContainers) == 0; try++ {
		if try > 1000 {
			t.Fatal("caches do not know the binding")
		}
		pod = restricted(namespace, fmt.Sprint("web-", try))
		a.must(t, a.Create(t.Context(), &pod))
	}

	if pod.Status.QOSClass != corev1.PodQOSGuaranteed {
		t.Errorf("the pod is %s, want it to stay %s", pod.Status.QOSClass, corev1.PodQOSGuaranteed)
	}

	i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "podgate-drain" })
	if i < 0 || (pod.Spec.Volumes[i].Image != nil) != images || (pod.Spec.Volumes[i].EmptyDir != nil) == images {
		t.Errorf("the volumes are %+v", pod.Spec.Volumes)
	}

	hook := pod.Spec.Containers[0].Lifecycle.PreStop.Exec
	if hook == nil || !slices.Contains(hook.Command, "--binding=web-tg") || !slices.Contains(hook.Command, "--max=155s") {
		t.Errorf("the hook is %+v", pod.Spec.Containers[0].Lifecycle.PreStop)
	}
}

// restricted is a pod of the application that conforms to the restricted standard.
func restricted(namespace, name string) corev1.Pod {
	pod := labelled(namespace, name, nil)
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	all := corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("128Mi")}
	pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: all, Limits: all}
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
	return pod
}
