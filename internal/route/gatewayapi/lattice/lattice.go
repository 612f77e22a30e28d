// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lattice makes services of VPC Lattice of Gateways: Build returns those
// of a Gateway and its routes, one for each host. Routes without hosts have one
// together, which clients know by the name that AWS gives it; it does not answer
// for the hosts of other routes.
//
// What there is of a Gateway that cannot be served as it is stays, and nothing
// is ever served more openly than asked.
//
// It asks nobody: what it needs it is given.
package lattice

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/certificates"
	services "github.com/podgate/podgate/internal/provision/lattice"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/internal/route/annotation"
	"github.com/podgate/podgate/internal/route/gatewayapi"
	"github.com/podgate/podgate/internal/route/ingress"
)

// Key names a Gateway.
type Key = ingress.Key

// EveryHost is the resource of the service of routes without hosts.
const EveryHost = "*"

// CreatedByTag is the key of the tag with the cluster and the VPC that something was made for.
const CreatedByTag = "podgate.dev/created-by"

// Identity is what marks the stack of a Gateway at AWS.
func Identity(cluster, vpc string, of Key) services.Identity {
	return services.Identity{Tags: map[string]string{CreatedByTag: cluster + "/" + vpc, v1alpha1.GatewayStackTag: of.String()}, ResourceTag: v1alpha1.GatewayResourceTag}
}

// Labels are those of the bindings of a Gateway.
func Labels(of Key) map[string]string {
	return map[string]string{v1alpha1.GatewayNamespaceLabel: of.Namespace, v1alpha1.GatewayNameLabel: of.Name}
}

// Settings are the same for all Gateways.
type Settings struct {
	// Cluster is the cluster's name, and VPC the id of its VPC.
	Cluster, VPC string
	// Tags are on everything, and win over others.
	Tags   map[string]string
	Quotas services.Quotas
}

// Lookups are what Build asks for.
type Lookups struct {
	// Service returns a Service; nil: there is none.
	Service func(namespace, name string) *corev1.Service
	// Certificates returns for each host in turn its certificates.
	Certificates func([]certificates.Host) []certificates.Found
}

// Gateway is a Gateway with what concerns it.
type Gateway struct {
	*gwv1.Gateway
	Controller gwv1.GatewayController
	Routes     []gatewayapi.Object
	Grants     []*gwv1beta1.ReferenceGrant
	// Labels returns the labels of a namespace.
	Labels func(namespace string) map[string]string
	// Network is the id of its service network; empty: there is none that can be used.
	Network string
	// Observed is what there is of its services.
	Observed services.Observed
	// Unserved: it cannot be served now, for a reason that is told elsewhere. What there is of it stays.
	Unserved bool
}

// Built are the services of a Gateway, with what is said of the Gateway and its routes.
type Built struct {
	Stack    services.Stack
	Problems []annotation.Problem
	gatewayapi.Result
	// Accepted is the Gateway's condition of that type, without a time.
	Accepted metav1.Condition
}

// Build returns the services of a Gateway.
func Build(g Gateway, settings Settings, look Lookups) Built {
	key := Key{Namespace: g.Namespace, Name: g.Name}
	b := &builder{Gateway: g, settings: settings, look: look}
	b.Problems = annotation.Problems{Owner: key.String(), Kind: "Gateway"}
	b.read = gatewayapi.Read(gatewayapi.Input{
		Controller: g.Controller, Gateway: g.Gateway, Routes: g.Routes, Grants: g.Grants,
		Service: look.Service, Serve: serve, Labels: g.Labels, Has: b.has, Can: b.abilities(),
	})

	stack := services.Stack{Identity: Identity(settings.Cluster, settings.VPC, key), Network: g.Network, Quotas: settings.Quotas}
	b.findCertificates()
	stack.Services = b.services()
	b.tellCosts()

	reason, message := gatewayapi.Unserved(g.Gateway)
	accepted := gatewayapi.Accepted(g.Gateway, b.read.Listeners, reason, message)
	if message != "" {
		b.Problems.Refuse(v1alpha1.ReasonGatewayNotServed, "%s", message)
	}
	if g.Unserved || accepted.Status == metav1.ConditionFalse {
		stack.Services, stack.Keep = nil, true
	}
	return Built{Stack: stack, Problems: slices.Concat(b.Problems.List, b.read.Problems()), Result: b.read, Accepted: accepted}
}

// builder builds one stack.
type builder struct {
	Gateway
	Problems annotation.Problems
	settings Settings
	look     Lookups

	read gatewayapi.Result
	// certificates are those of hosts whose listeners end TLS. One without is not served there.
	certificates map[string]string
}

