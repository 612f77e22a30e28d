// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bufio"
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

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
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
		return c.Status != corev1.ConditionTrue && c.Reason == gate.ReasonNotRegistered
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

// Whatever is wrong with one HAProxy is told on its binding, and delays no other.
func TestHAProxyBadInput(t *testing.T) {
	s := newSite(t)
	silent, err := net.Listen("unix", s.haproxy.Folder+"/silent.sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = garbage.Close() })
	go func() {
		for {
			conn, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	tests := map[string]struct {
		change func(*v1alpha1.HAProxy)
		reason string
		says   string
	}{
		"user":    {func(h *v1alpha1.HAProxy) { h.Instances[0] = "unix:" + s.haproxy.Folder + "/user.sock" }, "AccessDenied", "write `level admin`"},
		"unknown": {func(h *v1alpha1.HAProxy) { h.Backend = "typo" }, "BackendNotFound", "correct the name"},
		"static":  {func(h *v1alpha1.HAProxy) { h.Backend = "static" }, "InvalidRequest", "use `balance roundrobin`"},
		"silent":  {func(h *v1alpha1.HAProxy) { h.Instances[0] = "unix:" + s.haproxy.Folder + "/silent.sock" }, "LoadBalancerUnavailable", "no answer within"},
		"garbage": {func(h *v1alpha1.HAProxy) { h.Instances[0] = "tcp:" + garbage.Addr().String() }, "LoadBalancerUnavailable", "no runtime API of HAProxy"},
		"nobody":  {func(h *v1alpha1.HAProxy) { h.Instances[0] = "unix:/nowhere/s" }, "LoadBalancerUnavailable", "there is no such socket"},
	}
	for name, tc := range tests {
		s.bind(name, func(b *v1alpha1.TargetBinding) { tc.change(b.Spec.HAProxy) })
	}
	s.bind("web", nil)
	s.start()
	s.serve("127.0.0.15").healthy.Store(true)
	s.pod("web-1", "web", "127.0.0.15", ownGate)
	s.opens("web-1")
	for name, tc := range tests {
		s.eventually(name+" is told", func() bool {
			c := s.verdict(v1alpha1.GatePrefix + name)
			return c.Status == metav1.ConditionFalse && c.Reason == tc.reason && strings.Contains(c.Message, tc.says)
		})
		s.eventually(name+" has an event", func() bool { return s.event(name, tc.reason, tc.says) })
	}
}
