// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/manager"
)

// warmGate is the gate of the ReadinessGate warm.
const warmGate = "checks.podgate.dev/warm"

// servers are what the pods of a test serve, by their address. A pod answers 503 unless it was told otherwise.
type servers struct {
	mu     sync.Mutex
	status map[string]int
	asked  map[string]int
}

// withServers has the next podgate ask the servers of the test where it would ask pods.
func (c *cluster) withServers() *servers {
	c.Helper()
	s := &servers{status: map[string]int{}, asked: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(s.answer))
	c.Cleanup(server.Close)

	c.config = func(cfg *manager.Config) {
		cfg.Parts.Dial = func(ctx context.Context, _ network.Destination) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		}
	}
	return s
}

func (s *servers) answer(w http.ResponseWriter, r *http.Request) {
	ip, _, _ := net.SplitHostPort(r.Host)
	s.mu.Lock()
	status := s.status[ip]
	s.asked[ip]++
	s.mu.Unlock()
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
}

// says has a pod answer so from now on.
func (s *servers) says(ip string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[ip] = status
}

// questions returns how often a pod was asked.
func (s *servers) questions(ip string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[ip]
}

// warm makes a ReadinessGate that asks pods by HTTP, each second.
func (c *cluster) warm(change func(*v1alpha1.ReadinessGate)) *v1alpha1.ReadinessGate {
	c.Helper()
	g := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "warm"}}
	g.Spec.Checks = []v1alpha1.Check{{Name: "warm", PeriodSeconds: 1, HTTP: &v1alpha1.HTTPCheck{Port: new(intstr.FromInt32(8080))}}}
	if change != nil {
		change(g)
	}
	c.create(g)
	return g
}

// edit changes a ReadinessGate.
func (c *cluster) edit(g *v1alpha1.ReadinessGate, change func(*v1alpha1.ReadinessGate)) {
	c.Helper()
	before := g.DeepCopy()
	change(g)
	if err := c.kube.Patch(c.Context(), g, client.MergeFrom(before)); err != nil {
		c.Fatal(err)
	}
}

// observed reports whether podgate knows of the last edit. A pod that came before might be let go as the object was.
func (c *cluster) observed(g *v1alpha1.ReadinessGate) bool {
	c.Helper()
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(g), g); err != nil {
		c.Fatal(err)
	}
	return g.Status.ObservedGeneration != nil && *g.Status.ObservedGeneration == g.Generation
}

// warmGate reads the condition of a pod's gate.
func (c *cluster) warmGate(pod string) corev1.PodCondition {
	c.Helper()
	return c.condition(pod, warmGate)
}

// version reads a pod's version.
func (c *cluster) version(pod string) string {
	c.Helper()
	var p corev1.Pod
	if err := c.kube.Get(c.Context(), types.NamespacedName{Namespace: c.ns, Name: pod}, &p); err != nil {
		c.Fatal(err)
	}
	return p.ResourceVersion
}

// A pod that carries the gate by hand waits until its check passes. The gate latches, closes with its containers, and neither
// opens nor closes by a restart of podgate.
func TestCheckOpensItsGate(t *testing.T) {
	c := newCluster(t)
	s := c.withServers()
	c.start()

	// The ReadinessGate may come after the pod, whose labels do not matter.
	pod := c.carrier("web-0", "10.0.0.1", warmGate)
	c.eventually("waits for its ReadinessGate", func() bool { return c.warmGate("web-0").Reason == v1alpha1.ReasonNoBinding })
	c.warm(nil)
	c.eventually("fails", func() bool {
		g := c.warmGate("web-0")
		return g.Status == corev1.ConditionFalse && g.Reason == v1alpha1.ReasonCheckFailed && g.Message == "warm: HTTP status 503"
	})

	before, version := s.questions("10.0.0.1"), c.version("web-0")
	c.start()
	c.eventually("asked by the next podgate", func() bool { return s.questions("10.0.0.1") > before+1 })
	if now := c.version("web-0"); now != version {
		t.Errorf("a restart of podgate wrote to the pod: its gate is %+v", c.warmGate("web-0"))
	}

	s.says("10.0.0.1", http.StatusOK)
	c.eventually("opens", func() bool {
		g := c.warmGate("web-0")
		return g.Status == corev1.ConditionTrue && g.Reason == v1alpha1.ReasonChecksPassed && g.Message == ""
	})

	s.says("10.0.0.1", http.StatusServiceUnavailable)
	before = s.questions("10.0.0.1")
	c.start()
	c.never("an open gate that latches closes", 3*time.Second, func() bool { return c.warmGate("web-0").Status != corev1.ConditionTrue })
	if n := s.questions("10.0.0.1") - before; n > 1 {
		t.Errorf("it was asked %d times", n)
	}

	c.ready(pod, "10.0.0.1", false)
	c.eventually("closes with its containers", func() bool { return c.warmGate("web-0").Reason == v1alpha1.ReasonContainersNotReady })
	time.Sleep(time.Second) // The kubelet's times are whole seconds.
	c.ready(pod, "10.0.0.1", true)
	c.eventually("is asked again", func() bool { return c.warmGate("web-0").Reason == v1alpha1.ReasonCheckFailed })
	s.says("10.0.0.1", http.StatusNoContent)
	c.eventually("opens again", func() bool { return c.warmGate("web-0").Reason == v1alpha1.ReasonChecksPassed })
}

