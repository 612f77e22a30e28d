// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"maps"
	"slices"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
)

// served are the annotations that are served.
var served = []string{
	"type", "nlb-target-type", "scheme", "internal", "name", "ip-address-type", "subnets", "security-groups", "security-group-prefix-lists", "disable-nlb-sg",
	"ssl-cert", "ssl-ports", "ssl-negotiation-policy", "alpn-policy", "backend-protocol", "enable-tcp-udp-listener",
	"healthcheck-protocol", "healthcheck-port", "healthcheck-path", "healthcheck-interval", "healthcheck-timeout", "healthcheck-healthy-threshold",
	"healthcheck-unhealthy-threshold", "healthcheck-success-codes",
	"target-group-attributes", "attributes", "cross-zone-load-balancing-enabled", "access-log-enabled", "access-log-s3-bucket-name", "access-log-s3-bucket-prefix",
	"proxy-protocol", "proxy-protocol-per-target-group", "additional-resource-tags", "target-node-labels", "multi-cluster-target-group",
}

// unserved are annotations of AWS Load Balancer Controller that have no effect here.
var unserved = []string{
	"eip-allocations", "private-ipv4-addresses", "ipv6-addresses", "manage-backend-security-group-rules", "minimum-load-balancer-capacity",
	"enable-prefix-for-ipv6-source-nat", "source-nat-ipv6-prefixes", "enable-icmp-for-path-mtu-discovery", "quic-enabled-ports",
}

// classic are annotations of the cloud's own controller for Classic Load Balancers.
var classic = []string{
	"connection-idle-timeout", "connection-draining-enabled", "connection-draining-timeout", "extra-security-groups", "access-log-emit-interval",
}

// protectionNames begin names that nobody knows, and that seem to limit who may reach the targets.
var protectionNames = []string{"inbound", "security-group", "source", "allow", "whitelist", "mutual", "mtls", "waf", "shield", "ssl", "tls"}

// ofPrivateLink says whether the security groups count for clients of PrivateLink. They do, unless a person turns that off.
const ofPrivateLink = "inbound-sg-rules-on-private-link-traffic"

// actions begin annotations that give a port several target groups.
const actions = "service.beta.kubernetes.io/actions."

// check tells what the annotations ask for that is not served.
func (b *builder) check() {
	for _, name := range slices.Sorted(maps.Keys(b.own.Values)) {
		called := b.own.Called(name)
		switch {
		case slices.Contains(served, name), slices.Contains(b.read, name):
		case name == ofPrivateLink:
			if b.OneOf(name, "on", "on", "off") == "off" {
				b.notServed(called)
			}
		case strings.HasPrefix(name, "listener-attributes."):
			b.noEffect(called, "the load balancer has no such listener: write the listener's protocol and port, such as TCP-80")
		case slices.Contains(classic, name):
			b.noEffect(called, "it is for Classic Load Balancers")
		case slices.Contains(unserved, name):
			b.notServed(called)
		case slices.ContainsFunc(protectionNames, func(begin string) bool { return strings.HasPrefix(name, begin) }):
			b.Refuse(v1alpha1.ReasonProtectionNotServed, "%s is not known, and seems to limit who may connect: correct its name, or remove it", called)
		default:
			b.Notice(v1alpha1.ReasonAnnotationNotServed, "%s is not known: correct its name, or remove it", called)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Annotations)) {
		if strings.HasPrefix(name, actions) {
			b.notServed("annotation " + name)
		}
	}
}

func (b *builder) notServed(called string) {
	b.Notice(v1alpha1.ReasonAnnotationNotServed, "%s is not served, and has no effect", called)
}

// noEffect tells of something that has no effect, and why.
func (b *builder) noEffect(called, why string) {
	b.Notice(v1alpha1.ReasonNoEffect, "%s has no effect: %s", called, why)
}
