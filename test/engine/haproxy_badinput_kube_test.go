// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Whatever is wrong with one HAProxy is told on its binding, with what to change, and
// while all of that is wrong pods of another binding come and go.
func TestHAProxyBadInput(t *testing.T) {
	s := newSite(t)
	silent, hung := listenSilently(t, s.haproxy.Folder+"/silent.sock")
	garbage := listenGarbage(t)
	tests := map[string]struct {
		change func(*v1alpha1.HAProxy)
		reason string
		says   string
	}{
		"user":    {func(h *v1alpha1.HAProxy) { h.Instances[0] = "unix:" + s.haproxy.Folder + "/user.sock" }, "AccessDenied", "write `level admin`"},
		"unknown": {func(h *v1alpha1.HAProxy) { h.Backend = "typo" }, "BackendNotFound", "correct the name"},
		"static":  {func(h *v1alpha1.HAProxy) { h.Backend = "static" }, "InvalidRequest", "use `balance roundrobin`"},
		"script":  {func(h *v1alpha1.HAProxy) { h.Backend = "script" }, "InvalidRequest", "use a check that HAProxy makes itself"},
		"full":    {func(h *v1alpha1.HAProxy) { h.Backend, h.MaxServers = "full", 1 }, "TooManyTargets", "as many servers as maxServers allows, others' and leaving ones included: raise maxServers"},
		"silent":  {func(h *v1alpha1.HAProxy) { h.Instances[0] = silent }, "LoadBalancerUnavailable", "no answer within"},
		"silent2": {func(h *v1alpha1.HAProxy) { h.Instances[0], h.Backend = silent, "other" }, "LoadBalancerUnavailable", "no answer within"},
		"garbage": {func(h *v1alpha1.HAProxy) { h.Instances[0] = garbage }, "LoadBalancerUnavailable", "not HAProxy's runtime API"},
		"nobody":  {func(h *v1alpha1.HAProxy) { h.Instances[0] = "unix:/nowhere/s" }, "LoadBalancerUnavailable", "there is no such socket"},
	}

	var bad []*v1alpha1.TargetBinding
	for name, tc := range tests {
		b := s.bind(name, func(b *v1alpha1.TargetBinding) { tc.change(b.Spec.HAProxy) })
		bad = append(bad, b)
	}

	s.bind("web", func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy.DrainSeconds = 1 })
	s.start()
	s.serve("127.0.0.15").healthy.Store(true)
	one := s.pod("web-1", "web", "127.0.0.15", ownGate)
	s.opens("web-1")

	for name, tc := range tests {
		s.eventually(name+" is told", func() bool {
			c := s.verdict(v1alpha1.GatePrefix + name)
			return c.Status == metav1.ConditionFalse && c.Reason == tc.reason && strings.Contains(c.Message, tc.says)
		})
		s.eventually(name+" has an event", func() bool { return s.event(name, tc.reason, tc.says) })
	}

	before := hung()
	s.eventually("calls hang", func() bool { return hung() > before })
	s.serve("127.0.0.16").healthy.Store(true)
	s.pod("web-2", "web", "127.0.0.16", ownGate)
	s.opens("web-2")
	s.remove(one)
	s.eventually("the deleted pod's server is drained and removed", func() bool {
		servers := s.haproxy.Servers("web")
		return len(servers) == 1 && strings.Contains(servers[0], "_web-2_")
	})

	if servers := s.haproxy.Servers("script"); len(servers) > 0 {
		t.Errorf("a backend with an external check got the servers %v", servers)
	}

	if c := s.verdict(ownGate); c.Reason != "Synced" {
		t.Errorf("the binding that is in order says %s: %s", c.Reason, c.Message)
	}

	s.haproxy.Say("set server full/somebodys state maint; del server full/somebodys")
	s.eventually("there is room", func() bool { return s.verdict(v1alpha1.GatePrefix+"full").Reason == "Synced" })

	if servers := s.haproxy.Servers("full"); len(servers) != 1 || !strings.Contains(servers[0], "_web-2_") {
		t.Errorf("want the pod's server in the backend that has room now, got %v", servers)
	}

	for _, b := range bad {
		if err := s.kube.Delete(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}

	for _, b := range bad {
		s.eventually(b.Name+" goes although nobody answers", func() bool { return s.gone(b) })
	}
}

// listenSilently takes connections and never answers; hung counts them.
func listenSilently(t *testing.T, path string) (instance string, hung func() int64) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = l.Close() })
	var n atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}()
		}
	}()

	return "unix:" + path, n.Load
}

// listenGarbage answers as a server of HTTP would.
func listenGarbage(t *testing.T) (instance string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()

	return "tcp:" + l.Addr().String()
}
