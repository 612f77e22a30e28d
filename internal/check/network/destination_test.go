// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/check"
)

func TestAtPod(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	named := func(name string, number int32, protocol corev1.Protocol) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: protocol}
	}
	pod := check.Subject{Addrs: []netip.Addr{v4, v6}, Ports: []corev1.ContainerPort{
		named("dns", 53, corev1.ProtocolUDP), named("http", 8080, ""), named("dns", 5353, corev1.ProtocolTCP),
	}}
	onNode := pod
	onNode.HostNetwork = true

	for name, tc := range map[string]struct {
		reason string
		pod    check.Subject
		port   intstr.IntOrString
		family corev1.IPFamily
		want   string
		word   check.Word
	}{
		"Named":          {reason: "The port of that name.", pod: pod, port: intstr.FromString("http"), want: "10.0.0.1:8080"},
		"NamedTCP":       {reason: "The one that is of TCP.", pod: pod, port: intstr.FromString("dns"), want: "10.0.0.1:5353"},
		"NoSuchName":     {reason: "Nobody has it.", pod: pod, port: intstr.FromString("grpc"), word: check.NoPort},
		"Number":         {reason: "Ports need not be declared.", pod: pod, port: intstr.FromInt32(9000), want: "10.0.0.1:9000"},
		"IPv6":           {reason: "Its address of IPv6.", pod: pod, port: intstr.FromInt32(9000), family: corev1.IPv6Protocol, want: "[2001:db8::1]:9000"},
		"IPv4":           {reason: "Its address of IPv4.", pod: pod, port: intstr.FromInt32(9000), family: corev1.IPv4Protocol, want: "10.0.0.1:9000"},
		"NoSuchFamily":   {reason: "It has none of IPv6.", pod: check.Subject{Addrs: []netip.Addr{v4}}, port: intstr.FromInt32(80), family: corev1.IPv6Protocol, word: check.NoAddress},
		"NoAddress":      {reason: "It has none yet.", port: intstr.FromInt32(80), word: check.NoAddress},
		"NodeNamed":      {reason: "A container declares it.", pod: onNode, port: intstr.FromString("http"), want: "10.0.0.1:8080"},
		"NodeDeclared":   {reason: "A container declares it.", pod: onNode, port: intstr.FromInt32(8080), want: "10.0.0.1:8080"},
		"NodeOwn":        {reason: "It may be the kubelet's.", pod: onNode, port: intstr.FromInt32(10250), word: check.NotAllowed},
		"NodeUDP":        {reason: "What is declared is of UDP.", pod: onNode, port: intstr.FromInt32(53), word: check.NotAllowed},
		"NodeNoSuchName": {reason: "Nobody has it.", pod: onNode, port: intstr.FromString("grpc"), word: check.NoPort},
		"Zero":           {reason: "Not a port.", pod: pod, port: intstr.FromInt32(0), word: check.NoPort},
		"Negative":       {reason: "Not a port.", pod: pod, port: intstr.FromInt32(-1), word: check.NoPort},
		"Least":          {reason: "A port.", pod: pod, port: intstr.FromInt32(1), want: "10.0.0.1:1"},
		"Greatest":       {reason: "A port.", pod: pod, port: intstr.FromInt32(65535), want: "10.0.0.1:65535"},
		"TooLarge":       {reason: "Not a port, and not port 0.", pod: pod, port: intstr.FromInt32(65536), word: check.NoPort},
	} {
		t.Run(name, func(t *testing.T) {
			to, word, ok := AtPod(tc.port, tc.family).of(tc.pod)
			if word != tc.word || ok != (tc.want != "") || ok && to.HostPort() != tc.want {
				t.Errorf("%s\ngot %s (%q, %t), want %s (%q)", tc.reason, to.HostPort(), word, ok, tc.want, tc.word)
			}
		})
	}
}
