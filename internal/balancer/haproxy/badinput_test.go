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
		{"a static algorithm by its hash", Config{Backend: "static-algorithm", Instances: []string{admin}}, false, balancer.ErrInvalid, "use `balance roundrobin`"},
		{"a keyword that HAProxy does not know", Config{Backend: backend, Instances: []string{admin}, Keywords: []string{"bogus"}}, false, balancer.ErrInvalid, "unknown keyword 'bogus'"},
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

			ref, err := p.Configure(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}

			target := gate.Target{Addr: local, Port: 80}
			errs := map[string]error{"register": p.Register(t.Context(), ref, []gate.Target{target}, nil)}
			if tc.resolve {
				_, errs["resolve"] = p.Resolve(t.Context(), ref, "")
			}

			for operation, err := range errs {
				checkError(t, operation, err, tc.want, tc.says)
			}
		})
	}
}

func TestCallThatTakesTooLong(t *testing.T) {
	p := New(WithTimeouts(DefaultExchangeTimeout, shortTimeout))
	ref, err := p.Configure(Config{Backend: backend, Instances: []string{listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Health(t.Context(), ref)
	checkError(t, "health", err, nil, "not done within 300ms")
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
	ref := s.configure(cfg)
	targets := []gate.Target{s.newTarget(t), s.newTarget(t), s.newTarget(t)}
	err := s.provider.Register(t.Context(), ref, targets, owners(targets...))
	var partial *balancer.PartialError
	if !errors.As(err, &partial) || len(partial.Failed) != 1 {
		t.Fatalf("got %v", err)
	}
	checkError(t, "register", err, balancer.ErrQuota, "as many servers as maxServers allows")
	checkError(t, "register again", s.provider.Register(t.Context(), ref, partial.Failed, owners(targets...)), balancer.ErrQuota, "as many servers as maxServers allows")
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
		{"a keyword of podgate's", func(c *Config) { c.Keywords = []string{"weight", "0"} }, "podgate's to set"},
		{"a weight that marks what leaves", func(c *Config) { c.Weight = -1 }, "weight"},
		{"an owner with an underscore", func(c *Config) { c.Owner = "a_b" }, "owner"},
		{"checks without pause", func(c *Config) { c.Check.Interval = time.Millisecond }, "check interval"},
	}

	for _, tc := range tests {
		cfg := ok()
		tc.change(&cfg)
		_, err := New().Configure(cfg)
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

func TestBindingsOfOneBackendHaveOneRef(t *testing.T) {
	p := New()
	one, err := p.Configure(Config{Backend: "web", Instances: []string{"unix:/b", "unix:/a"}, Weight: 7})
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.Configure(Config{Backend: "web", Instances: []string{"unix:/a", "unix:/b", "unix:/a"}})
	if err != nil || one != other {
		t.Errorf("%v and %v, %v", one, other, err)
	}
	p.Forget(one)
	_, err = p.Health(t.Context(), one)
	checkError(t, "health", err, balancer.ErrInvalid, "no binding configures")
}
