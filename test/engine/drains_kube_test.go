// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A pod that is deleted at once while the load balancer sends it requests is told on the
// pod that is gone, by its UID.
func TestPodEndsUndrained(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()
	one := c.pod("web-1", "web", "10.0.0.1", "web")
	two := c.pod("web-2", "web", "10.0.0.2", "web")
	c.eventually("both serve", func() bool {
		return c.gate("web-1", "web").Status == corev1.ConditionTrue && c.gate("web-2", "web").Status == corev1.ConditionTrue
	})

	c.remove(two)
	c.eventually("told", func() bool {
		return c.event("web-2", "KilledUndrained", "it was deleted with a grace period of 0 s instead of its 60 s")
	})

	var list eventsv1.EventList
	if err := c.kube.List(t.Context(), &list, client.InNamespace(c.ns)); err != nil {
		t.Fatal(err)
	}

	for _, e := range list.Items {
		if e.Reason == "KilledUndrained" && e.Regarding.UID != two.UID {
			t.Errorf("told of %s %s, %s", e.Regarding.Kind, e.Regarding.Name, e.Regarding.UID)
		}
	}

	c.remove(one)
}
