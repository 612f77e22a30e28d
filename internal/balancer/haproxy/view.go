// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// view is a backend at one instance, read at one moment.
type view struct {
	instance
	info
	backend backendStat
	servers []server
}

// find gives the server of a name.
func (v view) find(name string) (server, bool) {
	for _, s := range v.servers {
		if s.name == name {
			return s, true
		}
	}
	return server{}, false
}

// own gives the servers that podgate made.
func (v view) own() []server {
	var own []server
	for _, s := range v.servers {
		if s.own {
			own = append(own, s)
		}
	}
	return own
}

// read asks one instance for all of the backend.
func (i instance) read(ctx context.Context) (view, *troubleError) {
	v, trouble := i.readAs(ctx, i.g.Backend)
	if trouble == nil && !v.backend.told {
		// A frontend may have the backend's name, and "show stat" takes the name for the frontend's then.
		v, trouble = i.readByNumber(ctx)
	}

	if trouble != nil {
		return view{}, trouble
	}
	if !i.g.Observe && !v.version.atLeast(version26) {
		return view{}, &troubleError{socket: i.socket, kind: balancer.ErrInvalid,
			text: "HAProxy " + v.version.String() + " cannot have servers added at runtime: 2.6 or later is needed"}
	}
	if v.stopping {
		return view{}, &troubleError{socket: i.socket, text: "this HAProxy process is stopping"}
	}

	if i.g.memory.note(v) {
		return view{}, &troubleError{socket: i.socket, kind: balancer.ErrInvalid,
			text: "several HAProxy processes answer here by turns, as behind a load balancer: give each instance an address of its own"}
	}

	return v, nil
}

// readByNumber finds the backend's number, and asks for all of it by that. A reload in between may give the number to
// another: its rows are refused, and the next read begins anew.
func (i instance) readByNumber(ctx context.Context) (view, *troubleError) {
	answers, trouble := i.exchange(ctx, []string{"show stat -1 2 -1"})
	if trouble != nil {
		return view{}, trouble
	}

	number, err := parseNumber(answers[0][0], i.g.Backend)
	if errors.Is(err, errNoRow) {
		return view{}, &troubleError{socket: i.socket, kind: balancer.ErrInvalid, text: fmt.Sprintf("backend %q is disabled in HAProxy's configuration: enable it", i.g.Backend)}
	}
	if err != nil {
		return view{}, i.nonsense(err)
	}

	v, trouble := i.readAs(ctx, number)
	if trouble == nil && !v.backend.told {
		return view{}, i.nonsense(errNoRow)
	}

	return v, trouble
}

// readAs asks for all of the backend on one line; as is its name or number for "show stat".
func (i instance) readAs(ctx context.Context, as string) (view, *troubleError) {
	answers, trouble := i.exchange(ctx, []string{"show info", "show servers state " + i.g.Backend, "show stat " + as + " 6 -1"})
	if trouble != nil {
		return view{}, trouble
	}

	for _, answer := range answers[0] {
		if text, kind := refusal(answer, i.g.Backend); kind != nil {
			return view{}, &troubleError{socket: i.socket, kind: kind, text: text}
		}
	}

	v, err := i.parse(answers[0][0], answers[0][1], answers[0][2])
	if err != nil {
		return view{}, i.nonsense(err)
	}

	return v, nil
}

func (i instance) nonsense(err error) *troubleError {
	return &troubleError{socket: i.socket, text: "the answer makes no sense: " + err.Error()}
}

func (i instance) parse(showInfo, showState, showStat string) (view, error) {
	v := view{instance: i}
	var err error
	if v.info, err = parseInfo(showInfo); err != nil {
		return view{}, err
	}

	rows, err := parseState(showState)
	if err != nil {
		return view{}, err
	}

	stats, err := parseStat(showStat, i.g.Backend)
	if err != nil {
		return view{}, err
	}

	v.backend = stats.backend
	for _, row := range rows {
		v.servers = append(v.servers, server{serverState: row, stat: stats.servers[row.name], own: strings.HasPrefix(row.name, prefix(i.g.Owner))})
	}

	return v, nil
}

