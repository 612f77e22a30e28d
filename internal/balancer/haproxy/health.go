// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const (
	opHealth = "read servers"

	// abandoned is how long a registration is left unfinished before it is undone; the
	// caller makes it again well before if its pod is still there.
	abandoned = 30 * time.Second
	// settleDown is how long a server drains at least, so that a request that was given
	// to it a moment before is counted, and how long it is in maintenance before it is
	// deleted, so that no check of it and no idle connection is under way.
	settleDown = time.Second
	// retried is for how long no connection to a server may have failed when it is
	// deleted. A request is tried again at the server that it was given to, up to a second
	// later (back_handle_st_cer in src/backend.c), and counts as no connection meanwhile:
	// HAProxy without its commit 95c4d24825b6 (2.9) lets the server be deleted, and ends
	// by a segmentation fault when the request goes on.
	retried = 2 * time.Second
)

// Health implements provider.Reporter with one line of commands to each instance. It
// also goes on with what earlier calls began: it removes servers that have drained,
// and adds those that one instance has and another lacks. Should that fail, the next
// call does it.
func (p *Provider) Health(ctx context.Context, ref balancer.Ref) (map[gate.Target]gate.Health, error) {
	g, err := p.group(opHealth, ref.Group)
	if err != nil {
		return nil, err
	}
	views, trouble := p.views(ctx, g)
	if trouble != nil {
		return nil, trouble.call(opHealth, ref.Group)
	}
	if !g.Observe {
		p.tend(ctx, views)
	}
	return merge(views, g.Observe), nil
}

// tend brings every instance on.
func (p *Provider) tend(ctx context.Context, views []view) {
	ctx, cancel := p.limit(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for _, v := range views {
		units, lacking := v.overdue(), v.lacking(views)
		if len(units) == 0 && len(lacking) == 0 {
			continue
		}
		wg.Go(func() {
			// What did not work is there at the next read.
			_, _ = v.exchange(ctx, units...)
			_, _ = v.place(ctx, lacking)
		})
	}

	wg.Wait()
}

// overdue gives the commands that go on with what was begun.
func (v view) overdue() [][]string {
	var units [][]string
	for _, s := range v.own() {
		switch s.phase() {
		case leaving:
			switch {
			case s.admin&adminMaint != 0 && s.since >= settleDown && v.g.memory.quietFor(v.socket, s.name) >= retried:
				units = append(units, v.g.remove(v.version, s.name))
			case s.admin&adminMaint != 0:
				// Its checks, idle connections and retries come to rest.
			case s.admin&adminDrain != 0 && s.drained(v.g.Drain):
				units = append(units, v.g.retire(s.name))
			case s.admin&adminDrain == 0:
				units = append(units, v.g.leave(s.name))
			}

		case unfinished:
			switch {
			case s.unchecked():
				units = append(units, v.g.check(s.name))
			case s.since >= abandoned:
				units = append(units, v.g.remove(v.version, s.name))
			}
		}
	}

	return units
}

// drained reports whether a server that drains may be taken out of use.
func (s server) drained(limit time.Duration) bool {
	return s.since >= limit || s.since >= settleDown && s.idle()
}

// lacking gives podgate's servers that other instances have and this one lacks: at
// once when it has none, as after a restart, and else when that has lasted, since a
// registration or deregistration may be under way.
func (v view) lacking(views []view) []placement {
	wanted := map[string]placement{}
	var names []string
	for _, other := range views {
		for _, s := range other.own() {
			t, ok := s.target()
			if _, here := v.find(s.name); here || !ok || s.phase() != present || anyLeaving(views, s.name) {
				continue
			}
			w, twice := wanted[s.name]
			if !twice {
				names = append(names, s.name)
			}
			healthy := s.health().State == gate.Healthy
			wanted[s.name] = placement{name: s.name, target: t, restore: w.restore || healthy || v.g.memory.restorable(v.socket, s.name)}
		}
	}

	overdue := v.g.memory.lacks(v.socket, names, gate.Lag)
	var lacking []placement
	for _, name := range names {
		if overdue[name] || len(v.own()) == 0 {
			lacking = append(lacking, wanted[name])
		}
	}

	return lacking
}

func anyLeaving(views []view, name string) bool {
	for _, v := range views {
		if s, here := v.find(name); here && s.phase() == leaving {
			return true
		}
	}
	return false
}
