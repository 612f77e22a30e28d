// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/network"
)

// The ReadinessGate and its gate, the ports at which its checks ask pods, and what they ask once for all pods.
const (
	warm        = "warm"
	checkPrefix = "checks.podgate.dev/"
	warmGate    = checkPrefix + warm
	firstPort   = 9000
	dependency  = "dependency.example.com:5432"
	approval    = "podgate.dev/approvals"
)

// mood is what happens to a connection.
type mood int

const (
	hangs mood = iota
	refuses
	accepts
)

// ask is one check as the model knows it: at a port of the pod, of what all pods share, or a person's approval.
type ask struct {
	name          string
	port          int
	shared        bool
	manual        bool
	threshold     int
	period, delay time.Duration
}

// asks is what the ReadinessGate asks for from a time on.
type asks struct {
	since            time.Time
	there            bool
	any, track, dry  bool
	opens            bool // after the timeout
	after, timeout   time.Duration
	percent          int
	checks           []ask
	approved, before bool // and whether it was, until then
	approvedSince    time.Time
}

// reply is what podgate heard when it connected for a check, or that it heard nothing.
type reply struct {
	asked, done time.Time
	addr        netip.Addr // of a pod; invalid for what all share
	port        int
	who         types.UID // answered
	mood        mood
}

// interview is who is asked, how they answer, and what podgate heard.
type interview struct {
	w *world
	// checked: new pods get the gate of a ReadinessGate.
	checked    bool
	dependency mood
	cut        bool // podgate reaches nothing
	// specs are what the ReadinessGate asked for, the latest last.
	specs   []asks
	replies []reply
}

// readinessGate makes the ReadinessGate, or changes it.
func (v *interview) readinessGate() {
	a := asks{since: time.Now(), there: true, any: v.w.rng.IntN(2) == 0, track: v.w.rng.IntN(2) == 0, after: time.Duration(5+v.w.rng.IntN(20)) * time.Second, percent: []int{10, 50, 80}[v.w.rng.IntN(3)]}
	g := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Name: warm, Generation: 1, CreationTimestamp: metav1.NewTime(time.Now().Truncate(time.Second))}}
	if old, ok := stored[*v1alpha1.ReadinessGate](v.w.cluster, "readiness gate", warm); ok {
		g = copyOf(old)
		g.Generation++
		a.approved, a.before, a.approvedSince = v.now().approved, v.now().before, v.now().approvedSince
	}

	g.Spec = v1alpha1.ReadinessGateSpec{Match: v1alpha1.MatchAll}
	if a.any {
		g.Spec.Match = v1alpha1.MatchAny
	}
	g.Spec.Gate.Mode = "Latch"
	if a.track {
		g.Spec.Gate = v1alpha1.CheckPolicy{Mode: "Track", TrackAfterSeconds: int32(a.after / time.Second), TrackFloor: fmt.Sprintf("%d%%", a.percent)}
	}
	if v.w.rng.IntN(4) == 0 {
		a.timeout, a.opens = time.Duration(5+v.w.rng.IntN(60))*time.Second, v.w.rng.IntN(2) == 0
		g.Spec.Gate.TimeoutSeconds, g.Spec.Gate.OnTimeout = int32(a.timeout/time.Second), "Hold"
		if a.opens {
			g.Spec.Gate.OnTimeout = "Open"
		}
	}

	for i := range 1 + v.w.rng.IntN(3) {
		q := ask{
			name: fmt.Sprint("check-", i), port: firstPort + i, threshold: 1 + v.w.rng.IntN(3),
			period: time.Duration(1+v.w.rng.IntN(10)) * time.Second, delay: time.Duration(max(0, v.w.rng.IntN(20)-10)) * time.Second,
		}
		// What all pods share cannot be followed.
		if kind := v.w.rng.IntN(6); !a.track && i == 2 {
			q.shared, q.manual = kind < 3, kind >= 3
		}
		c := v1alpha1.Check{Name: q.name, PeriodSeconds: int32(q.period / time.Second), TimeoutSeconds: int32(1 + v.w.rng.IntN(3)), InitialDelaySeconds: int32(q.delay / time.Second), SuccessThreshold: int32(q.threshold)}
		switch {
		case q.manual:
			q.threshold = 1
			c = v1alpha1.Check{Name: q.name, SuccessThreshold: 1, Manual: &v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalGate, Initially: "Closed"}}
		case q.shared:
			c.TCP = &v1alpha1.TCPCheck{Address: dependency}
		default:
			c.TCP = &v1alpha1.TCPCheck{Port: new(intstr.FromInt(q.port))}
		}
		a.checks, g.Spec.Checks = append(a.checks, q), append(g.Spec.Checks, c)
	}

	v.w.note("readiness gate: %+v", a)
	v.specs = append(v.specs, a)
	v.w.put(g)
	if !a.approved {
		v.w.after(v.w.between(0, 40*time.Second), v.approve)
	}
}

