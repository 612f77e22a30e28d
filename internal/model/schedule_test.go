// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/gate"
)

// happening is something that the schedule may hold.
type happening struct {
	name string
	run  func(w *world)
}

var happenings = []happening{
	{"scale", func(w *world) { w.replicas[w.color()] = w.rng.IntN(6) }},
	{"roll", func(w *world) { w.revision[w.color()]++ }},
	{"delete", func(w *world) { w.somePod(func(l *life) { w.remove(l.uid, false) }) }},
	{"force delete", func(w *world) { w.somePod(func(l *life) { w.remove(l.uid, true) }) }},
	{"restart", func(w *world) { w.somePod(func(l *life) { w.restart(l.uid, false) }) }},
	{"move", func(w *world) { w.somePod(func(l *life) { w.restart(l.uid, true) }) }},
	{"probes fail", func(w *world) { w.probesFail() }},
	{"policy", func(w *world) { w.annotate("web-tg") }},
	{"track", func(w *world) { w.annotate("web-tg"); w.deaf() }},
	{"deaf", func(w *world) { w.deaf() }},
	{"no service", func(w *world) { w.withoutService(w.between(2*time.Second, 25*time.Second)) }},
	{"no service for long", func(w *world) { w.withoutService(w.between(35*time.Second, 60*time.Second)) }},
	{"port typo", func(w *world) {
		w.reshape(func(svc *corev1.Service) { svc.Spec.Ports[0].Port = 81 }, w.between(2*time.Second, 50*time.Second))
	}},
	{"flip", func(w *world) { w.flip() }},
	{"no binding", func(w *world) {
		w.unbind("web-tg")
		w.after(w.between(time.Second, time.Minute), func() { w.bind("web-tg") })
	}},
	{"second binding", func(w *world) {
		w.bind("alt-tg")
		w.after(w.between(20*time.Second, 2*time.Minute), func() { w.unbind("alt-tg") })
	}},
	{"throttling", func(w *world) {
		w.during(2*time.Second, time.Minute, func() { w.throttled = 0.8 }, func() { w.throttled = 0 })
	}},
	{"outage", func(w *world) { w.during(2*time.Second, 2*time.Minute, func() { w.down = 1 }, func() { w.down = 0 }) }},
	{"flaky", func(w *world) { w.during(2*time.Second, time.Minute, func() { w.down = 0.4 }, func() { w.down = 0 }) }},
	{"partial", func(w *world) {
		w.during(2*time.Second, time.Minute, func() { w.partial = 0.4 }, func() { w.partial = 0 })
	}},
	{"stale", func(w *world) {
		w.during(2*time.Second, time.Minute, func() { w.stale = 9 * time.Second }, func() { w.stale = 0 })
	}},
	{"quota", func(w *world) {
		w.during(10*time.Second, time.Minute, func() { w.quota = max(1, w.replicas["blue"]) }, func() { w.quota = 0 })
	}},
	{"leader", func(w *world) { w.outOfLock(func() { w.stopEngine(); w.startEngine() }); w.fault(); w.healed() }},
	{"no leader", func(w *world) {
		w.during(time.Second, 15*time.Second, func() { w.outOfLock(w.stopEngine) }, func() { w.outOfLock(w.stopEngine, w.startEngine) })
	}},
	{"slow watch", func(w *world) {
		lag := w.between(500*time.Millisecond, 5*time.Second)
		w.during(2*time.Second, time.Minute, func() { w.lag = lag; w.maxLag = max(w.maxLag, lag) }, func() { w.lag = 100 * time.Millisecond })
	}},
	{"writes fail", func(w *world) {
		w.during(2*time.Second, time.Minute, func() { w.failing = 0.7 }, func() { w.failing = 0 })
	}},
	{"drift", func(w *world) {
		w.somePod(func(l *life) {
			delete(w.groups["arn:web"].rows, l.target())
			w.groups["arn:web"].keep()
			w.fault()
			w.after(time.Minute, w.healed)
		})
	}},
	{"stranger", func(w *world) {
		w.register("arn:web", []gate.Target{{Addr: netip.AddrFrom4([4]byte{10, 1, 0, byte(w.rng.IntN(250))}), Port: port}})
	}},
}

// gatekeeping is what schedules with another controller's gate hold in addition.
var gatekeeping = []happening{
	{"taken out", func(w *world) { w.somePod(func(l *life) { w.takeOut(l.uid) }) }},
	{"all taken out", func(w *world) {
		for _, pod := range w.pods() {
			w.takeOut(pod.UID)
		}
	}},
}

// takeOut has another controller hold a pod back for a while.
func (w *world) takeOut(uid types.UID) {
	w.letIn(uid, false)
	w.after(w.between(time.Second, 90*time.Second), func() { w.letIn(uid, true) })
}

// live runs a whole schedule: some minutes of happenings of a few kinds, then peace.
func (w *world) live() {
	w.mu.Lock()
	w.replicas["blue"] = 1 + w.rng.IntN(4)
	w.service()
	w.bind("web-tg")
	if w.checked {
		w.readinessGate()
	}
	w.deploy()
	w.check()
	kinds := make([]happening, 2+w.rng.IntN(6))
	for i := range kinds {
		kinds[i] = happenings[w.rng.IntN(len(happenings))]
	}

	if w.gatekept {
		kinds = append(kinds, gatekeeping...)
	}

	if w.checked {
		for range 1 + w.rng.IntN(4) {
			kinds = append(kinds, checking[w.rng.IntN(len(checking))])
		}
	}

	length := w.between(time.Minute, 4*time.Minute)
	for range 2 + w.rng.IntN(14) {
		h := kinds[w.rng.IntN(len(kinds))]
		w.after(w.between(20*time.Second, length), func() {
			w.note("-- %s", h.name)
			h.run(w)
		})
	}

	w.mu.Unlock()
	w.startEngine()
	w.run(length)
	w.mu.Lock()
	w.peace()
	w.mu.Unlock()

	// Chains are long: orphans wait five minutes, and a rollout may wait behind several of them.
	// A group for which nobody waits is read once in five.
	for round := range 12 {
		w.run(5 * time.Minute)
		if w.t.Failed() || round > 0 && w.settled() {
			break
		}
	}

	w.mu.Lock()
	if !w.t.Failed() {
		w.final()
	}

	w.mu.Unlock()
	w.stopEngine()
}

