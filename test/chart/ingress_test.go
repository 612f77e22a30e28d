// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const withIngress = "ingress.enabled=true,ingress.clusterName=shop,ingress.vpcID=vpc-1,ingress.controllers={ingress.k8s.aws/alb}"

// Ingresses bring their flags, a role of their own and a definition; all else is as without them.
func TestIngress(t *testing.T) {
	for what, tc := range map[string]struct {
		args []string
		want []string
	}{
		"Wide":         {nil, []string{"ClusterRole /podgate-ingress"}},
		"OneNamespace": {[]string{"--set", "watchNamespace=shop"}, []string{"ClusterRole /podgate-ingress", "Role shop/podgate-ingress"}},
	} {
		t.Run(what, func(t *testing.T) {
			without, with := render(t, tc.args...), render(t, append(tc.args, "--set", withIngress)...)
			before, after := rules(without), rules(with)
			var added []string
			for role := range after {
				if _, there := before[role]; !there {
					added = append(added, role)
				}
			}
			slices.Sort(added)
			if diff := cmp.Diff(tc.want, added); diff != "" {
				t.Errorf("further roles (-want, +got):\n%s", diff)
			}

			allowed := fmt.Sprint(slices.Collect(maps.Values(before)))
			if strings.Contains(allowed, "ingresses") || strings.Contains(allowed, "ingressclass") {
				t.Error("it may read Ingresses without serving them")
			}
			if cluster := fmt.Sprint(after["ClusterRole /podgate-ingress"]); !strings.Contains(cluster, "ingressclasses") || strings.Contains(cluster, "ingresses/status") != (what == "Wide") {
				t.Errorf("in the cluster it may %s", cluster)
			}

			flags, _ := container(t, with.OfKind("Deployment")[0])["args"].([]any)
			for _, flag := range []string{"--ingress", "--cluster-name=shop", "--vpc-id=vpc-1", "--ingress-controller=ingress.k8s.aws/alb"} {
				if !slices.Contains(flags, any(flag)) {
					t.Errorf("flags %q lack %s", flags, flag)
				}
			}
			if n := len(with.OfKind("CustomResourceDefinition")) - len(without.OfKind("CustomResourceDefinition")); n != 1 {
				t.Errorf("%d further definitions", n)
			}
		})
	}
}

// The definition is AWS Load Balancer Controller's where that one's are.
func TestIngressBringsNoForeignDefinition(t *testing.T) {
	with := render(t, "--set", withIngress, "--set", "crds.targetGroupBinding=false")
	for _, d := range with.OfKind("CustomResourceDefinition") {
		if strings.HasSuffix(d.GetName(), "elbv2.k8s.aws") {
			t.Errorf("it brings %s", d.GetName())
		}
	}
}

// Gateways bring their flags and a role of their own, and no definition: those are the Gateway API's.
func TestGateways(t *testing.T) {
	const withGateways = "gatewayAPI.enabled=true,ingress.clusterName=shop,ingress.vpcID=vpc-1"
	for what, tc := range map[string]struct {
		args []string
		want []string
	}{
		"Wide":         {nil, []string{"ClusterRole /podgate-gateway"}},
		"OneNamespace": {[]string{"--set", "watchNamespace=shop"}, []string{"ClusterRole /podgate-gateway", "Role shop/podgate-gateway"}},
	} {
		t.Run(what, func(t *testing.T) {
			without, with := render(t, tc.args...), render(t, append(tc.args, "--set", withGateways)...)
			before, after := rules(without), rules(with)
			var added []string
			for role := range after {
				if _, there := before[role]; !there {
					added = append(added, role)
				}
			}
			slices.Sort(added)
			if diff := cmp.Diff(tc.want, added); diff != "" {
				t.Errorf("further roles (-want, +got):\n%s", diff)
			}
			if allowed := fmt.Sprint(slices.Collect(maps.Values(before))); strings.Contains(allowed, "gateway.networking.k8s.io") {
				t.Error("it may read Gateways without serving them")
			}
			if cluster := fmt.Sprint(after["ClusterRole /podgate-gateway"]); !strings.Contains(cluster, "gatewayclasses/status") || strings.Contains(cluster, "gateways/status") != (what == "Wide") {
				t.Errorf("in the cluster it may %s", cluster)
			}

			flags, _ := container(t, with.OfKind("Deployment")[0])["args"].([]any)
			for _, flag := range []string{"--gateway-api", "--cluster-name=shop", "--vpc-id=vpc-1"} {
				if !slices.Contains(flags, any(flag)) {
					t.Errorf("flags %q lack %s", flags, flag)
				}
			}
			if slices.Contains(flags, any("--ingress")) || len(with.OfKind("CustomResourceDefinition")) != len(without.OfKind("CustomResourceDefinition")) {
				t.Error("it serves Ingresses as well")
			}
		})
	}
}
