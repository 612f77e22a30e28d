// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

// A binding comes into a second cluster, with what podgate published on it in the first, whose targets serve. The group is
// found by its name, the first cluster's targets stay, also when the binding goes again, and people are told.
func TestLaw3BindingInASecondCluster(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.registered(arn, "10.77.0.1", "10.77.0.2", "10.77.0.3")
	c.service("web")
	copied := `{"of":"7f3c2b1a-0000-4000-8000-000000000000","arn":"` + strings.Replace(arn, "targetgroup/web/", "targetgroup/web/f", 1) + `","name":"web","targetType":"ip"}`
	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: c.ns, Annotations: map[string]string{v1alpha1.PublishedAnnotation: copied}},
		Spec:       elbv2.TargetGroupBindingSpec{TargetGroupName: "web", ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}},
	}
	c.create(b)
	c.start()
	one := c.pod("web-1", "web", "10.77.1.1", b.Name)
	c.eventually("its own pod is served in the group of that name", func() bool { return c.gate("web-1", b.Name).Reason == v1alpha1.ReasonHealthy })

	serve := func() bool {
		rows := c.rows(arn)
		return rows["10.77.0.1"] == "healthy" && rows["10.77.0.2"] == "healthy" && rows["10.77.0.3"] == "healthy"
	}
	c.never("a target of the first cluster goes", gate.Lag+5*time.Second, func() bool { return !serve() })
	c.eventually("people are told", func() bool {
		var now elbv2.TargetGroupBinding
		if err := c.kube.Get(t.Context(), client.ObjectKeyFromObject(b), &now); err != nil {
			t.Fatal(err)
		}
		held := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionTargetsHeld)
		return held != nil && held.Reason == v1alpha1.ReasonForeignTargets && strings.Contains(held.Message, "3 targets")
	})

	c.remove(one)
	c.eventually("its own target goes with its pod", func() bool { return c.rows(arn)["10.77.1.1"] != "healthy" })
	if err := c.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c.never("a target of the first cluster goes with the binding", 10*time.Second, func() bool { return !serve() })
}
