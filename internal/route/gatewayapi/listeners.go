// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// CertificateOption is the option of a listener's TLS that names its certificates of ACM, with commas between them; with the
// value FindCertificate they are looked for by the listener's hosts.
const (
	CertificateOption = "podgate.dev/certificate-arn"
	FindCertificate   = "auto"
)

// listener reads a listener by itself.
func (r *reader) listener(of gwv1.Listener) *Listener {
	l := &Listener{Listener: of, Usable: true, Status: gwv1.ListenerStatus{Name: of.Name, SupportedKinds: []gwv1.RouteGroupKind{}}}

	served := slices.Contains(r.Can.Protocols, of.Protocol)
	if !served {
		l.refuse(gwv1.ListenerReasonUnsupportedProtocol, "%s cannot have protocol %s: use one of %v", r.Can.Name, of.Protocol, r.Can.Protocols)
	}
	if served {
		l.kinds = append(l.kinds, httpRoute)
	}
	if slices.Contains(r.Can.GRPC, of.Protocol) {
		l.kinds = append(l.kinds, grpcRoute)
	}
	r.narrow(l)
	if of.Protocol == gwv1.HTTPSProtocolType {
		r.tls(l)
	}
	return l
}

// narrow has a listener take routes of the kinds that it allows, of those that it can serve.
func (r *reader) narrow(l *Listener) {
	if l.AllowedRoutes != nil && len(l.AllowedRoutes.Kinds) > 0 {
		var allowed []gwv1.Kind
		for _, k := range l.AllowedRoutes.Kinds {
			if text(k.Group, gwv1.GroupName) == gwv1.GroupName && slices.Contains(l.kinds, k.Kind) {
				allowed = append(allowed, k.Kind)
				continue
			}
			l.resolve(gwv1.ListenerReasonInvalidRouteKinds, "routes of kind %s are not served by %s at a listener with protocol %s: the kinds there are %v", k.Kind, r.Can.Name, l.Protocol, l.kinds)
		}
		l.kinds = allowed
	}
	group := gwv1.Group(gwv1.GroupName)
	for _, k := range l.kinds {
		l.Status.SupportedKinds = append(l.Status.SupportedKinds, gwv1.RouteGroupKind{Group: &group, Kind: k})
	}
}

// tls judges how a listener ends TLS.
func (r *reader) tls(l *Listener) {
	if l.TLS == nil {
		l.refuse(gwv1.ListenerReasonInvalid, "HTTPS needs tls with a certificate: set tls.options %s", CertificateOption)
		return
	}
	if l.TLS.Mode != nil && *l.TLS.Mode != gwv1.TLSModeTerminate {
		l.refuse(gwv1.ListenerReasonInvalid, "%s ends TLS: tls.mode must be Terminate", r.Can.Name)
	}

	for _, ref := range l.TLS.CertificateRefs {
		namespace := text(ref.Namespace, r.Gateway.Namespace)
		kind := text(ref.Kind, "Secret")
		if namespace != r.Gateway.Namespace && !r.granted(reference{gwv1.GroupName, "Gateway", r.Gateway.Namespace}, namespace, text(ref.Group, ""), kind, string(ref.Name)) {
			l.resolve(gwv1.ListenerReasonRefNotPermitted, "certificateRefs names %s %s/%s, and no ReferenceGrant there allows it", kind, namespace, ref.Name)
			continue
		}
		l.resolve(gwv1.ListenerReasonInvalidCertificateRef, "%s has certificates of ACM only, and none of %s %s/%s: name them in tls.options %s, or let them be found with the value %s", r.Can.Name, kind, namespace, ref.Name, CertificateOption, FindCertificate)
	}
	for option := range l.TLS.Options {
		if option != CertificateOption {
			l.refuse(gwv1.ListenerReasonInvalid, "tls.options %s is not served: remove it", option)
		}
	}
	if _, named := l.TLS.Options[CertificateOption]; !named {
		l.Usable = false
	}
}

// findConflicts refuses listeners that cannot be told apart, all of them, as the specification demands.
func (r *reader) findConflicts() {
	for i, a := range r.listeners {
		for _, b := range r.listeners[:i] {
			if a.Port != b.Port {
				continue
			}
			switch {
			case a.Protocol != b.Protocol:
				a.conflict(gwv1.ListenerReasonProtocolConflict, "listener %s has protocol %s at the same port: use one protocol for each port", b.Name, b.Protocol)
				b.conflict(gwv1.ListenerReasonProtocolConflict, "listener %s has protocol %s at the same port: use one protocol for each port", a.Name, a.Protocol)
			case text(a.Hostname, "") == text(b.Hostname, ""):
				a.conflict(gwv1.ListenerReasonHostnameConflict, "listener %s has the same port and hostname", b.Name)
				b.conflict(gwv1.ListenerReasonHostnameConflict, "listener %s has the same port and hostname", a.Name)
			}
		}
	}
}

