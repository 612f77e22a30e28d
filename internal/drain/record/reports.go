// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

const (
	// eventsPerSecond bounds the events of all pods together, beyond a burst. The counter counts those left out, too.
	eventsPerSecond = 1
	// EventBurst is how many events may be sent at once.
	EventBurst = 100
	// mostEnded bounds how many of a binding's pods wait to be judged.
	mostEnded = 1000
	// mostOwners bounds how many owners are remembered as notified.
	mostOwners = 1000
	// notifyAgain is how long an owner that was notified once of its pods' short hooks is left in peace.
	notifyAgain = time.Hour
)

// Reports follow the drains of all bindings' pods: they measure what reads of the groups show, judge each pod that
// ends, and send events about those that ended too early.
type Reports struct {
	records  *Records
	metrics  *metrics
	recorder events.EventRecorder
	events   *rate.Limiter
	now      func() time.Time

	mu       sync.Mutex
	bindings map[types.NamespacedName]*history
	// notified is when owners were last notified that their pods' hooks are too short.
	notified map[types.UID]time.Time
}

// history is what is remembered of one binding's drains.
type history struct {
	// ended are the pods that ended since the last pass over the binding.
	ended []ended
	// latest are the drains that a recommendation rests on.
	latest drain.Window
}

// ended is a pod whose containers have ended.
type ended struct {
	pod *corev1.Pod
	at  time.Time
	// removed: the pod is no longer in the cluster.
	removed bool
}

// Options are what Reports need. All are required.
type Options struct {
	Drivers  balancer.Drivers
	Recorder events.EventRecorder
	Metrics  prometheus.Registerer
	Now      func() time.Time
}

// NewReports returns Reports that remember nothing.
func NewReports(o Options) (*Reports, error) {
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}

	return &Reports{
		records: &Records{Drivers: o.Drivers}, metrics: m, recorder: o.Recorder,
		events: rate.NewLimiter(eventsPerSecond, EventBurst), now: o.Now,
		bindings: map[types.NamespacedName]*history{}, notified: map[types.UID]time.Time{},
	}, nil
}

// Pass is what a pass over a binding knows of its group, before it changes anything there.
type Pass struct {
	Binding *binding.Binding
	Group   balancer.Group
	// Pods are those that have, or had, a target in the group.
	Pods map[gate.Target]*corev1.Pod
	// Observed is the group's content; nil when it was never read.
	Observed map[gate.Target]gate.Health
	// LastServing are the targets that stay because nothing else serves.
	LastServing []gate.Target
}

// Ended notes that a pod of a binding has ended, and whether it was removed from the cluster. The next pass judges it.
func (r *Reports) Ended(binding types.NamespacedName, pod *corev1.Pod, removed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if h := r.history(binding); len(h.ended) < mostEnded {
		h.ended = append(h.ended, ended{pod: pod, at: r.now(), removed: removed})
	}
}

// history returns a binding's, which it makes if there is none. The caller holds the lock.
func (r *Reports) history(binding types.NamespacedName) *history {
	if r.bindings[binding] == nil {
		r.bindings[binding] = &history{}
	}
	return r.bindings[binding]
}

// Discard drops the ended pods of a binding whose targets somebody else deregisters: when that happened, and whether,
// only they know.
func (r *Reports) Discard(binding types.NamespacedName) { r.takeEnded(binding) }

// takeEnded removes and returns the pods that ended since the last pass.
func (r *Reports) takeEnded(binding types.NamespacedName) []ended {
	r.mu.Lock()
	defer r.mu.Unlock()

	h := r.bindings[binding]
	if h == nil {
		return nil
	}

	all := h.ended
	h.ended = nil
	return all
}

// Forget drops what is remembered of a binding, and ends its series.
func (r *Reports) Forget(binding types.NamespacedName) {
	r.metrics.forget(binding)

	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bindings, binding)
}

// Registered says that a target was registered: what drained there has ended.
func (r *Reports) Registered(ref balancer.Ref, t gate.Target) { r.records.Placed(ref, t) }

// Accepted notes deregistrations that the load balancer accepted.
func (r *Reports) Accepted(ref balancer.Ref, done []gate.Target, pods map[gate.Target]*corev1.Pod) {
	for _, t := range done {
		if pod := pods[t]; pod != nil {
			r.records.Note(Drain{Pod: pod.UID, Ref: ref, Target: t, Served: binding.IsTrue(pod, corev1.PodReady), Deleted: DeletedAt(pod), Accepted: r.now()}, r.now())
		}
	}
}

// Read measures what a read of a binding's group shows of the targets that leave it.
func (r *Reports) Read(binding types.NamespacedName, ref balancer.Ref, snap observe.Snapshot) {
	draining, gone := r.records.Read(ref, snap)
	r.metrics.read(binding, draining, gone)
}

// Follow notes the targets of pods that are being deleted, and judges the pods that ended since the last pass.
func (r *Reports) Follow(ctx context.Context, p Pass) {
	r.noteLeaving(p)

	need := p.Binding.Need()
	for _, e := range r.takeEnded(p.Binding.Key()) {
		// Some pods go without a deletion that anybody could see, as with their node.
		known := r.records.End(e.pod.UID, p.Group.Ref)
		if len(known) == 0 {
			known = r.unannounced(e.pod, p)
		}
		for _, d := range known {
			r.judge(ctx, p, d, need, e)
		}
	}
}

// noteLeaving remembers the targets of pods that are being deleted, and which of them stay as the last.
func (r *Reports) noteLeaving(p Pass) {
	if p.Observed == nil {
		return
	}

	for t, pod := range p.Pods {
		if pod.DeletionTimestamp.IsZero() {
			continue
		}
		h, present := p.Observed[t]
		r.records.Note(Drain{
			Pod: pod.UID, Ref: p.Group.Ref, Target: t, Deleted: DeletedAt(pod),
			Served: present && serves(h), Held: slices.Contains(p.LastServing, t),
		}, r.now())
	}
}

// unannounced returns the targets of a pod that was gone before anybody saw that it would be.
func (r *Reports) unannounced(pod *corev1.Pod, p Pass) []Drain {
	goneIsDone := r.records.Drivers.Of(p.Group.Ref.Provider).GoneIsDone

	// Another pod may have the address by now: its target is in Pods. What gets no requests, none can be lost of.
	var found []Drain
	for t, h := range p.Observed {
		own := slices.ContainsFunc(pod.Status.PodIPs, func(ip corev1.PodIP) bool { return ip.IP == t.Addr.String() })
		if own && p.Pods[t] == nil && !h.Leaving() && serves(h) && binding.MayHave(pod, t.Port) {
			found = append(found, Drain{Pod: pod.UID, Ref: p.Group.Ref, Target: t, Served: true, GoneIsDone: goneIsDone})
		}
	}

	return found
}

// serves reports whether the load balancer may send requests to a target of this health.
func serves(h gate.Health) bool {
	return h.State != gate.Initial && h.State != gate.Unused && h.State != gate.Unhealthy
}
