// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
)

// A pod is registered once its containers are ready, its condition follows the
// target, and it ends True without anything stale.
func TestGateFollowsTarget(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "initial")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()
	c.eventually("binding is Ready", func() bool {
		return c.verdict("web").Status == "True" || c.verdict("web").Reason != ""
	})

	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("target registered", func() bool { return c.rows(arn)["10.0.0.1"] == "initial" })
	c.eventually("condition follows", func() bool {
		g := c.gate("web-1", "web")
		return g.Status == corev1.ConditionFalse && g.Reason == "Elb.RegistrationInProgress" || g.Reason == "Elb.InitialHealthChecking"
	})

	c.script(arn, "healthy")
	c.eventually("gate open", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })

	if g := c.gate("web-1", "web"); g.Reason != v1alpha1.ReasonHealthy || g.Message != "" {
		t.Errorf("open gate says %q, %q: something stale stayed behind", g.Reason, g.Message)
	}

	c.eventually("binding synced", func() bool { return c.verdict("web").Reason == "Synced" })
}

// A deleted pod leaves the group while another serves; the last serving one stays
// for as long as its grace period outlasts the drain.
func TestDeletionDeregisters(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()
	one, two := c.pod("web-1", "web", "10.0.0.1"), c.pod("web-2", "web", "10.0.0.2")
	c.eventually("both registered", func() bool { return len(c.rows(arn)) == 2 })

	if err := c.kube.Delete(t.Context(), one); err != nil {
		t.Fatal(err)
	}

	c.eventually("first draining", func() bool { return c.rows(arn)["10.0.0.1"] != "healthy" })
	if err := c.kube.Delete(t.Context(), two); err != nil {
		t.Fatal(err)
	}

	c.eventually("group attribute default makes the drain longer than the grace period", func() bool { return c.rows(arn)["10.0.0.2"] != "healthy" })
	c.remove(one)
	c.remove(two)
}

// Deleting a binding releases its gates at once and empties its group.
func TestBindingDeletion(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "initial")
	c.service("web")
	b := c.binding("web", "web", arn)
	c.start()
	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("target registered", func() bool { return len(c.rows(arn)) == 1 })

	if err := c.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}

	c.eventually("gate released", func() bool { return c.gate("web-1", "web").Reason == v1alpha1.ReasonBindingDeleted })
	c.eventually("binding gone", func() bool {
		return c.gone(b)
	})

	if rows := c.rows(arn); rows["10.0.0.1"] == "initial" || rows["10.0.0.1"] == "healthy" {
		t.Errorf("target still registered: %v", rows)
	}
}

// A restart neither flips an open gate nor registers anew what is registered.
func TestLaw8RestartChangesNothing(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()
	c.script(arn, "initial")
	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("waits", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionFalse })
	c.script(arn, "healthy")
	c.eventually("open", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })
	before := c.gate("web-1", "web")
	calls := len(c.calls("RegisterTargets"))
	c.script(arn, "unhealthy")
	c.start()
	c.eventually("the new process has read the group", func() bool { return len(c.calls("DescribeTargetHealth")) > 0 })
	c.never("gate changes", 3*time.Second, func() bool { return c.gate("web-1", "web") != before })

	if n := len(c.calls("RegisterTargets")); n != calls {
		t.Errorf("registered %d times after the restart", n-calls)
	}
}

// What happened to a pod's containers while nobody led is noticed, although the new
// leader hears of the pod before it knows the pod's binding.
func TestUnreadyWhileNobodyLed(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "initial")
	c.service("web")
	b := c.binding("web", "web", arn)
	c.start()
	pod := c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("waits", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionFalse })
	c.script(arn, "healthy")
	c.eventually("open", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })
	c.stop()

	c.ready(pod, "10.0.0.1", false)
	unpublish := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:null}}}`, v1alpha1.PublishedAnnotation))
	if err := c.kube.Patch(t.Context(), b, unpublish); err != nil {
		t.Fatal(err)
	}

	if _, err := c.sim.AddFault(awssim.Fault{Operation: "DescribeTargetGroups", LatencySeconds: 2}); err != nil {
		t.Fatal(err)
	}

	c.start()
	c.eventually("closed", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionFalse })
}

// A target that is healthy at once opens its pod's gate at once: podgate registered it
// for this pod where nothing was, so nobody else's health can be meant.
func TestHealthyAtOnce(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()
	c.eventually("binding synced", func() bool { return c.verdict("web").Reason == "Synced" })
	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("gate open", func() bool {
		g := c.gate("web-1", "web")
		if g.Reason == v1alpha1.ReasonNotProvenYet {
			t.Fatal("the gate waits for proof that podgate has")
		}
		return g.Status == corev1.ConditionTrue
	})
}
