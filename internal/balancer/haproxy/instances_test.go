// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
	"github.com/podgate/podgate/internal/gate"
)

// One of two instances ends: the other one's word is enough. It comes back without any
// server, gets them from its twin, and only then is a target in service again.
func TestInstanceEndsAndComesBack(t *testing.T) {
	s := newSite(t, "unix", "unix")
	group := s.config(backend).Group()
	target := s.serving(group, 1)[0]
	mend := s.wires[1].breakdown(balancertest.Down)
	s.haproxys[1].stop()

	if got := s.health(group, target); got.State != gate.Healthy {
		t.Errorf("with one of two instances gone: %+v", got)
	}

	fresh := s.serving(group, 1)[0]
	gone := s.serving(group, 1)[0]
	s.deregister(group, gone)

	s.haproxys[1].start()
	mend()

	if got := s.health(group, target); got.State != gate.Initial || got.Reason != reasonPartial {
		t.Errorf("missing at an instance, but %+v", got)
	}

	s.becomes(group, target, gate.Healthy)
	s.becomes(group, fresh, gate.Healthy)

	if n := len(s.haproxys[1].servers()); n != 2 {
		t.Errorf("the instance that came back has %d servers, want those of the two that stay", n)
	}
}

// TestLaw2NothingComesToAGroupThatIsLeft: while the binding of two instances is being deleted, another one registers
// a server at one of them. That server is not copied to the other instance, where nobody would remove it.
func TestLaw2NothingComesToAGroupThatIsLeft(t *testing.T) {
	s := newSite(t, "unix", "unix")
	part, whole := s.config(backend), s.config(backend)
	part.Instances, whole.Ending = part.Instances[1:], true
	s.serving(part.Group(), 1)

	tend := func(cfg Config) int {
		if _, err := s.provider.Health(t.Context(), cfg.Group()); err != nil {
			t.Fatal(err)
		}
		if err := s.provider.Tend(t.Context(), cfg.Group()); err != nil {
			t.Fatal(err)
		}
		return len(s.haproxys[0].servers())
	}

	if n := tend(whole); n != 0 {
		t.Errorf("the instance that is left got %d servers", n)
	}

	whole.Ending = false
	if n := tend(whole); n != 1 {
		t.Errorf("an instance of a binding that stays has %d servers, want the one that it lacks", n)
	}
}

// An instance that is silent may serve all the same, so nothing is known of the group.
// What can be done at the others is done.
func TestSilentInstanceIsUnknown(t *testing.T) {
	s := newSite(t, "unix", "unix")
	s.provider = New(WithTimeouts(shortTimeout, DefaultCallTimeout))
	group := s.config(backend).Group()
	target, fresh := s.newTarget(t), s.newTarget(t)
	s.register(group, target)
	mend := s.wires[1].breakdown(balancertest.Hanging)
	healths, health := s.provider.Health(t.Context(), group)
	if healths != nil {
		t.Errorf("half of the instances told of %v", healths)
	}

	for operation, err := range map[string]error{
		"health": health, "register": s.provider.Register(t.Context(), group, []gate.Target{fresh}, owners(fresh)), "deregister": s.provider.Deregister(t.Context(), group, []gate.Target{target}),
	} {
		if err == nil || !strings.Contains(balancer.Message(err), s.wires[1].instance()+": no answer within") {
			t.Errorf("%s: %v does not name the silent instance", operation, err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v is taken for the caller's own deadline", operation, err)
		}
	}

	if n := len(s.haproxys[0].servers()); n != 2 {
		t.Errorf("the instance that answers has %d servers, want both", n)
	}

	mend()
	s.register(group, fresh)
	s.deregister(group, target)
	s.apps[fresh].healthy.Store(true)
	s.becomes(group, fresh, gate.Healthy)
}

func TestLaw7HangingSocketDelaysNoOtherBackend(t *testing.T) {
	hung, fine := newSite(t, "unix"), newSite(t, "unix")
	p := New(WithTimeouts(patience, patience))
	hungGroup := hung.config(backend).Group()

	fine.provider = p
	group := fine.config(backend).Group()
	hung.wires[0].set(balancertest.Hanging)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := p.Health(ctx, hungGroup); ended <- err }()
	eventually(t, "a call hangs", func() bool {
		hung.wires[0].mu.Lock()
		defer hung.wires[0].mu.Unlock()
		return len(hung.wires[0].held) > 0
	})

	fine.serving(group, 1)
	select {
	case err := <-ended:
		t.Errorf("the call did not hang: %v", err)
	default:
	}

	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A server of the configuration at a pod's address, and one with podgate's very name.
func TestServersOfOthers(t *testing.T) {
	s := newSite(t, "unix")
	cfg := s.config(backend)
	target, clash := s.newTarget(t), s.newTarget(t)
	h := s.haproxys[0]
	h.configure(backends(s.ports[0], 1) + "backend two\n    server static " + target.String() + " check inter 100ms\n    server " + nameFor(cfg, clash) + " 127.0.0.1:9\n")
	h.reload()
	cfg.Backend = "two"
	group := cfg.Group()
	if healths, err := s.provider.Health(t.Context(), group); err != nil || len(healths) != 1 {
		t.Errorf("reported %v (%v), want nothing but the server that has podgate's name", healths, err)
	}

	before := h.say("show servers state two")
	s.deregister(group, target)

	if after := h.say("show servers state two"); names(t, after)[0] != names(t, before)[0] || strings.Contains(after, " static 127.0.0.1 2 8 ") {
		t.Errorf("a server of others was touched:\n%s", after)
	}

	err := s.provider.Register(t.Context(), group, []gate.Target{target, clash}, owners(target, clash))
	var partial *balancer.PartialError
	if !errors.As(err, &partial) || !slices.Equal(partial.Failed, []gate.Target{clash}) || !errors.Is(err, balancer.ErrInvalid) {
		t.Errorf("a name that is taken: %v", err)
	}
}

func names(t *testing.T, answer string) []string {
	t.Helper()
	rows, err := parseState(answer)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, row := range rows {
		all = append(all, row.name)
	}
	return all
}

func TestObserveOnly(t *testing.T) {
	s := newSite(t, "unix")
	cfg := s.config(backend)
	target := s.newTarget(t)
	s.apps[target].healthy.Store(true)
	s.haproxys[0].say("add server web-0/theirs " + target.String() + " check inter 100ms; enable health web-0/theirs; enable server web-0/theirs")
	cfg.Observe = true
	cfg.Instances = []string{"unix:" + s.haproxys[0].user()}
	group := cfg.Group()
	s.becomes(group, target, gate.Healthy)

	for _, err := range []error{
		s.provider.Register(t.Context(), group, []gate.Target{target}, nil), s.provider.Deregister(t.Context(), group, []gate.Target{target}),
	} {
		if !errors.Is(err, balancer.ErrInvalid) {
			t.Errorf("changed what others register: %v", err)
		}
	}

	s.haproxys[0].say("set server web-0/theirs state drain")
	if got := s.health(group, target); got.State != gate.Unused {
		t.Errorf("drained by others: %+v", got)
	}

	if status := s.get("/"); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
}
