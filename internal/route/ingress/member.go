// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/internal/route/annotation"
)

// Prefix begins the annotations that Ingresses and Services are served by.
const Prefix = "alb.ingress.kubernetes.io/"

// member is an Ingress of a group, as it is read.
type member struct {
	Member
	annotation.Problems
	params params
	own    annotation.Source
	order  int32
	// targetGroup is Lookups.TargetGroup for the member's namespace.
	targetGroup func(named string) (arn string, err error)

	wishes wishes
	// unread: what it wishes for the load balancer could not be read.
	unread bool

	rules []route.Rule
	// otherwise is what becomes of requests that no rule matches; nil: it does not say.
	otherwise *route.Action
	groups    targetGroups
	ports     []port

	// misplaced: its order could not be read.
	misplaced bool
	// served: the load balancer that there is has rules of it.
	served bool
	// had are the resources of target groups that there are.
	had map[string]bool
	// overruled: its wishes do not count, since they conflict with an earlier member's.
	overruled bool
}

// wishes are what a member wishes for the load balancer that it shares with others.
type wishes struct {
	scheme, name, addressType string
	subnets                   []string
	subnetTags                map[string][]string
	securityGroups            []string
	cidrs                     []string
	prefixLists               []string
	redirect                  int32
	attributes, tags          map[string]string
}

// port is a port on which a member is served.
type port struct {
	number       int32
	protocol     string
	certificates []string
	// unsure: nobody could tell all its certificates.
	unsure     bool
	policy     string
	attributes map[string]string
}

// resource is the value of a listener's resource tag.
func (p port) resource() string { return strconv.Itoa(int(p.number)) }

func newMember(of Member, targetGroup func(namespace, named string) (string, error)) *member {
	m := &member{Member: of, Problems: annotation.Problems{Owner: of.Ingress.Namespace + "/" + of.Ingress.Name}}
	m.targetGroup = func(named string) (string, error) {
		if targetGroup == nil {
			return "", fmt.Errorf("there is no target group %q", named)
		}
		return targetGroup(of.Ingress.Namespace, named)
	}
	m.params = readParams(of.Params)
	m.own = annotation.Of(Prefix, "", of.Ingress.Annotations)
	return m
}

// reader reads a member's annotations, after those of other objects.
func (m *member) reader(before ...annotation.Source) annotation.Reader {
	return annotation.Reader{Problems: &m.Problems, Class: m.params.Class, From: append(before, m.own)}
}

// read reads all that concerns the load balancer.
func (m *member) read(look Lookups, limits Limits) {
	r := m.reader()
	m.order = place(r)
	m.misplaced = m.Refused()
	m.wishes = wishes{
		scheme:      r.OneOf("scheme", "", "internal", "internet-facing"),
		name:        r.BalancerName("load-balancer-name"),
		addressType: r.OneOf("ip-address-type", "", "ipv4", "dualstack", "dualstack-without-public-ipv4"),
		subnets:     sorted(r.List("subnets")),
		subnetTags:  m.params.subnetTags,
		cidrs:       m.cidrs(r),
		prefixLists: sorted(r.List("security-group-prefix-lists")),
		redirect:    r.Number("ssl-redirect", 0, 1, 65535),
		attributes:  r.Pairs("load-balancer-attributes"),
		tags:        Tags(r),
	}
	if len(m.wishes.subnetTags) > 0 {
		r.Overruled("subnets", "spec.subnets.tags")
		m.wishes.subnets = nil
	}
	m.wishes.securityGroups = m.securityGroups(r, look, limits)
	m.ports = m.listen(r)
	m.unread = m.Refused()

	Check(&m.Problems, m.own, slices.Concat(ofIngresses, OfTargets), ofNames)
	Check(&m.Problems, m.params.Source, slices.Concat(ofIngresses, OfTargets), ofNames)
	m.mistakes()
}

