// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// service is a Service that selects by labels.
func service(name string, selector map[string]string, created time.Time) corev1.Service {
	return corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(created)}, Spec: corev1.ServiceSpec{Selector: selector}}
}

// serving is a Service with port 80 in addition, served at 8080.
func serving(svc corev1.Service) corev1.Service {
	svc.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}
	return svc
}

// port80 names that port.
func port80(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromInt32(80) }

// bound is a TargetGroupBinding to a Service, with what the options change of it.
func bound(name, service string, options ...func(*elbv2.TargetGroupBinding)) *binding.Binding {
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	b.Spec.ServiceRef.Name = service
	for _, change := range options {
		change(b)
	}
	return binding.Of(b)
}

// typed states the type of the group's targets.
func typed(t elbv2.TargetType) func(*elbv2.TargetGroupBinding) {
	return func(b *elbv2.TargetGroupBinding) { b.Spec.TargetType = &t }
}

// ip states that they are pods.
var ip = typed(elbv2.TargetTypeIP)

// created says when.
func created(at time.Time) func(*elbv2.TargetGroupBinding) {
	return func(b *elbv2.TargetGroupBinding) { b.CreationTimestamp = metav1.NewTime(at) }
}

// drains states how long the pods serve on.
func drains(d time.Duration) func(*elbv2.TargetGroupBinding) {
	return func(b *elbv2.TargetGroupBinding) {
		b.Annotations = map[string]string{v1alpha1.DrainTimeAnnotation: d.String()}
	}
}

// deleting is a binding's that goes.
func deleting(b *elbv2.TargetGroupBinding) {
	b.DeletionTimestamp = &metav1.Time{Time: time.Unix(1e9, 0)}
}
