// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/gate"
)

// policy is what a binding asks for, as the model knows it.
type policy struct {
	track bool
	// tracked is until when the binding asked for Track before.
	tracked time.Time
	after   time.Duration
	percent int
	timeout time.Duration
	since   time.Time
}

// annotate gives a binding a policy, or another.
func (w *world) annotate(name string) {
	b, ok := stored[*elbv2.TargetGroupBinding](w.cluster, "binding", name)
	if !ok || b.DeletionTimestamp != nil {
		return
	}

	p := policy{since: time.Now(), tracked: w.policies[name].tracked}
	if w.policies[name].track {
		p.tracked = p.since
	}
	next := copyOf(b)
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}

	for _, key := range []string{"mode", "track-after", "track-floor", "timeout", "on-timeout"} {
		delete(next.Annotations, "podgate.dev/"+key)
	}

	if w.rng.IntN(3) > 0 {
		p.track, p.after, p.percent = true, time.Duration(5+w.rng.IntN(20))*time.Second, []int{10, 50, 80}[w.rng.IntN(3)]
		next.Annotations["podgate.dev/mode"] = "Track"
		next.Annotations["podgate.dev/track-after"] = p.after.String()
		next.Annotations["podgate.dev/track-floor"] = fmt.Sprintf("%d%%", p.percent)
	}

	if w.rng.IntN(2) == 0 {
		p.timeout = time.Duration(5+w.rng.IntN(40)) * time.Second
		next.Annotations["podgate.dev/timeout"] = p.timeout.String()
		next.Annotations["podgate.dev/on-timeout"] = "Open"
	}

	w.note("policy of %s: %+v", name, next.Annotations)
	w.policies[name] = p
	w.put(next)
}

// deaf lets a pod fail the load balancer's checks while its containers are ready.
func (w *world) deaf() {
	for _, pod := range w.pods() {
		if l := w.lives[pod.UID]; l == nil || !l.ready || !l.deleted.IsZero() || w.rng.IntN(2) == 0 {
			continue
		}
		uid := pod.UID
		w.containers(uid, true, false)
		w.after(w.between(10*time.Second, 90*time.Second), func() {
			if l := w.lives[uid]; l != nil && l.ready {
				w.containers(uid, true, true)
			}
		})
	}
}

// tracked reports whether Track explains why an open gate closes: answers without a gap
// and without an error in between have called its target failing for as long as the
// binding asks (laws 8 and 9), and enough gates stay open.
func (c *checker) tracked(l *life, kind corev1.PodConditionType) bool {
	name := string(kind[len(gatePrefix):])
	p := c.policies[name]
	if !p.track {
		return c.news(p.tracked)
	}

	c.keepsFloor(name, p)
	next, failed := time.Now(), c.failed[groupOf(name)]
	if time.Since(failed) < 100*time.Millisecond {
		failed = time.Time{} // the patch may have been under way
	}

	for _, a := range slices.Backward(c.heard[groupOf(name)]) {
		if a.rows[l.target()].state != gate.Unhealthy && time.Since(a.done) < 100*time.Millisecond {
			continue // so may it when this came
		}
		if next.Sub(a.begun) > 31*time.Second || a.rows[l.target()].state != gate.Unhealthy || !a.begun.After(failed) {
			return false
		}
		if time.Since(a.begun) >= p.after-time.Second || c.news(p.since) {
			return true
		}
		next = a.begun
	}

	return false
}

// keepsFloor: Track leaves enough gates open (law 9).
func (c *checker) keepsFloor(name string, p policy) {
	if c.news(p.since) || c.news(c.shaped) {
		return
	}

	open, every := 0, 0
	for _, pod := range c.w.pods() {
		l := c.w.lives[pod.UID]
		if l == nil || c.news(l.readied) || c.news(l.unready) || c.news(l.deleted) {
			return // what was counted may have been another number
		}
		gated := slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return string(g.ConditionType) == gatePrefix+name })
		if !gated || !l.ready || !l.deleted.IsZero() || !c.claims(name, pod) {
			continue
		}
		every++
		if conditionOf(pod, corev1.PodConditionType(gatePrefix+name)).Status == corev1.ConditionTrue {
			open++
		}
	}

	if open == 0 || open*100 < every*p.percent {
		c.violate("9", "%s: Track leaves %d of %d gates open, and %d%% are to stay", name, open, every, p.percent)
	}
}
