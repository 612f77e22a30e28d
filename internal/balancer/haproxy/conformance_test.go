// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
	"github.com/podgate/podgate/internal/gate"
)

// site is HAProxys that serve the same backends, with wires before their sockets, and
// applications for them.
type site struct {
	t        *testing.T
	provider *Provider
	haproxys []*haproxy
	wires    []*wire
	ports    []int
	groups   int
	apps     map[gate.Target]*app
	// ends end the applications at once.
	ends map[gate.Target]func()
}

// app is a target's application.
type app struct {
	healthy atomic.Bool
	served  atomic.Int64
	// slow holds requests to /slow until it is closed.
	slow chan struct{}
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/slow":
		a.served.Add(1)
		<-a.slow
	case r.URL.Path != "/healthz":
		a.served.Add(1)
	case !a.healthy.Load():
		http.Error(w, "not healthy", http.StatusServiceUnavailable)
	}
}

// newSite starts a HAProxy for each network, through whose wire it is reached.
func newSite(t *testing.T, networks ...string) *site {
	t.Helper()
	s := &site{t: t, provider: New(), apps: map[gate.Target]*app{}, ends: map[gate.Target]func(){}}
	for _, network := range networks {
		port := freePort(t)
		s.ports = append(s.ports, port)
		h := startHAProxy(t, backends(port, 2))
		s.haproxys = append(s.haproxys, h)
		s.wires = append(s.wires, newWire(t, h, network))
	}
	return s
}

// config is that of a backend of the site.
func (s *site) config(backend string) Config {
	cfg := Config{Backend: backend, Check: Check{Interval: 100 * time.Millisecond, Rise: 2, Fall: 2}, Drain: time.Minute}
	for _, w := range s.wires {
		cfg.Instances = append(cfg.Instances, w.instance())
	}
	return cfg
}

func (s *site) newGroup(*testing.T) balancer.Group {
	s.groups++
	return s.group(fmt.Sprintf("web-%d", s.groups-1))
}

// group is a backend of the site as calls take it.
func (s *site) group(backend string) balancer.Group {
	group := s.config(backend).Group()
	group.Name = group.Ref.Group
	return group
}

func (s *site) newTarget(t *testing.T) gate.Target {
	t.Helper()
	a := &app{slow: make(chan struct{})}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	target := gate.Target{Addr: at.Addr(), Port: int32(at.Port())}
	s.apps[target] = a
	s.ends[target] = func() {
		server.CloseClientConnections()
		server.Close()
	}
	return target
}

func (s *site) setHealthy(_ *testing.T, target gate.Target, healthy bool) {
	s.apps[target].healthy.Store(healthy)
}

func (s *site) breakdown(_ *testing.T, fault balancertest.Fault) (mend func()) {
	mends := make([]func(), len(s.wires))
	for i, w := range s.wires {
		mends[i] = w.breakdown(fault)
	}
	return func() {
		for _, mend := range mends {
			mend()
		}
	}
}

func (s *site) harness() balancertest.Harness {
	return balancertest.Harness{
		Provider:   s.provider,
		NewGroup:   s.newGroup,
		Missing:    s.group("missing"),
		NewTarget:  s.newTarget,
		SetHealthy: s.setHealthy,
		Refused:    gate.Target{Addr: netip.MustParseAddr("127.0.0.1")},
		Lose:       s.lose,
		State:      s.state,
		Break:      s.breakdown,
		NoFault:    []balancertest.Fault{balancertest.Throttled},
	}
}

// lose deletes a target's servers by hand.
func (s *site) lose(t *testing.T, group balancer.Group, target gate.Target) {
	t.Helper()
	g, err := s.provider.group("test", group)
	if err != nil {
		t.Fatal(err)
	}

	for _, h := range s.haproxys {
		rows, err := parseState(h.say("show servers state " + g.Backend))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if at, _ := (server{serverState: row}).target(); at == target {
				h.say("set server " + g.path(row.name) + " state maint; del server " + g.path(row.name))
			}
		}
	}
}

// state is what the runtime API set of each server at each instance.
func (s *site) state(t *testing.T, group balancer.Group) string {
	t.Helper()
	g, err := s.provider.group("test", group)
	if err != nil {
		t.Fatal(err)
	}

	var all []string
	for n, h := range s.haproxys {
		rows, err := parseState(h.say("show servers state " + g.Backend))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			all = append(all, fmt.Sprint(n, row.name, row.addr, row.port, row.weight, row.admin, row.checkState&checkEnabled))
		}
	}

	return strings.Join(all, "\n")
}

func TestConformance(t *testing.T) {
	for name, networks := range map[string][]string{"unix": {"unix"}, "pair": {"unix", "tcp"}} {
		t.Run(name, func(t *testing.T) {
			balancertest.Run(t, func(t *testing.T) balancertest.Harness { return newSite(t, networks...).harness() })
		})
	}
}
