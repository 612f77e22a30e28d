// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Two bindings whose lists of instances overlap do not take each other's servers out:
// the older is served, the younger is told so and is served once the older is gone,
// whose servers go where nobody else claims the backend and go over where somebody does.
func TestHAProxyOverlap(t *testing.T) {
	s := newSite(t)
	twin := newHAProxy(t)
	s.serviceOf("late")
	older := s.bind("web", func(b *v1alpha1.TargetBinding) {
		b.Spec.HAProxy.Instances = append(b.Spec.HAProxy.Instances, "unix:"+twin.Admin())
		b.Spec.HAProxy.DrainSeconds = 1
	})

	s.start()
	for pod, ip := range map[string]string{"web-1": "127.0.0.21", "web-2": "127.0.0.22"} {
		s.serve(ip).healthy.Store(true)
		s.pod(pod, "web", ip, ownGate)
		s.opens(pod)
	}

	for !older.CreationTimestamp.Before(&metav1.Time{Time: time.Now().Truncate(time.Second)}) {
		time.Sleep(50 * time.Millisecond) // what is older is told by the second
	}

	s.bind("late", func(b *v1alpha1.TargetBinding) {
		b.Spec.ServiceRef.Name = "late"
		b.Spec.HAProxy.Instances = []string{"unix:" + twin.Admin()}
	})

	const late = v1alpha1.GatePrefix + "late"
	s.serve("127.0.0.23").healthy.Store(true)
	s.pod("late-1", "late", "127.0.0.23", late)
	says := "/web is older and names the same backend of the same instance, web@unix:" + twin.Admin()
	s.eventually("the younger is refused", func() bool {
		c := s.verdict(late)
		return c.Reason == "GroupBoundTwice" && strings.Contains(c.Message, says)
	})

	s.eventually("an event says so", func() bool { return s.event("late", "GroupBoundTwice", says) })
	before := twin.Servers("web")
	s.never("a server comes, goes, or drains", 6*time.Second, func() bool {
		return !slices.Equal(twin.Servers("web"), before) || strings.Contains(twin.Say("show stat web 4 -1"), "DRAIN") ||
			s.gate("late-1", late).Status == corev1.ConditionTrue
	})

	if err := s.kube.Delete(t.Context(), older); err != nil {
		t.Fatal(err)
	}

	s.eventually("the younger serves", func() bool { return s.gate("late-1", late).Status == corev1.ConditionTrue })
	s.eventually("the older is gone", func() bool { return s.gone(older) })

	if servers := s.haproxy.Servers("web"); len(servers) != 0 {
		t.Errorf("where nobody else claims the backend the older left %v", servers)
	}

	s.eventually("the younger has its instance for itself", func() bool {
		servers := twin.Servers("web")
		return len(servers) == 1 && strings.Contains(servers[0], "_late-1_")
	})
}
