// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// TestMain runs the tests on one processor. The race detector crashes where timers of one synctest bubble fire on two at once
// (golang/go#78156), as those of many groups do. It finds races by what happens before what, on one processor, too.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	goleak.VerifyTestMain(m)
}

var (
	group1 = group("one")
	group2 = group("two")
	user   = types.NamespacedName{Namespace: "shop", Name: "binding"}
	podA   = types.NamespacedName{Namespace: "shop", Name: "a"}
	podB   = types.NamespacedName{Namespace: "shop", Name: "b"}
	atA    = target("10.0.0.1")
	atB    = target("10.0.0.2")
)

func target(addr string) gate.Target {
	return gate.Target{Addr: netip.MustParseAddr(addr), Port: 80}
}

// group is a sort of subjects: target groups by name.
type group string

// String implements Subject.
func (g group) String() string { return string(g) }

// described is a group with the defaults of an ALB: five checks, one in 30 seconds, make a target healthy.
var described = Description{Lag: gate.Lag, Recovery: 150 * time.Second}

// world is a load balancer that a test plays, and what an Observer made of it.
type world struct {
	*Observer
	stop func()

	mu sync.Mutex
	// rows is the groups' content, err what a group's reads fail with, hang how long they take.
	rows map[group]map[gate.Target]gate.Health
	err  map[group]error
	hang map[group]time.Duration
	// queue is how long audits wait for the budget; it is not changed while reads are made.
	queue time.Duration
	// lined is closed when an audit begins to wait.
	lined chan struct{}
	// urgent is which reads were.
	urgent map[group][]bool
	// reads are the times at which a group's reads began; busy is how many are under way, most how many ever were.
	reads      map[group][]time.Time
	busy, most map[group]int
	// described are the groups that are not as most are, interests what pods watch now.
	described map[group]Description
	interests map[key]Interest
	// tended counts how often a group was looked after, tend is what that fails with.
	tended map[group]int
	tend   error
	// tendHangs is how long that takes.
	tendHangs time.Duration
	pods      map[types.NamespacedName]int
	groups    map[group]int
}

// run starts an Observer inside a test's bubble of time. Nothing is random in it, so that
// no audit falls by chance into what a test counts.
func run(t *testing.T) *world {
	return runRandom(t, func(d time.Duration) time.Duration { return d / 2 })
}

func runRandom(t *testing.T, random func(time.Duration) time.Duration) *world {
	w := &world{
		rows: map[group]map[gate.Target]gate.Health{}, err: map[group]error{}, hang: map[group]time.Duration{},
		described: map[group]Description{}, interests: map[key]Interest{},
		urgent: map[group][]bool{},
		tended: map[group]int{},
		reads:  map[group][]time.Time{}, busy: map[group]int{}, most: map[group]int{},
		pods: map[types.NamespacedName]int{}, groups: map[group]int{},
	}

	w.Observer = New(w, Options{
		WakePod:   func(p types.NamespacedName) { w.do(func() { w.pods[p]++ }) },
		WakeUsers: func(of Subject) { w.do(func() { w.groups[of.(group)]++ }) },
		Tend:      w.lookAfter,
		Random:    random,
	})

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})

	t.Cleanup(w.stop)
	synctest.Wait()
	return w
}

// want has a pod watch one target of a subject, beside those of others, and returns what was seen of it.
func (w *world) want(pod types.NamespacedName, in Interest) Sighting {
	w.interests[key{in.Subject, pod}] = in
	seen := w.Watch(pod, in)
	w.keep(pod)
	return seen
}

// keep says what a pod watches now.
func (w *world) keep(pod types.NamespacedName) {
	var all []Interest
	for k, in := range w.interests {
		if k.pod == pod {
			all = append(all, in)
		}
	}
	w.Keep(pod, all...)
}

// forget has a pod watch nothing, or only what it watches in one group.
func (w *world) forget(pod types.NamespacedName, but ...group) {
	maps.DeleteFunc(w.interests, func(k key, _ Interest) bool {
		return k.pod == pod && !slices.ContainsFunc(but, func(g group) bool { return k.of == Subject(g) })
	})
	w.keep(pod)
}

