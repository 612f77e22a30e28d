// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/manager"
)

// A namespace that may have its own groups only does not get another's, which hears of nothing,
// neither by ARN nor by name; what it may name is served.
func TestAllowedTargets(t *testing.T) {
	c := newCluster(t)
	c.config = func(cfg *manager.Config) {
		if err := cfg.AllowTargets.Set("kubernetes.io/metadata.name=" + c.ns + " => arn:aws:elasticloadbalancing:*:*:targetgroup/web/*"); err != nil {
			t.Fatal(err)
		}
	}

	web, pay := c.group("web"), c.group("pay")
	c.service("web")
	c.service("pay")
	c.binding("web", "web", web)
	c.binding("pay", "pay", pay)
	byName := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "pay-too"}}
	byName.Spec.TargetGroupName, byName.Spec.ServiceRef.Name = "pay", "pay"
	byName.Spec.ServiceRef.Port.IntVal = 80
	c.create(byName)
	c.script(web, "healthy")
	c.start()
	c.pod("web-1", "web", "10.0.0.1", "web")
	c.pod("pay-1", "pay", "10.0.0.2", "pay")
	c.eventually("its own is served", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })

	for _, name := range []string{"pay", "pay-too"} {
		c.eventually(name+" is refused", func() bool {
			v := c.verdict(name)
			return v.Reason == "NotAllowed" && strings.Contains(v.Message, "may not name "+pay)
		})
	}

	c.eventually("the pod that waits is told", func() bool { return strings.Contains(c.gate("pay-1", "pay").Message, "--allow-targets") })
	for _, call := range c.sim.Calls(0) {
		if call.TargetGroupARN == pay && call.Operation != "DescribeTargetGroups" && call.Operation != "DescribeTargetGroupAttributes" && !strings.HasPrefix(call.Operation, "Create") {
			t.Errorf("%s was called about somebody else's group", call.Operation)
		}
	}

	if len(c.rows(pay)) != 0 {
		t.Error("somebody else's group has got targets")
	}
}
