// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// shortTimeout is for sockets that never answer.
const shortTimeout = 300 * time.Millisecond

// listen serves a socket that is no HAProxy's.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
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
			go func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			}()
		}
	}()

	return "unix:" + l.Addr().String()
}

// Whatever is wrong, people are told what to change.
func TestBadInput(t *testing.T) {
	h := startHAProxy(t, backends(freePort(t), 1))
	admin := "unix:" + h.admin()
	swallow := func(c net.Conn) { _, _ = bufio.NewReader(c).ReadString('\n') }
	tests := []struct {
		reason  string
		cfg     Config
		resolve bool // this tells it already
		want    error
		says    string
	}{
		{"a socket without admin level", Config{Backend: backend, Instances: []string{"unix:" + h.user()}}, true, balancer.ErrDenied, "write `level admin`"},
		{"an unknown backend", Config{Backend: "typo", Instances: []string{admin}}, true, balancer.ErrNotFound, `HAProxy has no backend "typo": correct the name`},
		{"a static algorithm by its name", Config{Backend: "round-static", Instances: []string{admin}}, true, balancer.ErrInvalid, "use `balance roundrobin`"},
		{"a static algorithm by its hash", Config{Backend: "static-algorithm", Instances: []string{admin}}, true, balancer.ErrInvalid, "use `balance roundrobin`"},
		{"a keyword that HAProxy does not know", Config{Backend: backend, Instances: []string{admin}, Keywords: []string{"bogus"}}, true, balancer.ErrInvalid, "unknown keyword 'bogus'"},
		{"more keywords than HAProxy reads", Config{Backend: backend, Instances: []string{admin}, Keywords: strings.Fields(strings.Repeat("slowstart 1s ", 30))}, true, balancer.ErrInvalid, "keywords: at most 32 words"},
		{"no such path", Config{Backend: backend, Instances: []string{"unix:/nowhere/s"}}, true, nil, "is the path right"},
		{"nothing listens", Config{Backend: backend, Instances: []string{"tcp:127.0.0.1:1"}}, true, nil, "is HAProxy running?"},
		{"garbage", Config{Backend: backend, Instances: []string{listen(t, func(c net.Conn) {
			swallow(c)
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		})}}, true, nil, "not HAProxy's runtime API"},
		{"markers and garbage", Config{Backend: backend, Instances: []string{listen(t, func(c net.Conn) {
			swallow(c)
			_, _ = c.Write([]byte("x\nadmin\n\ny\nadmin\n\nz\nadmin\n\n"))
		})}}, true, nil, "the answer makes no sense"},
		{"nothing but the end", Config{Backend: backend, Instances: []string{listen(t, swallow)}}, true, nil, "cut off"},
		{"no end", Config{Backend: backend, Instances: []string{listen(t, func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		})}}, true, nil, "longer than 16 MiB"},
		{"silence", Config{Backend: backend, Instances: []string{listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })}}, true, nil, "stats maxconn"},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			p := New()
			if tc.reason == "silence" {
				p = New(WithTimeouts(shortTimeout, DefaultCallTimeout))
			}

			group, target := tc.cfg.Group(), gate.Target{Addr: local, Port: 80}
			errs := map[string]error{"register": p.Register(t.Context(), group, []gate.Target{target}, nil)}
			if tc.resolve {
				_, errs["resolve"] = p.Resolve(t.Context(), group)
			}

			for operation, err := range errs {
				checkError(t, operation, err, tc.want, tc.says)
			}
		})
	}
}

func TestCallThatTakesTooLong(t *testing.T) {
	p := New(WithTimeouts(DefaultExchangeTimeout, shortTimeout))
	group := Config{Backend: backend, Instances: []string{listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })}}.Group()
	_, err := p.Health(t.Context(), group)
	checkError(t, "health", err, nil, "not done within 300ms")
	checkError(t, "tend", p.Tend(t.Context(), group), nil, "not done within 300ms")
}

func checkError(t *testing.T, operation string, err, want error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(balancer.Message(err), says) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: %v, does not say %q", operation, err, says)
	}
	for _, kind := range []error{balancer.ErrNotFound, balancer.ErrDenied, balancer.ErrThrottled, balancer.ErrQuota, balancer.ErrInvalid} {
		if got := errors.Is(err, kind); got != errors.Is(want, kind) {
			t.Errorf("%s: %v: is %q: %t", operation, err, kind, got)
		}
	}
}

// Root may open every socket, so the refusal is made up.
func TestSocketThatMayNotBeOpened(t *testing.T) {
	i := instance{p: New(), socket: socket{"unix", "/run/haproxy/admin.sock"}}
	trouble := i.trouble(t.Context(), &net.OpError{Op: "dial", Err: fs.ErrPermission})
	checkError(t, "dial", trouble.call(opHealth, "web"), balancer.ErrDenied, "set mode, user or group")
}

