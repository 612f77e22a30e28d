// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// What resource checks may read is an administrator's to say: the chart gives podgate a role into which others are aggregated, and
// none that is. It counts where podgate works.
func TestReaderIsEmpty(t *testing.T) {
	for what, tc := range map[string]struct {
		args            []string
		kind, namespace string
	}{
		"Wide":         {nil, "ClusterRoleBinding", ""},
		"OneNamespace": {[]string{"--set", "watchNamespace=shop"}, "RoleBinding", "shop"},
	} {
		t.Run(what, func(t *testing.T) {
			m := render(t, tc.args...)
			label, readers := v1alpha1.AggregateLabel, 0
			for _, u := range m.OfKind("ClusterRole") {
				var role rbacv1.ClusterRole
				convert(t, u, &role)
				if role.Labels[label] != "" {
					t.Errorf("%s is aggregated", role.Name)
				}
				if role.Name != "podgate-reader" {
					continue
				}
				readers++
				want := &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{label: "true"}}}}
				if diff := cmp.Diff(want, role.AggregationRule); diff != "" || len(role.Rules) > 0 {
					t.Errorf("it has the rules %v, and aggregates (-want, +got):\n%s", role.Rules, diff)
				}
			}

			bindings := 0
			for _, kind := range []string{"ClusterRoleBinding", "RoleBinding"} {
				for _, u := range m.OfKind(kind) {
					var binding rbacv1.RoleBinding
					convert(t, u, &binding)
					if binding.RoleRef.Name != "podgate-reader" {
						continue
					}
					bindings++
					subject := rbacv1.Subject{Kind: "ServiceAccount", Name: "podgate", Namespace: m.OfKind("ServiceAccount")[0].GetNamespace()}
					if kind != tc.kind || binding.Namespace != tc.namespace || binding.RoleRef.Kind != "ClusterRole" || len(binding.Subjects) != 1 || binding.Subjects[0] != subject {
						t.Errorf("%s of %q binds %s to %v", kind, binding.Namespace, binding.RoleRef.Kind, binding.Subjects)
					}
				}
			}
			if readers != 1 || bindings != 1 {
				t.Errorf("%d roles and %d bindings", readers, bindings)
			}
		})
	}
}
