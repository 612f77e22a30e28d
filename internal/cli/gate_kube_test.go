// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/internal/override"
)

// read reads a pod anew.
func (c *cluster) read(pod *corev1.Pod) *corev1.Pod {
	c.Helper()
	var now corev1.Pod
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(pod), &now); err != nil {
		c.Fatal(err)
	}
	return &now
}

func TestGateSet(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	mine, theirs := elbv2.GateType("web"), "example.com/approved"
	pod := c.pod("web", mine, theirs)
	c.condition(pod, corev1.PodConditionType(mine), corev1.ConditionFalse, "Target.Timeout", "Request timed out")

	c.has(c.run("gate", "set", "web", mine, "true", "--reason", "INC-42", "--for", "1h"), ExitDone, "Override of gate "+mine)
	o := override.Of(c.read(pod)).Gate(mine)
	if o.Status != gate.StatusTrue || o.Reason != "INC-42" || o.By == "" || o.Until.Sub(o.Set) != time.Hour {
		t.Errorf("ordered is %+v", o)
	}

	if condition := binding.Condition(c.read(pod), corev1.PodConditionType(mine)); condition.Status != corev1.ConditionFalse || condition.Reason != "Target.Timeout" {
		t.Errorf("the command wrote podgate's own condition: %+v", condition)
	}

	c.has(c.run("explain", "web"), ExitDone, "override", "INC-42")

	c.has(c.run("gate", "set", "web", theirs, "true", "--reason", "signed off"), ExitDone, "podgate does not serve it")
	set := binding.Condition(c.read(pod), corev1.PodConditionType(theirs))
	if set == nil || set.Status != corev1.ConditionTrue || set.Reason != v1alpha1.ReasonSetByHand || set.LastTransitionTime.IsZero() {
		t.Errorf("the condition is %+v", set)
	}

	since := set.LastTransitionTime
	c.has(c.run("gate", "set", "web", theirs, "True", "--reason", "signed off twice"), ExitDone)

	if again := binding.Condition(c.read(pod), corev1.PodConditionType(theirs)); !again.LastTransitionTime.Equal(&since) {
		t.Error("its transition time moved with its words")
	}

	if len(c.read(pod).Status.Conditions) != 3 {
		t.Errorf("other conditions were lost or doubled: %+v", c.read(pod).Status.Conditions)
	}

	c.has(c.run("gate", "clear", "web", mine), ExitDone, "has ended")
	if _, there := c.read(pod).Annotations[v1alpha1.OverrideAnnotation]; there {
		t.Error("the annotation is still there")
	}

	c.has(c.run("gate", "clear", "web", theirs), ExitError, "there is no override to end")
}

func TestGateSetRefuses(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	mine := elbv2.GateType("web")
	pod := c.pod("web", mine, "Ready")
	for name, tc := range map[string]struct {
		args []string
		said string
	}{
		"Ready":           {[]string{"web", "Ready", "true", "--reason", "x"}, "Kubernetes' own"},
		"ContainersReady": {[]string{"web", "ContainersReady", "true", "--reason", "x"}, "Kubernetes' own"},
		"Reserved":        {[]string{"web", "node.kubernetes.io/ready", "true", "--reason", "x"}, "Kubernetes' own"},
		"NameOfBinding":   {[]string{"web", "web", "true", "--reason", "x"}, "give its whole name, " + mine},
		"NoGate":          {[]string{"web", "example.com/other", "true", "--reason", "x"}, "has no readiness gate example.com/other"},
		"NoReason":        {[]string{"web", mine, "true"}, `required flag(s) "reason" not set`},
		"EmptyReason":     {[]string{"web", mine, "true", "--reason", ""}, "gives no reason"},
		"TooLong":         {[]string{"web", mine, "true", "--reason", "x", "--for", "25h"}, "longer than 24h"},
		"NoTime":          {[]string{"web", mine, "true", "--reason", "x", "--for", "0s"}, "ends before it begins"},
		"Unknown":         {[]string{"web", mine, "unknown", "--reason", "x"}, "must be true or false"},
		"NoPod":           {[]string{"nobody", mine, "true", "--reason", "x"}, "not found"},
	} {
		before := c.read(pod).ResourceVersion
		c.has(c.run(append([]string{"gate", "set"}, tc.args...)...), ExitError, tc.said)
		if c.read(pod).ResourceVersion != before {
			t.Errorf("%s: the pod was written all the same", name)
		}
	}

	c.allow("bob", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}})
	c.has(c.run("gate", "set", "web", mine, "true", "--reason", "x"), ExitError, `cannot patch resource "pods/status"`)
}

// TestGateSetByTheClockOfTheAPIServer: an order of ten minutes lasts ten minutes in the cluster, whatever time it is here.
func TestGateSetByTheClockOfTheAPIServer(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	mine := elbv2.GateType("web")
	pod := c.pod("web", mine)
	for _, wrong := range []time.Duration{-time.Hour, time.Hour} {
		c.now = func() time.Time { return time.Now().Add(wrong) }
		c.has(c.run("gate", "set", "web", mine, "true", "--reason", "x", "--for", "10m"), ExitDone)
		o := override.Of(c.read(pod)).Gate(mine)
		if off := time.Since(o.Set).Abs(); off > time.Minute || o.Until.Sub(o.Set) != 10*time.Minute {
			t.Errorf("a clock that is off by %s gave an order that is off by %s: %+v", wrong, off, o)
		}
	}
}

// TestGateSetTellsThatNobodyActs: an order is obeyed by podgate's leader; where there is none, that is said.
func TestGateSetTellsThatNobodyActs(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	mine := elbv2.GateType("web")
	c.pod("web", mine)
	c.has(c.run("--podgate-namespace", c.ns, "gate", "set", "web", mine, "true", "--reason", "x"), ExitDone, "nobody leads")
	now := metav1.NowMicro()
	c.create(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: manager.LeaseName}, Spec: coordinationv1.LeaseSpec{HolderIdentity: new("podgate-1"), RenewTime: &now}})
	if a := c.run("--podgate-namespace", c.ns, "gate", "set", "web", mine, "true", "--reason", "x"); a.code != ExitDone || strings.Contains(a.out, "trouble") {
		t.Errorf("podgate leads: %+v", a)
	}
}

// TestGateSetWithoutDefinitions: where podgate's kinds are gone so is podgate, and the gate that it left is a condition like any other.
func TestGateSetWithoutDefinitions(t *testing.T) {
	c := newCluster(t, nil)
	for _, gateType := range []string{elbv2.GateType("web"), "targets.podgate.dev/web"} {
		bare := interceptor.NewClient(c.kube, interceptor.Funcs{Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
			return &meta.NoKindMatchError{GroupKind: o.GetObjectKind().GroupVersionKind().GroupKind()}
		}})
		if serves, err := servedGate(t.Context(), bare, gates.All(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns}}, gateType); serves || err != nil {
			t.Errorf("%s: served %t, %v", gateType, serves, err)
		}
	}
}
