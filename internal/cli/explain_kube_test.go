// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

func TestExplainAndStatusOfACluster(t *testing.T) {
	c := newCluster(t, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})
	c.wire()
	pod := c.pod("waiting", elbv2.GateType("web"))
	c.condition(pod, corev1.PodConditionType(elbv2.GateType("web")), corev1.ConditionFalse, "Target.Timeout", "Request timed out")
	c.pod("bare")

	c.has(c.run("explain", "waiting"), ExitDone, "GATE target-health.elbv2.k8s.aws/web: False, Target.Timeout", "Request timed out", "Service web, port 80")
	c.has(c.run("explain", "pod/bare"), ExitDone, "GATE MISSING target-health.elbv2.k8s.aws/web: WebhookMissing")
	c.has(c.run("explain", "nobody"), ExitError, `pods "nobody" not found`)
	c.has(c.run("status"), ExitDone, "waiting   target-health.elbv2.k8s.aws/web   Target.Timeout", "bare   WebhookMissing")
	c.has(c.run("status", "-A"), ExitDone, c.ns)

	var x Explanation
	if err := json.Unmarshal([]byte(c.run("explain", "waiting", "-o", "json").out), &x); err != nil || len(x.Gates) != 1 || x.Gates[0].Reason != "Target.Timeout" {
		t.Errorf("as JSON it is %+v, %v", x, err)
	}
	var s Status
	if err := yaml.UnmarshalStrict([]byte(c.run("status", "-o", "yaml").out), &s); err != nil || len(s.Waiting) != 1 || len(s.Ungated) != 1 {
		t.Errorf("as YAML it is %+v, %v", s, err)
	}
}

// TestFewPermissions: who may read pods only is told what is not told.
func TestFewPermissions(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	pod := c.pod("waiting", elbv2.GateType("web"))
	c.condition(pod, corev1.PodConditionType(elbv2.GateType("web")), corev1.ConditionFalse, "Target.Timeout", "Request timed out")
	c.allow("alice", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}})

	c.has(c.run("explain", "waiting"), ExitDone,
		"False, Target.Timeout", "a binding that podgate may not read",
		`note: not allowed to get resource "targetgroupbindings"`, `note: not allowed to list resource "services"`, `so podgate cannot tell whether podgate runs`)
	c.has(c.run("status"), ExitDone, "waiting", "Target.Timeout", `note: not allowed to list resource "services"`)
	c.has(c.run("status", "-A"), ExitDone, `note: not allowed to list resource "pods" in API group "" at the cluster scope`)
}
