// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/manager"
)

// legacyGate asks for the group of Ingress shop for port 80 of Service web.
const legacyGate = elbv2.LegacyGatePrefix + "shop_web_80"

// ofIngress labels a binding as AWS Load Balancer Controller labels that of an Ingress.
func (c *cluster) ofIngress(binding, ingress string) {
	c.Helper()
	c.label(binding, map[string]string{elbv2.IngressNamespaceLabel: c.ns, elbv2.IngressNameLabel: ingress})
}

func (c *cluster) label(binding string, labels map[string]string) {
	c.Helper()
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: binding}}
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(b), b); err != nil {
		c.Fatal(err)
	}
	before := b.DeepCopy()
	b.Labels = labels
	if err := c.kube.Patch(c.Context(), b, client.MergeFrom(before)); err != nil {
		c.Fatal(err)
	}
}

// gated makes a ready pod of the Service web with gates.
func (c *cluster) gated(name, ip string, of ...corev1.PodConditionType) *corev1.Pod {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns, Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	for _, g := range of {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: g})
	}
	c.create(pod)
	c.ready(pod, ip, true)
	return pod
}

// The gate of reference 004, written by hand: the pod waits for its target in the Ingress's group, and for no other group;
// restarts flip nothing, and the deleted pod leaves the group.
func TestLegacyGateFollowsItsIngress(t *testing.T) {
	c := newCluster(t)
	blue, green := c.two()
	c.ofIngress("blue", "shop")
	c.ofIngress("green", "admin")
	c.start()

	pod := c.gated("web-1", "10.0.0.1", legacyGate)
	c.eventually("registered", func() bool { return len(c.rows(blue)) == 1 && len(c.rows(green)) == 1 })
	c.eventually("waits", func() bool { return strings.HasPrefix(c.condition("web-1", legacyGate).Reason, "Elb.") })
	c.script(green, "healthy")
	c.never("open by another Ingress's group", 2*time.Second, func() bool { return c.condition("web-1", legacyGate).Status == corev1.ConditionTrue })
	c.script(blue, "healthy")
	c.eventually("open", func() bool { return c.condition("web-1", legacyGate).Reason == v1alpha1.ReasonHealthy })

	before := c.condition("web-1", legacyGate)
	c.script(blue, "unhealthy")
	c.start()
	c.eventually("the new process has read the group", func() bool { return len(c.calls("DescribeTargetHealth")) > 0 })
	c.never("gate changes", 2*time.Second, func() bool { return c.condition("web-1", legacyGate) != before })

	c.script(blue, "healthy")
	c.gated("web-2", "10.0.0.2", legacyGate)
	c.eventually("the next is open", func() bool { return c.condition("web-2", legacyGate).Status == corev1.ConditionTrue })
	if err := c.kube.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	c.eventually("deregistered", func() bool { return c.rows(blue)["10.0.0.1"] != "healthy" })
	c.remove(pod)
}

// Where a pod has podgate's gate for the same group, too, both open in one write.
func TestLegacyGateBesideTodays(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "initial")
	c.service("web")
	c.binding("web", "web", arn)
	c.label("web", map[string]string{elbv2.IngressGroupLabel: "public"})
	c.start()

	today := corev1.PodConditionType(elbv2.GateType("web"))
	c.gated("web-1", "10.0.0.1", legacyGate, today)
	c.eventually("both wait", func() bool {
		return c.condition("web-1", legacyGate).Status == corev1.ConditionFalse && c.condition("web-1", today).Status == corev1.ConditionFalse
	})
	c.script(arn, "healthy")
	c.eventually("open", func() bool {
		var pod corev1.Pod
		if err := c.kube.Get(t.Context(), types.NamespacedName{Namespace: c.ns, Name: "web-1"}, &pod); err != nil {
			t.Fatal(err)
		}
		open := map[corev1.PodConditionType]bool{}
		for _, cond := range pod.Status.Conditions {
			open[cond.Type] = cond.Status == corev1.ConditionTrue
		}
		if open[legacyGate] != open[today] {
			t.Fatalf("one gate opened before the other: %v", open)
		}
		return open[legacyGate]
	})
}

