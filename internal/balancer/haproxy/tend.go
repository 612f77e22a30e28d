// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const (
	opTend = "look after servers"

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

// Due implements balancer.Tender, by what the last Health read. Without that only a read could tell.
func (p *Provider) Due(of balancer.Group) bool {
	g, err := p.group(opTend, of)
	if err != nil || g.Observe {
		return err != nil
	}

	views := g.memory.kept(g.settings, p.callTimeout)
	return views == nil || len(steps(views)) > 0
}

// Tend implements balancer.Tender: it removes servers that have drained, and adds those
// that one instance has and another lacks, unless the binding is being deleted. It goes by what the last Health read, and
// reads the group itself when none did so just before. Should a step fail, the next
// call takes it.
func (p *Provider) Tend(ctx context.Context, of balancer.Group) error {
	g, err := p.group(opTend, of)
	if err != nil || g.Observe {
		return err
	}

	views := g.memory.take(g.settings, p.callTimeout)
	if views == nil {
		var trouble *troubleError
		if views, trouble = p.views(ctx, g); trouble != nil {
			return trouble.call(opTend, g.id)
		}
	}

	if trouble := p.tend(ctx, views); trouble != nil {
		return trouble.call(opTend, g.id)
	}

	return nil
}

// tend brings every instance on, and returns the first trouble with one.
func (p *Provider) tend(ctx context.Context, views []view) *troubleError {
	ctx, cancel := p.limit(ctx)
	defer cancel()

	var wg sync.WaitGroup
	due := steps(views)
	troubles := make([]*troubleError, len(due))
	for n, s := range due {
		wg.Go(func() {
			_, left := s.at.exchange(ctx, s.units...)
			_, came := s.at.place(ctx, s.lacking)
			troubles[n] = cmp.Or(left, came)
		})
	}

	wg.Wait()
	return cmp.Or(troubles...)
}

// step is what is to be done at one instance: commands that go on with what was begun, and servers to add.
type step struct {
	at      view
	units   [][]string
	lacking []placement
}

// steps lists what is to be done at the instances that have anything to do.
func steps(views []view) []step {
	var due []step
	for _, v := range views {
		s := step{at: v, units: v.overdue()}
		if !v.g.Ending {
			s.lacking = v.lacking(views)
		}

		if len(s.units) > 0 || len(s.lacking) > 0 {
			due = append(due, s)
		}
	}
	return due
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

	// HAProxy without its commit f175b08bfbf8 (2.8) may end when a server and then the one that follows it are deleted while
	// somebody else's list of servers is being written, so the last goes first.
	slices.Reverse(units)
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