// cidrs are the clients that may connect.
func (m *member) cidrs(r annotation.Reader) []string {
	list := r.CIDRs("inbound-cidrs")
	m.checkWider(r, list)
	return list
}

// checkWider refuses a member whose class lets in clients that the member itself does not.
func (m *member) checkWider(r annotation.Reader, cidrs []string) {
	own, ok := m.own.Values["inbound-cidrs"]
	if _, wins := m.params.Values["inbound-cidrs"]; !ok || !wins {
		return
	}
	for _, cidr := range cidrs {
		if !slices.ContainsFunc(annotation.Split(own), func(o string) bool { return annotation.Contains(o, cidr) }) {
			r.Refuse(v1alpha1.ReasonProtectionNotServed, "annotation inbound-cidrs does not let in %s, which the class's IngressClassParams does, and the Ingress would be served more openly than it asks for: remove it, or use another class", cidr)
		}
	}
}

// SecurityGroups are the ids of those that the annotation security-groups names. More than a load balancer may have are refused.
func SecurityGroups(r annotation.Reader, look Lookups, limits Limits) []string {
	var ids []string
	for _, name := range r.List("security-groups") {
		id := name
		if !strings.HasPrefix(name, "sg-") {
			var err error
			if id, err = look.SecurityGroup(name); err != nil {
				_, called, _ := r.Get("security-groups")
				r.Invalid(called, name, err.Error())
				continue
			}
		}
		ids = union(ids, []string{id})
	}
	if _, called, _ := r.Get("security-groups"); len(ids) > limits.SecurityGroups {
		r.Refuse(v1alpha1.ReasonLimitExceeded, "%s names %d security groups, and a load balancer may have %d: name fewer, or have AWS raise the quota of security groups per network interface", called, len(ids), limits.SecurityGroups)
	}
	return ids
}

// securityGroups are those that a member names. Limits of its own to who may connect would have no effect on them.
func (m *member) securityGroups(r annotation.Reader, look Lookups, limits Limits) []string {
	ids := SecurityGroups(r, look, limits)
	for _, name := range []string{"inbound-cidrs", "security-group-prefix-lists"} {
		if _, called, ok := r.Get(name); ok && len(ids) > 0 {
			r.Refuse(v1alpha1.ReasonProtectionNotServed, "%s has no effect beside security-groups, so that the Ingress would be served more openly than it asks for: have the rules of the security groups say who may connect, and remove it", called)
		}
	}
	return ids
}

// OwnTag reports whether nobody may ask for a tag: what belongs to a stack is found by such tags, be it of Ingresses, of a Service
// or of another kind, and whoever has one of another stack would be taken for a part of that.
func OwnTag(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	return strings.HasPrefix(key, "aws:") || strings.HasSuffix(domain, ".k8s.aws") || strings.HasPrefix(key, v1alpha1.Domain)
}

// Tags are those that the annotation tags asks for.
func Tags(r annotation.Reader) map[string]string {
	tags := r.Pairs("tags")
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if OwnTag(key) {
			r.Refuse(v1alpha1.ReasonInvalidAnnotation, "the tag %s cannot be set: remove it from the annotation tags", key)
		}
	}
	return tags
}

// listen are the ports on which a member is served, in their order.
func (m *member) listen(r annotation.Reader) []port {
	certificates := r.List("certificate-arn")
	protocols := map[int32]string{80: "HTTP"}
	if len(certificates) > 0 {
		protocols = map[int32]string{443: "HTTPS"}
	}
	if value, called, ok := r.Get("listen-ports"); ok {
		var err error
		if protocols, err = readPorts(value); err != nil {
			r.Invalid(called, value, err.Error())
		}
	}

	policy := r.Text("ssl-policy", "")
	var ports []port
	for _, number := range slices.Sorted(maps.Keys(protocols)) {
		p := port{number: number, protocol: protocols[number]}
		if p.protocol == "HTTPS" {
			p.certificates, p.policy = certificates, policy
		}
		p.attributes = r.Pairs(fmt.Sprintf("listener-attributes.%s-%d", p.protocol, number))
		ports = append(ports, p)
	}
	return ports
}

