// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const (
	opRegister   = "register servers"
	opDeregister = "deregister servers"
)

// Register implements provider.Registrar. When no target at all was registered the
// error is the cause itself, not a *provider.PartialError; so it is when an instance is
// silent, although the others have the servers then.
func (p *Provider) Register(ctx context.Context, of balancer.Group, targets []gate.Target, pods balancer.Pods) error {
	return p.change(ctx, opRegister, of, targets, func(ctx context.Context, v view) (failures, *troubleError) {
		return v.register(ctx, targets, pods)
	})
}

// Deregister implements provider.Registrar; its errors are like Register's. Servers
// drain from now on; Tend removes them when they have drained.
func (p *Provider) Deregister(ctx context.Context, of balancer.Group, targets []gate.Target) error {
	return p.change(ctx, opDeregister, of, targets, func(ctx context.Context, v view) (failures, *troubleError) {
		return v.deregister(ctx, targets)
	})
}

// failures are the targets that an instance did not handle.
type failures map[gate.Target]*troubleError

func (p *Provider) change(ctx context.Context, op string, of balancer.Group, targets []gate.Target, do func(context.Context, view) (failures, *troubleError)) error {
	g, err := p.group(op, of)
	if err != nil || len(targets) == 0 {
		return err
	}
	if g.Observe {
		return &balancer.CallError{Op: op, Subject: g.id, Kind: balancer.ErrInvalid, Text: "the binding says that others register the servers"}
	}

	// What was read before is not what Tend may go by.
	g.memory.keep(nil)
	defer g.memory.keep(nil)

	results, trouble := settle(each(ctx, p, g, func(ctx context.Context, i instance) (failures, *troubleError) {
		v, trouble := i.read(ctx)
		if trouble != nil {
			return nil, trouble
		}
		return do(ctx, v)
	}))
	if trouble != nil {
		return trouble.call(op, g.id)
	}

	var failed []gate.Target
	var cause *troubleError
	for _, t := range targets {
		for _, result := range results {
			if result[t] != nil {
				failed = append(failed, t)
				cause = worst(cause, result[t])
				break
			}
		}
	}

	switch {
	case cause == nil:
		return nil
	case len(failed) == len(targets):
		return cause.call(op, g.id)
	}

	return &balancer.PartialError{Failed: failed, Err: cause.call(op, g.id)}
}

// worst prefers a full backend, which the caller can do something about, and else
// what came first.
func worst(a, b *troubleError) *troubleError {
	if a == nil || !errors.Is(a.kind, balancer.ErrQuota) && errors.Is(b.kind, balancer.ErrQuota) {
		return b
	}
	return a
}

// register makes servers of targets at one instance. What it finds done it leaves as
// it is.
func (v view) register(ctx context.Context, targets []gate.Target, pods balancer.Pods) (failures, *troubleError) {
	failed := failures{}
	var wanted []placement
	for _, t := range targets {
		if !t.Addr.IsValid() || t.Addr.Zone() != "" || !between(int(t.Port), 1, 65535) {
			failed[t] = v.refuse(balancer.ErrInvalid, "a target without an address and a port between 1 and 65535")
			continue
		}
		name := nameOf(prefix(v.g.Owner), pods[t], t)
		wanted = append(wanted, placement{name: name, target: t, restore: v.g.memory.restorable(v.socket, name)})
	}

	refused, trouble := v.place(ctx, wanted)
	if trouble != nil {
		return nil, trouble
	}

	var former [][]string
	for _, w := range wanted {
		if refused[w.name] != nil {
			failed[w.target] = refused[w.name]
			continue
		}
		for _, s := range v.at(w.target) {
			if s.name != w.name && s.phase() != leaving {
				former = append(former, v.g.leave(s.name)) // of the pod that had the address before
			}
		}
	}

	if _, trouble := v.exchange(ctx, former...); trouble != nil {
		return nil, trouble
	}

	return failed, nil
}

// deregister lets the servers of targets leave at one instance.
func (v view) deregister(ctx context.Context, targets []gate.Target) (failures, *troubleError) {
	failed := failures{}
	var units [][]string
	var whose []gate.Target
	for _, t := range targets {
		for _, s := range v.at(t) {
			if s.phase() != leaving {
				units, whose = append(units, v.g.leave(s.name)), append(whose, t)
			}
		}
	}

	answers, trouble := v.exchange(ctx, units...)
	if trouble != nil {
		return nil, trouble
	}

	for n, t := range whose {
		if said := complaint(answers[n]); said != "" && !strings.Contains(said, "No such server") {
			failed[t] = v.refused(said)
		}
	}

	return failed, nil
}