// A gate that waits for a person says so once, by an event, opens when its pod's own approval is there, and says that, too.
func TestManualCheck(t *testing.T) {
	c := newCluster(t)
	c.approvers()
	c.start()
	g := c.warm(func(g *v1alpha1.ReadinessGate) {
		g.Spec.Checks = []v1alpha1.Check{{Name: "release", Manual: &v1alpha1.ManualCheck{}}}
	})
	for i, name := range []string{"web-0", "web-1"} {
		c.carrier(name, fmt.Sprintf("10.0.0.%d", i+1), warmGate)
		c.eventually("waits for a person", func() bool { return c.warmGate(name).Reason == v1alpha1.ReasonCheckNotApproved })
	}
	c.eventually("says so", func() bool {
		return c.event("warm", v1alpha1.ReasonCheckNotApproved, "kubectl podgate approve -n "+c.ns+" warm --pod web-")
	})

	var pod corev1.Pod
	if err := c.kube.Get(t.Context(), types.NamespacedName{Namespace: c.ns, Name: "web-0"}, &pod); err != nil {
		t.Fatal(err)
	}
	c.given(g, fmt.Sprintf("pod/%s | jane | 2026-11-30T12:00:00Z | x", pod.UID))
	c.eventually("opens", func() bool {
		gate := c.warmGate("web-0")
		return gate.Status == corev1.ConditionTrue && gate.Reason == v1alpha1.ReasonApproved
	})
	if gate := c.warmGate("web-1"); gate.Status == corev1.ConditionTrue {
		t.Errorf("another pod's approval opened its gate: %+v", gate)
	}
	c.eventually("says that", func() bool {
		return c.event("web-0", v1alpha1.ReasonApproved, "is open") && c.event("warm", v1alpha1.ReasonApproved, "such as web-0")
	})
}

// Under Track a gate closes when its pod fails for long enough, as long as enough others stay open, and opens when it passes again.
func TestCheckIsFollowed(t *testing.T) {
	c := newCluster(t)
	s := c.withServers()
	c.warm(func(g *v1alpha1.ReadinessGate) {
		g.Spec.Gate = v1alpha1.CheckPolicy{Mode: "Track", TrackAfterSeconds: 5, TrackFloor: "1"}
	})
	c.start()
	for i := range 2 {
		s.says(fmt.Sprintf("10.0.0.%d", i), http.StatusOK)
		c.carrier(fmt.Sprintf("web-%d", i), fmt.Sprintf("10.0.0.%d", i), warmGate)
	}
	for i := range 2 {
		c.eventually("opens", func() bool { return c.warmGate(fmt.Sprintf("web-%d", i)).Status == corev1.ConditionTrue })
	}

	for i := range 2 {
		s.says(fmt.Sprintf("10.0.0.%d", i), http.StatusInternalServerError)
	}
	closed, kept := 0, 1
	c.eventually("one closes, and the last one stays open", func() bool {
		if c.warmGate("web-1").Status == corev1.ConditionFalse {
			closed, kept = 1, 0
		}
		g := c.warmGate(fmt.Sprintf("web-%d", closed))
		return g.Status == corev1.ConditionFalse && g.Message == "warm: HTTP status 500" && c.warmGate(fmt.Sprintf("web-%d", kept)).Reason == v1alpha1.ReasonTrackFloor
	})

	s.says(fmt.Sprintf("10.0.0.%d", closed), http.StatusOK)
	c.eventually("opens again", func() bool { return c.warmGate(fmt.Sprintf("web-%d", closed)).Status == corev1.ConditionTrue })
	if g := c.warmGate(fmt.Sprintf("web-%d", kept)); g.Status != corev1.ConditionTrue {
		t.Errorf("the other one is %s with %s", g.Status, g.Reason)
	}
}

