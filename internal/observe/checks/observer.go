// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package checks has the checks of ReadinessGates observed. Each check of a gate has a loop, which asks about a pod as soon as
// its containers are ready, and again in each period while the pod waits; about pods in service it asks only where their gate
// follows the checks (Track). All loops share a budget, in which no gate delays another. It keeps in memory what was answered
// about whom, wakes the pods for which that changed, decides nothing and writes nothing.
package checks

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/observe"
)

// Gate is a ReadinessGate, as a subject that is observed. What was said of one counts for none that is made again under its name.
type Gate struct {
	Namespace, Name string
	UID             types.UID
}

// String implements observe.Subject.
func (g Gate) String() string { return g.Namespace + "/" + g.Name }

// Cost says what a question takes.
type Cost int

// The costs.
const (
	// PerPod: each pod is asked about by a call of its own.
	PerPod Cost = iota
	// Shared: one call answers for all pods.
	Shared
	// Local: the answer is in memory, so it is looked up whenever a pod's gate is evaluated.
	Local
)

// Check is one check of a gate.
type Check struct {
	// Name is the check's in its gate, and Kind is what it goes by in metrics.
	Name, Kind string
	Cost       Cost
	Rules      check.Rules
	// Checker asks. It has to return within the time-out of the check.
	Checker check.Checker
	// Spec is what the check was made of. When it changes, counting answers begins again.
	Spec any
}

// Definition is what a gate asks. It does not change: another one is another pointer.
type Definition struct {
	Match  check.Match
	Checks []Check
}

// Pod is what is known of a pod that is asked about.
type Pod struct {
	check.Subject
	// ReadySince is when its containers became ready; zero while they are not.
	ReadySince time.Time
	// Contested: another pod, which is ending, may still answer at its address and port.
	Contested bool
}

// Cluster is where gates and pods are looked up, in caches.
type Cluster interface {
	// Gate returns what a gate asks; nil when there is no such gate.
	Gate(context.Context, Gate) *Definition
	// Pod returns a pod that runs; false when there is none.
	Pod(context.Context, types.NamespacedName) (Pod, bool)
}

// Options of an Observer. The zero value of each works, but for the limits.
type Options struct {
	Limits Limits
	Log    logr.Logger
	// WakePod is called for a pod of which something else is said than before. No lock is held then.
	WakePod func(types.NamespacedName)
	// Random returns a duration below its argument, for jitter.
	Random func(time.Duration) time.Duration
}

// Observer asks what the checks of gates say of pods. Make one with New and run it with Run.
type Observer struct {
	cluster Cluster
	budget  *budget
	log     logr.Logger
	wakePod func(types.NamespacedName)
	random  func(time.Duration) time.Duration
	metrics *metrics

	mu    sync.Mutex
	gates map[Gate]*subject
	// watched are a pod's interests, in all gates.
	watched map[types.NamespacedName][]*interest
	// shares are of the time in which expressions are evaluated, by namespace.
	shares map[string]*share
	// tries are the gates that are tried.
	tries map[Gate]bool
	start func(*line) // nil until Run, and after it
}

// New makes an Observer of what is in a cluster.
func New(cluster Cluster, opts Options) *Observer {
	o := &Observer{
		cluster: cluster, budget: newBudget(opts.Limits), log: opts.Log, wakePod: opts.WakePod, random: opts.Random,
		metrics: newMetrics(), gates: map[Gate]*subject{}, watched: map[types.NamespacedName][]*interest{},
		shares: map[string]*share{}, tries: map[Gate]bool{},
	}

	if o.wakePod == nil {
		o.wakePod = func(types.NamespacedName) {}
	}

	if o.random == nil {
		o.random = rand.N[time.Duration]
	}

	return o
}

// Metrics returns what is measured, for a registry.
func (o *Observer) Metrics() []prometheus.Collector {
	late := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "podgate_check_lateness_seconds",
		Help: "How long the question of a check has been due that has been due for longest; 0 when none is. Above some seconds: raise --check-rate or --check-concurrency.",
	}, func() float64 { return o.late(time.Now()).Seconds() })
	return []prometheus.Collector{o.metrics.answers, o.metrics.duration, late}
}

