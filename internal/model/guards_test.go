// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/gate"
)

// guarded: unless every pod serves that should, at most half of what served within a
// minute is removed in it (law 3).
func (c *checker) guarded(arn string, targets []gate.Target, seen look) {
	b, ok := stored[*elbv2.TargetGroupBinding](c.w.cluster, "binding", bindingOf(arn))
	if !ok || b.DeletionTimestamp != nil {
		delete(c.removed, arn) // All goes on purpose, and another binding begins anew.
		return
	}

	known := c.answered(arn, seen.at)
	if known == nil || c.lasted(arn) || c.news(c.shaped) || time.Since(c.filled[arn]) < settled {
		return
	}

	rows, leaving := c.w.groups[arn].rows, map[gate.Target]bool{}
	for _, t := range targets {
		if l := c.w.lifeOf(t); l != nil && l.deleted.IsZero() && c.w.podOf(l.uid) != nil && seen.shows(c.w.podOf(l.uid), t) {
			leaving[t] = true
		}
	}

	if len(leaving) == 0 {
		return
	}

	serving, others, waits := 0, 0, false
	for _, pod := range c.w.pods() {
		l := c.w.lives[pod.UID]
		if l == nil || c.news(l.deleted) || c.news(l.addrSince) {
			return // podgate may have counted another number
		}
		if !l.deleted.IsZero() {
			continue
		}

		t := seen.target(pod, l)
		r, there := rows[t]
		healthy := r.state == gate.Healthy || known.may(t, gate.Healthy)
		ready := is(pod, corev1.ContainersReady) && !l.held() || c.news(l.unready) || c.news(l.heldSince())
		switch {
		case leaving[t]:
			waits = waits || c.claims(bindingOf(arn), pod)
		case c.claims(bindingOf(arn), pod) && ready && healthy:
			serving++
		case c.claims(bindingOf(arn), pod):
			waits = true
			fallthrough
		default:
			if there && r.state != gate.Draining || !known.surely(t, gate.Unknown, gate.Draining) {
				others++
			}
		}
	}

	gone := 0
	for t, at := range c.removed[arn] {
		r, there := rows[t]
		out := (!there || r.state == gate.Draining) && known.surely(t, gate.Unknown, gate.Draining)
		if time.Since(at) < time.Minute && out && !leaving[t] {
			gone++
		}
	}

	if !waits {
		return // it is how it is meant
	}

	if c.removed[arn] == nil {
		c.removed[arn] = map[gate.Target]time.Time{}
	}

	for t := range leaving {
		c.removed[arn][t] = time.Now()
	}

	if served := serving + others + len(leaving) + gone; gone+len(leaving) > served/2 {
		c.violate("3", "%s: %d of %d that served within a minute are removed by now, and not every pod serves that should", arn, gone+len(leaving), served)
	}
}
