// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"errors"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

func TestTargetOf(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}}
	pod.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.1"}}
	web := &corev1.Service{Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"},
		Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}, {Port: 443, TargetPort: intstr.FromString("tls")}},
	}}

	other := &corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "other"}}}
	ip := balancer.Group{TargetType: "ip"}

	cases := map[string]struct {
		reason string
		svc    *corev1.Service
		group  balancer.Group
		port   int32
		want   gate.Claim
		fails  bool
	}{
		"Claimed":       {reason: "The pod is a target.", svc: web, group: ip, port: 80, want: gate.Claimed},
		"Unknown":       {reason: "A group that nobody has resolved may be of pods.", svc: web, port: 80, want: gate.Claimed},
		"NoService":     {reason: "Nothing selects the pod.", group: ip, port: 80, want: gate.Unclaimed},
		"NotSelected":   {reason: "The Service is of other pods.", svc: other, group: ip, port: 80, want: gate.Unclaimed},
		"NoSelector":    {reason: "A Service without a selector selects nobody.", svc: &corev1.Service{}, group: ip, port: 80, want: gate.Unclaimed},
		"NoPort":        {reason: "The Service has no such port.", svc: web, group: ip, port: 81, want: gate.Unresolved, fails: true},
		"NoTargetPort":  {reason: "The pod names no such port.", svc: web, group: ip, port: 443, want: gate.Unresolved, fails: true},
		"NoAddress":     {reason: "The pod has no address of the group's family.", svc: web, group: balancer.Group{TargetType: "ip", IPAddressType: "ipv6"}, port: 80, want: gate.Unresolved, fails: true},
		"Instances":     {reason: "Nodes are the targets.", svc: web, group: balancer.Group{TargetType: "instance"}, port: 80, want: gate.NotIP},
		"Lambda":        {reason: "A function is the target.", svc: web, group: balancer.Group{TargetType: "lambda"}, port: 80, want: gate.NotIP},
		"LoadBalancers": {reason: "An ALB is the target, and whether the Service selects the pod does not matter.", svc: other, group: balancer.Group{TargetType: "alb"}, port: 80, want: gate.NotIP},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			target, got, err := TargetOf(pod, tc.svc, tc.group, v1alpha1.ServiceReference{Port: intstr.FromInt32(tc.port)})
			if got != tc.want || (err != nil) != tc.fails {
				t.Fatalf("%s\ngot claim %v and %v, want %v", tc.reason, got, err, tc.want)
			}

			want := gate.Target{}
			if tc.want == gate.Claimed {
				want = gate.Target{Addr: netip.MustParseAddr("10.0.0.1"), Port: 8080}
			}

			if target != want {
				t.Errorf("%s\ngot target %v, want %v", tc.reason, target, want)
			}

			var noPort *NoPortError
			if errors.As(err, &noPort) != (name == "NoPort") {
				t.Errorf("%s\ngot %v", tc.reason, err)
			}
		})
	}
}
