// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// A pod of a labelled namespace without a gate is told why, and so is its ReplicaSet;
// what should have one is counted. The API server asks no webhook here, as if it could
// reach none.
func TestUngatedPodsAreTold(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.service("web")
	c.binding("web", "web", arn)
	set := c.replicaSet("set")
	c.start()
	pod := func(name, app, value string) {
		c.create(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: c.ns, Name: name, Labels: map[string]string{"app": app, v1alpha1.InjectLabel: value},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set.Name, UID: set.UID, Controller: new(true)}},
			},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		})
	}

	pod("web-1", "web", "enabled")
	pod("out-1", "web", v1alpha1.InjectDisabled)
	pod("api-1", "api", "enabled")
	c.eventually("the pod is told", func() bool { return c.event("web-1", "GateMissing", "target-health.elbv2.k8s.aws/web: ") })
	c.eventually("its owner is told", func() bool { return c.event("set", "GateMissing", "Pods of this ReplicaSet") })
	c.eventually("what no Service selects is told", func() bool { return c.event("api-1", "NoGate", "no Service of the namespace selects the pod") })

	c.service("api")
	c.binding("api", "api", c.group("api"))
	c.eventually("a binding that comes later is told of", func() bool {
		return c.event("api-1", "GateMissing", `TargetGroupBinding "api" was not there before the pod`)
	})

	if c.event("out-1", "", "") || c.event("out-1", "GateMissing", "") || c.event("out-1", "NoGate", "") {
		t.Error("a pod that opted out is told that it has no gate")
	}
}

// A namespace that is labelled later tells which of its pods must be made anew; one
// that is not labelled tells nothing.
func TestUngatedNamespaceIsLabelledLater(t *testing.T) {
	c := newCluster(t)
	label := func(value string) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.ns}}
		body := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, elbv2.InjectLabel, value)
		if err := c.kube.Patch(t.Context(), ns, client.RawPatch(types.MergePatchType, []byte(body))); err != nil {
			t.Fatal(err)
		}
	}

	label("disabled")
	c.service("web")
	c.binding("web", "web", c.group("web"))
	c.start()
	c.pod("web-1", "web", "10.0.0.1")
	c.eventually("served", func() bool { return c.verdict("web").Reason == "Synced" })
	label(elbv2.InjectEnabled)
	c.eventually("told", func() bool { return c.event("web-1", "GateMissing", "replace the pod: delete it and create it again") })
}

// A pod whose own hook is too short for its load balancer is told by how many seconds, and
// so is its ReplicaSet; one whose hook is long enough is not.
func TestShortHooksAreTold(t *testing.T) {
	c := newCluster(t)
	c.service("web")
	c.binding("web", "web", c.group("web"))
	c.start()
	c.eventually("served", func() bool { return c.verdict("web").Reason == "Synced" })
	pod := func(name string, seconds int64) {
		c.create(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name, Labels: map[string]string{"app": "web", v1alpha1.DrainLabel: v1alpha1.DrainEnabled}},
			Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: new(seconds + 30),
				Containers: []corev1.Container{{Name: "app", Image: "app", Lifecycle: &corev1.Lifecycle{
					PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", fmt.Sprint("sleep ", seconds)}}},
				}}},
			},
		})
	}

	pod("long", 155)
	pod("short", 20)
	c.eventually("told", func() bool {
		return c.event("short", "DrainTooShort", `The preStop hook of container "app" sleeps 20 s, which is 35 s too short`)
	})

	if c.event("long", "DrainTooShort", "") {
		t.Error("a hook that is long enough is told to be too short")
	}
}