// One healthy target is enough for the gate that asks for any group.
func TestLegacyGateOfAnyGroup(t *testing.T) {
	c := newCluster(t)
	blue, green := c.two()
	c.script(blue, "unhealthy")
	c.start()

	const gate = elbv2.LegacyAnyGate
	c.gated("web-1", "10.0.0.1", gate)
	c.eventually("registered in both", func() bool { return len(c.rows(blue)) == 1 && len(c.rows(green)) == 1 })
	c.eventually("waits", func() bool { return c.condition("web-1", gate).Status == corev1.ConditionFalse })

	c.unbind("blue")
	if g := c.condition("web-1", gate); g.Status == corev1.ConditionTrue {
		t.Errorf("the end of one binding opened the gate that another feeds, with %s", g.Reason)
	}
	c.script(green, "healthy")
	c.eventually("open", func() bool { return c.condition("web-1", gate).Reason == v1alpha1.ReasonHealthy })
}

// A group of nodes has nothing to wait for.
func TestLegacyGateOfNodes(t *testing.T) {
	c := newCluster(t)
	arn := c.groupOf("web", "instance")
	c.service("web")
	c.binding("web", "web", arn)
	c.ofIngress("web", "shop")
	c.start()
	c.gated("web-1", "10.0.0.1", legacyGate)
	c.eventually("open", func() bool { return c.condition("web-1", legacyGate).Reason == v1alpha1.ReasonNotIPTargets })
}

// A gate that names nothing says so at once, on the pod and by an event, and opens when what it names appears.
func TestLegacyGateThatNamesNothing(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()

	const typo = elbv2.LegacyGatePrefix + "web"
	c.gated("web-1", "10.0.0.1", legacyGate)
	c.gated("web-2", "10.0.0.2", typo)
	c.eventually("explained", func() bool {
		one, two := c.condition("web-1", legacyGate), c.condition("web-2", typo)
		return one.Reason == v1alpha1.ReasonNoBinding && strings.Contains(one.Message, `the labels of Ingress "shop"`) &&
			two.Reason == v1alpha1.ReasonNoBinding && strings.Contains(two.Message, "<ingress>_<service>_<port>")
	})
	c.eventually("told", func() bool {
		return c.event("web-1", v1alpha1.ReasonNoBinding, "shop") && c.event("web-2", v1alpha1.ReasonNoBinding, typo)
	})

	c.ofIngress("web", "shop")
	c.eventually("open", func() bool { return c.condition("web-1", legacyGate).Reason == v1alpha1.ReasonHealthy })
	if g := c.condition("web-2", typo); g.Status == corev1.ConditionTrue {
		t.Errorf("released at once: %+v", g)
	}
}

// What the controller that had these gates writes stays as it is, for a pod that no binding of podgate's concerns, and podgate
// only opens the gate where it has one.
func TestLegacyGateOfItsOwnController(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "initial")
	c.service("web")
	c.start()

	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: c.ns, Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			NodeName: "node", Containers: []corev1.Container{{Name: "app", Image: "app"}},
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: legacyGate}},
		},
	}
	c.create(pod)
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: legacyGate, Status: corev1.ConditionFalse, Reason: "Elb.InitialHealthChecking", LastTransitionTime: metav1.Now()})
	if err := client.WithFieldOwner(c.kube, "server").Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	c.ready(pod, "10.0.0.1", true)

	before := c.condition("web-1", legacyGate)
	c.never("podgate writes it", 4*time.Second, func() bool { return c.condition("web-1", legacyGate) != before })

	c.binding("web", "web", arn)
	c.ofIngress("web", "shop")
	c.eventually("registered", func() bool { return len(c.rows(arn)) == 1 })
	c.never("podgate writes over it", 3*time.Second, func() bool { return c.condition("web-1", legacyGate) != before })
	c.script(arn, "healthy")
	c.eventually("open", func() bool { return c.condition("web-1", legacyGate).Status == corev1.ConditionTrue })
}

// Beside AWS Load Balancer Controller podgate only looks on, and serves the gate once it has taken the binding over.
func TestLegacyGateBesideLBC(t *testing.T) {
	c := newCluster(t)
	c.config = func(cfg *manager.Config) { cfg.LBCLeaseNamespace = c.ns }
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.lbcBinding("web", "web", arn)
	other := c.startLBC()
	c.start()

	const gate = elbv2.LegacyGatePrefix + "web_web_80"
	c.gated("web-1", "10.0.0.1", gate)
	c.never("podgate writes it", 4*time.Second, func() bool { return c.condition("web-1", gate) != corev1.PodCondition{} })
	other.stop()
	c.eventually("open", func() bool { return c.condition("web-1", gate).Reason == v1alpha1.ReasonHealthy })
}
