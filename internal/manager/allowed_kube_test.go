// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// A namespace that may have its own groups only does not get another's, which hears of nothing,
// neither by ARN nor by name; what it may name is served.
func TestAllowedTargets(t *testing.T) {
	c := newCluster(t)
	c.config = func(cfg *Config) {
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

// TestAllowedByLabels: a podgate of all namespaces goes by their labels.
func TestAllowedByLabels(t *testing.T) {
	var c Config
	if err := c.AllowTargets.Set("team=shop => arn:shop"); err != nil {
		t.Fatal(err)
	}
	var kube client.Reader = fake.NewClientBuilder().WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "shop"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "pay"}},
	).Build()
	refuses := allowed(kube, c)
	for namespace, want := range map[string]string{"shop": "", "pay": "arn:shop"} {
		if got, err := refuses(t.Context(), namespace, []string{"arn:shop"}); err != nil || got != want {
			t.Errorf("in %s %q is refused (%v), want %q", namespace, got, err, want)
		}
	}
	if _, err := refuses(t.Context(), "gone", []string{"arn:shop"}); err == nil {
		t.Error("nobody knows the labels of a namespace that is not there")
	}
}
