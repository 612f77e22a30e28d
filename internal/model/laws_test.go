// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
)

// What the laws promise, in their own words.
const (
	absenceGrace = 30 * time.Second
	releaseAfter = 5 * time.Minute
	// soon is how long the engine may take for what is urgent, when nothing is wrong.
	soon = 5 * time.Second
	// settled is how long after the last fault a backoff may still last.
	settled = 45 * time.Second
	// enough is more writes to one pod than any story of a few minutes needs.
	enough = 80
)

// answer is what the load balancer told podgate about a group.
type answer struct {
	begun, asOf, done time.Time
	rows              map[gate.Target]row
}

// checker holds podgate to the laws.
type checker struct {
	w     *world
	heard map[string][]answer
	// shaped is when a Service or a binding last changed; faulty how many faults last, calm since when none does.
	shaped time.Time
	faulty int
	calm   time.Time
	// absent is since when a group's binding has had nothing that it could mean.
	absent map[string]time.Time
	back   map[string]absence   // the latest that is over
	filled map[string]time.Time // when a group last was full
	left   map[string]departure // the latest removal of running targets
	ready  map[types.UID]time.Time
	maxLag time.Duration
	opened int
	// stepped is how many changes of the cluster were looked at.
	stepped int
	looks   map[types.UID]look
	seen    map[types.UID]*corev1.Pod // the pod that a reconciliation decides about, as it read it
	acked   map[types.UID]int         // the version of a pod that this engine knows it made
	// unheard is when a read last failed, started and stopped when the engine last was.
	unheard, started, stopped time.Time
	failed                    map[string]time.Time // when a read of a group last failed
	policies                  map[string]policy    // of bindings
	removed                   map[string]map[gate.Target]time.Time
}

// look is what one reconciliation saw of the cluster, its latest, by the pods' names.
type look struct {
	at   time.Time
	pods map[string]client.Object
}

// absence is a time in which a binding had nothing that it could mean.
type absence struct {
	since, ended time.Time
}

// departure is a deregistration of targets whose pods run.
type departure struct {
	begun, ended time.Time
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, heard: map[string][]answer{}, calm: time.Now(), absent: map[string]time.Time{}, back: map[string]absence{}, filled: map[string]time.Time{},
		left: map[string]departure{}, ready: map[types.UID]time.Time{}, maxLag: 100 * time.Millisecond, looks: map[types.UID]look{},
		seen: map[types.UID]*corev1.Pod{}, acked: map[types.UID]int{},
		failed: map[string]time.Time{}, policies: map[string]policy{}, removed: map[string]map[gate.Target]time.Time{},
	}
}

func (c *checker) violate(law, format string, args ...any) {
	c.w.note("LAW "+law+": "+format, args...)
	c.w.t.Errorf("law %s: "+format, append([]any{law}, args...)...)
}

func (c *checker) fault() { c.faulty++ }

func (c *checker) healed() { c.faulty--; c.calm = time.Now() }

// quiet reports whether nothing was wrong for some time.
func (c *checker) quiet() bool { return c.faulty == 0 && time.Since(c.calm) >= settled }

// slack is how old what the engine acts upon may be.
func (c *checker) slack() time.Duration {
	if !c.quiet() {
		return settled
	}
	return c.maxLag + time.Second
}

func bindingOf(arn string) string { return strings.TrimPrefix(arn, "arn:") + "-tg" }

func groupOf(binding string) string { return "arn:" + strings.TrimSuffix(binding, "-tg") }

// lookedAt notes what a reconciliation sees of the cluster.
func (c *checker) lookedAt(ctx context.Context, pods map[string]client.Object) {
	if id := controller.ReconcileIDFromContext(ctx); id != "" {
		c.looks[id] = look{time.Now(), pods}
	}
}

// look gives what the reconciliation that makes a call went by.
func (c *checker) look(ctx context.Context) look {
	if l, ok := c.looks[controller.ReconcileIDFromContext(ctx)]; ok {
		return l
	}
	return look{time.Now(), c.w.kinds["pod"].cached}
}

