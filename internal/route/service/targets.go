// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/ingress"
)

const instances = "instance"

// targetGroup is that of a port. The error is for people.
func (b *builder) targetGroup(p port) (elb.TargetGroup, error) {
	g := elb.TargetGroup{
		Resource: fmt.Sprintf("%s:%d", b.Owner, p.Port), Owner: b.Owner, VPC: b.settings.VPC, AddressType: "ipv4",
		Protocol: p.targets, TargetType: b.targetType, Attributes: b.targetAttributes(p), Tags: b.tags(),
		Binding: elb.Binding{
			Namespace: b.Namespace, Service: b.Name, Port: p.resource(), Labels: Labels(Key{Namespace: b.Namespace, Name: b.Name}),
			MultiCluster: b.Yes("multi-cluster-target-group"),
		},
	}
	if len(b.Spec.IPFamilies) > 0 && b.Spec.IPFamilies[0] == corev1.IPv6Protocol {
		g.AddressType = "ipv6"
	}

	nodes := b.Pairs("target-node-labels")
	switch _, called, ok := b.Get("target-node-labels"); {
	case g.TargetType == instances && len(nodes) > 0:
		g.Binding.Nodes = nodes
	case ok && g.TargetType != instances:
		b.noEffect(called, "targets are pods")
	}

	var err error
	if g.Port, err = ingress.TargetPort(g.TargetType, b.Service, p.ServicePort); err != nil {
		return elb.TargetGroup{}, err
	}
	if g.HealthCheck, err = b.healthCheck(); err != nil {
		return elb.TargetGroup{}, err
	}
	g.Name = b.name(string(b.UID), strconv.Itoa(int(g.Port)), p.resource(), g.TargetType, g.Protocol, g.HealthCheck.Protocol, strconv.Itoa(int(g.HealthCheck.Interval)))
	return g, nil
}

// proxyProtocol is the attribute of target groups whose targets are told the client's address in front of each connection.
const proxyProtocol = "proxy_protocol_v2.enabled"

// targetAttributes are those of the target group of a port.
func (b *builder) targetAttributes(p port) map[string]string {
	attributes := b.Pairs("target-group-attributes")
	if _, said := attributes[proxyProtocol]; !said {
		attributes[proxyProtocol] = "false" // Who takes the annotation away does not want it any more.
	}

	all, called, said := b.Get("proxy-protocol")
	if said && all != "*" {
		b.Invalid(called, all, "use *, for all ports, or name ports in aws-load-balancer-proxy-protocol-per-target-group")
	}
	only := b.List("proxy-protocol-per-target-group")
	for _, entry := range only {
		if !slices.ContainsFunc(b.Spec.Ports, func(of corev1.ServicePort) bool { return entry == strconv.Itoa(int(of.Port)) }) {
			b.Invalid(b.own.Called("proxy-protocol-per-target-group"), entry, "it must be the number of a port of the Service")
		}
	}
	if said && len(only) > 0 {
		b.noEffect(b.own.Called("proxy-protocol-per-target-group"), "aws-load-balancer-proxy-protocol is for all ports")
	}
	if said || slices.Contains(only, p.resource()) {
		attributes[proxyProtocol] = "true"
	}
	return attributes
}

// healthCheck is how targets are checked. Its defaults are AWS Load Balancer Controller's. Nodes of a Service with
// externalTrafficPolicy Local say by themselves whether they have a pod.
func (b *builder) healthCheck() (elb.HealthCheck, error) {
	check := elb.HealthCheck{Protocol: "TCP", Path: "/", Port: ingress.TrafficPort, Interval: 10, Timeout: 10, Healthy: 3, Unhealthy: 3, Codes: "200-399"}
	if b.targetType == instances && b.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal && b.Spec.HealthCheckNodePort != 0 {
		check.Protocol, check.Path, check.Port = "HTTP", "/healthz", strconv.Itoa(int(b.Spec.HealthCheckNodePort))
		check.Healthy, check.Unhealthy = 2, 2
	}

	if value, called, ok := b.Get("healthcheck-protocol"); ok {
		check.Protocol = strings.ToUpper(value)
		if !slices.Contains([]string{"TCP", "HTTP", "HTTPS"}, check.Protocol) {
			b.Invalid(called, value, "use TCP, HTTP or HTTPS")
		}
	}
	if check.Protocol != "TCP" {
		check.Timeout = 6 // AWS wants less than the interval here.
	}

	check.Path = b.Text("healthcheck-path", check.Path)
	check.Codes = b.Text("healthcheck-success-codes", check.Codes)
	check.Interval = b.Number("healthcheck-interval", check.Interval, 5, 300)
	check.Timeout = b.Number("healthcheck-timeout", min(check.Timeout, check.Interval), 2, 120)
	check.Healthy = b.Number("healthcheck-healthy-threshold", check.Healthy, 2, 10)
	check.Unhealthy = b.Number("healthcheck-unhealthy-threshold", check.Unhealthy, 2, 10)

	if !strings.HasPrefix(check.Path, "/") {
		b.Invalid(b.own.Called("healthcheck-path"), check.Path, "begin it with /")
	}
	if !ingress.SuccessCodes(check.Codes) {
		b.Invalid(b.own.Called("healthcheck-success-codes"), check.Codes, "use codes such as 200, 200,302 or 200-299")
	}
	if check.Timeout > check.Interval {
		b.Refuse(v1alpha1.ReasonInvalidAnnotation, "health checks time out after %d s, and one begins every %d s: make aws-load-balancer-healthcheck-timeout less than aws-load-balancer-healthcheck-interval", check.Timeout, check.Interval)
	}
	if check.Protocol == "TCP" {
		check.Path, check.Codes = "", ""
		for _, name := range []string{"healthcheck-path", "healthcheck-success-codes"} {
			if _, called, ok := b.Get(name); ok {
				b.noEffect(called, "health checks are of TCP: set the annotation aws-load-balancer-healthcheck-protocol to HTTP")
			}
		}
	}

	var err error
	check.Port, err = ingress.HealthPort(b.Reader, check.Port, b.targetType, b.Service)
	return check, err
}