// now is what the ReadinessGate asks for.
func (v *interview) now() *asks {
	if len(v.specs) == 0 {
		return &asks{}
	}
	return &v.specs[len(v.specs)-1]
}

// change makes another asks of the latest.
func (v *interview) change(do func(*asks)) {
	a := *v.now()
	a.since = time.Now()
	do(&a)
	v.specs = append(v.specs, a)
}

// approve has a person approve of all pods.
func (v *interview) approve() {
	if g, ok := stored[*v1alpha1.ReadinessGate](v.w.cluster, "readiness gate", warm); ok && !v.now().approved {
		v.w.note("approved")
		v.change(func(a *asks) { a.approved, a.before, a.approvedSince = true, false, time.Now() })
		next := copyOf(g)
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, approval, "gate | ann | 2026-11-30T12:00:00Z | looks good")
		v.w.put(next)
	}
}

// withoutGate deletes the ReadinessGate, and makes another one of its name later.
func (v *interview) withoutGate(d time.Duration) {
	if g, ok := stored[*v1alpha1.ReadinessGate](v.w.cluster, "readiness gate", warm); ok {
		v.w.note("no readiness gate for %s", d)
		v.change(func(a *asks) { a.there, a.before, a.approved, a.approvedSince = false, a.approved, false, time.Now() })
		v.w.drop(g)
		v.w.after(d, v.readinessGate)
	}
}

// dryRun has the ReadinessGate only say what it would do, or end that.
func (v *interview) dryRun(dry bool) {
	if g, ok := stored[*v1alpha1.ReadinessGate](v.w.cluster, "readiness gate", warm); ok && g.Spec.DryRun != dry {
		v.w.note("dry run=%v", dry)
		v.change(func(a *asks) { a.dry = dry })
		next := copyOf(g)
		next.Spec.DryRun = dry
		next.Generation++
		v.w.put(next)
	}
}

// feels sets how a pod answers at a port, for a while.
func (v *interview) feels(l *life, port int, m mood, d time.Duration) {
	i := port - firstPort
	l.moods[i]++
	turn := l.moods[i]
	l.mood[i] = m
	v.w.note("%s at %d: %d", l.uid, port, m)
	if m != accepts {
		v.w.after(d, func() {
			if l.moods[i] == turn {
				v.feels(l, port, accepts, 0)
			}
		})
	}
}

// warmsUp is how a new pod answers at first.
func (v *interview) warmsUp(l *life) {
	for i := range l.mood {
		v.feels(l, firstPort+i, []mood{hangs, refuses, refuses, accepts, accepts}[v.w.rng.IntN(5)], v.w.between(0, time.Minute))
	}
}

// some has some pods, or all, answer otherwise for a while.
func (v *interview) some(m mood, all bool) {
	port := firstPort + v.w.rng.IntN(3)
	for _, pod := range v.w.pods() {
		if l := v.w.lives[pod.UID]; l != nil && (all || v.w.rng.IntN(2) == 0) {
			v.feels(l, port, m, v.w.between(time.Second, 90*time.Second))
		}
	}
}