// The policies of a ReadinessGate, its edits and its end.
func TestCheckPolicies(t *testing.T) {
	c := newCluster(t)
	s := c.withServers()
	g := c.warm(func(g *v1alpha1.ReadinessGate) { g.Spec.Gate.TimeoutSeconds = 1 })
	c.start()
	c.carrier("web-0", "10.0.0.1", warmGate)
	c.eventually("stays closed after its time-out", func() bool {
		return c.warmGate("web-0").Message == "warm: HTTP status 503. The ReadinessGate's time-out of 1s has passed, and the gate stays closed, as on-timeout says."
	})

	c.edit(g, func(g *v1alpha1.ReadinessGate) { g.Spec.Gate.OnTimeout = "Open" })
	c.eventually("opens after its time-out", func() bool { return c.warmGate("web-0").Reason == v1alpha1.ReasonTimedOut })

	c.edit(g, func(g *v1alpha1.ReadinessGate) { g.Spec.Gate.TimeoutSeconds, g.Spec.Gate.OnTimeout = 0, "" })
	c.carrier("web-1", "10.0.0.2", warmGate)
	c.eventually("fails", func() bool { return c.warmGate("web-1").Reason == v1alpha1.ReasonCheckFailed })
	if err := c.kube.Delete(c.Context(), g); err != nil {
		t.Fatal(err)
	}
	c.eventually("the ReadinessGate is missed", func() bool { return c.warmGate("web-1").Reason == v1alpha1.ReasonNoBinding })

	// Made again, it waits again, and what was answered before does not count.
	asked := s.questions("10.0.0.2")
	g = c.warm(nil)
	c.eventually("is asked again", func() bool {
		return s.questions("10.0.0.2") > asked && c.warmGate("web-1").Reason == v1alpha1.ReasonCheckFailed
	})
	c.edit(g, func(g *v1alpha1.ReadinessGate) { g.Spec.DryRun = true })
	c.eventually("a dry run lets go", func() bool { return c.warmGate("web-1").Reason == v1alpha1.ReasonDryRun })

	c.edit(g, func(g *v1alpha1.ReadinessGate) {
		g.Spec.DryRun = false
		g.Spec.Checks[0].HTTP = &v1alpha1.HTTPCheck{URL: "http://status.example.com/"}
	})
	c.eventually("the dry run is known to be over", func() bool { return c.observed(g) })
	c.carrier("web-2", "10.0.0.3", warmGate)
	c.eventually("a URL is not allowed", func() bool { return c.warmGate("web-2").Reason == v1alpha1.ReasonCheckNotAllowed })
}

// A pod is registered with its load balancer only when its checks pass, and leaves it when its gate closes under Track.
func TestChecksComeBeforeTheLoadBalancer(t *testing.T) {
	c := newCluster(t)
	s := c.withServers()
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	c.warm(func(g *v1alpha1.ReadinessGate) {
		g.Spec.Gate = v1alpha1.CheckPolicy{Mode: "Track", TrackAfterSeconds: 5, TrackFloor: "1"}
	})
	c.start()

	both := func(name, ip string) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns, Labels: map[string]string{"app": "web"}},
			Spec: corev1.PodSpec{
				NodeName: "node", Containers: []corev1.Container{{Name: "app", Image: "app"}},
				ReadinessGates: []corev1.PodReadinessGate{{ConditionType: warmGate}, {ConditionType: "target-health.elbv2.k8s.aws/web"}},
			},
		}
		c.create(pod)
		c.ready(pod, ip, true)
	}
	s.says("10.0.0.1", http.StatusOK)
	both("web-1", "10.0.0.1")
	both("web-2", "10.0.0.2")
	c.eventually("the pod that passes serves", func() bool { return c.gate("web-1", "web").Reason == v1alpha1.ReasonHealthy })
	c.eventually("the other one is told why it does not", func() bool { return c.gate("web-2", "web").Reason == v1alpha1.ReasonOtherGateClosed })
	if got := c.rows(arn)["10.0.0.2"]; got != "" {
		t.Errorf("its check fails, and its target is %q", got)
	}

	s.says("10.0.0.2", http.StatusOK)
	c.eventually("it serves once it passes", func() bool {
		return c.rows(arn)["10.0.0.2"] == "healthy" && c.gate("web-2", "web").Reason == v1alpha1.ReasonHealthy
	})
	s.says("10.0.0.2", http.StatusServiceUnavailable)
	c.eventually("it leaves when its gate closes", func() bool {
		return c.rows(arn)["10.0.0.2"] != "healthy" && c.gate("web-2", "web").Reason == v1alpha1.ReasonOtherGateClosed
	})
	if got := c.rows(arn)["10.0.0.1"]; got != "healthy" {
		t.Errorf("the other pod is %q", got)
	}
}