// shows reports whether a pod was seen to run at its present address.
func (l look) shows(pod *corev1.Pod, t gate.Target) bool {
	seen, _ := l.pods[pod.Name].(*corev1.Pod)
	return seen != nil && seen.UID == pod.UID && seen.Status.PodIP == t.Addr.String()
}

// target gives a pod's target as it was seen. A pod that moves has no address for a while, and podgate learns it late.
func (l look) target(pod *corev1.Pod, of *life) gate.Target {
	t := of.target()
	if !t.Addr.IsValid() {
		t.Addr = of.was
	}
	if !l.shows(pod, t) {
		return of.target()
	}
	return t
}

// answers are what podgate may have gone by, the latest first.
type answers []answer

// answered gives the answers about a group of which one was podgate's latest when it looked at the pods. It looks at the
// group a moment before. There are none when it may have had none.
func (c *checker) answered(arn string, at time.Time) answers {
	var known answers
	for _, a := range slices.Backward(c.heard[arn]) {
		if a.done.After(at) {
			continue
		}
		known = append(known, a)
		if at.Sub(a.done) > time.Millisecond {
			return known
		}
	}
	return nil
}

// may reports whether podgate may have known that a target is in one of some states, and surely whether it must have.
func (as answers) may(t gate.Target, states ...gate.State) bool {
	return slices.ContainsFunc(as, func(a answer) bool { return slices.Contains(states, a.rows[t].state) })
}

func (as answers) surely(t gate.Target, states ...gate.State) bool {
	return !slices.ContainsFunc(as, func(a answer) bool { return !slices.Contains(states, a.rows[t].state) })
}

// told notes an answer that podgate got.
func (c *checker) told(arn string, a answer) {
	c.heard[arn] = append(c.heard[arn], a)
	if n := len(c.heard[arn]); n > 200 {
		c.heard[arn] = slices.Clone(c.heard[arn][n-100:])
	}
}

// claims reports whether a pod is a binding's, as the cluster is now.
func (c *checker) claims(name string, pod *corev1.Pod) bool {
	b, ok := stored[*elbv2.TargetGroupBinding](c.w.cluster, "binding", name)
	if !ok || b.DeletionTimestamp != nil {
		return false
	}
	svc, ok := stored[*corev1.Service](c.w.cluster, "service", b.Spec.ServiceRef.Name)
	return ok && selects(svc, pod)
}

// step looks at the world after each step.
func (c *checker) step() {
	if c.stepped == c.w.changes {
		return
	}
	c.stepped = c.w.changes

	for _, arn := range []string{"arn:web", "arn:alt"} {
		if c.meansSomething(arn) {
			if since, was := c.absent[arn]; was {
				c.back[arn] = absence{since, time.Now()}
				delete(c.absent, arn)
			}
			continue
		}

		if c.absent[arn].IsZero() {
			c.absent[arn] = time.Now()
			if b := c.back[arn]; c.news(b.ended) {
				c.absent[arn] = b.since // podgate need not have seen the moment in between
			}
		}
	}
}

func (c *checker) meansSomething(arn string) bool {
	b, ok := stored[*elbv2.TargetGroupBinding](c.w.cluster, "binding", bindingOf(arn))
	if !ok {
		return false
	}

	svc, ok := stored[*corev1.Service](c.w.cluster, "service", b.Spec.ServiceRef.Name)
	if !ok || svc.Spec.Ports[0].Port != b.Spec.ServiceRef.Port.IntVal {
		return false
	}

	for _, pod := range c.w.pods() {
		if pod.DeletionTimestamp == nil && pod.Status.PodIP != "" && selects(svc, pod) {
			return true
		}
	}

	return false
}

// cacheChanged hears what the engine's cache holds from now on.
func (c *checker) cacheChanged(o client.Object) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	held := slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool {
		return !strings.HasPrefix(string(g.ConditionType), gatePrefix) && !is(pod, g.ConditionType)
	})
	switch ready := is(pod, corev1.ContainersReady) && pod.DeletionTimestamp == nil && !held; {
	case !ready:
		delete(c.ready, pod.UID)
	case c.ready[pod.UID].IsZero():
		c.ready[pod.UID] = time.Now()
	}
}

