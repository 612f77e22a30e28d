// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"strings"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/route/annotation"
)

// params are the settings of a class, by the names of the annotations that they win over.
type params struct {
	annotation.Class
	// subnetTags select the subnets, which no annotation can.
	subnetTags map[string][]string
}

// readParams returns the settings of a class. Of which namespaces and of which group it is for, its Ingresses were chosen by.
func readParams(spec *elbv2.IngressClassParamsSpec) params {
	p := params{Class: annotation.Class{
		Source: annotation.Source{Of: " of the class's IngressClassParams", Values: map[string]string{}}, Pairs: map[string]map[string]string{},
	}}
	if spec == nil {
		return p
	}

	for name, value := range map[string]string{
		"scheme":                      spec.Scheme,
		"load-balancer-name":          spec.LoadBalancerName,
		"inbound-cidrs":               strings.Join(spec.InboundCIDRs, ","),
		"security-group-prefix-lists": strings.Join(append(spec.PrefixListsIDs, spec.PrefixListsIDsLegacy...), ","),
		"certificate-arn":             strings.Join(spec.CertificateArn, ","),
		"ssl-policy":                  spec.SSLPolicy,
		"ssl-redirect":                spec.SSLRedirectPort,
		"ip-address-type":             spec.IPAddressType,
		"target-type":                 string(spec.TargetType),
		"wafv2-acl-arn":               spec.WAFv2ACLArn,
		"wafv2-acl-name":              spec.WAFv2ACLName,
		"subnets":                     strings.Join(subnetIDs(spec.Subnets), ","),
	} {
		if value != "" {
			p.Values[name] = value
		}
	}

	if spec.Subnets != nil {
		p.subnetTags = spec.Subnets.Tags
	}
	if c := spec.MinimumLoadBalancerCapacity; c != nil {
		p.Values["minimum-load-balancer-capacity"] = fmt.Sprintf("CapacityUnits=%d", c.CapacityUnits)
	}
	if c := spec.IPAMConfiguration; c != nil && c.IPv4IPAMPoolId != nil {
		p.Values["ipam-ipv4-pool-id"] = *c.IPv4IPAMPoolId
	}

	for _, t := range spec.Tags {
		p.set("tags", t.Key, t.Value)
	}
	for _, a := range spec.LoadBalancerAttributes {
		p.set("load-balancer-attributes", a.Key, a.Value)
	}
	for _, l := range spec.Listeners {
		for _, a := range l.ListenerAttributes {
			p.set(fmt.Sprintf("listener-attributes.%s-%d", l.Protocol, l.Port), a.Key, a.Value)
		}
	}
	return p
}

func subnetIDs(selector *elbv2.SubnetSelector) []string {
	if selector == nil {
		return nil
	}
	var ids []string
	for _, id := range selector.IDs {
		ids = append(ids, string(id))
	}
	return ids
}

func (p params) set(name, key, value string) {
	if p.Pairs[name] == nil {
		p.Pairs[name] = map[string]string{}
	}
	p.Pairs[name][key] = value
}
