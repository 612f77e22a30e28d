// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import "testing"

// TestLegacyBackend: a legacy gate names an Ingress, a Service and a port, or nothing.
func TestLegacyBackend(t *testing.T) {
	for conditionType, want := range map[string][3]string{
		"target-health.alb.ingress.k8s.aws/shop_web_80":      {"shop", "web", "80"},
		"target-health.alb.ingress.k8s.aws/a.b-c_web-2_http": {"a.b-c", "web-2", "http"},
		"target-health.alb.ingress.k8s.aws/shop_web":         {},
		"target-health.alb.ingress.k8s.aws/shop_web_80_x":    {},
		"target-health.alb.ingress.k8s.aws/_web_80":          {},
		"target-health.alb.ingress.k8s.aws/shop__80":         {},
		"target-health.alb.ingress.k8s.aws/shop_web_":        {},
		"target-health.alb.ingress.k8s.aws/web":              {},
		"target-health.elbv2.k8s.aws/shop_web_80":            {},
		"shop_web_80": {},
		LegacyAnyGate: {},
	} {
		ingress, service, port, ok := LegacyBackend(conditionType)
		if got := [3]string{ingress, service, port}; got != want || ok != (want != [3]string{}) {
			t.Errorf("%s: want %q, got %q, %t", conditionType, want, got, ok)
		}
	}
}