// late is how long the question has been due that has been due for longest.
func (o *Observer) late(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	var late time.Duration
	for _, g := range o.gates {
		for _, l := range g.lines {
			late = max(late, l.queue.late(now))
		}
	}
	return late
}

// Run asks until ctx ends, and returns when nothing is under way any more.
func (o *Observer) Run(ctx context.Context) error {
	var running sync.WaitGroup
	o.mu.Lock()
	o.start = func(l *line) {
		ctx, cancel := context.WithCancel(ctx)
		l.cancel = cancel
		running.Go(func() {
			defer cancel()
			o.loop(ctx, l)
		})
	}

	for _, g := range o.gates {
		for _, l := range g.lines {
			o.start(l)
		}
	}
	o.mu.Unlock()

	<-ctx.Done()
	o.mu.Lock()
	o.start = nil
	o.mu.Unlock()

	running.Wait()
	return nil
}

// Watch adds to what a pod's gates need to know, and returns what the checks say of the pod together. Nothing is asked about,
// and nothing is said of, a pod whose gate is open and does not follow its checks.
func (o *Observer) Watch(pod types.NamespacedName, want observe.Interest) observe.Sighting {
	id, ofChecks := want.Subject.(Gate)
	if !ofChecks || !want.Waiting && !want.Follow {
		return observe.Sighting{}
	}

	in := o.meet(pod, id, func(in *interest) { in.need(in.waiting || want.Waiting, in.followed || want.Follow) })
	o.lookUp(in)

	o.mu.Lock()
	defer o.mu.Unlock()
	in.seen = in.says(time.Now())
	return in.whole(in.seen)
}

// Keep says what all of a pod's gates together need to know from now on, and drops what they watched besides.
func (o *Observer) Keep(pod types.NamespacedName, interests ...observe.Interest) {
	kept := map[Gate]bool{}
	for _, want := range interests {
		id, ofChecks := want.Subject.(Gate)
		if !ofChecks || !want.Waiting && !want.Follow {
			continue
		}
		kept[id] = true
		o.meet(pod, id, func(in *interest) {
			in.need(want.Waiting, want.Follow)
			o.plan(in)
		})
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	o.watched[pod] = slices.DeleteFunc(o.watched[pod], func(in *interest) bool {
		switch {
		case kept[in.gate.id]:
			return false
		case in.tried:
			in.need(false, false)
			o.plan(in)
			return false
		}
		o.leave(in)
		return true
	})
	if len(o.watched[pod]) == 0 {
		delete(o.watched, pod)
	}
}

// meet looks up a pod and its gate, and changes what the gate needs to know of the pod, with mu held. Who calls it has asked what is to
// be asked then: where the gate is evaluated that is lookUp, so that nobody is reminded of what is looked up at once.
func (o *Observer) meet(key types.NamespacedName, id Gate, change func(*interest)) *interest {
	ctx := context.Background() // Caches are asked, and nobody waits.
	def := o.cluster.Gate(ctx, id)
	pod, _ := o.cluster.Pod(ctx, key)

	o.mu.Lock()
	defer o.mu.Unlock()
	in := o.interest(key, id)
	o.define(in.gate, def)
	in.meet(pod, time.Now())
	change(in)
	return in
}

// interest finds or makes a pod's interest in a gate; mu is held.
func (o *Observer) interest(pod types.NamespacedName, id Gate) *interest {
	g := o.gates[id]
	if g == nil {
		g = &subject{id: id, def: &Definition{}, interests: map[types.NamespacedName]*interest{}}
		o.gates[id] = g
	}

	in := g.interests[pod]
	if in == nil {
		in = &interest{pod: pod, gate: g, records: map[*line]*record{}}
		g.interests[pod] = in
		o.watched[pod] = append(o.watched[pod], in)
	}
	return in
}

// leave drops a pod's interest, and a gate in which none is left; mu is held.
func (o *Observer) leave(in *interest) {
	in.gone = true
	for l, r := range in.records {
		l.queue.remove(&r.item)
	}

	g := in.gate
	delete(g.interests, in.pod)
	if len(g.interests) == 0 {
		o.define(g, &Definition{})
		delete(o.gates, g.id)
	}
}
