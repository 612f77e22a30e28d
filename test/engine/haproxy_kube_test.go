// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/test/haproxy"
)

// ownGate is the gate of the TargetBinding "web".
const ownGate = v1alpha1.GatePrefix + "web"

// site is a cluster with a real HAProxy outside, and a Service whose pods are
// addresses of this machine.
type site struct {
	*cluster
	haproxy *haproxy.Process
	port    int32
}

func newSite(t *testing.T) *site {
	t.Helper()
	c := newCluster(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{cluster: c, haproxy: newHAProxy(t), port: int32(l.Addr().(*net.TCPAddr).Port)}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s.serviceOf("web")
	return s
}

// newHAProxy starts one with a backend "web" without servers.
func newHAProxy(t *testing.T) *haproxy.Process {
	t.Helper()
	p, err := haproxy.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})

	err = p.Configure(fmt.Sprintf(`
    stats socket %s/user.sock mode 600 level user
    external-check
    insecure-fork-wanted
defaults
    mode http
    timeout connect 1s
    timeout client 20s
    timeout server 20s
backend web
    balance roundrobin
    option httpchk GET /
backend static
    balance static-rr
backend full
    balance roundrobin
    server somebodys 127.0.0.1:9
backend script
    option external-check
    external-check command /bin/true
backend cookies
    cookie SRV insert
`, p.Folder))
	if err != nil {
		t.Fatal(err)
	}

	if err := p.Start(); err != nil {
		t.Fatal(err)
	}

	return p
}

// serviceOf makes a Service of pods of an application.
func (s *site) serviceOf(app string) {
	s.Helper()
	s.create(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: app, Namespace: s.ns},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": app},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(s.port)}},
		},
	})
}

// bind makes a TargetBinding of the Service and a backend.
func (s *site) bind(name string, change func(*v1alpha1.TargetBinding)) *v1alpha1.TargetBinding {
	s.Helper()
	b := haproxyBinding(s.ns)
	b.Name = name
	b.Spec.HAProxy.Instances = []string{"unix:" + s.haproxy.Admin()}
	b.Spec.HAProxy.Check = v1alpha1.HAProxyCheck{IntervalMilliseconds: 100}
	if change != nil {
		change(b)
	}
	s.create(b)
	return b
}

// app is a pod's application.
type app struct{ healthy atomic.Bool }

func (a *app) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if !a.healthy.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// serve runs an application at an address of this machine, as a pod's would be.
func (s *site) serve(ip string) *app {
	s.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", ip, s.port))
	if err != nil {
		s.Fatal(err)
	}
	a := &app{}
	server := &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	s.Cleanup(func() { _ = server.Close() })
	return a
}

func (s *site) status(name string) v1alpha1.TargetBindingStatus {
	s.Helper()
	var b v1alpha1.TargetBinding
	if err := s.kube.Get(s.Context(), types.NamespacedName{Namespace: s.ns, Name: name}, &b); err != nil {
		s.Fatal(err)
	}
	return b.Status
}

func (s *site) opens(pod string) {
	s.Helper()
	s.eventually(pod+"'s gate opens", func() bool { return s.gate(pod, ownGate).Status == corev1.ConditionTrue })
}

// A pod opens when HAProxy's checks of it have passed, comes back after a reload, and
// drains; at the end nothing is left.
func TestHAProxyBinding(t *testing.T) {
	s := newSite(t)
	b := s.bind("web", nil)
	s.start()
	one := s.serve("127.0.0.11")
	pod := s.pod("web-1", "web", "127.0.0.11", ownGate)
	s.eventually("the gate tells of failing checks", func() bool {
		c := s.gate("web-1", ownGate)
		return c.Status == corev1.ConditionFalse && c.Reason == "HAProxy.L7STS"
	})

	one.healthy.Store(true)
	s.opens("web-1")
	s.serve("127.0.0.12").healthy.Store(true)
	s.pod("web-2", "web", "127.0.0.12", ownGate)
	s.opens("web-2")
	s.eventually("two of two are counted healthy", func() bool {
		st := s.status("web")
		return st.Targets != nil && *st.Targets == v1alpha1.TargetCounts{Total: 2, Healthy: 2} && st.ObservedAt != nil && s.verdict(ownGate).Reason == "Synced"
	})

	if err := s.haproxy.Reload(); err != nil {
		t.Fatal(err)
	}

	s.eventually("HAProxy has both servers again", func() bool { return len(s.haproxy.Servers("web")) == 2 })
	if c := s.gate("web-1", ownGate); c.Status != corev1.ConditionTrue {
		t.Errorf("a reload closed an open gate: %+v", c)
	}

	s.remove(pod)
	s.eventually("the deleted pod's server is drained and removed", func() bool {
		servers := s.haproxy.Servers("web")
		return len(servers) == 1 && strings.Contains(servers[0], "_web-2_")
	})

	if err := s.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}

	s.eventually("the binding is gone", func() bool { return s.gone(b) })
	if servers := s.haproxy.Servers("web"); len(servers) != 0 {
		t.Errorf("servers were left behind: %v", servers)
	}
}

