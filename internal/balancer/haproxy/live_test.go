// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// backend is the site's that has a frontend.
const backend = "web-0"

// get asks the first instance's frontend once and gives the status.
func (s *site) get(path string) int {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", s.ports[0], path))
	if err != nil {
		s.t.Error(err)
		return 0
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode
}

// health reads a group and looks after it, as the observer does.
func (s *site) health(group balancer.Group, t gate.Target) gate.Health {
	s.t.Helper()
	healths, err := s.provider.Health(s.t.Context(), group)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.provider.Tend(s.t.Context(), group); err != nil {
		s.t.Fatal(err)
	}
	return healths[t]
}

func (s *site) register(group balancer.Group, targets ...gate.Target) {
	s.t.Helper()
	if err := s.provider.Register(s.t.Context(), group, targets, owners(targets...)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) deregister(group balancer.Group, targets ...gate.Target) {
	s.t.Helper()
	if err := s.provider.Deregister(s.t.Context(), group, targets); err != nil {
		s.t.Fatal(err)
	}
}

// serving registers healthy targets and waits until they serve.
func (s *site) serving(group balancer.Group, n int) []gate.Target {
	s.t.Helper()
	var targets []gate.Target
	for range n {
		t := s.newTarget(s.t)
		s.apps[t].healthy.Store(true)
		targets = append(targets, t)
	}
	s.register(group, targets...)
	for _, t := range targets {
		s.becomes(group, t, gate.Healthy)
	}
	return targets
}

func (s *site) becomes(group balancer.Group, t gate.Target, want gate.State) {
	s.t.Helper()
	eventually(s.t, t.String()+" is "+want.String(), func() bool { return s.health(group, t).State == want })
}

// owners makes up a pod for each target.
func owners(targets ...gate.Target) balancer.Pods {
	pods := balancer.Pods{}
	for _, t := range targets {
		pods[t] = balancer.Pod{Namespace: "shop", Name: fmt.Sprintf("web-%d", t.Port), UID: fmt.Sprint("uid-", t.Port)}
	}
	return pods
}

func nameFor(cfg Config, t gate.Target) string { return nameOf(prefix(cfg.Owner), owners(t)[t], t) }

// TestFrontendOfTheBackendsName: HAProxy allows it, and the backend is found all the same.
func TestFrontendOfTheBackendsName(t *testing.T) {
	s := newSite(t)
	h := startHAProxy(t, fmt.Sprintf("frontend shop\n    bind 127.0.0.1:%d\n    default_backend shop\nbackend shop\n", freePort(t))+backends(freePort(t), 1))
	s.wires = append(s.wires, newWire(t, h, "unix"))
	s.serving(s.config("shop").Group(), 1)
}

func TestNoTrafficBeforeTheChecksPassed(t *testing.T) {
	s := newSite(t, "unix")
	group := s.config(backend).Group()
	target := s.newTarget(t)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.get("/")
				}
			}
		})
	}

	s.register(group, target)
	s.becomes(group, target, gate.Unhealthy)
	close(stop)
	clients.Wait()

	if n := s.apps[target].served.Load(); n != 0 {
		t.Errorf("a server whose checks never passed got %d requests", n)
	}

	s.apps[target].healthy.Store(true)
	s.becomes(group, target, gate.Healthy)

	if status := s.get("/"); status != http.StatusOK {
		t.Errorf("a healthy server: status %d", status)
	}
}

// A process may die, and an answer be cut off, between any two commands.
func TestInterruptedRegistrationGoesOn(t *testing.T) {
	s := newSite(t, "unix")
	cfg := s.config(backend)
	group := cfg.Group()
	g, err := s.provider.group("test", group)
	if err != nil {
		t.Fatal(err)
	}

	target := s.newTarget(t)
	name := nameFor(cfg, target)
	add := g.add(version26, name, target.String(), 0, false)
	sequences := map[string][]string{
		"new":                slices.Concat(add, g.start(name)),
		"drains":             slices.Concat(add, g.start(name), g.leave(name), g.start(name)),
		"out of use":         slices.Concat(add, g.start(name), g.remove(version26, name)[:2], g.start(name)),
		"leaves":             slices.Concat(add, g.start(name), g.leave(name)),
		"in the maintenance": slices.Concat(add, g.start(name), g.leave(name), g.remove(version26, name)[:2]),
	}

	for reason, commands := range sequences {
		for cut := 1; cut <= len(commands); cut++ {
			s.apps[target].healthy.Store(false)
			s.apps[target].served.Store(0)
			s.haproxys[0].say(strings.Join(commands[:cut], ";"))
			s.get("/")

			if n := s.apps[target].served.Load(); n != 0 {
				t.Errorf("%s: cut off after %q: a server whose checks never passed got a request", reason, commands[cut-1])
			}

			if got := s.health(group, target); got.State == gate.Healthy {
				t.Errorf("%s: cut off after %q: healthy", reason, commands[cut-1])
			}

			s.apps[target].healthy.Store(true)
			s.register(group, target)
			s.becomes(group, target, gate.Healthy)

			if got := s.haproxys[0].servers(); !slices.Equal(got, []string{name}) {
				t.Fatalf("%s: cut off after %q: servers %v", reason, commands[cut-1], got)
			}

			s.haproxys[0].say(strings.Join(g.remove(version26, name), ";"))
			eventually(t, "no server is left", func() bool {
				s.haproxys[0].say("del server " + g.path(name))
				return len(s.haproxys[0].servers()) == 0
			})
		}
	}
}