// watch has a pod watch a target of a group, which is described as its users would, and keeps what the pod follows.
func (w *world) watch(id group, pod types.NamespacedName, t gate.Target, waiting bool) Sighting {
	seen := w.want(pod, Interest{Subject: id, Target: t, Waiting: waiting, Follow: w.interests[key{id, pod}].Follow})

	d, special := w.described[id]
	if !special {
		d = described
	}

	w.Observer.mu.Lock()
	defer w.Observer.mu.Unlock()
	w.describe(w.get(id), d)

	return seen
}

// waiting has a pod that watches a group wait, or no longer.
func (w *world) waiting(ref group, pod types.NamespacedName, waiting bool) {
	w.watch(ref, pod, w.interests[key{ref, pod}].Target, waiting)
}

// follow has a pod that watches a group follow its target's health, or no longer.
func (w *world) follow(ref group, pod types.NamespacedName, follow bool) {
	in := w.interests[key{ref, pod}]
	in.Follow = follow
	w.want(pod, in)
}

// key is of a pod's interest in a subject.
type key struct {
	of  Subject
	pod types.NamespacedName
}

func (w *world) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// Read implements Reader.
func (w *world) Read(ctx context.Context, req Request) (Snapshot, error) {
	ref, urgent := req.Subject.(group), req.Urgent
	if w.queue > 0 && !urgent {
		w.do(func() {
			if w.lined != nil {
				close(w.lined)
				w.lined = nil
			}
		})

		select {
		case <-time.After(w.queue):
		case <-req.Raise:
			urgent = true
		case <-ctx.Done():
			return Snapshot{Started: time.Now()}, ctx.Err()
		}
	}

	w.mu.Lock()
	began := time.Now()
	w.reads[ref] = append(w.reads[ref], began)
	w.urgent[ref] = append(w.urgent[ref], urgent)
	w.busy[ref]++
	w.most[ref] = max(w.most[ref], w.busy[ref])
	hang := w.hang[ref]
	w.mu.Unlock()

	if hang > 0 { // Go's race detector has crashed where two goroutines of a bubble select on timers that are over.
		select {
		case <-time.After(hang):
		case <-ctx.Done():
		}
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy[ref]--

	return Snapshot{Started: began, Targets: maps.Clone(w.rows[ref])}, errors.Join(w.err[ref], ctx.Err())
}

// lookAfter is the load balancer's Tend.
func (w *world) lookAfter(ctx context.Context, of Subject, _ any) error {
	w.mu.Lock()
	if id, is := of.(group); is {
		w.tended[id]++
	}
	hangs, err := w.tendHangs, w.tend
	w.mu.Unlock()

	select {
	case <-time.After(hangs):
	case <-ctx.Done():
	}

	return err
}

// set makes a target's row; Unknown removes it.
func (w *world) set(ref group, t gate.Target, s gate.State) {
	w.do(func() {
		if w.rows[ref] == nil {
			w.rows[ref] = map[gate.Target]gate.Health{}
		}
		if s == gate.Unknown {
			delete(w.rows[ref], t)
			return
		}
		w.rows[ref][t] = gate.Health{State: s}
	})
}

// during does something, lets time pass and gives when a group's reads began in it.
func (w *world) during(d time.Duration, ref group, do ...func()) []time.Time {
	synctest.Wait()
	w.mu.Lock()
	before := len(w.reads[ref])
	w.mu.Unlock()
	for _, f := range do {
		f()
	}
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.reads[ref][before:])
}

// woken gives and clears how often a pod was woken.
func (w *world) woken(pod types.NamespacedName) int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	defer delete(w.pods, pod)
	return w.pods[pod]
}

func (w *world) wokenGroup(ref group) int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	defer delete(w.groups, ref)
	return w.groups[ref]
}

func differ(want, got any) string {
	return cmp.Diff(want, got, cmpopts.IgnoreFields(Sighting{}, "ReadAt"), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateErrors())
}
