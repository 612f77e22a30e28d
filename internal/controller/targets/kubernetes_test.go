// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/kubetest"
)

// TestAsKubernetesServes goes through the rules by which the EndpointSlice controller of Kubernetes 1.37 makes a pod a ready
// endpoint of a Service's port, beginning with a pod that is one and without a gate. Where podgate registers another pod than
// Kubernetes serves, the row of docs/concepts.md is named that says so.
func TestAsKubernetesServes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "concepts.md"))
	if err != nil {
		t.Fatal(err)
	}

	for name, tc := range map[string]struct {
		change func(*corev1.Service, *corev1.Pod)
		// kubernetes and podgate: the pod gets requests.
		kubernetes, podgate bool
		// row begins what docs/concepts.md says of a difference.
		row string
	}{
		"Ready": {change: func(*corev1.Service, *corev1.Pod) {}, kubernetes: true, podgate: true},

		// The Service.
		"ExternalName": {change: func(s *corev1.Service, _ *corev1.Pod) { s.Spec.Type = corev1.ServiceTypeExternalName }},
		"NoSelector":   {change: func(s *corev1.Service, _ *corev1.Pod) { s.Spec.Selector = nil }},
		"NodePort":     {change: func(s *corev1.Service, _ *corev1.Pod) { s.Spec.Type = corev1.ServiceTypeNodePort }, kubernetes: true, podgate: true},
		"LoadBalancer": {change: func(s *corev1.Service, _ *corev1.Pod) { s.Spec.Type = corev1.ServiceTypeLoadBalancer }, kubernetes: true, podgate: true},
		"Headless":     {change: func(s *corev1.Service, _ *corev1.Pod) { s.Spec.ClusterIP = corev1.ClusterIPNone }, kubernetes: true, podgate: true},
		"HeadlessWithoutPorts": {change: func(s *corev1.Service, _ *corev1.Pod) {
			s.Spec.ClusterIP, s.Spec.Ports = corev1.ClusterIPNone, nil
		}, kubernetes: true, row: "a Service without ports"},
		"OtherLabels": {change: func(_ *corev1.Service, p *corev1.Pod) { p.Labels["app"] = "other" }},
		"MoreLabels":  {change: func(_ *corev1.Service, p *corev1.Pod) { p.Labels["tier"] = "front" }, kubernetes: true, podgate: true},

		// The port.
		"Named":          {change: named("http", corev1.ProtocolTCP), kubernetes: true, podgate: true},
		"NamedOtherwise": {change: named("web", corev1.ProtocolTCP)},
		"OtherProtocol":  {change: named("http", corev1.ProtocolUDP)},
		"NoPorts":        {change: func(_ *corev1.Service, p *corev1.Pod) { p.Spec.Containers = nil }, kubernetes: true, podgate: true},
		"NamedOfSidecar": {change: func(s *corev1.Service, p *corev1.Pod) {
			always := corev1.ContainerRestartPolicyAlways
			s.Spec.Ports[0].TargetPort = intstr.FromString("http")
			p.Spec.InitContainers, p.Spec.Containers = p.Spec.Containers, nil
			p.Spec.InitContainers[0].RestartPolicy = &always
		}, kubernetes: true, podgate: true},
		"NamedOfInitContainer": {change: func(s *corev1.Service, p *corev1.Pod) {
			s.Spec.Ports[0].TargetPort = intstr.FromString("http")
			p.Spec.InitContainers, p.Spec.Containers = p.Spec.Containers, nil
		}},

		// The pod's life.
		"NoAddress": {change: func(_ *corev1.Service, p *corev1.Pod) { p.Status.PodIP, p.Status.PodIPs = "", nil }},
		"Succeeded": {change: func(_ *corev1.Service, p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }},
		"Failed":    {change: func(_ *corev1.Service, p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }},
		"Deleted":   {change: func(_ *corev1.Service, p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} }},
		"Unready": {change: func(_ *corev1.Service, p *corev1.Pod) {
			set(p, corev1.ContainersReady, corev1.ConditionFalse)
			set(p, corev1.PodReady, corev1.ConditionFalse)
		}},
		"PublishNotReady": {change: func(s *corev1.Service, p *corev1.Pod) {
			s.Spec.PublishNotReadyAddresses = true
			set(p, corev1.ContainersReady, corev1.ConditionFalse)
			set(p, corev1.PodReady, corev1.ConditionFalse)
		}, kubernetes: true, row: "a pod whose containers are not ready, with `publishNotReadyAddresses`"},
		"NodeNotReady": {change: func(_ *corev1.Service, p *corev1.Pod) { set(p, corev1.PodReady, corev1.ConditionFalse) },
			podgate: true, row: "a pod that is not Ready because its node is silent"},

		// Gates.
		"OwnGateClosed": {change: behindGate(ownGate, corev1.ConditionFalse), podgate: true, row: "a pod that waits only for gates of load balancers"},
		"OtherLoadBalancersGateClosed": {change: behindGate("cloud.google.com/load-balancer-neg-ready", corev1.ConditionFalse),
			podgate: true, row: "a pod that waits only for gates of load balancers"},
		"OtherGateClosed": {change: behindGate(inService, corev1.ConditionFalse)},
		"OtherGateOpen":   {change: behindGate(inService, corev1.ConditionTrue), kubernetes: true, podgate: true},
		"OtherGatePublishNotReady": {change: func(s *corev1.Service, p *corev1.Pod) {
			s.Spec.PublishNotReadyAddresses = true
			behindGate(inService, corev1.ConditionFalse)(s, p)
		}, kubernetes: true, podgate: true},

		// What the pod is.
		"Job":            {change: owned("batch/v1", "Job", true), kubernetes: true, podgate: true},
		"JobWithoutPort": {change: owned("batch/v1", "Job", false), kubernetes: true, row: "a Job's pod, and a target port by number"},
		"HostNetwork":    {change: func(_ *corev1.Service, p *corev1.Pod) { p.Spec.HostNetwork = true }, kubernetes: true, podgate: true},
		"StaticPod": {change: func(_ *corev1.Service, p *corev1.Pod) {
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "hash"}
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "node", Controller: new(true)}}
		}, kubernetes: true, podgate: true},

		// The address family; the group's is IPv4.
		"DualStack": {change: func(s *corev1.Service, p *corev1.Pod) {
			s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}
			p.Status.PodIPs = append([]corev1.PodIP{{IP: "2001:db8::1"}}, p.Status.PodIPs...)
		}, kubernetes: true, podgate: true},
		"IPv6Only": {change: func(s *corev1.Service, p *corev1.Pod) {
			s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol}
			p.Status.PodIP, p.Status.PodIPs = "2001:db8::1", []corev1.PodIP{{IP: "2001:db8::1"}}
		}, kubernetes: true, row: "a pod without an address of the group's family"},
		"ServiceOfIPv6": {change: func(s *corev1.Service, p *corev1.Pod) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol} },
			podgate: true, row: "a Service of another address family than the group"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pod := w.pod(1)
			w.names(1, "http")
			set(pod, corev1.PodReady, corev1.ConditionTrue)
			tc.change(w.services["web"], pod)
			w.reconcile()

			if got := w.made() == "register 1"; got != tc.podgate {
				t.Errorf("registered: %t, want %t", got, tc.podgate)
			}
			if tc.kubernetes != tc.podgate && (tc.row == "" || !strings.Contains(string(page), "| "+tc.row)) {
				t.Errorf("Kubernetes differs, and docs/concepts.md has no row %q", tc.row)
			}
		})
	}
}

