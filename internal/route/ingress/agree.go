// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/certificates"
)

// out reports whether a member cannot be served as it is now.
func (m *member) out() bool { return m.Unserved || m.Refused() }

// counts reports whether what a member wishes for the load balancer counts. It does for one that is out as long as its rules
// are served, and its wishes are known.
func (m *member) counts() bool {
	return !m.overruled && (!m.out() || m.served && !m.unread && !m.Unserved)
}

// findCertificates finds the certificates of HTTPS listeners. Those that members name win for their hosts, so all are asked
// for at once.
func (b *builder) findCertificates() {
	type asked struct {
		m    *member
		port *port
	}
	var hosts []certificates.Host
	var by []asked
	for _, m := range b.members {
		for i := range m.ports {
			p := &m.ports[i]
			if p.protocol != "HTTPS" || !m.counts() {
				continue
			}
			asks := m.hosts()
			if len(asks) == 0 && len(p.certificates) > 0 {
				asks = []string{""} // So that those that are named and cannot be used are told, and left out.
			}
			for _, host := range asks {
				hosts = append(hosts, certificates.Host{Name: host, Named: p.certificates})
				by = append(by, asked{m, p})
			}
		}
	}

	found := map[*port][]string{}
	for i, f := range b.look.Certificates(hosts) {
		of := by[i]
		found[of.port] = union(found[of.port], f.ARNs)
		of.port.unsure = of.port.unsure || f.Unknown
		if f.Problem != "" {
			of.m.Partial(v1alpha1.ReasonNoCertificate, "%s", f.Problem)
		}
	}
	for p, arns := range found {
		p.certificates = arns
	}
}

// union adds what is not there yet.
func union(list, more []string) []string {
	for _, one := range more {
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}

// checkRedirects refuses members that redirect to a port where nobody speaks HTTPS.
func (b *builder) checkRedirects() {
	secure := map[int32]bool{}
	for _, m := range b.members {
		for _, p := range m.ports {
			if m.counts() && p.protocol == "HTTPS" {
				secure[p.number] = true
			}
		}
	}
	for _, m := range b.members {
		if to := m.wishes.redirect; m.counts() && to != 0 && !secure[to] {
			m.Refuse(v1alpha1.ReasonInvalidAnnotation, "ssl-redirect is %d, and there is no HTTPS listener on that port: add it to listen-ports, such as [{\"HTTP\": 80}, {\"HTTPS\": %d}]", to, to)
		}
	}
}

// checkAddresses refuses members with targets that a load balancer without IPv6 cannot reach.
func (b *builder) checkAddresses() {
	dual := slices.ContainsFunc(b.members, func(m *member) bool { return m.counts() && strings.HasPrefix(m.wishes.addressType, "dualstack") })
	for _, m := range b.members {
		for _, g := range m.groups.list {
			if g.AddressType == "ipv6" && !dual {
				m.Refuse(v1alpha1.ReasonInvalidAnnotation, "Service %q has IPv6 addresses first, which a load balancer without IPv6 does not reach: set the annotation ip-address-type to dualstack", g.Binding.Service)
			}
		}
	}
}

// redirectPort is the port that the first member that says so redirects to; 0: none does.
func (b *builder) redirectPort() int32 {
	return wish(slices.DeleteFunc(slices.Clone(b.members), func(m *member) bool { return !m.counts() }), func(w wishes) int32 { return w.redirect })
}

// claim is a setting that all members of a group have to agree on.
type claim struct{ what, value string }

// claimed is a setting that a member has made.
type claimed struct{ value, owner string }

// makes lists what a member claims.
func (m *member) makes() []claim {
	w := m.wishes
	claims := []claim{
		{"scheme", w.scheme}, {"load-balancer-name", w.name}, {"ip-address-type", w.addressType},
		{"subnets", strings.Join(w.subnets, ",")}, {"security-groups", strings.Join(w.securityGroups, ",")},
	}
	if w.subnetTags != nil {
		claims[3].value = fmt.Sprint(w.subnetTags)
	}
	if w.redirect != 0 {
		claims = append(claims, claim{"ssl-redirect", fmt.Sprint(w.redirect)})
	}

	limit := claim{"the limit to who may connect", ""}
	switch {
	case len(w.securityGroups) > 0:
		limit.value = "security-groups"
	case len(w.cidrs) > 0, len(w.prefixLists) > 0:
		limit.value = "inbound-cidrs or security-group-prefix-lists"
	}
	claims = append(claims, limit)

	for _, p := range m.ports {
		at := fmt.Sprintf(" of port %d", p.number)
		claims = append(claims, claim{"the protocol" + at, p.protocol}, claim{"ssl-policy" + at, p.policy},
			claim{"inbound-cidrs" + at, strings.Join(w.cidrs, ",")}, claim{"security-group-prefix-lists" + at, strings.Join(w.prefixLists, ",")})
		if m.otherwise != nil {
			claims = append(claims, claim{"spec.defaultBackend" + at, m.Owner})
		}
		claims = append(claims, keyed("listener attribute %s"+at, p.attributes)...)
	}
	claims = append(claims, keyed("load balancer attribute %s", w.attributes)...)
	claims = append(claims, keyed("tag %s", w.tags)...)

	return slices.DeleteFunc(claims, func(c claim) bool { return c.value == "" })
}

func keyed(what string, pairs map[string]string) []claim {
	var claims []claim
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		claims = append(claims, claim{fmt.Sprintf(what, key), pairs[key]})
	}
	return claims
}

// admit lets a member take part, unless it conflicts with an earlier one, or asks for more than there is.
func (b *builder) admit(m *member) {
	if !m.counts() {
		b.holdFor(m)
	}
	m.overruled = !m.counts() || b.conflicts(m)
	if !m.out() {
		b.countNeeds(m)
		m.overruled = !m.counts()
	}
	if m.out() {
		b.countKept(m)
	}
	if m.overruled {
		return
	}

	for _, c := range m.makes() {
		if _, taken := b.claims[c.what]; !taken {
			b.claims[c.what] = claimed{c.value, m.Owner}
		}
	}
}

// holdFor has the load balancer's settings stay as they are, if it has rules of a member.
func (b *builder) holdFor(m *member) {
	if m.served && !slices.Contains(b.held, m.Owner) {
		b.held = append(b.held, m.Owner)
	}
}

// conflicts reports whether a member claims something else than an earlier one.
func (b *builder) conflicts(m *member) bool {
	conflict := false
	for _, c := range m.makes() {
		other, taken := b.claims[c.what]
		if !taken || other.value == c.value {
			continue
		}
		conflict = true
		m.Refuse(v1alpha1.ReasonConflictInGroup, "%s is %q, and Ingress %s, which is before it in the group, has %q: use the same value, or another group", c.what, c.value, other.owner, other.value)
		b.holdFor(m)
	}
	return conflict
}