// beforePatch holds a patch against what the engine knew of the pod (law 10).
func (c *checker) beforePatch(ctx context.Context, name string, how types.PatchType, data []byte, status bool) {
	var body struct {
		Metadata map[string]json.RawMessage `json:"metadata"`
		Status   *struct {
			Conditions []corev1.PodCondition `json:"conditions"`
		} `json:"status"`
	}

	var top, inStatus map[string]json.RawMessage
	if json.Unmarshal(data, &body) != nil || json.Unmarshal(data, &top) != nil || !status || how != types.StrategicMergePatchType {
		c.violate("10", "%s: not a strategic merge patch of the status: %s %s", name, how, data)
		return
	}

	for key := range top {
		if key != "metadata" && key != "status" {
			c.violate("10", "%s: touches %s", name, key)
		}
	}

	if p := pinned(data); p.UID == "" {
		c.violate("10", "%s: a patch without the pod's UID", name)
	}

	for key, value := range body.Metadata {
		var annotations map[string]any
		if key != "uid" && (key != "annotations" || json.Unmarshal(value, &annotations) != nil || !onlyOurs(annotations)) {
			c.violate("10", "%s: touches metadata %s: %s", name, key, value)
		}
	}

	known := c.seen[controller.ReconcileIDFromContext(ctx)]
	if known == nil {
		c.violate("10", "%s is written by what did not read it", name)
		return
	}

	if version(known) < c.acked[known.UID] {
		c.violate("10", "%s is written by what did not see podgate's own last write", name)
	}

	if body.Status == nil {
		return
	}

	_ = json.Unmarshal(top["status"], &inStatus)
	if len(inStatus) != 1 {
		c.violate("10", "%s: touches more of the status than conditions", name)
	}

	for _, condition := range body.Status.Conditions {
		if !slices.ContainsFunc(known.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return g.ConditionType == condition.Type }) || !strings.HasPrefix(string(condition.Type), gatePrefix) && condition.Type != warmGate {
			c.violate("10", "%s: writes %s, which is not its gate", name, condition.Type)
		}
		if !changes(known, condition) {
			c.violate("10", "%s: writes what is there, or moves its time: %v", name, condition)
		}
	}
}

// onlyOurs reports whether annotations are podgate's one.
func onlyOurs(annotations map[string]any) bool {
	for key := range annotations {
		if !strings.HasPrefix(key, "podgate.dev/") {
			return false
		}
	}
	return len(annotations) == 1
}

// changes reports whether a condition is a change to a pod, with a time that moved if and only if the status did.
func changes(pod *corev1.Pod, next corev1.PodCondition) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type != next.Type {
			continue
		}
		if c.Status == next.Status {
			return c.LastTransitionTime.Equal(&next.LastTransitionTime) && (c.Reason != next.Reason || c.Message != next.Message)
		}
		break
	}
	return time.Since(next.LastTransitionTime.Time) < 2*time.Second
}

func version(pod *corev1.Pod) int {
	v, _ := strconv.Atoi(pod.ResourceVersion)
	return v
}

// read notes which pod a reconciliation decides about.
func (c *checker) read(ctx context.Context, pod *corev1.Pod) {
	if id := controller.ReconcileIDFromContext(ctx); id != "" {
		c.seen[id] = pod
	}
}

// acknowledged notes that the engine knows of its write.
func (c *checker) acknowledged(pod *corev1.Pod) { c.acked[pod.UID] = version(pod) }

// restarted: what the engine knew ends with it.
func (c *checker) restarted() { c.started, c.acked = time.Now(), map[types.UID]int{} }

// wrote looks at what a patch did to a pod.
func (c *checker) wrote(old, next *corev1.Pod) {
	l := c.w.lives[old.UID]
	if l == nil {
		return
	}

	l.writes++
	if l.writes > enough {
		c.violate("10", "%s was written %d times", next.Name, l.writes)
	}

	for _, g := range next.Spec.ReadinessGates {
		was, now := conditionOf(old, g.ConditionType), conditionOf(next, g.ConditionType)
		if was != now {
			c.w.note("%s %s %s %s/%s", next.Name, old.UID, g.ConditionType, now.Status, now.Reason)
		}
		if g.ConditionType == warmGate {
			c.wroteWarm(next, l, was, now)
			continue
		}
		switch open := now.Status == corev1.ConditionTrue; {
		case open && was.Status != corev1.ConditionTrue:
			c.opens(next, l, g.ConditionType, now)
		case !open && was.Status == corev1.ConditionTrue:
			c.closes(next, l, g.ConditionType, now)
		case now.Status == corev1.ConditionUnknown && was.Status == corev1.ConditionFalse:
			c.forgets(next, l, was, now)
		}
	}
}

