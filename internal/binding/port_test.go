// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestServicePort(t *testing.T) {
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}, {Name: "443", Port: 8443}, {Port: 443}}}}
	cases := map[string]struct {
		reason string
		port   intstr.IntOrString
		want   int32
	}{
		"Number":     {reason: "A number is the Service's port.", port: intstr.FromInt32(80), want: 80},
		"Name":       {reason: "A string is a name.", port: intstr.FromString("http"), want: 80},
		"NumberName": {reason: "Even one that looks like a number.", port: intstr.FromString("443"), want: 8443},
		"Quoted":     {reason: "A number in quotes that is nobody's name is the number.", port: intstr.FromString("80"), want: 80},
		"Missing":    {reason: "The target port is not the Service's.", port: intstr.FromInt32(8080)},
		"Zero":       {reason: "A number that was forgotten names no port.", port: intstr.FromInt32(0)},
		"Empty":      {reason: "A name that was forgotten does not name a port without a name.", port: intstr.FromString("")},
		"Signed":     {reason: "Digits alone are a number.", port: intstr.FromString("+80")},
		"Large":      {reason: "A number that no port can have is no port's.", port: intstr.FromString("65616")},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := ServicePort(svc, tc.port, "")
			if got.Port != tc.want || ok != (tc.want != 0) {
				t.Errorf("%s\nServicePort: want %d, got %d, %t", tc.reason, tc.want, got.Port, ok)
			}
		})
	}
}

// TestServicePortOfTwoProtocols: a number alone does not say which of two ports is meant; the
// group's protocol does.
func TestServicePortOfTwoProtocols(t *testing.T) {
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
		{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP},
		{Name: "web", Port: 443}, {Name: "h3", Port: 443, Protocol: corev1.ProtocolUDP},
		{Name: "udp-only", Port: 9, Protocol: corev1.ProtocolUDP},
	}}}
	cases := map[string]struct {
		reason   string
		port     intstr.IntOrString
		protocol string
		want     string
	}{
		"UDP":      {reason: "The group sends UDP.", port: intstr.FromInt32(53), protocol: "UDP", want: "dns"},
		"TCP":      {reason: "The group sends TCP.", port: intstr.FromInt32(53), protocol: "TCP", want: "dns-tcp"},
		"HTTP":     {reason: "HTTP is over TCP.", port: intstr.FromInt32(443), protocol: "HTTP", want: "web"},
		"QUIC":     {reason: "QUIC is over UDP.", port: intstr.FromInt32(443), protocol: "QUIC", want: "h3"},
		"Both":     {reason: "The group sends both: the first is as good.", port: intstr.FromInt32(53), protocol: "TCP_UDP", want: "dns"},
		"Unknown":  {reason: "Nobody has resolved the group.", port: intstr.FromInt32(53), want: "dns"},
		"Quoted":   {reason: "In quotes it is the same.", port: intstr.FromString("53"), protocol: "TCP", want: "dns-tcp"},
		"Name":     {reason: "A name is of one port.", port: intstr.FromString("dns"), protocol: "TCP", want: "dns"},
		"OnlyThis": {reason: "Where there is one, it is meant.", port: intstr.FromInt32(9), protocol: "TCP", want: "udp-only"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, _ := ServicePort(svc, tc.port, tc.protocol); got.Name != tc.want {
				t.Errorf("%s\nServicePort: want %s, got %s", tc.reason, tc.want, got.Name)
			}
		})
	}
}

// TestNoPortSaysWhatToWrite: what is mixed up with a Service's port is recognized.
func TestNoPortSaysWhatToWrite(t *testing.T) {
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080), NodePort: 30080}, {Port: 443, TargetPort: intstr.FromString("tls")},
		}},
	}
	cases := map[string]struct {
		port intstr.IntOrString
		want string
	}{
		"TargetPort":       {port: intstr.FromInt32(8080), want: "8080 is the target port of port 80 (http): write 80 in spec.serviceRef.port"},
		"QuotedTargetPort": {port: intstr.FromString("8080"), want: "8080 is the target port of port 80 (http): write 80 in spec.serviceRef.port"},
		"TargetPortName":   {port: intstr.FromString("tls"), want: "tls is the target port of port 443: write 443 in spec.serviceRef.port"},
		"NodePort":         {port: intstr.FromInt32(30080), want: "30080 is the node port of port 80 (http): write 80 in spec.serviceRef.port"},
		"Neither":          {port: intstr.FromString("metrics"), want: "it has 80 (http), 443. Correct spec.serviceRef.port"},
		"Zero":             {port: intstr.FromInt32(0), want: "Correct spec.serviceRef.port"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := CheckPort(svc, tc.port)
			if err == nil || !strings.HasSuffix(err.Error(), tc.want) {
				t.Errorf("want %q, got %v", tc.want, err)
			}
		})
	}

	if err := CheckPort(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "bare"}}, intstr.FromInt32(80)); err == nil || !strings.Contains(err.Error(), "it has none") {
		t.Errorf("want a Service without ports told, got %v", err)
	}
}
