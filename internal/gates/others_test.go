// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/gates/gatestest"
	"github.com/podgate/podgate/internal/kubetest"
)

// waiting is a pod with gates, some of which are open since noon.
func waiting(types []string, open ...string) *corev1.Pod {
	pod := &corev1.Pod{}
	for _, t := range types {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(t)})
	}
	for _, t := range open {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodConditionType(t), Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)})
	}
	return pod
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestLaw2LoadBalancersDoNotWaitForEachOther: gates of load balancers, podgate's and others, hold no pod back, since all would wait for each other.
func TestLaw2LoadBalancersDoNotWaitForEachOther(t *testing.T) {
	kinds := append(gates.All(), gatestest.Toy{})
	for name, tc := range map[string]struct {
		gates, open, want []string
	}{
		"None":       {},
		"Podgate's":  {gates: []string{"target-health.elbv2.k8s.aws/web", "targets.podgate.dev/web", gatestest.ToyGate}},
		"AWS":        {gates: []string{"target-health.alb.ingress.k8s.aws/web_web_80", "target-health.eks.amazonaws.com/web", "application-networking.k8s.aws/pod-readiness-gate"}},
		"GKE":        {gates: []string{"cloud.google.com/load-balancer-neg-ready"}},
		"Alibaba":    {gates: []string{"service.readiness.alibabacloud.com/web", "target-health.alb.k8s.alicloud/web"}},
		"Huawei":     {gates: []string{"target-health.elb.k8s.cce/web"}},
		"Tencent":    {gates: []string{"cloud.tencent.com/load-balancer-backendgroup-ready"}},
		"Oracle":     {gates: []string{"podreadiness.loadbalancer.oraclecloud.com/f913", "podreadiness.ingress.oraclecloud.com/k8s_92"}},
		"OpenKruise": {gates: []string{"InPlaceUpdateReady", "targets.podgate.dev/web"}, want: []string{"InPlaceUpdateReady"}},
		"Checks":     {gates: []string{warmGate, "targets.podgate.dev/web"}, want: []string{warmGate}},
		"Checked":    {gates: []string{warmGate, "targets.podgate.dev/web"}, open: []string{warmGate}},
		"Open":       {gates: []string{"InPlaceUpdateReady"}, open: []string{"InPlaceUpdateReady"}},
		"OneOfTwo":   {gates: []string{"a.example.com/x", "b.example.com/x"}, open: []string{"b.example.com/x"}, want: []string{"a.example.com/x"}},
		"NotAGate":   {open: []string{"example.com/condition"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kinds.HeldBy(waiting(tc.gates, tc.open...)); !slices.Equal(got, tc.want) {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}

	if got := gates.All().HeldBy(waiting([]string{gatestest.ToyGate})); len(got) != 1 {
		t.Errorf("a gate of a kind that podgate does not have is somebody else's, got %q", got)
	}
}

// TestLaw1NoTrafficBeforeTheChecks: a pod is no load balancer's target before its checks pass, and no longer when its gate closes.
func TestLaw1NoTrafficBeforeTheChecks(t *testing.T) {
	of := []string{warmGate, "targets.podgate.dev/web"}
	for _, open := range [][]string{nil, {"targets.podgate.dev/web"}} {
		if got := gates.All().HeldBy(waiting(of, open...)); !slices.Equal(got, []string{warmGate}) {
			t.Errorf("with %q open it is held back by %q", open, got)
		}
	}
	if got := gates.All().HeldBy(waiting(of, warmGate)); len(got) > 0 {
		t.Errorf("its checks passed, and it is held back by %q", got)
	}
}

// TestFreeSince: it is when the last gate of another controller opened.
func TestFreeSince(t *testing.T) {
	pod := waiting([]string{"a.example.com/x", "b.example.com/x", "targets.podgate.dev/web"}, "a.example.com/x", "b.example.com/x", "targets.podgate.dev/web")
	pod.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon.Add(time.Minute))
	pod.Status.Conditions[2].LastTransitionTime = metav1.NewTime(noon.Add(time.Hour))
	if got := gates.All().FreeSince(pod); !got.Equal(noon.Add(time.Minute)) {
		t.Errorf("want a minute after noon, got %s", got)
	}
	if got := gates.All().FreeSince(waiting([]string{warmGate}, warmGate)); !got.Equal(noon) {
		t.Errorf("its checks passed at noon, got %s", got)
	}
	if got := gates.All().FreeSince(waiting([]string{"targets.podgate.dev/web"}, "targets.podgate.dev/web")); !got.IsZero() {
		t.Errorf("nobody else has a gate: want no time, got %s", got)
	}
}

// TestLoadBalancersAreDocumented: users see which gates hold no pod back.
func TestLoadBalancersAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "policies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range gates.LoadBalancers {
		if !strings.Contains(string(page), "`"+prefix) {
			t.Errorf("docs/policies.md does not list %s", prefix)
		}
	}
}
