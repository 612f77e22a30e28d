// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// external is the configuration of a check by a command that always passes.
const external = `
    option external-check
    external-check path "/usr/bin:/bin"
    external-check command /bin/true
`

// TestWhatServersAddedAtRuntimeCannotDo: a backend whose features they take no part in is refused before anything is
// added, and HAProxy lives on. What they can do is not refused.
func TestWhatServersAddedAtRuntimeCannotDo(t *testing.T) {
	const method = "use `balance roundrobin`"
	const script = "use a check that HAProxy makes itself"
	tests := []struct {
		reason, backend string
		says            string // empty: taken
	}{
		{"an external check", external, script},
		{"an external check that passes", external + "server s 127.0.0.1:1 check inter 100ms", script},
		{"an external check, and rules of another", "option tcp-check\ntcp-check connect port 1\n" + external, script},
		{"an external check, and one of HTTP", "option httpchk GET /\n" + external, script},
		{"an external check over TCP", "mode tcp\n" + external, script},
		{"static round robin", "balance static-rr", method},
		{"a hash that is a map", "balance uri\nhash-type map-based", method},
		{"one address for all", "dispatch 127.0.0.1:1", method},
		{"disabled", "disabled\nbalance roundrobin", "is disabled"},

		{"nothing", "", ""},
		{"a check of HTTP", "option httpchk GET /", ""},
		{"a check of HTTP at a port", "option httpchk\nhttp-check connect port 1", ""},
		{"a check of TCP", "mode tcp\noption tcp-check", ""},
		{"a check of TCP at a port", "mode tcp\noption tcp-check\ntcp-check connect port 1", ""},
		{"a check of TLS", "mode tcp\noption ssl-hello-chk", ""},
		{"checks of databases", "mode tcp\noption redis-check", ""},
		{"a check that overrules an external one", external + "option httpchk", ""},
		{"a consistent hash", "balance uri\nhash-type consistent", ""},
		{"at random", "balance random", ""},
		{"the first that has room", "balance first", ""},
		{"cookies", "cookie SRV insert", ""},
		{"a stick table", "stick-table type ip size 1k\nstick on src", ""},
		{"an agent", "default-server agent-check agent-port 1\nserver s 127.0.0.1:1 check", ""},
		{"a server that follows another", "server s 127.0.0.1:1 check\nserver t 127.0.0.1:2 track s", ""},
		{"a rule that names a server", "use-server s if TRUE\nserver s 127.0.0.1:1", ""},
		{"slots", "server-template slot 3 127.0.0.1:1 disabled", ""},
	}

	var text strings.Builder
	for n, tc := range tests {
		fmt.Fprintf(&text, "backend b%d\n    %s\n", n, strings.ReplaceAll(tc.backend, "\n", "\n    "))
	}
	h := startHAProxy(t, text.String())
	process := pid(h.say("show info"))

	for n, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			cfg := Config{Backend: fmt.Sprintf("b%d", n), Instances: []string{"unix:" + h.admin()}, Check: Check{Interval: minInterval, Port: 1}}
			group, target, p := cfg.Group(), gate.Target{Addr: local, Port: 80}, New()
			before := h.Servers(cfg.Backend)

			_, resolved := p.Resolve(t.Context(), group)
			registered := New().Register(t.Context(), group, []gate.Target{target}, owners(target))
			if tc.says != "" {
				checkError(t, "resolve", resolved, balancer.ErrInvalid, tc.says)
				checkError(t, "register", registered, balancer.ErrInvalid, tc.says)
				if now := h.Servers(cfg.Backend); !slices.Equal(now, before) {
					t.Errorf("the backend had the servers %v and has %v", before, now)
				}
				return
			}

			if resolved != nil || registered != nil {
				t.Fatalf("resolve: %v; register: %v", resolved, registered)
			}
			if now, want := h.Servers(cfg.Backend), slices.Concat(before, []string{nameFor(cfg, target)}); !slices.Equal(now, want) {
				t.Errorf("the backend has the servers %v, want %v", now, want)
			}
			eventually(t, "the server is checked", func() bool {
				healths, err := p.Health(t.Context(), group)
				return err == nil && healths[target].Reason != reasonChecking
			})
		})
	}

	if now := pid(h.say("show info")); now == "" || now != process {
		t.Errorf("HAProxy ended: it was %q and is %q", process, now)
	}
}