// abilities are what VPC Lattice can do (user guide, listener rules and quotas).
func (b *builder) abilities() gatewayapi.Abilities {
	return gatewayapi.Abilities{
		Name: "VPC Lattice", Protocols: []gwv1.ProtocolType{gwv1.HTTPProtocolType, gwv1.HTTPSProtocolType},
		NotInPaths: "!$'()*,;", Value: 200, HeaderName: 100, Headers: 5,
		// Rules are divided into those that VPC Lattice has when it is known which service they belong to.
		Limits:   route.Limits{Values: 1 << 20, Wildcards: 1 << 20},
		Backends: services.MaxForward, Weight: services.MaxWeight, Excess: b.excess,
	}
}

// h2c is the application protocol of ports that speak HTTP/2 without TLS. VPC Lattice does not have those of WebSockets.
const (
	h2c        = "kubernetes.io/h2c"
	webSockets = "kubernetes.io/ws"
)

// appProtocol is that of the port of a backend.
func appProtocol(b route.Backend, service *corev1.Service) string {
	p := portOf(b, service)
	if p.AppProtocol == nil {
		return ""
	}
	return *p.AppProtocol
}

// portOf is the port of a Service that a backend names, which is there.
func portOf(b route.Backend, service *corev1.Service) corev1.ServicePort {
	i := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return strconv.Itoa(int(p.Port)) == b.Port })
	return service.Spec.Ports[i]
}

// serve says why there cannot be targets for a backend.
func serve(b route.Backend, service *corev1.Service) error {
	if p := appProtocol(b, service); strings.HasPrefix(p, webSockets) {
		return fmt.Errorf("port %s of Service %q has the application protocol %s, and VPC Lattice has no WebSockets", b.Port, service.Name, p)
	}
	return nil
}

// hosted are the rules of each port of a host, in the order in which they apply.
type hosted map[int32][]services.Rule

// split divides rules into those that VPC Lattice has, by host: each has one path, and of several for the same requests the first one
// counts.
func (b *builder) split(rules map[int32][]route.Rule) map[string]hosted {
	all := map[string]hosted{}
	for port, list := range rules {
		for _, r := range list {
			for _, host := range orOne(r.Match.Hosts, EveryHost) {
				if all[host] == nil {
					all[host] = hosted{}
				}
				for _, path := range orOne(r.Match.Paths, "/*") {
					one := services.Rule{Owner: r.Owner, Match: matchOf(r.Match, path), Action: actionOf(r.Action, host), Tags: b.settings.Tags}
					if !slices.ContainsFunc(all[host][port], func(has services.Rule) bool { return has.Match.Same(one.Match) }) {
						all[host][port] = append(all[host][port], one)
					}
				}
			}
		}
	}
	return all
}

func orOne(values []string, otherwise string) []string {
	if len(values) == 0 {
		return []string{otherwise}
	}
	return values
}

// matchOf is a match with one of its paths, which may end with a wildcard.
func matchOf(m route.Match, path string) services.Match {
	var one services.Match
	one.Path, one.Prefix = strings.CutSuffix(path, "*")
	if len(m.Methods) > 0 {
		one.Method = m.Methods[0]
	}
	for _, h := range m.Headers {
		one.Headers = append(one.Headers, services.Header{Name: h.Name, Value: h.Values[0]})
	}
	return one
}

func actionOf(a route.Action, host string) services.Action {
	if a.Answer != nil {
		return services.Action{Answer: a.Answer.Status}
	}
	var to services.Action
	for _, backend := range a.Backends {
		to.Forward = append(to.Forward, services.Forward{Group: groupResource(host, backend), Weight: backend.Weight})
	}
	return to
}

// groupResource is the value of the resource tag of a backend's target group. Each service has its own.
func groupResource(host string, b route.Backend) string {
	return cmp.Or(b.Group, fmt.Sprintf("%s|%s/%s:%s", host, b.Namespace, b.Service, b.Port))
}

// has are the rules that there are of an owner, by port.
func (b *builder) has(owner string) map[int32][]route.Rule {
	all := map[int32][]route.Rule{}
	for _, s := range b.Observed.Services {
		for _, l := range s.Has {
			rules := slices.Clone(l.Has)
			slices.SortFunc(rules, func(x, y services.ObservedRule) int { return cmp.Compare(x.Priority, y.Priority) })
			for _, r := range rules {
				if l.Own && r.Own && r.Owner == owner {
					all[l.Port] = append(all[l.Port], route.Rule{Owner: owner, Match: matchBack(r.Match, s.Resource), Action: actionBack(r.Action)})
				}
			}
		}
	}
	return all
}