// at gives podgate's own servers of a target.
func (v view) at(t gate.Target) []server {
	var found []server
	for _, s := range v.own() {
		if at, ok := s.target(); ok && at == t {
			found = append(found, s)
		}
	}
	return found
}

// placement is a server that should be at an instance.
type placement struct {
	name   string
	target gate.Target
	// restore: known to be healthy, so it starts with traffic.
	restore bool
}

// orders are the units of commands that place servers, with whose they are.
type orders struct {
	adds, starts   [][]string
	added, started []placement
	refused        map[string]*troubleError
}

func (s *orders) start(w placement, unit []string) {
	s.starts, s.started = append(s.starts, unit), append(s.started, w)
}

// orders are those that servers need from where they are.
func (v view) orders(wanted []placement) *orders {
	s := &orders{refused: map[string]*troubleError{}}
	known, taken := map[string]server{}, map[int]bool{}
	for _, other := range v.servers {
		known[other.name], taken[other.id] = other, true
	}

	room := v.room()
	for _, w := range wanted {
		have, exists := known[w.name]
		at, _ := have.target()
		switch {
		case !exists && room == 0:
			s.refused[w.name] = v.refuse(balancer.ErrQuota, "it has as many servers as maxServers allows, others' and leaving ones included: raise maxServers, or run fewer pods")
		case !exists:
			id := idOf(w.name, taken)
			room, taken[id] = room-1, true
			s.adds, s.added = append(s.adds, v.g.add(v.version, w.name, w.target.String(), id, w.restore)), append(s.added, w)
		case at != w.target:
			s.refused[w.name] = v.refuse(balancer.ErrInvalid, fmt.Sprintf("server %q exists with another address: remove it from HAProxy's configuration", w.name))
		case have.unchecked():
			s.start(w, v.g.check(w.name))
		case have.phase() != present:
			s.start(w, v.g.start(w.name))
		}
	}

	return s
}

// place adds and starts servers, and gives those that HAProxy refused.
func (v view) place(ctx context.Context, wanted []placement) (map[string]*troubleError, *troubleError) {
	s := v.orders(wanted)

	// Nothing is added where it could do harm or would never serve.
	if len(s.adds) > 0 {
		if trouble := v.suits(ctx); trouble != nil {
			return nil, trouble
		}
	}

	answers, trouble := v.exchange(ctx, s.adds...)
	if trouble != nil {
		return nil, trouble
	}

	for n, w := range s.added {
		said := answers[n][0]
		switch {
		case strings.Contains(said, "New server registered") && w.restore:
			s.start(w, v.g.restore(w.name))
		case strings.Contains(said, "New server registered"):
			s.start(w, v.g.start(w.name))
		case strings.Contains(said, "Already exists a server with the same name"):
			// Another replica was faster. It starts the server, too: a start is not
			// repeated on one that may be up by now.
		default:
			s.refused[w.name] = v.refusedServer(said)
		}
	}

	if answers, trouble = v.exchange(ctx, s.starts...); trouble != nil {
		return nil, trouble
	}

	for n, w := range s.started {
		if said := complaint(answers[n]); said != "" {
			s.refused[w.name] = v.refused(said)
		}
	}

	return s.refused, nil
}

// room is how many servers may be added; below 0 for any number.
func (v view) room() int {
	if v.g.MaxServers == 0 {
		return -1
	}
	return max(v.g.MaxServers-len(v.servers), 0)
}

// complaint is the first answer of a unit that says something: all is well when
// HAProxy is silent.
func complaint(answers []string) string {
	for _, said := range answers {
		if said != "" {
			return said
		}
	}
	return ""
}

func (v view) refuse(kind error, text string) *troubleError {
	return &troubleError{socket: v.socket, kind: kind, text: text}
}

// refused makes an error of what HAProxy said.
func (v view) refused(said string) *troubleError {
	text, kind := refusal(said, v.g.Backend)
	if kind == nil {
		text = "HAProxy says: " + short(said)
	}
	return v.refuse(kind, text)
}

// refusedServer makes an error of the answer to `add server` when it made none. HAProxy says what is wrong with one of the words,
// in a hundred ways, and says so each time: only another configuration helps, unless it was short of memory, or somebody
// else took the identifier meanwhile.
func (v view) refusedServer(said string) *troubleError {
	trouble := v.refused(said)
	if trouble.kind == nil && said != "" && !scarce(said) && !strings.Contains(said, "already used at") {
		trouble.kind = balancer.ErrInvalid
	}
	return trouble
}