// TestExternalCheckThatPassed opens a gate like any other check.
func TestExternalCheckThatPassed(t *testing.T) {
	h := startHAProxy(t, "backend web\n"+external+"    server s 127.0.0.1:81 check inter 100ms\n")
	group := Config{Backend: "web", Instances: []string{"unix:" + h.user()}, Observe: true}.Group()
	eventually(t, "the server is healthy", func() bool {
		healths, err := New().Health(t.Context(), group)
		return err == nil && healths[gate.Target{Addr: local, Port: 81}].State == gate.Healthy
	})
}

// TestRefusedKeywordsKeepDraining: pods that are served drain although the binding's new words are refused, by podgate or by
// HAProxy, also while another instance has no server.
func TestRefusedKeywordsKeepDraining(t *testing.T) {
	for word, says := range map[string]string{"bogus": "unknown keyword 'bogus'", "cookie": "has to differ from server to server", "weight": "podgate's to set"} {
		t.Run(word, func(t *testing.T) {
			s := newSite(t, "unix", "unix")
			cfg, one := s.config(backend), s.config(backend)
			one.Instances = one.Instances[:1]
			target, fresh := s.serving(one.Group(), 1)[0], s.newTarget(t)

			cfg.Keywords = []string{word}
			group := cfg.Group()
			resolved, err := s.provider.Resolve(t.Context(), group)
			if err != nil {
				t.Errorf("resolve: %v", err)
			}
			if podgates := word != "bogus"; strings.Contains(resolved.Caveat, says) != podgates {
				t.Errorf("the caveat is %q; it should say what podgate refuses, and %q is: %t", resolved.Caveat, word, podgates)
			}
			checkError(t, "register", s.provider.Register(t.Context(), group, []gate.Target{fresh}, owners(fresh)), balancer.ErrInvalid, says)

			s.deregister(group, target)
			eventually(t, "the server is removed", func() bool {
				s.health(group, target)
				return len(s.haproxys[0].servers()) == 0
			})

			// Where nothing is served, it is said before the first pod waits.
			_, err = s.provider.Resolve(t.Context(), group)
			checkError(t, "resolve", err, balancer.ErrInvalid, says)
		})
	}
}

// TestBackendIsTriedOnceForAProcess: what a process takes does not change, but another's configuration may be another.
func TestBackendIsTriedOnceForAProcess(t *testing.T) {
	tries := 0
	s := &transcript{version: "2.6.12"}
	s.judge = func(string) string {
		tries++
		return "config: backend 'web': server 'podgate_trial' has neither service port nor check port.\n"
	}
	p, group := s.provide(t)
	for range 2 {
		_, err := p.Resolve(t.Context(), group)
		checkError(t, "resolve", err, balancer.ErrInvalid, "external-check")
	}
	if tries != 1 {
		t.Errorf("tried %d times, want once", tries)
	}

	s.reloads, s.judge = 1, nil
	if _, err := p.Resolve(t.Context(), group); err != nil {
		t.Errorf("after the reload: %v", err)
	}
}

// TestTrialOfAnother: two that try a backend at the same time try it again later.
func TestTrialOfAnother(t *testing.T) {
	s := &transcript{version: "2.6.12", judge: func(string) string { return "Already exists a server with the same name in backend 'web'.\n" }}
	p, group := s.provide(t)
	_, err := p.Resolve(t.Context(), group)
	var call *balancer.CallError
	if !errors.As(err, &call) || call.Kind != nil || strings.Contains(call.Text, "no sense") || !strings.Contains(call.Text, "at this moment") {
		t.Errorf("want a transient error that says so, got %v", err)
	}
}

// TestTrialThatIsAccepted: newer releases look for a port only where the check is HAProxy's own, and rules may have one.
// Where the protocol of the check matters, it is one of HAProxy's own.
func TestTrialThatIsAccepted(t *testing.T) {
	const registered = "New server registered.\n"
	const mismatch = "config: backend 'web': server 'podgate_trial' uses an incompatible MUX protocol for the selected check type\n"
	tests := []struct {
		reason   string
		judge    func(command string) string
		external bool
	}{
		{"rules of TCP with ports", func(c string) string {
			return map[bool]string{true: mismatch, false: registered}[strings.HasSuffix(c, " h1")]
		}, false},
		{"rules of HTTP with ports", func(c string) string {
			return map[bool]string{true: mismatch, false: registered}[strings.HasSuffix(c, " none")]
		}, false},
		{"an external check", func(string) string { return registered }, true},
	}

	for _, tc := range tests {
		s := &transcript{version: "3.4.2", judge: tc.judge}
		p, group := s.provide(t)
		_, err := p.Resolve(t.Context(), group)
		if !tc.external && err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
		if tc.external {
			checkError(t, tc.reason, err, balancer.ErrInvalid, "external-check")
		}
		if changes := s.changes(); len(changes) > 0 {
			t.Errorf("%s: changed something: %q", tc.reason, changes)
		}
	}
}