// each does the same at all instances at once and gives what came of it, by the
// instances' order. It returns when all have, which the time-outs see to.
func each[T any](ctx context.Context, p *Provider, g *group, do func(context.Context, instance) (T, *troubleError)) ([]T, []*troubleError) {
	ctx, cancel := p.limit(ctx)
	defer cancel()
	results, troubles := make([]T, len(g.sockets)), make([]*troubleError, len(g.sockets))
	var wg sync.WaitGroup
	for n, s := range g.sockets {
		wg.Go(func() { results[n], troubles[n] = do(ctx, instance{p: p, g: g, socket: s}) })
	}
	wg.Wait()
	return results, troubles
}

// settle applies the policy for instances that did not answer. Where surely no HAProxy
// listens, none sends traffic, so the others' word is enough: a pair whose one half was
// switched off still gets new pods. An instance that is silent may well serve, so
// without its word nothing is known of the group: what it does not know of must not
// become Ready, for then Kubernetes ends the pods that it does know.
func settle[T any](results []T, troubles []*troubleError) ([]T, *troubleError) {
	var answered []T
	var dead *troubleError
	for n, trouble := range troubles {
		switch {
		case trouble == nil:
			answered = append(answered, results[n])
		case !trouble.dead:
			return nil, trouble
		default:
			dead = trouble
		}
	}

	if len(answered) == 0 {
		return nil, dead
	}

	return answered, nil
}

// views reads all instances.
func (p *Provider) views(ctx context.Context, g *group) ([]view, *troubleError) {
	return settle(each(ctx, p, g, func(ctx context.Context, i instance) (view, *troubleError) { return i.read(ctx) }))
}

// merge makes one group of all instances' servers: a target is healthy when it is at
// every instance, and leaving when nothing but leaving servers of it are left.
func merge(views []view, observe bool) map[gate.Target]gate.Health {
	at := make([]map[gate.Target]gate.Health, len(views))
	all := map[gate.Target]gate.Health{}
	for n, v := range views {
		at[n] = map[gate.Target]gate.Health{}
		for _, s := range v.servers {
			t, ok := s.target()
			if !ok || !s.own && !observe {
				continue
			}
			health := s.health()
			if other, twice := at[n][t]; twice {
				health = atOneInstance(health, other)
			}
			at[n][t] = health
			all[t] = gate.Health{}
		}
	}

	for t := range all {
		all[t] = atAll(t, at)
	}

	return all
}

// atOneInstance is the health of a target with two servers: one that is there counts
// before one that leaves, such as that of a pod that had the address before.
func atOneInstance(a, b gate.Health) gate.Health {
	if a.Leaving() != b.Leaving() {
		if a.Leaving() {
			return b
		}
		return a
	}
	return worse(a, b)
}

func atAll(t gate.Target, at []map[gate.Target]gate.Health) gate.Health {
	var staying, going []gate.Health
	for _, healths := range at {
		health, listed := healths[t]
		switch {
		case !listed:
		case health.Leaving():
			going = append(going, health)
		default:
			staying = append(staying, health)
		}
	}

	if len(staying) == 0 {
		health := going[0]
		for _, other := range going[1:] {
			health.Connections += other.Connections
		}
		return health
	}

	if len(staying) < len(at) {
		return gate.Health{State: gate.Initial, Reason: reasonPartial, Description: "Not every HAProxy instance has the server yet"}
	}

	health := staying[0]
	for _, other := range staying[1:] {
		health = worse(health, other)
	}

	return health
}

// severity orders states: the first that a target has somewhere is what it is.
var severity = map[gate.State]int{gate.Unhealthy: 1, gate.Unused: 2, gate.Unavailable: 3, gate.Draining: 4, gate.Initial: 5, gate.Healthy: 6}

func worse(a, b gate.Health) gate.Health {
	if severity[b.State] < severity[a.State] {
		return b
	}
	return a
}