// set sets a condition, unless it is set: the first reason stays.
func (l *Listener) set(kind gwv1.ListenerConditionType, status metav1.ConditionStatus, reason gwv1.ListenerConditionReason, format string, args ...any) {
	if !slices.ContainsFunc(l.Status.Conditions, func(c metav1.Condition) bool { return c.Type == string(kind) }) {
		l.Status.Conditions = append(l.Status.Conditions, metav1.Condition{Type: string(kind), Status: status, Reason: string(reason), Message: fmt.Sprintf(format, args...)})
	}
}

func (l *Listener) refuse(reason gwv1.ListenerConditionReason, format string, args ...any) {
	l.Usable = false
	l.set(gwv1.ListenerConditionAccepted, metav1.ConditionFalse, reason, format, args...)
}

func (l *Listener) resolve(reason gwv1.ListenerConditionReason, format string, args ...any) {
	l.set(gwv1.ListenerConditionResolvedRefs, metav1.ConditionFalse, reason, format, args...)
}

func (l *Listener) conflict(reason gwv1.ListenerConditionReason, format string, args ...any) {
	l.set(gwv1.ListenerConditionConflicted, metav1.ConditionTrue, reason, format, args...)
	l.refuse(reason, format, args...)
}

// finish completes the conditions of a listener.
func (r *reader) finish(l *Listener) {
	l.set(gwv1.ListenerConditionAccepted, metav1.ConditionTrue, gwv1.ListenerReasonAccepted, "")
	l.set(gwv1.ListenerConditionResolvedRefs, metav1.ConditionTrue, gwv1.ListenerReasonResolvedRefs, "")
	l.set(gwv1.ListenerConditionConflicted, metav1.ConditionFalse, gwv1.ListenerReasonNoConflicts, "")
	for i := range l.Status.Conditions {
		l.Status.Conditions[i].ObservedGeneration = r.Gateway.Generation
	}
	if len(l.Hosts) == 0 && text(l.Hostname, "") != "" {
		l.Hosts = []string{string(*l.Hostname)}
	}
}

// Lacks says that a listener lacks what it refers to, and cannot be served without it.
func (l *Listener) Lacks(reason gwv1.ListenerConditionReason, message string) {
	l.Usable = false
	for i := range l.Status.Conditions {
		if c := &l.Status.Conditions[i]; c.Type == string(gwv1.ListenerConditionResolvedRefs) {
			c.Status, c.Reason, c.Message = metav1.ConditionFalse, string(reason), message
		}
	}
}

// allows reports whether a listener takes routes of a kind and a namespace.
func (r *reader) allows(l *Listener, kind, namespace string) bool {
	if !slices.Contains(l.kinds, gwv1.Kind(kind)) {
		return false
	}

	from := gwv1.NamespacesFromSame
	if a := l.AllowedRoutes; a != nil && a.Namespaces != nil && a.Namespaces.From != nil {
		from = *a.Namespaces.From
	}
	switch from {
	case gwv1.NamespacesFromAll:
		return true
	case gwv1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(l.AllowedRoutes.Namespaces.Selector)
		return err == nil && selector.Matches(labels.Set(r.Labels(namespace)))
	case gwv1.NamespacesFromSame:
		return namespace == r.Gateway.Namespace
	}
	return false
}

// reference is who refers to an object.
type reference struct{ group, kind, namespace string }

// granted reports whether a ReferenceGrant lets an object be named by objects of another namespace.
func (r *reader) granted(by reference, namespace, group, kind, name string) bool {
	for _, g := range r.Grants {
		if g.Namespace != namespace {
			continue
		}
		from, to := false, false
		for _, f := range g.Spec.From {
			from = from || string(f.Group) == by.group && string(f.Kind) == by.kind && string(f.Namespace) == by.namespace
		}
		for _, t := range g.Spec.To {
			to = to || string(t.Group) == group && string(t.Kind) == kind && (t.Name == nil || string(*t.Name) == name)
		}
		if from && to {
			return true
		}
	}
	return false
}