// TestWhatDoesNotApplyToServersAddedAtRuntimeIsSaid: as far as it shows, with what to use instead.
func TestWhatDoesNotApplyToServersAddedAtRuntimeIsSaid(t *testing.T) {
	tests := []struct {
		reason, backend string
		keywords        string
		port            int
		observe         bool
		says            []string
	}{
		{reason: "nothing", backend: "server s 127.0.0.1:1 check"},
		{reason: "a cookie", backend: "cookie SRV insert", says: []string{"use a stick table"}},
		{reason: "a cookie that nobody sets over TCP", backend: "mode tcp\ncookie SRV insert"},
		{reason: "TLS of others", backend: "server s 127.0.0.1:1 ssl verify none", says: []string{`add "ssl", "check-ssl"`}},
		{reason: "TLS of all", backend: "server s 127.0.0.1:1 ssl verify none", keywords: "ssl verify none check-ssl"},
		{reason: "TLS without checks", keywords: "ssl verify none", says: []string{`add "check-ssl"`}},
		{reason: "TLS, and a port of its own for checks", keywords: "ssl verify none", port: 1},
		{reason: "the PROXY protocol without checks", keywords: "send-proxy-v2", says: []string{`add "check-send-proxy"`}},
		{reason: "maxconn and agents of others", backend: "server s 127.0.0.1:1 maxconn 9 agent-check agent-port 1", says: []string{"set haproxy.maxConn", "agent-check"}},
		{reason: "servers that are the pods", backend: "cookie SRV insert\nserver s 127.0.0.1:1 ssl verify none maxconn 9 cookie s", observe: true},
	}

	var text strings.Builder
	for n, tc := range tests {
		fmt.Fprintf(&text, "backend b%d\n    %s\n", n, strings.ReplaceAll(tc.backend, "\n", "\n    "))
	}
	h := startHAProxy(t, text.String())

	for n, tc := range tests {
		cfg := Config{Backend: fmt.Sprintf("b%d", n), Instances: []string{"unix:" + h.admin()}, Observe: tc.observe, Keywords: strings.Fields(tc.keywords), Check: Check{Port: tc.port}}
		g, err := New().Resolve(t.Context(), cfg.Group())
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
		if got := strings.Count(g.Caveat, ". ") + strings.Count(g.Caveat, ": "); len(tc.says) == 0 && g.Caveat != "" || got != 2*len(tc.says) {
			t.Errorf("%s: %q says something else", tc.reason, g.Caveat)
		}
		for _, says := range tc.says {
			if !strings.Contains(g.Caveat, says) {
				t.Errorf("%s: %q does not say %q", tc.reason, g.Caveat, says)
			}
		}
	}
}

// TestProcessesThatTakeTurns: behind one address answer two HAProxies, as behind a load balancer.
func TestProcessesThatTakeTurns(t *testing.T) {
	s := &transcript{version: "2.6.12"}
	p, group := s.provide(t)
	var err error
	for range 2 * turns {
		s.reloads = 1 - s.reloads
		_, err = p.Health(t.Context(), group)
	}
	checkError(t, "health", err, balancer.ErrInvalid, "an address of its own")

	s.later += time.Minute
	if _, err := p.Health(t.Context(), group); err != nil {
		t.Errorf("a minute after the last turn: %v", err)
	}
}

// TestReloadsAreNoTurns: the old process may answer once more while both listen.
func TestReloadsAreNoTurns(t *testing.T) {
	s := &transcript{version: "2.6.12"}
	p, group := s.provide(t)
	for _, process := range []int{0, 1, 0, 1, 2, 3, 2, 3, 4} {
		s.reloads = process
		if _, err := p.Health(t.Context(), group); err != nil {
			t.Fatalf("process %d: %v", process, err)
		}
		s.later += 20 * time.Second
	}
}

// TestSocketOfTheMaster answers, but not for the backends.
func TestSocketOfTheMaster(t *testing.T) {
	h := startHAProxy(t, backends(freePort(t), 1))
	group := Config{Backend: backend, Instances: []string{"unix:" + h.Master()}}.Group()
	_, err := New().Resolve(t.Context(), group)
	checkError(t, "resolve", err, balancer.ErrInvalid, "not the master's (-S)")
}

