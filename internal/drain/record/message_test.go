// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
)

// TestMessageFitsThePod: what to do about a pod that ended too early depends on what makes it, and on whether podgate would
// give another one a hook.
func TestMessageFitsThePod(t *testing.T) {
	pod := func(api, kind, name string, labels map[string]string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: labels}}
		if kind != "" {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: api, Kind: kind, Name: name, Controller: new(true)}}
		}
		return p
	}
	deployed := pod("apps/v1", "ReplicaSet", "web-5d", map[string]string{"pod-template-hash": "5d"})
	refuses := pod("apps/v1", "ReplicaSet", "web-5d", map[string]string{"pod-template-hash": "5d", v1alpha1.DrainLabel: v1alpha1.DrainDisabled})
	applied := pod("", "", "", nil)
	applied.ManagedFields = []metav1.ManagedFieldsEntry{{Operation: metav1.ManagedFieldsOperationApply}}
	const label = "label the namespace podgate.dev/drain=enabled unless it is, and "

	for name, tc := range map[string]struct {
		pod   *corev1.Pod
		cause Cause
		grace int64
		want  string
	}{
		"a Deployment's":             {deployed, CauseNoHook, 30, label + "restart the pods (kubectl rollout restart -n shop deployment/web)."},
		"a bare one":                 {pod("", "", "", nil), CauseNoHook, 30, label + "replace the pod: delete it and create it again."},
		"an applied one":             {applied, CauseNoHook, 30, "podgate adds none to such a pod: in the pod's manifest, give the container a hook"},
		"a Job's":                    {pod("batch/v1", "Job", "once", nil), CauseNoHook, 30, "podgate adds none to such a pod: in the pod template"},
		"a static one":               {pod("v1", "Node", "node-1", nil), CauseNoHook, 30, "podgate adds none to such a pod: in the pod's file on its node"},
		"one that refuses":           {refuses, CauseNoHook, 30, "podgate adds none to such a pod"},
		"killed at once":             {deployed, CauseHook, 0, "podgate adds none. Set it to 1 or more in the pod template, or leave it out."},
		"applied and killed at once": {applied, CauseHook, 0, "In the pod's manifest, set it to more than"},
		"the last of a Deployment":   {deployed, CauseHeld, 30, "strategy.rollingUpdate with maxUnavailable 0"},
		"the last of a DaemonSet":    {pod("apps/v1", "DaemonSet", "edge", nil), CauseHeld, 30, "updateStrategy.rollingUpdate.maxSurge 1, or run it on more nodes"},
		"the last of a StatefulSet":  {pod("apps/v1", "StatefulSet", "db", nil), CauseHeld, 30, "Run more replicas."},
		"the last, and bare":         {pod("", "", "", nil), CauseHeld, 30, "Run another pod that serves."},
		"the last of a Rollout":      {pod("apps/v1", "ReplicaSet", "web-7c", map[string]string{"rollouts-pod-template-hash": "7c"}), CauseHeld, 30, "Run more replicas."},
	} {
		drain.Keep(tc.pod, drain.Manifest{Grace: tc.grace, Containers: []drain.Container{{Name: "web"}}})
		got := message(balancer.Group{Name: "web"}, Verdict{Cause: tc.cause, Early: time.Second}, ended{pod: tc.pod}.end(8080), drain.Need{})
		if !strings.Contains(got, tc.want) || strings.Contains(got, v1alpha1.RestartPods+".") {
			t.Errorf("%s: got %q, want %q in it", name, got, tc.want)
		}
	}
}

// TestMessageNamesTheGroup: the event has the words of the load balancer, since nobody knows what podgate calls groups that it discovered.
func TestMessageNamesTheGroup(t *testing.T) {
	for want, group := range map[string]balancer.Group{
		"Ended 1 s before target group web had let go of it":                                                                             {Name: "web"},
		"Ended 1 s before backend web@tcp:10.0.0.1:9999 had let go of it":                                                                {Ref: balancer.Ref{Provider: "haproxy"}, Name: "web@tcp:10.0.0.1:9999"},
		"Ended 1 s before the target groups that AWS Gateway API Controller keeps for Service shop/api in cluster east had let go of it": {Ref: balancer.Ref{Provider: "lattice"}, Name: "service:shop/api@east"},
	} {
		if got := message(group, Verdict{Cause: CauseDeregistration, Early: time.Second}, End{}, drain.Need{}); !strings.HasPrefix(got, want+", so") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
