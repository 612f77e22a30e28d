// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// loop reads one group until ctx ends.
func (o *Observer) loop(ctx context.Context, g *group) {
	for ctx.Err() == nil {
		o.read(ctx, g)
		o.pause(ctx, g)
	}
}

// pause waits until the next read is due or ctx ends.
func (o *Observer) pause(ctx context.Context, g *group) {
	for {
		wait := time.Until(o.due(g))
		if wait <= 0 {
			return
		}

		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-g.nudge:
		case <-ctx.Done():
			timer.Stop()
			return
		}

		timer.Stop()
	}
}

// read asks the provider once, tells those whose view changed, and has drains go on.
func (o *Observer) read(ctx context.Context, g *group) {
	group := o.described(g)
	targets, started, err := o.reader.Read(ctx, group, o.priority(g), g.raise)
	if ctx.Err() != nil {
		return
	}

	if targets == nil {
		targets = map[gate.Target]gate.Health{}
	}

	if err != nil {
		o.log.V(1).Info("Reading a target group failed", "group", g.ref.Group, "error", err.Error())
	}

	pods, changed := o.publish(g, Snapshot{Started: started, Targets: targets}, err)
	for _, pod := range pods {
		o.wakePod(pod)
	}

	if changed {
		o.wakeGroup(g.ref)
	}

	// After the news, which somebody may wait for. What did not work is there at the next read.
	if err == nil {
		if err := o.tend(ctx, group); err != nil && ctx.Err() == nil {
			o.log.V(1).Info("Looking after a target group's drains failed", "group", g.ref.Group, "error", err.Error())
		}
	}
}

// described returns the group as it was last described.
func (o *Observer) described(g *group) balancer.Group {
	o.mu.Lock()
	defer o.mu.Unlock()
	return g.settings
}

// publish stores a read and returns the pods whose sighting changed, and whether the
// group as a whole did.
func (o *Observer) publish(g *group, snap Snapshot, err error) ([]types.NamespacedName, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()

	old := g.view
	g.last, g.failures = snap.Started, count(g.failures, err)
	g.pressing = g.pressing && g.asked.After(g.last)

	// An error closes nothing, but what follows it is not in a row with what was before.
	if err != nil {
		for _, in := range g.interests {
			in.failing = time.Time{}
		}
		g.retry = time.Now().Add(o.jitter(min(backoff(g.failures, err), g.every)))
		g.view.Err = err
		if balancer.Message(old.Err) == balancer.Message(err) {
			return nil, false
		}
		return g.blind(), true
	}

	g.view = View{Snapshot: snap}
	maps.DeleteFunc(g.placed, func(_ gate.Target, p placement) bool { return time.Since(p.at) > placementKept })

	var pods []types.NamespacedName
	for pod, in := range g.interests {
		if in.update(snap) {
			pods = append(pods, pod)
		}
	}

	return pods, old.Err != nil || old.Snapshot.Targets == nil || !same(old.Snapshot.Targets, snap.Targets)
}

// blind returns the pods that wait without ever having been observed.
func (g *group) blind() []types.NamespacedName {
	var pods []types.NamespacedName
	for pod, in := range g.interests {
		if in.waiting && !in.sighting.Observed {
			pods = append(pods, pod)
		}
	}
	return pods
}