func TestFullBackend(t *testing.T) {
	s := newSite(t, "unix")
	cfg := s.config(backend)
	cfg.MaxServers = 2
	group := cfg.Group()
	targets := []gate.Target{s.newTarget(t), s.newTarget(t), s.newTarget(t)}
	err := s.provider.Register(t.Context(), group, targets, owners(targets...))
	var partial *balancer.PartialError
	if !errors.As(err, &partial) || len(partial.Failed) != 1 {
		t.Fatalf("got %v", err)
	}
	checkError(t, "register", err, balancer.ErrQuota, "as many servers as maxServers allows")
	checkError(t, "register again", s.provider.Register(t.Context(), group, partial.Failed, owners(targets...)), balancer.ErrQuota, "as many servers as maxServers allows")
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	ok := func() Config { return Config{Backend: "web", Instances: []string{"unix:/a"}} }
	tests := []struct {
		reason string
		change func(*Config)
		says   string // empty: taken
	}{
		{"the least", func(*Config) {}, ""},
		{"an instance over TCP", func(c *Config) { c.Instances = []string{"tcp:[::1]:9999", "tcp:lb-1:9999"} }, ""},
		{"keywords with values", func(c *Config) { c.Keywords = []string{"check-ssl", "verify", "none"} }, ""},
		{"no instance", func(c *Config) { c.Instances = nil }, "instances"},
		{"a relative path", func(c *Config) { c.Instances = []string{"unix:run/a"} }, "neither unix:/path nor tcp:host:port"},
		{"a path that leads elsewhere than it says", func(c *Config) { c.Instances = []string{"unix:/run/edge/../admin.sock"} }, "is not in its shortest form, unix:/run/admin.sock"},
		{"a path with a slash too many", func(c *Config) { c.Instances = []string{"unix:/run//a"} }, "is not in its shortest form, unix:/run/a"},
		{"a port that is none", func(c *Config) { c.Instances = []string{"tcp:h:99999"} }, "neither unix:/path nor tcp:host:port"},
		{"a second command in a name", func(c *Config) { c.Backend = "web;shutdown" }, "backend"},
		{"a second command in a keyword", func(c *Config) { c.Keywords = []string{"backup;del"} }, "a character"},
		{"a new line in a keyword", func(c *Config) { c.Keywords = []string{"backup\ndel"} }, "a character"},
		{"a keyword that only one server may have", func(c *Config) { c.Keywords = []string{"guid", "x"} }, "has to differ from server to server"},
		{"a cookie for all servers", func(c *Config) { c.Keywords = []string{"cookie", "x"} }, "has to differ from server to server"},
		{"a keyword of podgate's", func(c *Config) { c.Keywords = []string{"weight", "0"} }, "podgate's to set"},
		{"a weight that marks what leaves", func(c *Config) { c.Weight = -1 }, "weight"},
		{"an owner with an underscore", func(c *Config) { c.Owner = "a_b" }, "owner"},
		{"checks without pause", func(c *Config) { c.Check.Interval = time.Millisecond }, "check interval"},
	}

	for _, tc := range tests {
		cfg := ok()
		tc.change(&cfg)
		g, err := New().group(opHealth, cfg.Group())
		if err == nil && g.unaddable != "" {
			err = (view{instance: instance{g: g}}).suits(t.Context()).call(opRegister, g.id)
		}
		if tc.says == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.reason, err)
			}
			continue
		}

		if err == nil {
			t.Errorf("%s: taken", tc.reason)
			continue
		}

		checkError(t, tc.reason, err, balancer.ErrInvalid, tc.says)
	}
}

// TestBindingsOfOneBackendHaveOneRef: what is seen of the backend's instances is one thing, whatever the bindings say else.
func TestBindingsOfOneBackendHaveOneRef(t *testing.T) {
	one := Config{Backend: "web", Instances: []string{"unix:/b", "unix:/a"}, Weight: 7}.Group()
	other := Config{Backend: "web", Instances: []string{"unix:/a", "unix:/b", "unix:/a"}}.Group()
	if one.Ref != other.Ref || one.Settings == other.Settings {
		t.Errorf("%v and %v", one, other)
	}

	p := New()
	a, errA := p.group(opHealth, one)
	b, errB := p.group(opHealth, other)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if a.memory != b.memory || a.Weight != 7 || b.Weight != defaultWeight {
		t.Errorf("weights %d and %d, one memory: %t", a.Weight, b.Weight, a.memory == b.memory)
	}

	_, err := p.Health(t.Context(), balancer.Group{Ref: one.Ref})
	checkError(t, "health", err, balancer.ErrInvalid, "no binding configures")
}

