// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/route/annotation"
)

// OfTargets are the annotations that both an Ingress and a Service may have.
var OfTargets = []string{
	"target-type", "tags", "backend-protocol", "backend-protocol-version", "target-group-attributes", "target-node-labels", "multi-cluster-target-group",
	"healthcheck-port", "healthcheck-protocol", "healthcheck-path", "healthcheck-interval-seconds", "healthcheck-timeout-seconds",
	"healthy-threshold-count", "unhealthy-threshold-count", "success-codes",
}

// ofIngresses are the annotations that only an Ingress may have.
var ofIngresses = []string{
	"scheme", "load-balancer-name", "group.name", "group.order", "ip-address-type", "subnets", "security-groups", "inbound-cidrs", "security-group-prefix-lists",
	"load-balancer-attributes", "listen-ports", "certificate-arn", "ssl-policy", "ssl-redirect",
}

// ofNames begin the annotations of Ingresses that have a name in their name.
var ofNames = []string{"actions.", "conditions.", "listener-attributes."}

// unserved are annotations of AWS Load Balancer Controller that have no effect here. Others are spelled wrong.
var unserved = []string{
	"customer-owned-ipv4-pool", "manage-backend-security-group-rules", "use-regex-path-match", "minimum-load-balancer-capacity", "ipam-ipv4-pool-id",
	"create-acm-cert", "acm-pca-arn", "dry-run-plan", "enable-frontend-nlb",
}

var unservedFamilies = []string{"transforms.", "target-control-port.", "frontend-nlb-"}

// protections are the annotations that limit who may reach the targets and that are not served, with the values that limit
// nobody. An Ingress with another one is refused, so that nothing is ever served more openly than asked.
var protections = map[string]func(value string) bool{
	"auth-type":                  is("none"),
	"jwt-validation":             func(string) bool { return false },
	"mutual-authentication":      mutualOff,
	"wafv2-acl-arn":              is("none"),
	"wafv2-acl-name":             is("none"),
	"waf-acl-id":                 is("none"),
	"web-acl-id":                 is("none"),
	"shield-advanced-protection": is("false"),
}

// protectionNames begin names that nobody knows, and that seem to limit who may reach the targets.
var protectionNames = []string{"waf", "web-acl", "shield", "jwt", "mutual", "mtls", "oidc", "cognito", "inbound", "security-group", "whitelist", "allowlist"}

func is(harmless string) func(string) bool {
	return func(value string) bool { return value == harmless }
}

// mutualOff reports whether mutual TLS is off at every port.
func mutualOff(value string) bool {
	var ports []struct {
		Mode string `json:"mode"`
	}
	if err := json.Unmarshal([]byte(value), &ports); err != nil {
		return false
	}
	for _, p := range ports {
		if p.Mode != "off" {
			return false
		}
	}
	return true
}

// Check tells what an object's annotations ask for that is not among those that are served, or of their families.
func Check(p *annotation.Problems, s annotation.Source, served, families []string) {
	for _, name := range slices.Sorted(maps.Keys(s.Values)) {
		harmless, protects := protections[name]
		switch {
		case protects && harmless(strings.TrimSpace(s.Values[name])), strings.HasPrefix(name, "auth-") && s.Values["auth-type"] == "none":
		case protects, strings.HasPrefix(name, "auth-"):
			p.Refuse(v1alpha1.ReasonProtectionNotServed, "%[1]s is not served, and without it the %[2]s would be served more openly than it asks for: remove it, or leave the %[2]s to a controller that serves it", s.Called(name), p.Noun())
		case slices.Contains(served, name), begins(name, families):
		case slices.Contains(unserved, name), begins(name, unservedFamilies):
			p.Notice(v1alpha1.ReasonAnnotationNotServed, "%s is not served, and has no effect", s.Called(name))
		case slices.Contains(ofIngresses, name), begins(name, ofNames):
			p.Notice(v1alpha1.ReasonAnnotationNotServed, "%s has no effect there: it belongs on the %s", s.Called(name), p.Noun())
		case begins(name, protectionNames):
			p.Refuse(v1alpha1.ReasonProtectionNotServed, "%s is not known, and seems to limit who may connect: correct its name, or remove it", s.Called(name))
		default:
			p.Notice(v1alpha1.ReasonAnnotationNotServed, "%s is not known: correct its name, or remove it", s.Called(name))
		}
	}
}

func begins(name string, families []string) bool {
	return slices.ContainsFunc(families, func(family string) bool { return strings.HasPrefix(name, family) })
}
