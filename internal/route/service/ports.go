// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
)

// port is a port of the Service, and of its load balancer.
type port struct {
	corev1.ServicePort
	// protocol is the listener's, and targets that of its target group.
	protocol, targets string
}

// resource is the value of the listener's resource tag.
func (p port) resource() string { return strconv.Itoa(int(p.Port)) }

// both is the protocol of a port that has two.
const both = "TCP_UDP"

// readPorts are the ports that are served, in their order.
func (b *builder) readPorts() {
	together := b.Yes("enable-tcp-udp-listener")
	list := slices.Clone(b.Spec.Ports)
	slices.SortStableFunc(list, func(x, y corev1.ServicePort) int { return cmp.Compare(x.Port, y.Port) })

	for _, of := range list {
		p := port{ServicePort: of, protocol: string(cmp.Or(of.Protocol, corev1.ProtocolTCP))}
		p.targets = p.protocol
		if of.Protocol == corev1.ProtocolSCTP {
			b.Partial(v1alpha1.ReasonPortNotServed, "port %d is not served: a network load balancer has no SCTP", of.Port)
			continue
		}
		if i := len(b.ports) - 1; i >= 0 && b.ports[i].Port == of.Port {
			b.join(&b.ports[i], of, together)
			continue
		}
		b.ports = append(b.ports, p)
	}

	for i := range b.ports {
		if p := &b.ports[i]; b.encrypts(*p) {
			p.protocol = "TLS"
			if b.tls.backend {
				p.targets = "TLS"
			}
		}
	}
	if limit := b.settings.Limits.Listeners; len(b.ports) > limit {
		b.Refuse(v1alpha1.ReasonLimitExceeded, "the Service has %s, and its load balancer may have %s: divide it, or have AWS raise the quota", plural.Count(len(b.ports), "port"), plural.Count(limit, "listener"))
	}
}

// join makes one port of two with the same number.
func (b *builder) join(p *port, other corev1.ServicePort, together bool) {
	switch {
	case !together:
		b.Refuse(v1alpha1.ReasonPortNotServed, "port %d has both TCP and UDP, which a load balancer has in one listener: set the annotation aws-load-balancer-enable-tcp-udp-listener to true", p.Port)
	case p.TargetPort != other.TargetPort || p.NodePort != other.NodePort:
		b.Refuse(v1alpha1.ReasonPortNotServed, "port %d has other target or node ports for TCP than for UDP, and targets have one port for both: make them the same", p.Port)
	}
	p.protocol, p.targets = both, both
}

// tls is what the Service says of TLS.
type tls struct {
	// certificates are those that can be used, and unsure reports that nobody could tell.
	certificates []string
	unsure       bool
	asked        bool
	// only are the ports that have TLS; none: all of TCP have.
	only         []string
	policy, alpn string
	// backend: targets speak TLS, too.
	backend bool
}

// readTLS reads what the Service says of TLS.
func (b *builder) readTLS() {
	named := b.List("ssl-cert")
	b.tls = tls{
		asked: len(named) > 0, only: b.List("ssl-ports"), policy: b.Text("ssl-negotiation-policy", b.settings.SSLPolicy),
		alpn: b.OneOf("alpn-policy", "", "HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"),
	}

	// Both forms are met; only ssl means anything.
	speaks, called, said := b.Get("backend-protocol")
	b.tls.backend = speaks == "ssl" && b.tls.asked
	if said && !b.tls.backend && speaks != "tcp" {
		b.noEffect(called, "targets speak TLS where it is ssl and the annotation aws-load-balancer-ssl-cert names a certificate, and plain TCP else")
	}

	if !b.tls.asked {
		if _, called, ok := b.Get("ssl-ports"); ok {
			b.Refuse(v1alpha1.ReasonProtectionNotServed, "%s asks for TLS, and no certificate is named, so that the Service would be served more openly than it asks for: name one in the annotation aws-load-balancer-ssl-cert", called)
		}
		for _, name := range []string{"ssl-negotiation-policy", "alpn-policy"} {
			if _, called, ok := b.Get(name); ok {
				b.noEffect(called, "there is TLS only where the annotation aws-load-balancer-ssl-cert names a certificate")
			}
		}
		return
	}

	if limit := b.settings.Limits.Certificates + 1; len(named) > limit {
		b.Refuse(v1alpha1.ReasonLimitExceeded, "the Service names %s, and a listener may have %d: name fewer, or have AWS raise the quota", plural.Count(len(named), "certificate"), limit)
	}
	for _, found := range b.look.Certificates([]certificates.Host{{Named: named}}) {
		b.tls.certificates, b.tls.unsure = found.ARNs, found.Unknown
		if found.Problem != "" {
			b.Partial(v1alpha1.ReasonNoCertificate, "%s", found.Problem)
		}
	}
	b.checkTLSPorts()
}