func conditionOf(pod *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			c.LastTransitionTime, c.LastProbeTime = metav1.Time{}, metav1.Time{}
			return c
		}
	}
	return corev1.PodCondition{}
}

// opens: a gate opens for its own pod's health, or by a policy that says so (laws 1, 2 and 11).
func (c *checker) opens(pod *corev1.Pod, l *life, kind corev1.PodConditionType, now corev1.PodCondition) {
	c.opened++
	l.opened[kind] = time.Now()
	binding := strings.TrimPrefix(string(kind), gatePrefix)
	if l.held() && !c.news(l.heldSince()) && now.Reason != "BindingDeleted" && c.claims(binding, pod) && !c.news(c.shaped) {
		c.violate("1", "%s (%s) opened for %s, and another gate has held the pod back for %s", pod.Name, l.uid, now.Reason, time.Since(l.heldSince()))
	}

	switch now.Reason {
	case "Healthy":
		if !c.saidHealthy(groupOf(binding), l) {
			c.violate("1", "%s (%s, %s) opened and the load balancer has not called this pod healthy", pod.Name, l.uid, l.addr)
		}

	case "BindingDeleted":
		if b, ok := stored[*elbv2.TargetGroupBinding](c.w.cluster, "binding", binding); ok && b.DeletionTimestamp == nil && time.Since(c.shaped) > c.slack() {
			c.violate("1", "%s opened for a binding's deletion and there was none", pod.Name)
		}

	case "NoBinding":
		if time.Since(l.readied) < releaseAfter-time.Second-c.slack() || c.claims(binding, pod) && time.Since(c.shaped) > c.slack() {
			c.violate("1", "%s was released too early: ready for %s", pod.Name, time.Since(l.readied))
		}

	case "TimedOut":
		if p := c.policies[binding]; p.timeout == 0 && !c.news(p.since) || time.Since(l.readied) < p.timeout-time.Second && !c.news(p.since) {
			c.violate("1", "%s timed out %s after its containers were ready, and the binding asks for %s", pod.Name, time.Since(l.readied), p.timeout)
		}

	default:
		c.violate("1", "%s opened for %q", pod.Name, now.Reason)
	}
}

// saidHealthy reports whether one of the latest answers calls a pod healthy, by a check that this pod answered.
func (c *checker) saidHealthy(arn string, l *life) bool {
	t := l.target()
	if !l.addr.IsValid() {
		t.Addr = l.was // it went while the patch was under way
	}

	for _, a := range slices.Backward(c.heard[arn]) {
		if r := a.rows[t]; r.state == gate.Healthy && r.checked == l.uid {
			return true
		}
		if time.Since(a.done) > 700*time.Millisecond {
			return false
		}
	}

	return false
}

// forgets: what was known of a closed gate is not forgotten for an outage or a restart (law 8).
func (c *checker) forgets(pod *corev1.Pod, l *life, was, now corev1.PodCondition) {
	if !strings.HasPrefix(was.Reason, "Target.") && was.Reason != "NotProvenYet" || now.Reason != "NotObserved" {
		return // it was not the load balancer that said so, or is not what podgate does not know
	}
	if !c.news(c.shaped) && !c.news(l.addrSince) && time.Since(c.unheard) > settled {
		c.violate("8", "%s (%s) was closed for %s and now is %s/%s", pod.Name, l.uid, was.Reason, now.Status, now.Reason)
	}
}

// news reports whether what was last so at a time may be new to the engine, which sees the cluster late, and not at all
// while it does not run. Faults of the load balancer change nothing about that.
func (c *checker) news(at time.Time) bool {
	late := c.maxLag + time.Second
	return time.Since(at) <= late || time.Since(c.started) <= late && !at.Before(c.stopped.Add(-late))
}

