// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

func TestNodePort(t *testing.T) {
	http := corev1.ServicePort{Name: "http", Port: 80, NodePort: 30080}
	dns, dnsUDP := corev1.ServicePort{Port: 53, NodePort: 30053, Protocol: corev1.ProtocolTCP}, corev1.ServicePort{Port: 53, NodePort: 30054, Protocol: corev1.ProtocolUDP}

	cases := map[string]struct {
		reason   string
		kind     corev1.ServiceType
		ports    []corev1.ServicePort
		ref      intstr.IntOrString
		protocol string
		want     int32
		err      string
	}{
		"Number":   {reason: "The Service's port, not the node's, is named.", kind: "NodePort", ports: []corev1.ServicePort{dns, http}, ref: intstr.FromInt32(80), want: 30080},
		"Name":     {reason: "So is it by its name.", kind: "NodePort", ports: []corev1.ServicePort{dns, http}, ref: intstr.FromString("http"), want: 30080},
		"Protocol": {reason: "Of two ports with one number, that of the group's protocol counts.", kind: "NodePort", ports: []corev1.ServicePort{dns, dnsUDP}, ref: intstr.FromInt32(53), protocol: "UDP", want: 30054},
		"NoPort": {
			reason: "The Service lacks the port.", kind: "NodePort", ports: []corev1.ServicePort{http}, ref: intstr.FromInt32(30080),
			err: `Service "web" has no port "30080": it has 80 (http). 30080 is the node port of port 80 (http): write 80 in spec.serviceRef.port`,
		},
		"ClusterIP": {
			reason: "Nodes do not serve it.", kind: "ClusterIP", ports: []corev1.ServicePort{{Port: 80}}, ref: intstr.FromInt32(80),
			err: `Service "web" is of type ClusterIP and has no node port for port 80. Set spec.type of the Service to NodePort`,
		},
		"InAFile": {
			reason: "The API server has not filled in the type yet.", ports: []corev1.ServicePort{{Port: 80}}, ref: intstr.FromInt32(80),
			err: `Service "web" is of type ClusterIP and has no node port for port 80. Set spec.type of the Service to NodePort`,
		},
		"NotAllocated": {
			reason: "A load balancer's Service may go without.", kind: "LoadBalancer", ports: []corev1.ServicePort{{Port: 80}}, ref: intstr.FromInt32(80),
			err: `Service "web" has no node port for port 80. Set spec.allocateLoadBalancerNodePorts of the Service to true`,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{Type: tc.kind, Ports: tc.ports}}
			got, err := NodePort(svc, balancer.Group{TargetType: "instance", Protocol: tc.protocol}, v1alpha1.ServiceReference{Name: "web", Port: tc.ref})
			said := ""
			if err != nil {
				said = err.Error()
			}
			if got != tc.want || said != tc.err {
				t.Errorf("%s\ngot %d, %q\nwant %d, %q", tc.reason, got, said, tc.want, tc.err)
			}
		})
	}
}
