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

// TestNodeChecks: with the policy Local the checks of a group of nodes have to go where they find out whether a node runs pods.
func TestNodeChecks(t *testing.T) {
	const local, cluster = corev1.ServiceExternalTrafficPolicyLocal, corev1.ServiceExternalTrafficPolicyCluster
	const wrong = `The target group checks port 10256 of the nodes, which does not say whether a node runs pods of Service "web". With externalTrafficPolicy Local a node without them answers no request. Have the group check `
	for name, tc := range map[string]struct {
		reason       string
		policy       corev1.ServiceExternalTrafficPolicy
		health, port int32
		want         string
	}{
		"Traffic":   {reason: "A check is answered where requests are.", policy: local, health: 32000},
		"Health":    {reason: "kube-proxy says so there.", policy: local, health: 32000, port: 32000},
		"NodePort":  {reason: "Any of the Service's ports will do.", policy: local, health: 32000, port: 30443},
		"Cluster":   {reason: "Every node forwards to all pods.", policy: cluster, port: 10256},
		"Default":   {reason: "So it does where the Service says nothing.", port: 10256},
		"Elsewhere": {reason: "kube-proxy itself is well on every node.", policy: local, health: 32000, port: 10256, want: wrong + "port 32000 at /healthz, or the traffic port."},
		"NoHealth":  {reason: "A Service of type NodePort has no such port.", policy: local, port: 10256, want: wrong + "the traffic port."},
	} {
		t.Run(name, func(t *testing.T) {
			svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{
				ExternalTrafficPolicy: tc.policy, HealthCheckNodePort: tc.health, Ports: []corev1.ServicePort{{Port: 80, NodePort: 30080}, {Port: 443, NodePort: 30443}},
			}}
			if got := NodeChecks(svc, balancer.Group{TargetType: "instance", HealthCheckPort: tc.port}); got != tc.want {
				t.Errorf("%s\ngot  %q\nwant %q", tc.reason, got, tc.want)
			}
		})
	}
}

// TestHosts: nodes count for pods that are Ready and are to stay.
func TestHosts(t *testing.T) {
	pod := func(node string, ready corev1.ConditionStatus, edit func(*corev1.Pod)) corev1.Pod {
		p := corev1.Pod{Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}}}
		if edit != nil {
			edit(&p)
		}
		return p
	}
	hosts := Hosts([]corev1.Pod{
		pod("a", corev1.ConditionTrue, nil), pod("a", corev1.ConditionFalse, nil), pod("b", corev1.ConditionFalse, nil),
		pod("c", corev1.ConditionTrue, func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Now()) }),
		pod("d", corev1.ConditionTrue, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }),
	})
	for node, want := range map[string]bool{"a": true, "b": false, "c": false, "d": false, "e": false} {
		if hosts(node) != want {
			t.Errorf("node %s: %t, want %t", node, hosts(node), want)
		}
	}
}