// checking is what schedules with a ReadinessGate hold in addition.
var checking = []happening{
	{"checks fail", func(w *world) { w.some(refuses, false) }},
	{"checks hang", func(w *world) { w.some(hangs, false) }},
	{"all checks fail", func(w *world) { w.some(refuses, true) }},
	{"cut off", func(w *world) {
		w.during(2*time.Second, time.Minute, func() { w.cut = true }, func() { w.cut = false })
	}},
	{"dependency", func(w *world) {
		w.dependency = mood(w.rng.IntN(2))
		w.after(w.between(time.Second, time.Minute), func() { w.dependency = accepts })
	}},
	{"gate edited", func(w *world) {
		if w.now().there {
			w.readinessGate()
		}
	}},
	{"no gate", func(w *world) { w.withoutGate(w.between(time.Second, 29*time.Second)) }},
	{"no gate for long", func(w *world) { w.withoutGate(w.between(30*time.Second, 2*time.Minute)) }},
	{"dry run", func(w *world) {
		w.dryRun(true)
		w.after(w.between(time.Second, time.Minute), func() { w.dryRun(false) })
	}},
}

// connection is one that a pod accepted.
type connection struct{ net.Conn }

// Close implements net.Conn.
func (connection) Close() error { return nil }

// dial connects for a check.
func (v *interview) dial(ctx context.Context, to network.Destination) (net.Conn, error) {
	v.w.mu.Lock()
	r := reply{asked: time.Now()}
	wait := v.w.noisy(time.Millisecond, 50*time.Millisecond, "dial", to.HostPort())
	v.w.mu.Unlock()
	if err := sleep(ctx, wait); err != nil {
		return nil, err
	}

	v.w.mu.Lock()
	r.mood = v.dependency
	if to.HostPort() != dependency {
		at := netip.MustParseAddrPort(to.HostPort())
		r.addr, r.port, r.mood = at.Addr(), int(at.Port()), hangs
		if l := v.w.at[r.addr]; l != nil {
			r.who, r.mood = l.uid, l.mood[r.port-firstPort]
		}
	}
	if v.cut {
		r.mood = hangs
	}
	v.w.mu.Unlock()

	var err error
	switch r.mood {
	case hangs:
		<-ctx.Done()
		err = ctx.Err()
	case refuses:
		err = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if errors.Is(err, context.Canceled) {
		return nil, err // Nobody heard of it.
	}

	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	r.done = time.Now()
	v.replies = append(v.replies, r)
	if n := len(v.replies); n > 4000 {
		v.replies = slices.Clone(v.replies[n-2000:])
	}
	v.w.note("asked %s:%s: %s %d", r.addr, strconv.Itoa(r.port), r.who, r.mood)
	return connection{}, err
}

// current are what the ReadinessGate asks for, and what it asked for until just now.
func (c *checker) current() []asks {
	all := c.w.specs
	for i := len(all) - 1; i > 0; i-- {
		if !c.news(all[i].since) {
			return all[i:]
		}
	}
	return all
}

// meant reports whether one of them means something.
func (c *checker) meant(is func(asks) bool) bool { return slices.ContainsFunc(c.current(), is) }

// wroteWarm looks at what a patch did to the gate of checks.
func (c *checker) wroteWarm(pod *corev1.Pod, l *life, was, now corev1.PodCondition) {
	switch open := now.Status == corev1.ConditionTrue; {
	case open && was.Status != corev1.ConditionTrue:
		l.unchecked, l.checkedAt = false, time.Now()
		c.opensWarm(pod, l, now)
	case !open && was.Status == corev1.ConditionTrue:
		l.unchecked, l.checkedAt = true, time.Now()
		c.closesWarm(pod, l, now)
	case now.Status == corev1.ConditionUnknown && was.Status == corev1.ConditionFalse:
		c.forgetsWarm(pod, was, now)
	}
}

// opensWarm: the gate of checks opens for what they said of this very pod since its containers were ready, or by a policy that
// says so (laws 1, 2 and 11).
func (c *checker) opensWarm(pod *corev1.Pod, l *life, now corev1.PodCondition) {
	c.opened++
	l.opened[warmGate] = time.Now()

	switch now.Reason {
	case "ChecksPassed", "Approved":
		if !c.meant(func(a asks) bool { return a.there && c.passed(l, a) }) {
			c.violate("1", "%s (%s, %s) opened and its checks did not pass", pod.Name, l.uid, l.addr)
		}

	case "DryRun":
		if !c.meant(func(a asks) bool { return a.dry }) {
			c.violate("1", "%s opened for a dry run and there is none", pod.Name)
		}

	case "NoBinding":
		if last := *c.w.now(); time.Since(l.readied) < releaseAfter-time.Second-c.slack() || last.there && !c.news(last.since) || !last.there && time.Since(c.w.now().since) < absenceGrace-time.Second {
			c.violate("1", "%s was released too early: ready for %s, and the ReadinessGate changed %s ago", pod.Name, time.Since(l.readied), time.Since(last.since))
		}

	case "TimedOut":
		if !c.meant(func(a asks) bool { return a.opens && time.Since(l.readied) >= a.timeout-time.Second }) {
			c.violate("1", "%s timed out %s after its containers were ready", pod.Name, time.Since(l.readied))
		}

	default:
		c.violate("1", "%s opened for %q", pod.Name, now.Reason)
	}
}

// late is how long it may take from an answer to what is written for it.
const late = 700 * time.Millisecond

// passed reports whether what was heard until some moment just now opens a pod's gate.
func (c *checker) passed(l *life, a asks) bool {
	if c.verdict(l, a, time.Now()) == accepts {
		return true
	}
	for _, r := range slices.Backward(c.w.replies) {
		if time.Since(r.done) > late {
			return c.verdict(l, a, r.done) == accepts
		}
		if c.verdict(l, a, r.done) == accepts || c.verdict(l, a, r.done.Add(-time.Nanosecond)) == accepts {
			return true
		}
	}
	return false
}

// verdict combines what all checks say of a pod at a moment: accepts for a pass, refuses for a failure, hangs for neither.
func (c *checker) verdict(l *life, a asks, at time.Time) mood {
	least, greatest := accepts, refuses
	unknown := false
	for _, q := range a.checks {
		m := c.says(l, a, q, at)
		unknown = unknown || m == hangs
		if m != hangs {
			least, greatest = min(least, m), max(greatest, m)
		}
	}

	decisive := least
	if a.any {
		decisive = greatest
	}
	if unknown && (decisive == accepts) != a.any {
		return hangs
	}
	return decisive
}

// says is what one check says of a pod at a moment.
func (c *checker) says(l *life, a asks, q ask, at time.Time) mood {
	if q.manual {
		if a.approved || a.before && c.news(a.approvedSince) {
			return accepts
		}
		return hangs
	}

	// What this process has not heard, and what was heard before the containers were ready, counts for nothing.
	// A delay that an edit makes longer asks nothing again.
	delay := q.delay
	for _, before := range c.w.specs {
		for _, same := range before.checks {
			if same.port == q.port {
				delay = min(delay, same.delay)
			}
		}
	}
	begin := l.readied.Truncate(time.Second).Add(delay)
	if begin.Before(c.started) {
		begin = c.started
	}

	passes := 0
	for _, r := range slices.Backward(c.w.replies) {
		switch {
		case r.done.Before(begin):
			return hangs
		case r.asked.Before(begin) || r.done.After(at) || !c.about(r, l, q):
		case r.mood == accepts && (q.shared || r.who == l.uid):
			if at.Sub(r.asked) > max(3*q.period, 30*time.Second)+time.Second && passes == 0 {
				return hangs
			}
			if passes++; passes >= q.threshold {
				return accepts
			}
		case passes > 0 && r.mood == hangs:
			// It neither counts nor ends the row; where another pod answered it may have.
		case passes == 0 && (r.mood == refuses || r.mood == hangs && c.witnessed(r, q)):
			return refuses
		default:
			return hangs
		}
	}
	return hangs
}

// about reports whether a reply is one to a check of a pod.
func (c *checker) about(r reply, l *life, q ask) bool {
	if q.shared {
		return !r.addr.IsValid()
	}
	addr := l.addr
	if !addr.IsValid() {
		addr = l.was // it went while the patch was under way
	}
	return r.addr == addr && r.port == q.port
}

// witnessed reports whether another pod answered the same check when a pod was silent.
func (c *checker) witnessed(silence reply, q ask) bool {
	for _, r := range slices.Backward(c.w.replies) {
		if silence.asked.Sub(r.asked) > max(q.period, 10*time.Second)+time.Second {
			return false
		}
		if r.port == silence.port && r.addr.IsValid() && r.addr != silence.addr && r.mood != hangs && !r.done.After(silence.done) {
			return true
		}
	}
	return false
}

// trackedWarm reports whether Track explains why an open gate of checks closes: whenever something was heard, for as long as
// the ReadinessGate asks, they failed, and were not silent (laws 8 and 9). Enough gates stay open.
func (c *checker) trackedWarm(l *life) bool {
	for _, a := range c.current() {
		if a.there && a.track && c.failedFor(l, a) {
			c.keepsFloorWarm(a)
			return true
		}
	}
	return false
}

func (c *checker) failedFor(l *life, a asks) bool {
	// It counts from when the first of them was asked, who may have been silent for 3 s.
	end, begin := time.Now().Add(-late), time.Now().Add(4*time.Second-a.after)
	if c.verdict(l, a, begin) != refuses {
		return false
	}
	for _, r := range slices.Backward(c.w.replies) {
		if r.done.Before(begin) {
			return true
		}
		if !r.done.After(end) && c.verdict(l, a, r.done) != refuses {
			return false
		}
	}
	return true
}

// keepsFloorWarm: Track leaves enough gates open (law 9).
func (c *checker) keepsFloorWarm(a asks) {
	if c.news(c.w.now().since) {
		return
	}

	open, every := 0, 0
	for _, pod := range c.w.pods() {
		l := c.w.lives[pod.UID]
		if l == nil || c.news(l.readied) || c.news(l.unready) || c.news(l.deleted) {
			return // what was counted may have been another number
		}
		if !carries(pod) || !l.ready || !l.deleted.IsZero() {
			continue
		}
		every++
		if is(pod, warmGate) {
			open++
		}
	}

	if open == 0 || open*100 < every*a.percent {
		c.violate("9", "Track leaves %d of %d gates of checks open, and %d%% are to stay", open, every, a.percent)
	}
}

func carries(pod *corev1.Pod) bool {
	return slices.Contains(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: warmGate})
}