// Bindings of both kinds may have one name: each has its gate.
func TestBindingsOfOneName(t *testing.T) {
	s := newSite(t)
	arn := s.group("web")
	s.script(arn, "healthy")
	s.bind("web", nil)
	s.binding("web", "web", arn)
	s.start()
	app := s.serve("127.0.0.13")
	s.pod("web-1", "web", "127.0.0.13", "web", ownGate)
	s.eventually("the target group's gate opens", func() bool { return s.gate("web-1", "web").Status == corev1.ConditionTrue })

	if c := s.gate("web-1", ownGate); c.Status == corev1.ConditionTrue {
		t.Errorf("the other gate opened, too: %+v", c)
	}

	app.healthy.Store(true)
	s.opens("web-1")
}

// Somebody else registers: podgate gates and changes nothing.
func TestHAProxyExternal(t *testing.T) {
	s := newSite(t)
	b := s.bind("web", func(b *v1alpha1.TargetBinding) { b.Spec.Membership = v1alpha1.MembershipExternal })
	s.start()
	s.serve("127.0.0.14").healthy.Store(true)
	s.pod("web-1", "web", "127.0.0.14", ownGate)
	s.eventually("the gate waits for somebody to register the pod", func() bool {
		c := s.gate("web-1", ownGate)
		return c.Status != corev1.ConditionTrue && c.Reason == balancer.ReasonNotRegistered
	})

	if servers := s.haproxy.Servers("web"); len(servers) != 0 {
		t.Errorf("podgate registered %v", servers)
	}

	s.haproxy.Say(fmt.Sprintf("add server web/mine 127.0.0.14:%d check inter 100ms rise 1 fall 2; enable health web/mine; enable server web/mine; set server web/mine health down", s.port))
	s.opens("web-1")

	if err := s.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}

	s.eventually("the binding is gone", func() bool { return s.gone(b) })
	if servers := s.haproxy.Servers("web"); len(servers) != 1 {
		t.Errorf("servers of others: %v", servers)
	}
}

// A standby drains the server of a pod that is deleted while the leader is silent; its
// provider, which never served the backend, goes by the binding alone.
func TestSilentLeaderBeforeHAProxy(t *testing.T) {
	s := newSite(t)
	s.elect()
	s.bind("web", nil)
	wire := &cable{}
	leader := s.launch(wire.plug(s.cfg))
	defer func() { _ = leader() }()
	s.eventually("a leader", func() bool { return s.holder() != "" })
	first := s.holder()
	standby := s.launch(s.cfg)
	defer func() { _ = standby() }()
	s.serve("127.0.0.17").healthy.Store(true)
	s.serve("127.0.0.18").healthy.Store(true)
	one, two := s.pod("web-1", "web", "127.0.0.17", ownGate), s.pod("web-2", "web", "127.0.0.18", ownGate)
	s.opens("web-1")
	s.opens("web-2")
	s.served(one, two)

	wire.sever()

	if err := s.kube.Delete(t.Context(), one); err != nil {
		t.Fatal(err)
	}

	draining := func(pod string) bool {
		for line := range strings.Lines(s.haproxy.Say("show stat web 4 -1")) {
			if strings.Contains(line, "_"+pod+"_") {
				return strings.Contains(line, ",DRAIN")
			}
		}
		return false
	}

	s.eventually("a standby drains the deleted pod's server", func() bool { return draining("web-1") })
	if now := s.holder(); now != first {
		t.Fatalf("the lease went from %s to %s: that was no standby", first, now)
	}

	if err := s.kube.Delete(t.Context(), two, client.GracePeriodSeconds(3600)); err != nil {
		t.Fatal(err)
	}

	s.never("the last one that serves is drained by a standby", 2*time.Second, func() bool { return draining("web-2") })
}