func TestRestoredServerCutOffIsCheckedAfterAll(t *testing.T) {
	s := newSite(t, "unix")
	cfg := s.config(backend)
	group := cfg.Group()
	g, err := s.provider.group("test", group)
	if err != nil {
		t.Fatal(err)
	}

	target := s.newTarget(t)
	name := nameFor(cfg, target)
	s.haproxys[0].say(strings.Join(append(g.add(version26, name, target.String(), 0, true), g.restore(name)[0]), ";"))

	if got := s.health(group, target); got.State != gate.Unavailable {
		t.Errorf("up without checks: %+v", got)
	}

	s.becomes(group, target, gate.Unhealthy)
}

func TestDrainWaitsForConnections(t *testing.T) {
	for reason, drain := range map[string]time.Duration{"within its time": time.Hour, "when its time is up": time.Second} {
		t.Run(reason, func(t *testing.T) {
			s := newSite(t, "unix")
			cfg := s.config(backend)
			cfg.Drain = drain
			group := cfg.Group()
			target := s.serving(group, 1)[0]
			status := make(chan int, 1)
			go func() { status <- s.get("/slow") }()
			eventually(t, "the request is under way", func() bool { return s.apps[target].served.Load() == 1 })

			s.deregister(group, target)

			if got := s.health(group, target); !got.Leaving() {
				t.Errorf("deregistered, but %+v", got)
			}

			if got := s.get("/"); got != http.StatusServiceUnavailable || s.apps[target].served.Load() != 1 {
				t.Errorf("a server that drains got another request (status %d)", got)
			}

			eventually(t, "the drain is older than two seconds", func() bool {
				rows, err := parseState(s.haproxys[0].say("show servers state " + backend))
				if err != nil || len(rows) != 1 {
					t.Fatalf("the server is gone with a connection left (%v)", err)
				}
				if got := s.health(group, target); !got.Leaving() || got.Connections != 1 {
					t.Fatalf("want a target that drains with one connection, got %+v", got)
				}
				out := rows[0].admin&adminMaint != 0
				if out && drain == time.Hour {
					t.Fatal("a server that still has a connection is out of use before its time")
				}
				return drain == time.Hour && rows[0].since > 2*time.Second || drain != time.Hour && out
			})

			close(s.apps[target].slow)
			if got := <-status; got != http.StatusOK {
				t.Errorf("the request that was under way ended with status %d", got)
			}

			eventually(t, "the server is removed", func() bool {
				s.health(group, target)
				return len(s.haproxys[0].servers()) == 0
			})
		})
	}
}

// A reload and a restart lose what was added at runtime.
func TestReloadAndRestart(t *testing.T) {
	tests := map[string]func(*haproxy){
		"reload":  (*haproxy).reload,
		"restart": func(h *haproxy) { h.stop(); h.start() },
	}

	for reason, lose := range tests {
		t.Run(reason, func(t *testing.T) {
			s := newSite(t, "unix")
			group := s.config(backend).Group()
			targets := s.serving(group, 2)
			lose(s.haproxys[0])

			for _, target := range targets {
				if got := s.health(group, target); got != (gate.Health{}) {
					t.Errorf("lost, but reported as %+v", got)
				}
			}

			fresh := s.newTarget(t)
			s.register(group, append(targets, fresh)...)

			if status := s.get("/"); status != http.StatusOK {
				t.Errorf("servers that were healthy before do not serve at once: status %d", status)
			}

			for _, target := range targets {
				s.becomes(group, target, gate.Healthy)
			}

			s.becomes(group, fresh, gate.Unhealthy)
			if n := s.apps[fresh].served.Load(); n != 0 {
				t.Errorf("a new server got %d requests before its checks passed", n)
			}
		})
	}
}

