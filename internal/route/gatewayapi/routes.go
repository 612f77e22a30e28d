// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/route"
)

// member is a route of the Gateway.
type member struct {
	Object
	kind, owner string
	// refs are its references to the Gateway, with what became of each.
	refs []attachment
	// hosts are those that it has at each port, by the listeners there.
	hosts map[int32][]string
	// has are the rules that the load balancer has of it.
	has map[int32][]route.Rule

	read written
	// rules are those that it is to have at each port.
	rules map[int32][]route.Rule
}

// attachment is what became of a reference to the Gateway.
type attachment struct {
	gwv1.ParentReference
	// reason is why no listener takes the route; empty: one does.
	reason  gwv1.RouteConditionReason
	message string
}

// refs are the references of a route to the Gateway.
func (r *reader) refs(of Object) []gwv1.ParentReference {
	var refs []gwv1.ParentReference
	for _, ref := range ParentsOf(of) {
		if Names(ref, of.GetNamespace(), r.Gateway) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// Names reports whether a reference of a route of a namespace is one to a Gateway.
func Names(ref gwv1.ParentReference, namespace string, gateway *gwv1.Gateway) bool {
	return text(ref.Group, gwv1.GroupName) == gwv1.GroupName && text(ref.Kind, "Gateway") == "Gateway" &&
		text(ref.Namespace, namespace) == gateway.Namespace && string(ref.Name) == gateway.Name
}

func (r *reader) newMember(of Object, refs []gwv1.ParentReference) *member {
	m := &member{Object: of, kind: KindOf(of), owner: Owner(of), hosts: map[int32][]string{}}
	for _, ref := range refs {
		m.refs = append(m.refs, attachment{ParentReference: ref})
	}
	m.has = r.Has(m.owner)
	m.read = r.readRules(m)
	return m
}

// taking is a route that a listener takes, with the hosts that it has there.
type taking struct {
	*member
	hosts []string
}

// attachAll finds the listeners that take a route. Older routes have theirs already.
func (r *reader) attachAll(m *member) {
	for i := range m.refs {
		m.refs[i] = r.attach(m, m.refs[i].ParentReference)
	}
}

// attach finds the listeners that take a route by one of its references.
func (r *reader) attach(m *member, ref gwv1.ParentReference) attachment {
	named, allowed, taken := false, false, false
	var rival *member
	for _, l := range r.listeners {
		if !means(ref, l) {
			continue
		}
		named = true
		if !r.allows(l, m.kind, m.GetNamespace()) {
			continue
		}
		allowed = true
		hosts, common := hostsAt(l, HostnamesOf(m.Object))
		if !common {
			continue
		}
		if other := l.rival(m, hosts); other != nil {
			rival = other
			continue
		}
		taken = true
		l.take(m, hosts)
		if l.Usable {
			m.hosts[l.Port] = union(m.hosts[l.Port], hosts)
		}
	}

	a := attachment{ParentReference: ref}
	switch {
	case !named:
		a.reason, a.message = gwv1.RouteReasonNoMatchingParent, "the Gateway has no listener with this sectionName and port"
	case !allowed:
		a.reason, a.message = gwv1.RouteReasonNotAllowedByListeners, r.excludes(m, ref)
	case rival != nil && !taken:
		a.reason, a.message = gwv1.RouteReasonNoMatchingListenerHostname, fmt.Sprintf("%s %s/%s is older and has a host in common with it, and a listener serves routes of one kind for each host: use other hostnames", rival.kind, rival.GetNamespace(), rival.GetName())
	case !taken:
		a.reason, a.message = gwv1.RouteReasonNoMatchingListenerHostname, "no hostname of the route is one of the listeners'"
	}
	return a
}

// excludes is why no listener that a reference means takes a route, for people.
func (r *reader) excludes(m *member, ref gwv1.ParentReference) string {
	for _, l := range r.listeners {
		if means(ref, l) && m.kind == grpcRoute && slices.Contains(r.Can.Protocols, l.Protocol) && !slices.Contains(r.Can.GRPC, l.Protocol) {
			return fmt.Sprintf("%s forwards gRPC at listeners with one of the protocols %v only: name one of those in sectionName", r.Can.Name, r.Can.GRPC)
		}
	}
	return fmt.Sprintf("allowedRoutes of the listeners do not let in %ss of this namespace", m.kind)
}

// take notes a route with its hosts. Several references to one listener are one.
func (l *Listener) take(m *member, hosts []string) {
	if !slices.ContainsFunc(l.taken, func(t taking) bool { return t.member == m }) {
		l.taken = append(l.taken, taking{m, hosts})
	}
}

// rival is an older route of another kind that has one of the hosts at a listener; nil: there is none. Of two such routes one is
// served, as the specification demands.
func (l *Listener) rival(m *member, hosts []string) *member {
	for _, t := range l.taken {
		if t.kind == m.kind {
			continue
		}
		for _, a := range t.hosts {
			if slices.ContainsFunc(hosts, func(b string) bool { _, common := intersect(a, b); return common }) {
				return t.member
			}
		}
	}
	return nil
}

// hostsAt are the hosts that a route has at a listener; false: none. An empty one is every host.
func hostsAt(l *Listener, hostnames []gwv1.Hostname) ([]string, bool) {
	of := text(l.Hostname, "")
	if len(hostnames) == 0 {
		return []string{of}, true
	}
	var hosts []string
	for _, h := range hostnames {
		if host, common := intersect(of, string(h)); common {
			hosts = union(hosts, []string{host})
		}
	}
	return hosts, len(hosts) > 0
}

func union(list, more []string) []string {
	for _, one := range more {
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}

// attached reports whether a listener takes a route.
func (m *member) attached() bool {
	return slices.ContainsFunc(m.refs, func(a attachment) bool { return a.reason == "" })
}

// held reports whether the rules that a route has stay until it is corrected. They do not where one of them forwards to what the
// route may not name any more.
func (m *member) held() bool {
	return len(m.has) > 0 && !m.read.denied && (m.read.unsupported != "" || m.read.lost)
}

// compile makes the rules of a route at each port.
func (r *reader) compile(m *member) {
	m.rules = map[int32][]route.Rule{}
	for port, hosts := range m.hosts {
		for _, host := range hosts {
			if strings.HasPrefix(host, "*") && !r.Can.WildcardHosts && m.read.unsupported == "" {
				m.read.unsupported = fmt.Sprintf("%s has no hosts with wildcards such as %s: name each host", r.Can.Name, host)
			}
		}
		rules := r.at(m, hosts)
		if _, tooLarge := route.Fit(slices.Clone(rules), r.Can.Limits); len(tooLarge) > 0 && m.read.unsupported == "" {
			m.read.unsupported = fmt.Sprintf("a rule for path %q needs more than the %s or %s that a rule of %s may have: write fewer matches",
				tooLarge[0].Match.Paths, plural.Count(r.Can.Limits.Values, "value"), plural.Count(r.Can.Limits.Wildcards, "wildcard"), r.Can.Name)
		}
		m.rules[port] = rules
	}
	r.reconsider(m)
}

// reconsider has a route that cannot be served as it is have the rules that it had, or none.
func (r *reader) reconsider(m *member) {
	switch {
	case m.held():
		for port := range m.hosts {
			m.rules[port] = m.has[port]
		}
	case m.read.unsupported != "":
		m.rules = nil
	}
}

// at are the rules of a route for hosts, in the order in which it has them.
func (r *reader) at(m *member, hosts []string) []route.Rule {
	var rules []route.Rule
	for _, w := range m.read.rules {
		for _, host := range hosts {
			match := w.Match
			if host != "" {
				match.Hosts = []string{host}
			}
			if len(match.Paths) == 0 && host == "" && len(match.Headers)+len(match.Methods)+len(match.Queries) == 0 {
				match.Paths = []string{"/*"}
			}
			rules = append(rules, route.Rule{Owner: m.owner, Match: match, Action: w.Action})
		}
	}
	return rules
}

// fit returns the rules of all routes in order. Where there are more than there may be, the youngest routes have none, and of
// those that have none now first.
func (r *reader) fit() map[int32][]route.Rule {
	for {
		all, count := map[int32][]route.Rule{}, 0
		for _, l := range r.listeners {
			port := l.Port
			if _, done := all[port]; done || !l.Usable {
				continue
			}
			all[port], _ = route.Fit(r.ordered(port), r.Can.Limits)
			count += len(all[port])
		}
		why, owners := r.excess(all, count)
		if why == "" || !r.drop(why, owners) {
			return all
		}
	}
}

// excess says why there are more rules than there may be, and whose those are, any of which may go; empty: there are not.
func (r *reader) excess(all map[int32][]route.Rule, count int) (why string, owners []string) {
	if r.Can.Excess != nil {
		return r.Can.Excess(all)
	}
	if count <= r.Can.Rules {
		return "", nil
	}
	for _, m := range r.routes {
		owners = append(owners, m.owner)
	}
	return fmt.Sprintf("with this route the load balancer would have more than %s: use another Gateway, or have AWS raise the quota", plural.Count(r.Can.Rules, "rule")), owners
}

// drop takes the rules of one of these routes away; false: none has any.
func (r *reader) drop(why string, owners []string) bool {
	for _, served := range []bool{false, true} {
		for _, m := range slices.Backward(r.routes) {
			if len(m.rules) > 0 && len(m.has) > 0 == served && slices.Contains(owners, m.owner) {
				m.rules = nil
				m.read.unsupported = why
				return true
			}
		}
	}
	return false
}

// judge says what became of a route.
func (r *reader) judge(m *member) Route {
	of := Route{Object: m.Object, Refused: m.attached() && m.read.unsupported != "", Held: m.attached() && m.held()}
	for _, a := range m.refs {
		of.Parents = append(of.Parents, gwv1.RouteParentStatus{ParentRef: a.ParentReference, ControllerName: r.Controller, Conditions: m.conditions(a)})
		if of.Problem == "" {
			of.Problem = a.message
		}
	}
	if m.attached() {
		of.Problem = m.problem()
	}
	if !of.Refused {
		r.count(m)
	}
	return of
}

// problem is why a route is not served as it asks for.
func (m *member) problem() string {
	switch {
	case m.read.unsupported != "" && m.held():
		return m.read.unsupported + ". Its rules stay as they were until that is corrected"
	case m.read.unsupported != "":
		return m.read.unsupported
	case m.held():
		return m.read.refs[0].message + ". All rules of the route stay as they were until that is corrected"
	case m.read.partial != "":
		return m.read.partial
	case len(m.read.refs) > 0:
		return m.read.refs[0].message
	}
	return ""
}

// count counts a route at each listener that takes it, and notes its hosts there.
func (r *reader) count(m *member) {
	for _, l := range r.listeners {
		for _, t := range l.taken {
			if t.member == m {
				l.Status.AttachedRoutes++
				l.Hosts = union(l.Hosts, slices.DeleteFunc(slices.Clone(t.hosts), func(h string) bool { return h == "" }))
			}
		}
	}
}

// means reports whether a reference to a Gateway is one to a listener of it.
func means(ref gwv1.ParentReference, l *Listener) bool {
	return (ref.SectionName == nil || *ref.SectionName == l.Name) && (ref.Port == nil || *ref.Port == l.Port)
}

// conditions are those of a route at one of its parents.
func (m *member) conditions(a attachment) []metav1.Condition {
	accepted := metav1.Condition{Type: string(gwv1.RouteConditionAccepted), Status: metav1.ConditionTrue, Reason: string(gwv1.RouteReasonAccepted)}
	switch {
	case a.reason != "":
		accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionFalse, string(a.reason), a.message
	case m.read.unsupported != "":
		accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionFalse, string(gwv1.RouteReasonUnsupportedValue), m.problem()
	}

	resolved := metav1.Condition{Type: string(gwv1.RouteConditionResolvedRefs), Status: metav1.ConditionTrue, Reason: string(gwv1.RouteReasonResolvedRefs)}
	if len(m.read.refs) > 0 {
		first := m.read.refs[0]
		resolved.Status, resolved.Reason, resolved.Message = metav1.ConditionFalse, string(first.reason), first.message
	}

	list := []metav1.Condition{accepted, resolved}
	if accepted.Status == metav1.ConditionTrue && (m.held() || m.read.partial != "") {
		list = append(list, metav1.Condition{Type: string(gwv1.RouteConditionPartiallyInvalid), Status: metav1.ConditionTrue, Reason: string(gwv1.RouteReasonUnsupportedValue), Message: m.problem()})
	}
	for i := range list {
		list[i].ObservedGeneration = m.GetGeneration()
	}
	return list
}