func matchBack(m services.Match, host string) route.Match {
	var of route.Match
	if host != EveryHost {
		of.Hosts = []string{host}
	}
	of.Paths = []string{m.Path}
	if m.Prefix {
		of.Paths[0] += "*"
	}
	if m.Method != "" {
		of.Methods = []string{m.Method}
	}
	for _, h := range m.Headers {
		of.Headers = append(of.Headers, route.Header{Name: h.Name, Values: []string{h.Value}})
	}
	return of
}

func actionBack(a services.Action) route.Action {
	if a.Answer != 0 {
		return route.Action{Answer: &route.Answer{Status: a.Answer}}
	}
	var of route.Action
	for _, f := range a.Forward {
		of.Backends = append(of.Backends, route.Backend{Group: f.Group, Weight: f.Weight})
	}
	return of
}

// excess says of which host there would be more than a service may have, and whose routes that are.
func (b *builder) excess(rules map[int32][]route.Rule) (why string, owners []string) {
	q := b.settings.Quotas
	all := b.split(rules)
	for _, host := range slices.Sorted(maps.Keys(all)) {
		groups, of := map[string]bool{}, []string(nil)
		for _, port := range slices.Sorted(maps.Keys(all[host])) {
			var here []string
			for _, r := range all[host][port] {
				here = append(here, r.Owner)
				for _, f := range r.Action.Forward {
					groups[f.Group] = true
				}
			}
			of = append(of, here...)
			if most := min(q.Rules, services.MaxRules); len(here) > most {
				return tooMany(host, plural.Count(most, "rule")+fmt.Sprintf(" at port %d", port)), here
			}
		}
		switch {
		case len(all[host]) > q.Listeners:
			return tooMany(host, plural.Count(q.Listeners, "listener")), of
		case len(groups) > q.TargetGroups:
			return tooMany(host, plural.Count(q.TargetGroups, "target group")), of
		}
	}
	return "", nil
}

func tooMany(host, most string) string {
	of := "the service of host " + host
	if host == EveryHost {
		of = "the service of routes without hosts"
	}
	return fmt.Sprintf("with this route %s would have more than %s, where each path, and each prefix twice, is a rule: use another host, or have AWS raise the quota", of, most)
}

// findCertificates finds the certificates of hosts whose listeners end TLS: those that the listeners name, or those for the hosts.
func (b *builder) findCertificates() {
	b.certificates = map[string]string{}
	var asks []certificates.Host
	var of []*gatewayapi.Listener
	all := b.split(b.read.Rules)
	for _, host := range slices.Sorted(maps.Keys(all)) {
		for _, port := range slices.Sorted(maps.Keys(all[host])) {
			l := b.listener(port, host)
			if host == EveryHost || l == nil || l.Protocol != gwv1.HTTPSProtocolType {
				continue
			}
			ask := certificates.Host{Name: host}
			if option := string(l.TLS.Options[gatewayapi.CertificateOption]); option != gatewayapi.FindCertificate {
				ask.Named = annotation.Split(option)
			}
			asks, of = append(asks, ask), append(of, l)
		}
	}
	if len(asks) == 0 {
		return
	}

	served := map[*gatewayapi.Listener]bool{}
	lacks := map[*gatewayapi.Listener]string{}
	for i, f := range b.look.Certificates(asks) {
		host := asks[i].Name
		arn := b.certificateOf(host, f)
		if arn == "" {
			lacks[of[i]] = cmp.Or(lacks[of[i]], f.Problem, "there is no certificate for "+host)
			continue
		}
		b.certificates[host], served[of[i]] = cmp.Or(b.certificates[host], arn), true
	}
	for l, problem := range lacks {
		l.Lacks(gwv1.ListenerReasonInvalidCertificateRef, problem)
		l.Usable = served[l]
	}
}

// listener is the one of a port that a host belongs to: the most special one. nil: there is none.
func (b *builder) listener(port int32, host string) *gatewayapi.Listener {
	var best *gatewayapi.Listener
	special := -1
	for i := range b.read.Listeners {
		l := &b.read.Listeners[i]
		name := ""
		if l.Hostname != nil {
			name = string(*l.Hostname)
		}
		suffix, wildcard := strings.CutPrefix(name, "*")
		if l.Usable && l.Port == port && len(name) > special && (name == "" || name == host || wildcard && strings.HasSuffix(host, suffix)) {
			best, special = l, len(name)
		}
	}
	return best
}

// certificateOf is the certificate that a host gets. One that none is found for keeps the one that it has.
func (b *builder) certificateOf(host string, f certificates.Found) string {
	if len(f.ARNs) > 0 {
		return f.ARNs[0]
	}
	for _, s := range b.Observed.Services {
		if s.Resource == host {
			return s.Certificate
		}
	}
	return ""
}