func TestRestoredServerThatDiedMeanwhileGoesDown(t *testing.T) {
	s := newSite(t, "unix")
	group := s.config(backend).Group()
	target := s.serving(group, 1)[0]
	s.haproxys[0].reload()
	s.apps[target].healthy.Store(false)
	s.health(group, target)
	s.register(group, target)
	s.becomes(group, target, gate.Unhealthy)
}

func TestAddressOfAnotherPod(t *testing.T) {
	s := newSite(t, "unix")
	cfg := s.config(backend)
	group := cfg.Group()
	target := s.serving(group, 1)[0]
	s.apps[target].healthy.Store(false)
	next := balancer.Pods{target: {Namespace: "shop", Name: "next", UID: "another"}}
	if err := s.provider.Register(t.Context(), group, []gate.Target{target}, next); err != nil {
		t.Fatal(err)
	}

	if got := s.health(group, target); got.State != gate.Initial && got.State != gate.Unhealthy {
		t.Errorf("the new pod begins as %+v", got)
	}

	eventually(t, "only the new pod's server is left", func() bool {
		s.health(group, target)
		return slices.Equal(s.haproxys[0].servers(), []string{nameOf(prefix(cfg.Owner), next[target], target)})
	})

	s.apps[target].healthy.Store(true)
	s.becomes(group, target, gate.Healthy)
}

// What somebody did by hand to one of podgate's servers stays.
func TestServersHeldByHand(t *testing.T) {
	s := newSite(t, "unix")
	cfg := s.config(backend)
	group := cfg.Group()
	target := s.serving(group, 1)[0]
	path := backend + "/" + nameFor(cfg, target)
	for _, tc := range []struct{ command, reason string }{
		{"disable server " + path, reasonMaintenance},
		{"set server " + path + " state drain", reasonDrained},
	} {
		s.haproxys[0].say(tc.command)
		s.register(group, target)
		got := s.health(group, target)
		if got.State != gate.Unused || got.Reason != tc.reason {
			t.Errorf("%s: %+v", tc.command, got)
		}
		s.haproxys[0].say("enable server " + path)
		s.becomes(group, target, gate.Healthy)
	}

	s.haproxys[0].say("disable server " + path)
	s.deregister(group, target)
	eventually(t, "a server in maintenance is removed with its pod", func() bool {
		s.health(group, target)
		return len(s.haproxys[0].servers()) == 0
	})
}

// Any number of replicas may do anything at once; what is asked for last comes true.
func TestTwoReplicas(t *testing.T) {
	s := newSite(t, "unix")
	cfg := s.config(backend)
	group := cfg.Group()
	replicas := []*Provider{s.provider, New(), New()}
	var targets []gate.Target
	for range 4 {
		target := s.newTarget(t)
		s.apps[target].healthy.Store(true)
		targets = append(targets, target)
	}

	var wg sync.WaitGroup
	for _, p := range replicas {
		wg.Go(func() {
			for range 60 {
				some := targets[:1+rand.IntN(len(targets))]
				// A replica may be told that another one removed a server just then.
				switch rand.IntN(3) {
				case 0:
					_ = p.Register(t.Context(), group, some, owners(some...))
				case 1:
					_ = p.Deregister(t.Context(), group, some)
				case 2:
					if _, err := p.Health(t.Context(), group); err != nil {
						t.Error(err)
					}
					if err := p.Tend(t.Context(), group); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}

	wg.Wait()
	eventually(t, "all are healthy", func() bool {
		healths, err := s.provider.Health(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}

		var missing []gate.Target
		healthy := 0
		for _, target := range targets {
			h, listed := healths[target]
			if !listed || h.Leaving() { // as the target controller decides
				missing = append(missing, target)
			}
			if h.State == gate.Healthy {
				healthy++
			}
		}

		if err := s.provider.Tend(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		_ = s.provider.Register(t.Context(), group, missing, owners(missing...))
		return healthy == len(targets)
	})

	s.deregister(group, targets...)
	eventually(t, "all are gone", func() bool {
		err := replicas[1].Tend(t.Context(), group)
		return err == nil && len(s.haproxys[0].servers()) == 0
	})
}