// TestAgentThatSaysDown is reported as such, not as a check that has yet to pass.
func TestAgentThatSaysDown(t *testing.T) {
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
			_, _ = io.WriteString(conn, "down maintenance of the disk\n")
			_ = conn.Close()
		}
	}()

	port := l.Addr().(*net.TCPAddr).Port
	h := startHAProxy(t, fmt.Sprintf("backend web\n    server s 127.0.0.1:%d check inter 100ms agent-check agent-port %d agent-inter 100ms\n    server t 127.0.0.2:%d track s\n", port, port, port))
	group := Config{Backend: "web", Instances: []string{"unix:" + h.user()}, Observe: true}.Group()
	of := func(address string) gate.Health {
		healths, err := New().Health(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		return healths[gate.Target{Addr: netip.MustParseAddr(address), Port: int32(port)}]
	}

	eventually(t, "the agent's word is told", func() bool {
		got := of("127.0.0.1")
		return got.State == gate.Unhealthy && got.Reason == reasonAgent && strings.Contains(got.Description, "the server is down")
	})

	if got := of("127.0.0.2"); got.Reason != reasonNoChecks || !strings.Contains(got.Description, "web/s (track)") {
		t.Errorf("a server that follows another: %+v", got)
	}
}

// TestAllPodsServeWithAHash: HAProxy places a server by its identifier, and before 3.0 those that are added without one all
// at one place, so that two of them get all requests.
func TestAllPodsServeWithAHash(t *testing.T) {
	const pods, requests = 5, 200
	for _, algorithm := range []string{"balance random", "balance url_param n\n    hash-type consistent"} {
		s := newSite(t)
		s.ports = append(s.ports, freePort(t))
		h := startHAProxy(t, backends(s.ports[0], 0)+"backend web-0\n    option httpchk GET /healthz\n    "+algorithm+"\n")
		s.wires = append(s.wires, newWire(t, h, "unix"))
		targets := s.serving(s.config(backend).Group(), pods)
		for n := range requests {
			s.get(fmt.Sprintf("/?n=%d", n))
		}

		for _, target := range targets {
			if got := s.apps[target].served.Load(); got < requests/pods/4 {
				t.Errorf("%s: a pod got %d of %d requests", algorithm, got, requests)
			}
		}
	}
}

// TestIdentifiersAreNotShared: a server that has another's is placed beside it.
func TestIdentifiersAreNotShared(t *testing.T) {
	first := idOf("podgate_a", nil)
	second := idOf("podgate_a", map[int]bool{first: true})
	if first == second || first < ids || first >= 2*ids || second < ids || second >= 2*ids {
		t.Errorf("got %d and %d", first, second)
	}
	taken := map[int]bool{}
	for n := range ids {
		taken[ids+n] = n != 7
	}
	if got := idOf("podgate_a", taken); got != ids+7 {
		t.Errorf("got %d, want the only one that is free, %d", got, ids+7)
	}
}

// TestSmallBuffer: a line may be longer than HAProxy's buffer, which each command has to fit into.
func TestSmallBuffer(t *testing.T) {
	h := startHAProxy(t, backends(freePort(t), 1)+"global\n    tune.bufsize 4096\n")
	p, group := New(), Config{Backend: backend, Instances: []string{"unix:" + h.admin()}}.Group()
	var targets []gate.Target
	for n := range int32(30) {
		targets = append(targets, gate.Target{Addr: local, Port: 1 + n})
	}

	if err := p.Register(t.Context(), group, targets, owners(targets...)); err != nil {
		t.Fatal(err)
	}
	if healths, err := p.Health(t.Context(), group); err != nil || len(healths) != len(targets) {
		t.Errorf("%d servers, %v", len(healths), err)
	}
}

// TestSocketThatSaysSeverities is one with severity-output.
func TestSocketThatSaysSeverities(t *testing.T) {
	h := startHAProxy(t, backends(freePort(t), 1))
	group, target := Config{Backend: backend, Instances: []string{"unix:" + h.Folder + "/severity.sock"}}.Group(), gate.Target{Addr: local, Port: 80}
	p := New()
	if _, err := p.Resolve(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	if err := p.Register(t.Context(), group, []gate.Target{target}, owners(target)); err != nil {
		t.Fatal(err)
	}
	if healths, err := p.Health(t.Context(), group); err != nil || len(healths) != 1 {
		t.Errorf("got %v, %v", healths, err)
	}
}