// TestForgetsWhatNobodyAsksAbout: nothing is kept of a backend whose bindings are gone.
func TestForgetsWhatNobodyAsksAbout(t *testing.T) {
	p, now := New(), time.Now()
	p.now = func() time.Time { return now }
	look := func(backend string) *memory {
		t.Helper()
		g, err := p.group(opHealth, Config{Backend: backend, Instances: []string{"unix:/a"}}.Group())
		if err != nil {
			t.Fatal(err)
		}
		return g.memory
	}

	gone, used := look("gone"), look("used")
	for range 3 {
		now = now.Add(remembered - time.Second)
		if look("used") != used {
			t.Fatal("a backend that is asked about is forgotten")
		}
	}

	if len(p.memories) != 1 || look("gone") == gone {
		t.Errorf("%d backends are remembered, want the one that is asked about", len(p.memories))
	}
}

// TestSettingsOfABinding: all that the manifest says arrives with the calls.
func TestSettingsOfABinding(t *testing.T) {
	b := &v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{Membership: v1alpha1.MembershipExternal, HAProxy: &v1alpha1.HAProxy{
		Backend: "web", Instances: []string{"unix:/b", "unix:/a"}, Owner: "blue", IPFamily: "ipv6",
		Check:  v1alpha1.HAProxyCheck{IntervalMilliseconds: 500, Rise: 4, Fall: 5, Port: 81},
		Weight: 6, MaxConn: 7, MaxServers: 8, Keywords: []string{"check-ssl", "verify", "none"}, DrainSeconds: 9,
	}}}
	want := Config{
		Backend: "web", Instances: []string{"unix:/a", "unix:/b"}, Observe: true, Owner: "blue", IPFamily: "ipv6",
		Check:  Check{Interval: 500 * time.Millisecond, Rise: 4, Fall: 5, Port: 81},
		Weight: 6, MaxConn: 7, MaxServers: 8, Keywords: []string{"check-ssl", "verify", "none"}, Drain: 9 * time.Second,
	}

	got, _, err := read(manifestOf(b).Settings)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v; the settings differ (-want +got):\n%s", err, diff)
	}
	if calls, bindings := got.Group().Ref, manifestOf(b).Ref; calls != bindings {
		t.Errorf("the backend is %v to calls and %v to bindings", calls, bindings)
	}

	if none := manifestOf(&v1alpha1.TargetBinding{}); none != (balancer.Group{}) {
		t.Errorf("a binding of no backend has one: %+v", none)
	}
}

// manifestOf is the backend as a binding gives it.
func manifestOf(b *v1alpha1.TargetBinding) balancer.Group {
	m, _ := Driver(nil).Manifest(b)
	return m.Group
}

// TestKeywordsThatHAProxyRefuses: no waiting mends a keyword, whatever HAProxy says about it, and its own words say what is wrong.
func TestKeywordsThatHAProxyRefuses(t *testing.T) {
	h := startHAProxy(t, backends(freePort(t), 1))
	for keywords, says := range map[string]string{
		"redir x":                      "'redir' option is not",
		"proto bogus":                  "unknown MUX protocol 'bogus'",
		"observe layer8":               "'observe' expects one of",
		"error-limit 0":                "error-limit has to be > 0",
		"slowstart abc":                "unexpected character 'a' in 'slowstart'",
		"agent-port":                   "'agent-port' expects a port number",
		"addr nowhere.invalid":         "invalid address: 'nowhere.invalid'",
		"usesrc x":                     "'usesrc' only allowed after a 'source'",
		"check-ssl":                    "please set an explicit 'verify none'",
		"ssl verify none sni foo()":    "unknown fetch method 'foo'",
		"ssl ca-file /nowhere":         "unable to load /nowhere",
		"ssl crt /nowhere verify none": "'/nowhere'",
	} {
		t.Run(keywords, func(t *testing.T) {
			group := Config{Backend: backend, Instances: []string{"unix:" + h.admin()}, Keywords: strings.Fields(keywords)}.Group()
			err := New().Register(t.Context(), group, []gate.Target{{Addr: local, Port: 80}}, nil)
			checkError(t, "register", err, balancer.ErrInvalid, says)
		})
	}
}

// TestAnswersToAddServer: which of them only another configuration changes.
func TestAnswersToAddServer(t *testing.T) {
	for said, want := range map[string]error{
		"something that a later release says of a keyword":           balancer.ErrInvalid,
		"config: server 'a' has neither service port nor check port": balancer.ErrInvalid,
		"'namespace' option is not accepted for dynamic server":      balancer.ErrInvalid,
		"No such backend.":                      balancer.ErrNotFound,
		"cannot allocate server id: no id left": balancer.ErrQuota,
		"out of memory":                         balancer.ErrQuota,
		"Unable to allocate a server":           nil,
		"'id' : custom id 600000 already used at (null):0 ('server b')": nil,
		"Permission denied": balancer.ErrDenied,
		"":                  nil,
	} {
		if got := (view{instance: instance{g: &group{}}}).refusedServer(said).kind; !errors.Is(got, want) {
			t.Errorf("%q: want %v, got %v", said, want, got)
		}
	}
}