// closesWarm: an open gate of checks closes for unready containers, a new address, or checks that are followed (law 9), and
// whatever is not answered closes nothing (law 8).
func (c *checker) closesWarm(pod *corev1.Pod, l *life, now corev1.PodCondition) {
	unready, moved := !l.ready || c.news(l.unready), c.news(l.addrSince) || l.addrSince.After(l.opened[warmGate])
	if !unready && !moved && !c.trackedWarm(l) {
		c.violate(c.lawOfClosing(), "%s (%s) closed to %s/%s (%s) with its containers ready for %s at %s", pod.Name, l.uid, now.Status, now.Reason, now.Message, time.Since(l.unready), l.addr)
	}
}

// forgetsWarm: what checks said of a closed gate is not forgotten for a restart, or an outage (law 8).
func (c *checker) forgetsWarm(pod *corev1.Pod, was, now corev1.PodCondition) {
	if now.Message == "The checks have not been answered yet." && was.Reason == "Check.Failed" {
		c.violate("8", "%s was closed for %s and now is %s/%s", pod.Name, was.Reason, now.Status, now.Reason)
	}
}

// registersUnchecked: a pod that its checks hold back is not registered (law 1).
func (c *checker) registersUnchecked(arn string, l *life, seen look) {
	pod := c.w.podOf(l.uid)
	if pod == nil || !carries(pod) {
		return
	}
	if as, ok := seen.pods[pod.Name].(*corev1.Pod); ok && as.UID == pod.UID && !is(as, warmGate) {
		c.violate("1", "%s: %s (%s) is registered, and its checks hold it back", arn, pod.Name, l.uid)
	}
}