// checkTLSPorts refuses a Service that asks for TLS on what is no port of TCP: it would be served without.
func (b *builder) checkTLSPorts() {
	tcp := func(p corev1.ServicePort) bool { return p.Protocol == corev1.ProtocolTCP || p.Protocol == "" }
	for _, entry := range b.tls.only {
		if !slices.ContainsFunc(b.Spec.Ports, func(p corev1.ServicePort) bool { return tcp(p) && called(p, entry) }) {
			b.Invalid(b.own.Called("ssl-ports"), entry, "it must be the number or the name of a port of TCP; all such ports have TLS without the annotation")
		}
	}
	if !slices.ContainsFunc(b.Spec.Ports, tcp) {
		b.Refuse(v1alpha1.ReasonProtectionNotServed, "the annotation aws-load-balancer-ssl-cert asks for TLS, and the Service has no port of TCP: remove the annotation, or add a port")
	}
}

// called reports whether an annotation means a port, by its number or its name.
func called(p corev1.ServicePort, entry string) bool {
	return entry == strconv.Itoa(int(p.Port)) || p.Name != "" && entry == p.Name
}

// encrypts reports whether a listener has TLS.
func (b *builder) encrypts(p port) bool {
	chosen := slices.ContainsFunc(b.tls.only, func(entry string) bool { return called(p.ServicePort, entry) })
	if chosen && p.protocol == both {
		b.Refuse(v1alpha1.ReasonProtectionNotServed, "%s asks for TLS on port %d, which has UDP as well, and there is no TLS for both: use another port", b.own.Called("ssl-ports"), p.Port)
	}
	return b.tls.asked && p.protocol == "TCP" && (chosen || len(b.tls.only) == 0)
}

// listen adds the listener of a port with its target group.
func (b *builder) listen(stack *elb.Stack, p port) {
	group, err := b.targetGroup(p)
	if err != nil {
		b.Refuse(v1alpha1.ReasonPortNotServed, "port %d is not served: %v", p.Port, err)
		return
	}

	name := fmt.Sprintf("listener-attributes.%s-%d", p.protocol, p.Port)
	b.read = append(b.read, name)
	l := elb.Listener{
		Resource: p.resource(), Port: p.Port, Protocol: p.protocol, Attributes: b.Pairs(name), Tags: b.tags(),
		Default: elb.Action{Forward: []elb.Forward{{Group: group.Resource, Weight: 1}}},
	}
	if p.protocol == "TLS" && !b.encrypt(&l) {
		return
	}
	stack.TargetGroups = append(stack.TargetGroups, group)
	stack.Listeners = append(stack.Listeners, l)
}

// encrypt gives a listener its certificates; false: it has none, and is not served without.
func (b *builder) encrypt(l *elb.Listener) bool {
	l.Certificates, l.SSLPolicy, l.ALPN = slices.Clone(b.tls.certificates), b.tls.policy, b.tls.alpn

	has := b.listener(l.Port)
	if has != nil && (b.tls.unsure || len(l.Certificates) == 0) {
		for _, arn := range has.Certificates {
			if !slices.Contains(l.Certificates, arn) {
				l.Certificates = append(l.Certificates, arn)
			}
		}
	}
	// Nothing at AWS says that it is to be as it was before anybody asked.
	if has != nil && l.ALPN == "" && has.ALPN != "" {
		l.ALPN = "None"
	}

	switch {
	case len(l.Certificates) > 0:
		return true
	case has != nil:
		b.Refuse(v1alpha1.ReasonNoCertificate, "port %d is to have TLS, and no certificate that is named can be used: the load balancer stays as it is until one can", l.Port)
	default:
		b.Partial(v1alpha1.ReasonNoCertificate, "port %d is not served: TLS needs a certificate, and none that the annotation aws-load-balancer-ssl-cert names can be used", l.Port)
	}
	return false
}

// listener is the listener that there is at a port; nil: none.
func (b *builder) listener(number int32) *elb.ObservedListener {
	if b.current == nil {
		return nil
	}
	for i := range b.current.Listeners {
		if l := &b.current.Listeners[i]; l.Own && l.Port == number {
			return l
		}
	}
	return nil
}
