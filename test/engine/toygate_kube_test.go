// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/gates/gatestest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/sim/awssim"
)

// withToy adds a kind of gate, for which one line is enough: no other file knows of it. Nor does the policy that limits podgate's
// account, so this podgate has another.
func (c *cluster) withToy() {
	c.cfg = rest.CopyConfig(c.cfg)
	c.cfg.Impersonate = rest.ImpersonationConfig{UserName: "toy", Groups: []string{"system:masters"}}
	c.config = func(cfg *manager.Config) { cfg.Parts.Gates = append(gates.All(), gatestest.Toy{}) }
}

// toyPod makes a pod with the toy's gate, whose containers are ready.
func (c *cluster) toyPod(name, ip string) *corev1.Pod {
	c.Helper()
	return c.carrier(name, ip, gatestest.ToyGate)
}

// carrier makes a pod of the Service web with a gate, whose containers are ready.
func (c *cluster) carrier(name, ip string, gate corev1.PodConditionType) *corev1.Pod {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns, Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			NodeName: "node", ReadinessGates: []corev1.PodReadinessGate{{ConditionType: gate}},
			Containers: []corev1.Container{{Name: "app", Image: "app"}},
		},
	}
	c.create(pod)
	c.ready(pod, ip, true)
	return pod
}

// scriptOf sets what the load balancer says of one target.
func (c *cluster) scriptOf(arn, ip, state string) {
	c.Helper()
	if err := c.sim.SetHealth(arn, &awssim.Target{ID: ip, Port: 8080}, awssim.Script{State: state}); err != nil {
		c.Fatal(err)
	}
}

// toyGate reads the condition of a pod's gate of the toy; its zero value when there is none.
func (c *cluster) toyGate(pod string) corev1.PodCondition {
	c.Helper()
	return c.condition(pod, gatestest.ToyGate)
}

// condition reads a pod's condition; its zero value when there is none.
func (c *cluster) condition(pod string, conditionType corev1.PodConditionType) corev1.PodCondition {
	c.Helper()
	var p corev1.Pod
	if err := c.kube.Get(c.Context(), types.NamespacedName{Namespace: c.ns, Name: pod}, &p); err != nil {
		c.Fatal(err)
	}
	if cond := binding.Condition(&p, conditionType); cond != nil {
		return *cond
	}
	return corev1.PodCondition{}
}

// two makes two groups and a binding of each, of one Service.
func (c *cluster) two() (blue, green string) {
	c.Helper()
	blue, green = c.group("blue"), c.group("green")
	c.service("web")
	for name, arn := range map[string]string{"blue": blue, "green": green} {
		c.script(arn, "initial")
		c.binding(name, "web", arn)
	}
	return blue, green
}

// unbind deletes a binding, and waits until it is gone.
func (c *cluster) unbind(name string) {
	c.Helper()
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name}}
	if err := c.kube.Delete(c.Context(), b); err != nil {
		c.Fatal(err)
	}
	c.eventually(name+" is gone", func() bool { return c.gone(b) })
}

// A rollout with a gate that two groups feed: each new pod waits until both call it healthy,
// whichever does so first, and the gate names the one that it waits for.
func TestToyGateRollout(t *testing.T) {
	c := newCluster(t)
	c.withToy()
	blue, green := c.two()
	c.start()

	old := c.toyPod("web-old", "10.0.0.1")
	c.eventually("registered in both", func() bool { return len(c.rows(blue)) == 1 && len(c.rows(green)) == 1 })
	c.eventually("waits", func() bool { return c.toyGate("web-old").Status == corev1.ConditionFalse })
	c.script(blue, "healthy")
	c.never("open with one of two", 2*time.Second, func() bool { return c.toyGate("web-old").Status == corev1.ConditionTrue })
	c.script(green, "healthy")
	c.eventually("open with both", func() bool { return c.toyGate("web-old").Reason == v1alpha1.ReasonHealthy })

	c.scriptOf(green, "10.0.0.2", "unhealthy")
	c.toyPod("web-new", "10.0.0.2")
	c.eventually("waits for the second group", func() bool {
		return c.toyGate("web-new").Reason == "Target.FailedHealthChecks" || c.toyGate("web-new").Reason == "Target.Timeout"
	})
	if g := c.toyGate("web-old"); g.Status != corev1.ConditionTrue {
		t.Errorf("the old pod's gate is %s with %s", g.Status, g.Reason)
	}

	c.scriptOf(green, "10.0.0.2", "healthy")
	c.eventually("open", func() bool { return c.toyGate("web-new").Status == corev1.ConditionTrue })
	c.remove(old)
	c.eventually("the old pod has left both", func() bool { return c.rows(blue)["10.0.0.1"] != "healthy" && c.rows(green)["10.0.0.1"] != "healthy" })
	if g := c.toyGate("web-new"); g.Status != corev1.ConditionTrue {
		t.Errorf("the new pod's gate is %s with %s", g.Status, g.Reason)
	}
}

// The gate follows the target of the one binding that asks for it, down to its floor, and
// not that of the other.
func TestToyGateFollowsByPolicy(t *testing.T) {
	c := newCluster(t)
	c.withToy()
	blue, green := c.two()
	c.script(blue, "healthy")
	c.script(green, "healthy")
	c.state("blue", v1alpha1.TrackFloorAnnotation, "1")
	c.state("green", v1alpha1.ModeAnnotation, "Track", v1alpha1.TrackAfterAnnotation, "5s", v1alpha1.TrackFloorAnnotation, "1")
	c.start()

	for i := range 3 {
		c.toyPod(fmt.Sprintf("web-%d", i), fmt.Sprintf("10.0.0.%d", i+1))
	}
	for i := range 3 {
		c.eventually("open", func() bool { return c.toyGate(fmt.Sprintf("web-%d", i)).Status == corev1.ConditionTrue })
	}

	c.scriptOf(blue, "10.0.0.1", "unhealthy")
	c.scriptOf(green, "10.0.0.2", "unhealthy")
	c.eventually("closed by the binding that tracks", func() bool { return c.toyGate("web-1").Status == corev1.ConditionFalse })
	c.never("closed by the one that latches", 8*time.Second, func() bool { return c.toyGate("web-0").Status != corev1.ConditionTrue })
	c.scriptOf(green, "10.0.0.2", "healthy")
	c.eventually("open again", func() bool { return c.toyGate("web-1").Status == corev1.ConditionTrue })
}

// A binding that is deleted lets go of the gate, which the other one still feeds; without
// any the gate is released.
func TestToyGateOutlivesABinding(t *testing.T) {
	c := newCluster(t)
	c.withToy()
	blue, green := c.two()
	c.script(green, "unhealthy")
	c.start()
	c.toyPod("web-1", "10.0.0.1")
	c.eventually("registered in both", func() bool { return len(c.rows(blue)) == 1 && len(c.rows(green)) == 1 })

	c.unbind("blue")
	if g := c.toyGate("web-1"); g.Status == corev1.ConditionTrue {
		t.Errorf("the end of one binding opened the gate that another feeds, with %s", g.Reason)
	}

	c.unbind("green")
	c.eventually("released", func() bool { return c.toyGate("web-1").Status == corev1.ConditionTrue })
}