// services are those that the Gateway is to have.
func (b *builder) services() []services.Service {
	var list []services.Service
	all := b.split(b.read.Rules)
	for _, host := range slices.Sorted(maps.Keys(all)) {
		s := services.Service{Resource: host, Name: b.name(host), Certificate: b.certificates[host], Tags: b.settings.Tags}
		if host != EveryHost {
			s.Domain = host
		}
		for _, port := range slices.Sorted(maps.Keys(all[host])) {
			of := b.listener(port, s.Domain)
			if of == nil || of.Protocol == gwv1.HTTPSProtocolType && s.Domain != "" && s.Certificate == "" {
				continue
			}
			protocol := string(of.Protocol)
			s.Listeners = append(s.Listeners, services.Listener{Name: fmt.Sprintf("%s-%d", strings.ToLower(protocol), port), Port: port, Protocol: protocol,
				Tags: b.settings.Tags, Rules: all[host][port]})
		}
		if len(s.Listeners) > 0 {
			s.TargetGroups = b.targetGroups(host, s.Listeners)
			list = append(list, s)
		}
	}
	return list
}

// targetGroups are those that the rules of a service name.
func (b *builder) targetGroups(host string, listeners []services.Listener) []services.TargetGroup {
	named := map[string]bool{}
	for _, l := range listeners {
		for _, r := range l.Rules {
			for _, f := range r.Action.Forward {
				named[f.Group] = true
			}
		}
	}

	var list []services.TargetGroup
	for _, rules := range b.read.Rules {
		for _, r := range rules {
			for _, backend := range r.Action.Backends {
				resource := groupResource(host, backend)
				if backend.Group == "" && named[resource] {
					list = append(list, b.targetGroup(resource, host, backend))
					named[resource] = false
				}
			}
		}
	}
	slices.SortFunc(list, func(x, y services.TargetGroup) int { return cmp.Compare(x.Resource, y.Resource) })
	return list
}

func (b *builder) targetGroup(resource, host string, backend route.Backend) services.TargetGroup {
	service := b.look.Service(backend.Namespace, backend.Service)
	port := portOf(backend, service)
	g := services.TargetGroup{
		Resource: resource, VPC: b.settings.VPC, Protocol: "HTTP", Version: "HTTP1", AddressType: "IPV4", Tags: b.settings.Tags,
		HealthCheck: services.HealthCheck{Protocol: "HTTP", Version: "HTTP1", Path: "/", Codes: "200"},
		Binding:     services.Binding{Namespace: backend.Namespace, Service: backend.Service, Port: port.Port, Labels: Labels(Key{Namespace: b.Namespace, Name: b.Name})},
	}
	if appProtocol(backend, service) == h2c {
		g.Version, g.HealthCheck.Version = "HTTP2", "HTTP2"
	}
	if len(service.Spec.IPFamilies) > 0 && service.Spec.IPFamilies[0] == corev1.IPv6Protocol {
		g.AddressType = "IPV6"
	}
	g.Port, _ = ingress.TargetPort("ip", service, port) // Only ports of nodes may be missing.
	g.Name = b.named(backend.Namespace, backend.Service, host, string(service.UID), backend.Port, strconv.Itoa(int(g.Port)), g.Version, g.AddressType)
	return g
}

// name is that of the service of a host.
func (b *builder) name(host string) string { return b.named(b.Namespace, b.Name, host) }

// named is a name at AWS: a readable part, and what tells it from those of other objects and clusters.
func (b *builder) named(namespace, name string, parts ...string) string {
	all := slices.Concat([]string{b.settings.Cluster, b.settings.VPC, "Gateway", b.Namespace, b.Name, namespace, name}, parts)
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(all, "\n"))))
	return fmt.Sprintf("k8s-%.8s-%.8s-%.10s", ingress.Readable(namespace), ingress.Readable(name), hash)
}

// tellCosts has routes with several hosts say what that costs.
func (b *builder) tellCosts() {
	for _, r := range b.read.Routes {
		hosts := len(gatewayapi.HostnamesOf(r.Object))
		if hosts < 2 {
			continue
		}
		for _, p := range r.Parents {
			for i := range p.Conditions {
				if c := &p.Conditions[i]; c.Type == string(gwv1.RouteConditionAccepted) && c.Message == "" {
					c.Message = fmt.Sprintf("each of the %s is a service of its own, whose target groups register and check all pods once more", plural.Count(hosts, "hostname"))
				}
			}
		}
	}
}