// closes: an open gate closes for unready containers, a new address or another controller's gate only (law 9),
// whatever the load balancer answers, or does not (law 8).
func (c *checker) closes(pod *corev1.Pod, l *life, kind corev1.PodConditionType, now corev1.PodCondition) {
	unready, moved := !l.ready || c.news(l.unready), c.news(l.addrSince) || l.addrSince.After(l.opened[kind])
	held := l.held() || c.news(l.heldSince())
	if !unready && !moved && !held && !c.tracked(l, kind) {
		c.violate(c.lawOfClosing(), "%s (%s) closed to %s/%s with its containers ready for %s at %s", pod.Name, l.uid, now.Status, now.Reason, time.Since(l.unready), l.addr)
	}
}

// lawOfClosing is the law that forbids it: 8 when something is wrong or was until now, else 9.
func (c *checker) lawOfClosing() string {
	if !c.quiet() {
		return "8"
	}
	return "9"
}

// changing looks at a call that changes a group, as it is made.
func (c *checker) changing(ctx context.Context, arn string, targets []gate.Target, in bool) {
	if in {
		c.registering(arn, targets)
		for _, t := range targets {
			if l := c.w.lifeOf(t); l != nil {
				c.registersUnchecked(arn, l, c.look(ctx))
			}
		}
		return
	}
	if slices.Contains(targets, elsewhere) {
		c.violate("3", "%s: another cluster's target is removed, which serves", arn)
	}
	c.emptying(arn, targets, c.look(ctx))
	c.guarded(arn, targets, c.look(ctx))
	if slices.ContainsFunc(targets, func(t gate.Target) bool { l := c.w.lifeOf(t); return l != nil && l.deleted.IsZero() }) {
		c.left[arn] = departure{begun: time.Now()}
	}
}

func (c *checker) changed(arn string, in bool) {
	if d := c.left[arn]; !in && !d.begun.IsZero() && d.ended.IsZero() {
		d.ended = time.Now()
		c.left[arn] = d
	}
}

func (c *checker) full(arn string) { c.filled[arn] = time.Now() }

// registering: what registers comes before running targets leave, unless the group is full (law 4).
func (c *checker) registering(arn string, targets []gate.Target) {
	d := c.left[arn]
	if d.ended.IsZero() || time.Since(d.ended) > 60*time.Millisecond || time.Since(c.filled[arn]) < settled || !c.quiet() || d.begun.Sub(c.shaped) < 2*time.Second {
		return
	}

	for _, t := range targets {
		l := c.w.lifeOf(t)
		if l == nil || l.addrSince.After(d.begun.Add(-time.Second)) {
			continue
		}
		if since := c.ready[l.uid]; !since.IsZero() && d.begun.Sub(since) > time.Second {
			c.violate("4", "%s: %s waited to be registered and running targets were deregistered first", arn, t)
		}
	}
}

// emptying: the last targets that serve are not removed by accident (laws 3 and 5).
func (c *checker) emptying(arn string, targets []gate.Target, seen look) {
	b, ok := stored[*elbv2.TargetGroupBinding](c.w.cluster, "binding", bindingOf(arn))
	if !ok || b.DeletionTimestamp != nil {
		return
	}

	g := c.w.groups[arn]
	known := c.answered(arn, seen.at)
	if known == nil {
		return
	}

	for t, r := range g.rows {
		if t != elsewhere && !slices.Contains(targets, t) && r.state != gate.Draining && (r.state == gate.Healthy || known.may(t, gate.Healthy)) {
			return
		}
	}

	for _, a := range known {
		for t, r := range a.rows {
			if _, there := g.rows[t]; !there && r.state == gate.Healthy && !slices.Contains(targets, t) {
				return // somebody removed it, which nobody told podgate
			}
		}
	}

	for _, t := range targets {
		l := c.w.lifeOf(t)
		if l == nil || !l.answers || g.rows[t].state != gate.Healthy || !known.surely(t, gate.Healthy) || g.rows[t].checked != l.uid {
			continue
		}

		pod := c.w.podOf(l.uid)
		switch {
		case pod == nil || !seen.shows(pod, t):
			// To podgate it is what is left of a dead pod.
		case l.deleted.IsZero():
			if !c.lasted(arn) {
				c.violate("3", "%s: %s (%s) runs and is removed, and nothing else serves", arn, t, l.uid)
			}
		case l.ready && !c.lasted(arn) && time.Since(l.unready) > c.slack() && time.Until(l.ends) > binding.Of(b).Terms().Time()+2*time.Second && time.Since(l.deleted) > 0:
			c.violate("5", "%s: %s (%s) is the last that serves and goes %s before its time", arn, t, l.uid, time.Until(l.ends)-binding.Of(b).Terms().Time())
		}
	}
}

