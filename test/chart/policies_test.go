// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/podgate/podgate/test/env"
)

// TestAdmissionPolicies: each is on by default, refuses, and has a switch. None but the account that podgate runs as is concerned
// with the one about the status of pods.
func TestAdmissionPolicies(t *testing.T) {
	for set, want := range map[string]string{
		"":                                  "podgate-pod-status podgate-approvals",
		"admissionPolicies.podStatus=false": "podgate-approvals",
		"admissionPolicies.approvals=false": "podgate-pod-status",
		"admissionPolicies.approvals=false,admissionPolicies.podStatus=false": "",
	} {
		for _, namespace := range []string{"podgate-system", "gates"} {
			m := render(t, "--set", set, "--namespace", namespace)
			if got := strings.Join(enforced(t, m), " "); got != want {
				t.Errorf("--set %q: enforced are %q, want %q", set, got, want)
			}

			var d appsv1.Deployment
			convert(t, m.OfKind("Deployment")[0], &d)
			account := fmt.Sprintf("system:serviceaccount:%s:%s", namespace, d.Spec.Template.Spec.ServiceAccountName)
			for _, u := range m.OfKind("ValidatingAdmissionPolicy") {
				var p admissionv1.ValidatingAdmissionPolicy
				convert(t, u, &p)
				if conditions := p.Spec.MatchConditions; p.Name == "podgate-pod-status" &&
					(len(conditions) != 1 || conditions[0].Expression != fmt.Sprintf("request.userInfo.username == '%s'", account)) {
					t.Errorf("podgate runs as %s, and the policy is for %v", account, conditions)
				}
			}
		}
	}
}

// enforced names the policies of a manifest that refuse what they do not allow, and what they cannot judge.
func enforced(t *testing.T, m env.Manifest) []string {
	t.Helper()
	var names []string
	for i, u := range m.OfKind("ValidatingAdmissionPolicyBinding") {
		var b admissionv1.ValidatingAdmissionPolicyBinding
		var p admissionv1.ValidatingAdmissionPolicy
		convert(t, u, &b)
		convert(t, m.OfKind("ValidatingAdmissionPolicy")[i], &p)
		if p.Name != b.Spec.PolicyName || *p.Spec.FailurePolicy != admissionv1.Fail || len(b.Spec.ValidationActions) != 1 || b.Spec.ValidationActions[0] != admissionv1.Deny {
			t.Errorf("policy %s with %s and its binding to %s with %v", p.Name, *p.Spec.FailurePolicy, b.Spec.PolicyName, b.Spec.ValidationActions)
		}
		names = append(names, p.Name)
	}
	if len(names) != len(m.OfKind("ValidatingAdmissionPolicy")) {
		t.Errorf("%d policies are not bound", len(m.OfKind("ValidatingAdmissionPolicy"))-len(names))
	}
	return names
}
