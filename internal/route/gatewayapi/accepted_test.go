// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TestUnserved: of a Gateway's spec, what would be missed is not served.
func TestUnserved(t *testing.T) {
	for name, tc := range map[string]struct{ spec, want string }{
		"Nothing":    {"{listeners: []}", ""},
		"TLS":        {"{tls: {}}", "Invalid"},
		"Address":    {"{addresses: [{value: 10.0.0.1}]}", "UnsupportedAddress"},
		"Labels":     {"{infrastructure: {labels: {a: b}}}", ""},
		"Parameters": {"{infrastructure: {parametersRef: {group: example.com, kind: X, name: x}}}", "InvalidParameters"},
	} {
		t.Run(name, func(t *testing.T) {
			reason, message := Unserved(&gwv1.Gateway{Spec: parse[gwv1.GatewaySpec](t, tc.spec)})
			if string(reason) != tc.want || (message == "") != (tc.want == "") {
				t.Errorf("got %q: %s", reason, message)
			}
		})
	}
}

// TestAccepted: a Gateway is accepted where at least one of its listeners is usable.
func TestAccepted(t *testing.T) {
	usable, not := Listener{Usable: true}, Listener{}
	for name, tc := range map[string]struct {
		listeners []Listener
		message   string
		want      string
	}{
		"All":     {[]Listener{usable, usable}, "", "True Accepted "},
		"Some":    {[]Listener{usable, not}, "", "True ListenersNotValid some listeners cannot be served: see their conditions"},
		"None":    {[]Listener{not}, "", "False ListenersNotValid no listener can be served: see their conditions"},
		"Message": {[]Listener{usable}, "typo", "False Invalid typo"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Accepted(&gwv1.Gateway{}, tc.listeners, gwv1.GatewayReasonInvalid, tc.message)
			if got := fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message); got != tc.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestProblems: routes that are not served as they ask for are told, by how much is missing.
func TestProblems(t *testing.T) {
	r := Result{Routes: []Route{{Object: &gwv1.HTTPRoute{}}, {Object: &gwv1.GRPCRoute{}, Problem: "a part"}, {Object: &gwv1.HTTPRoute{}, Problem: "all", Refused: true}}}
	var got []string
	for _, p := range r.Problems() {
		got = append(got, fmt.Sprintf("%s %d %s", p.Owner, p.Severity, p.Message))
	}
	if diff := cmp.Diff([]string{"GRPCRoute// 2 a part", "HTTPRoute// 3 all"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestLacks: a listener that lacks a certificate says so in one of its conditions.
func TestLacks(t *testing.T) {
	result := Read(world{}.input(t))
	l := result.Listeners[0]
	l.Lacks(gwv1.ListenerReasonInvalidCertificateRef, "none")
	var got []string
	for _, c := range l.Status.Conditions {
		got = append(got, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason))
	}
	if diff := cmp.Diff([]string{"Accepted=True Accepted", "ResolvedRefs=False InvalidCertificateRef", "Conflicted=False NoConflicts"}, got); diff != "" || l.Usable {
		t.Error(diff)
	}
}

// TestProblemOfRoute: of several references that no listener takes, the first one's problem is told. Rules of such a route do not stay.
func TestProblemOfRoute(t *testing.T) {
	w := world{has: kept, routes: map[string]string{"web": "{parentRefs: [{name: gw, sectionName: other}, {name: gw}], rules: [{retry: {}, " + to + "}]}"}}
	w.gateway = "{listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: None}}}]}"
	if r := Read(w.input(t)).Routes[0]; r.Held || r.Refused || r.Problem != "the Gateway has no listener with this sectionName and port" {
		t.Errorf("it is held %t, refused %t: %s", r.Held, r.Refused, r.Problem)
	}
}