// readPorts returns the protocol of each port.
func readPorts(text string) (map[int32]string, error) {
	const form = `write [{"HTTP": 80}, {"HTTPS": 443}]`
	var list []map[string]int32
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%s: %w", form, err)
	}

	protocols := map[int32]string{}
	for _, one := range list {
		for _, protocol := range slices.Sorted(maps.Keys(one)) {
			number := one[protocol]
			switch {
			case protocol != "HTTP" && protocol != "HTTPS":
				return nil, fmt.Errorf("%s: the protocols are HTTP and HTTPS", form)
			case number < 1 || number > 65535:
				return nil, fmt.Errorf("%s: ports are from 1 to 65535", form)
			case protocols[number] != "" && protocols[number] != protocol:
				return nil, fmt.Errorf("%s: port %d has two protocols", form, number)
			}
			protocols[number] = protocol
		}
	}
	if len(protocols) == 0 {
		return nil, fmt.Errorf("%s: there is no port", form)
	}
	return protocols, nil
}

// mistakes tells of what is in the Ingress without any effect.
func (m *member) mistakes() {
	for _, tls := range m.Ingress.Spec.TLS {
		if tls.SecretName != "" {
			m.Notice(v1alpha1.ReasonNoEffect, "spec.tls.secretName %q has no effect: a load balancer has certificates of ACM only, which are found by the hosts, or named by the annotation certificate-arn", tls.SecretName)
		}
	}
	if _, ok := m.Ingress.Annotations["ingress.kubernetes.io/ssl-redirect"]; ok {
		m.Notice(v1alpha1.ReasonNoEffect, "annotation ingress.kubernetes.io/ssl-redirect has no effect: use %sssl-redirect: \"443\"", Prefix)
	}
	for _, name := range slices.Sorted(maps.Keys(m.own.Values)) {
		family, of, _ := strings.Cut(name, ".")
		switch {
		case family == "listener-attributes" && !slices.ContainsFunc(m.ports, func(p port) bool { return of == fmt.Sprintf("%s-%d", p.protocol, p.number) }):
			m.Notice(v1alpha1.ReasonNoEffect, "annotation %s has no effect: listen-ports has no such listener", name)
		case (family == "actions" || family == "conditions") && !slices.Contains(m.backends(), of):
			m.Notice(v1alpha1.ReasonNoEffect, "annotation %s has no effect: no backend of the Ingress is called %q", name, of)
		}
	}
}

// backends are the names of the Services and actions that the Ingress's paths are for.
func (m *member) backends() []string {
	var names []string
	add := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			names = append(names, b.Service.Name)
		}
	}

	add(m.Ingress.Spec.DefaultBackend)
	for _, r := range m.Ingress.Spec.Rules {
		if r.HTTP != nil {
			for _, p := range r.HTTP.Paths {
				add(&p.Backend)
			}
		}
	}
	return names
}

// ruleName is what a rule is called in messages.
func ruleName(m route.Match) string {
	return fmt.Sprintf("the rule for host %s and path %s", cmp.Or(strings.Join(m.Hosts, ", "), "*"), cmp.Or(strings.Join(m.Paths, ", "), "/*"))
}

// hosts are those whose certificates a member needs.
func (m *member) hosts() []string {
	var hosts []string
	for _, r := range m.Ingress.Spec.Rules {
		hosts = append(hosts, r.Host)
	}
	for _, tls := range m.Ingress.Spec.TLS {
		hosts = append(hosts, tls.Hosts...)
	}
	return slices.DeleteFunc(slices.Compact(sorted(hosts)), func(host string) bool { return host == "" })
}

func sorted(list []string) []string {
	return slices.Sorted(slices.Values(list))
}