// named has the Service mean a port by name and protocol; the pod has http of TCP.
func named(port string, protocol corev1.Protocol) func(*corev1.Service, *corev1.Pod) {
	return func(s *corev1.Service, _ *corev1.Pod) {
		s.Spec.Ports[0].TargetPort, s.Spec.Ports[0].Protocol = intstr.FromString(port), protocol
	}
}

// behindGate gives the pod a gate, and makes it Ready if that is open.
func behindGate(gate corev1.PodConditionType, status corev1.ConditionStatus) func(*corev1.Service, *corev1.Pod) {
	return func(_ *corev1.Service, p *corev1.Pod) {
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}}
		set(p, gate, status)
		set(p, corev1.PodReady, status)
	}
}

// owned gives the pod an owner, and leaves it its port or not.
func owned(version, kind string, port bool) func(*corev1.Service, *corev1.Pod) {
	return func(_ *corev1.Service, p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: "migrate", Controller: new(true)}}
		if !port {
			p.Spec.Containers = nil
		}
	}
}

// set sets a condition of a pod.
func set(pod *corev1.Pod, of corev1.PodConditionType, status corev1.ConditionStatus) {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == of {
			c.Status = status
			return
		}
	}
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: of, Status: status, LastTransitionTime: metav1.NewTime(noon)})
}