// settled reports whether nothing is left to be done.
func (w *world) settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, pod := range w.pods() {
		if !is(pod, corev1.PodReady) {
			return false
		}
	}
	return true
}

// peace ends what does not end by itself.
func (w *world) peace() {
	w.note("-- peace")
	for _, color := range []string{"blue", "green"} {
		w.after(2*time.Minute, func() { w.replicas[color] = min(w.replicas[color], 3) })
	}
}

func (w *world) color() string { return []string{"blue", "blue", "green"}[w.rng.IntN(3)] }

// somePod picks a pod that runs.
func (w *world) somePod(do func(*life)) {
	var running []*life
	for _, pod := range w.pods() {
		if l := w.lives[pod.UID]; l != nil && l.ready && l.deleted.IsZero() {
			running = append(running, l)
		}
	}
	if len(running) > 0 {
		do(running[w.rng.IntN(len(running))])
	}
}

// during lets a fault last for a while; two of a kind end with the first.
func (w *world) during(low, high time.Duration, begin, end func()) {
	begin()
	w.fault()
	d := w.between(low, high)
	w.after(d, func() {
		w.note("-- over")
		end()
		w.healed()
	})
}

// outOfLock runs what waits for the engine, which needs the lock.
func (w *world) outOfLock(steps ...func()) {
	w.mu.Unlock()
	defer w.mu.Lock()
	for _, s := range steps {
		s()
	}
}

func (w *world) probesFail() {
	answers := w.rng.IntN(4) > 0
	w.sick = true
	for _, pod := range w.pods() {
		if l := w.lives[pod.UID]; l != nil && l.ready {
			uid := l.uid
			w.containers(uid, false, answers)
			w.after(w.between(5*time.Second, 40*time.Second), func() { w.containers(uid, true, true) })
		}
	}
	w.after(w.between(3*time.Second, 20*time.Second), func() { w.sick = false })
}

func (w *world) service() {
	w.shaped = time.Now()
	w.put(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web", "color": "blue"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(port)}}},
	})
}

func (w *world) withoutService(d time.Duration) {
	if svc, ok := stored[*corev1.Service](w.cluster, "service", "web"); ok {
		w.shaped = time.Now()
		w.drop(svc)
		again := copyOf(svc)
		again.UID = ""
		again.Spec.Ports[0].Port = 80
		w.after(d, func() { w.shaped = time.Now(); w.put(again) })
	}
}

// reshape changes the Service for a while.
func (w *world) reshape(change func(*corev1.Service), d time.Duration) {
	svc, ok := stored[*corev1.Service](w.cluster, "service", "web")
	if !ok || svc.Spec.Ports[0].Port != 80 {
		return
	}

	w.shaped = time.Now()
	next := copyOf(svc)
	change(next)
	w.put(next)
	w.after(d, func() {
		if svc, ok := stored[*corev1.Service](w.cluster, "service", "web"); ok {
			w.shaped = time.Now()
			next := copyOf(svc)
			next.Spec.Ports[0].Port = 80
			w.put(next)
		}
	})
}

// flip switches the Service to the other color, whose pods run by then or not.
func (w *world) flip() {
	w.replicas["green"] = max(1, w.replicas["green"])
	w.after(w.between(0, 40*time.Second), func() {
		svc, ok := stored[*corev1.Service](w.cluster, "service", "web")
		if !ok {
			return
		}
		w.shaped = time.Now()
		next := copyOf(svc)
		next.Spec.Selector["color"] = map[string]string{"blue": "green", "green": "blue"}[svc.Spec.Selector["color"]]
		w.replicas[next.Spec.Selector["color"]] = max(1, w.replicas[next.Spec.Selector["color"]])
		w.note("service selects %s", next.Spec.Selector["color"])
		w.put(next)
	})
}

func (w *world) bind(name string) {
	if _, ok := stored[*elbv2.TargetGroupBinding](w.cluster, "binding", name); ok {
		w.after(time.Second, func() { w.bind(name) })
		return
	}
	w.shaped = time.Now()
	w.note("bind %s", name)
	delete(w.policies, name)
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1, CreationTimestamp: metav1.NewTime(time.Now().Truncate(time.Second))}}
	b.Spec.TargetGroupARN = groupOf(name)
	b.Spec.ServiceRef = elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	w.put(b)
}

func (w *world) unbind(name string) {
	b, ok := stored[*elbv2.TargetGroupBinding](w.cluster, "binding", name)
	if !ok || b.DeletionTimestamp != nil {
		return
	}

	w.shaped = time.Now()
	w.note("unbind %s", name)

	if len(b.Finalizers) == 0 {
		w.drop(b)
		return
	}

	now := metav1.NewTime(time.Now().Truncate(time.Second))
	next := copyOf(b)
	next.DeletionTimestamp = &now
	next.Generation++
	w.put(next)
}
