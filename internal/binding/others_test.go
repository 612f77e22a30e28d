// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// TestFollowsOthers: gates of other controllers count where podgate decides who is registered, and
// neither the owner nor the Service wants unready pods to be.
func TestFollowsOthers(t *testing.T) {
	ready, unready := &corev1.Service{}, &corev1.Service{Spec: corev1.ServiceSpec{PublishNotReadyAddresses: true}}
	plain := Of(&elbv2.TargetGroupBinding{})
	ignores := Of(&elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.OtherGatesAnnotation: string(v1alpha1.OtherGatesIgnore)}}})
	observes := OfOwn(&v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{Membership: v1alpha1.MembershipExternal}})

	for what, tc := range map[string]struct {
		b    *Binding
		svc  *corev1.Service
		want bool
	}{
		"plain":                          {plain, ready, true},
		"without a Service":              {plain, nil, true},
		"of a Service of not ready pods": {plain, unready, false},
		"whose owner says otherwise":     {ignores, ready, false},
		"where somebody else decides":    {observes, ready, false},
	} {
		if got := tc.b.FollowsOthers(tc.svc); got != tc.want {
			t.Errorf("a binding %s follows other controllers' gates: %t", what, got)
		}
	}
}

// TestLacksPort: only a name can be lacked. A number is any pod's, and a port that the Service does
// not have says nothing of pods.
func TestLacksPort(t *testing.T) {
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "named", Port: 80, TargetPort: intstr.FromString("http")}, {Name: "numbered", Port: 90, TargetPort: intstr.FromInt32(9090)}}}}
	http := []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
	for what, tc := range map[string]struct {
		ports []corev1.ContainerPort
		port  int32
		want  bool
	}{
		"it has the name":            {http, 80, false},
		"it has no port":             {nil, 80, true},
		"the port is a number":       {nil, 90, false},
		"the Service lacks the port": {nil, 100, false},
	} {
		if got := LacksPort(tc.ports, svc, balancer.Group{}, v1alpha1.ServiceReference{Port: intstr.FromInt32(tc.port)}); got != tc.want {
			t.Errorf("%s: lacks it %t", what, got)
		}
	}
}
