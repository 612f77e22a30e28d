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

// TestTargetOfJob: charts give migration Jobs the labels by which their Services select.
func TestTargetOfJob(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	svc := &corev1.Service{Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"},
		Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}, {Name: "tls", Port: 443, TargetPort: intstr.FromString("tls")},
			{Name: "dns", Port: 53, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolUDP},
		},
	}}
	declared := []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 8080}, {Name: "tls", ContainerPort: 8443, Protocol: corev1.ProtocolTCP}}}}

	cases := map[string]struct {
		reason string
		spec   corev1.PodSpec
		port   string
		want   gate.Claim
	}{
		"Migration":      {reason: "It listens on nothing.", port: "http", want: gate.NotTarget},
		"MigrationNamed": {reason: "Kubernetes leaves it out as well.", port: "tls", want: gate.NotTarget},
		"NoSuchPort":     {reason: "It serves nothing that a binding means.", spec: corev1.PodSpec{Containers: declared}, port: "grpc", want: gate.NotTarget},
		"Serves":         {reason: "It says that it serves.", spec: corev1.PodSpec{Containers: declared}, port: "http", want: gate.Claimed},
		"ServesNamed":    {reason: "By name, too.", spec: corev1.PodSpec{Containers: declared}, port: "tls", want: gate.Claimed},
		"OtherProtocol":  {reason: "The port is of UDP.", spec: corev1.PodSpec{Containers: declared}, port: "dns", want: gate.NotTarget},
		"Setup":          {reason: "An init container does not run while the pod serves.", spec: corev1.PodSpec{InitContainers: declared}, port: "http", want: gate.NotTarget},
		"Sidecar": {reason: "A native sidecar does.", spec: corev1.PodSpec{InitContainers: []corev1.Container{{
			RestartPolicy: &always, Ports: declared[0].Ports,
		}}}, port: "http", want: gate.Claimed},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}, Spec: tc.spec}
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "migrate", Controller: new(true)}}
			pod.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.1"}}
			if _, got, err := TargetOf(pod, svc, balancer.Group{TargetType: "ip"}, v1alpha1.ServiceReference{Port: intstr.FromString(tc.port)}); got != tc.want || err != nil {
				t.Errorf("%s\nwant %d, got %d, %v", tc.reason, tc.want, got, err)
			}
		})
	}
}

// TestExternalNameServesNobody: Kubernetes looks at no pods for such a Service, whatever its selector says.
func TestExternalNameServesNobody(t *testing.T) {
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}}
	if _, got, _ := TargetOf(pod, svc, balancer.Group{}, v1alpha1.ServiceReference{Port: intstr.FromInt32(80)}); got != gate.Unclaimed {
		t.Errorf("want the pod unclaimed, got %d", got)
	}
}