// lasted reports whether absence lasts long enough to count, or did as far as the engine can know.
func (c *checker) lasted(arn string) bool {
	if since, is := c.absent[arn]; is && time.Since(since) >= absenceGrace-time.Second {
		return true
	}
	b := c.back[arn]
	return time.Since(b.ended) <= c.slack() && b.ended.Sub(b.since) >= absenceGrace-time.Second-c.slack()
}

// watchDeletion: a deleted pod's target leaves soon, when another serves (law 5).
func (c *checker) watchDeletion(l *life) {
	t, uid := l.target(), l.uid
	for _, arn := range []string{"arn:web", "arn:alt"} {
		if !c.w.registered(arn, t) {
			continue
		}

		others := c.others(arn, t)
		c.w.after(soon, func() {
			still := slices.ContainsFunc(c.others(arn, t), func(o gate.Target) bool { return slices.Contains(others, o) })
			if c.w.given[t.Addr].After(l.deleted) {
				return // another pod has, or had, its address
			}
			if still && c.quiet() && time.Since(c.shaped) > settled && c.w.registered(arn, t) {
				c.violate("5", "%s: %s (%s) was deleted %s ago and is registered still", arn, t, uid, soon)
			}
		})
	}
}

// others lists targets that podgate knows to serve and whose pods stay.
func (c *checker) others(arn string, but gate.Target) []gate.Target {
	var found []gate.Target
	if len(c.heard[arn]) == 0 {
		return nil
	}

	last := c.heard[arn][len(c.heard[arn])-1]
	for t, r := range c.w.groups[arn].rows {
		l := c.w.lifeOf(t)
		if t == but || r.state != gate.Healthy || last.rows[t].state != gate.Healthy || l == nil || !l.deleted.IsZero() || !l.ready || l.held() {
			continue
		}
		if pod := c.w.podOf(l.uid); pod != nil && c.claims(bindingOf(arn), pod) {
			found = append(found, t)
		}
	}

	return found
}

// final: when all is well again, every gate is open and every group is what it should be (law 2).
func (c *checker) final() {
	for _, pod := range c.w.pods() {
		if !is(pod, corev1.PodReady) {
			c.violate("2", "%s waits for ever: %v", pod.Name, pod.Status.Conditions)
		}
	}

	for _, arn := range []string{"arn:web", "arn:alt"} {
		want, going := map[gate.Target]bool{}, map[gate.Target]bool{}
		for _, pod := range c.w.pods() {
			switch t := c.w.lives[pod.UID].target(); {
			case pod.DeletionTimestamp != nil:
				going[t] = true // a rollout may still be under way
			case c.claims(bindingOf(arn), pod):
				want[t] = true
			}
		}

		for t, r := range c.w.groups[arn].rows {
			if t != elsewhere && !want[t] && !going[t] && r.state != gate.Draining {
				c.violate("2", "%s: %s is left over", arn, t)
			}
			if want[t] && r.state != gate.Healthy {
				c.violate("2", "%s: %s is %s", arn, t, r.state)
			}
		}

		for t := range want {
			if !c.w.registered(arn, t) {
				c.violate("2", "%s: %s is not registered", arn, t)
			}
		}
	}
}

func (l *loadBalancer) registered(arn string, t gate.Target) bool {
	r, ok := l.groups[arn].rows[t]
	return ok && r.state != gate.Draining
}
