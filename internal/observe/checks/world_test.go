// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/observe"
)

// limits are those of the flags' defaults.
var limits = Limits{Rate: 200, Concurrency: 64, PerGate: 16}

// world is a cluster of gates and pods, and a check that answers as the test says. Time is the test's.
type world struct {
	*Observer
	t *testing.T

	mu    sync.Mutex
	gates map[Gate]*Definition
	pods  map[types.NamespacedName]Pod
	woken map[types.NamespacedName]int
	// woke is told which pod was woken, unless it is nil.
	woke func(types.NamespacedName)
}

// within runs a test in a world of its own, whose observer runs.
func within(t *testing.T, test func(w *world)) {
	t.Helper()
	withLimits(t, limits, test)
}

// withLimits is the same with other limits.
func withLimits(t *testing.T, limits Limits, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, gates: map[Gate]*Definition{}, pods: map[types.NamespacedName]Pod{}, woken: map[types.NamespacedName]int{}}
		w.Observer = New(w, Options{Limits: limits, WakePod: w.wake, Random: func(time.Duration) time.Duration { return 0 }})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = w.Run(ctx) })
		test(w)
		cancel()
		running.Wait()
	})
}

// Gate implements Cluster.
func (w *world) Gate(_ context.Context, id Gate) *Definition {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gates[id]
}

// Pod implements Cluster.
func (w *world) Pod(_ context.Context, key types.NamespacedName) (Pod, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	pod, there := w.pods[key]
	return pod, there
}

func (w *world) wake(pod types.NamespacedName) {
	w.mu.Lock()
	w.woken[pod]++
	woke := w.woke
	w.mu.Unlock()
	if woke != nil {
		woke(pod)
	}
}

// wakes returns how often a pod was woken.
func (w *world) wakes(pod string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.woken[named(pod)]
}

// gate makes a gate, or changes what it asks.
func (w *world) gate(name string, match check.Match, checks ...Check) Gate {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := Gate{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name)}
	w.gates[id] = &Definition{Match: match, Checks: checks}
	return id
}

func named(pod string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: pod}
}

// ready makes a pod whose containers became ready just now, or has them become so again.
func (w *world) ready(name string) {
	w.set(name, func(p *Pod) {
		p.ReadySince = time.Now()
		if p.UID == "" {
			p.UID = types.UID("uid-of-" + name)
			p.Addrs = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(len(w.pods) >> 8), byte(len(w.pods))})}
		}
	})
}

// set changes a pod.
func (w *world) set(name string, change func(*Pod)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	pod := w.pods[named(name)]
	change(&pod)
	w.pods[named(name)] = pod
}

// waits evaluates a gate of a pod that is closed, and returns what is seen.
func (w *world) waits(pod string, id Gate) observe.Sighting {
	return w.evaluate(pod, observe.Interest{Subject: id, Waiting: true})
}

// follows evaluates a gate of a pod that is open and follows its checks.
func (w *world) follows(pod string, id Gate) observe.Sighting {
	return w.evaluate(pod, followed(id))
}

// followed is the interest in a gate that is open and follows its checks.
func followed(id Gate) observe.Interest { return observe.Interest{Subject: id, Follow: true} }

func (w *world) evaluate(pod string, want observe.Interest) observe.Sighting {
	seen := w.Watch(named(pod), want)
	w.Keep(named(pod), want)
	synctest.Wait()
	return seen
}

// opened evaluates a gate that is open under Latch.
func (w *world) opened(pod string, id Gate) { w.evaluate(pod, observe.Interest{Subject: id}) }

// sleep lets time pass, and everything come to rest.
func (w *world) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// script is a check that answers as it is told.
type script struct {
	mu sync.Mutex
	// answer is what each pod answers, by name of its UID, and others pass. It may change while a question is under way.
	answer map[types.UID]check.Answer
	// takes is how long an answer takes, by pod, and err is what fails.
	takes map[types.UID]time.Duration
	err   error

	asked    map[types.UID][]time.Time
	since    map[types.UID]time.Time
	under    map[types.UID]int
	overlaps int
	calls    int
	most     int
	now      int
}

func newScript() *script {
	return &script{answer: map[types.UID]check.Answer{}, takes: map[types.UID]time.Duration{}, asked: map[types.UID][]time.Time{}, since: map[types.UID]time.Time{}, under: map[types.UID]int{}}
}

var (
	passes  = check.Answer{Verdict: check.Pass, Word: check.Connected}
	fails   = check.Answer{Verdict: check.Fail, Word: check.Refused}
	silence = check.Answer{Word: check.TimedOut}
)

// says has a pod answer so from now on.
func (s *script) says(pod string, a check.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer[types.UID("uid-of-"+pod)] = a
}

// slow has a pod take so long to answer.
func (s *script) slow(pod string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes[types.UID("uid-of-"+pod)] = d
}

// times returns when a pod was asked.
func (s *script) times(pod string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[types.UID("uid-of-"+pod)]
}

// fail has the check fail from now on; nil has it answer.
func (s *script) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// called returns how often the check was asked.
func (s *script) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// atATime returns how many pods it was asked about at a time at most.
func (s *script) atATime() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// held counts the gates and pods that the observer remembers.
func (w *world) held() (gates, pods int) {
	w.Observer.mu.Lock()
	defer w.Observer.mu.Unlock()
	return len(w.Observer.gates), len(w.watched)
}

// Check implements check.Checker.
func (s *script) Check(ctx context.Context, subjects []check.Subject) (map[types.UID]check.Answer, error) {
	s.mu.Lock()
	s.calls++
	s.now += len(subjects)
	s.most = max(s.most, s.now)
	err := s.err
	var takes time.Duration
	for _, pod := range subjects {
		s.asked[pod.UID] = append(s.asked[pod.UID], time.Now())
		s.since[pod.UID] = pod.Since
		takes = max(takes, s.takes[pod.UID])
		if s.under[pod.UID]++; s.under[pod.UID] > 1 {
			s.overlaps++
		}
	}
	s.mu.Unlock()

	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	answers := map[types.UID]check.Answer{}
	for _, pod := range subjects {
		s.under[pod.UID]--
		s.now--
		a, told := s.answer[pod.UID]
		if !told {
			a = passes
		}
		if a.Word != check.NotAllowed {
			a.Addr = pod.Addrs[0]
		}
		answers[pod.UID] = a
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// every is a check of the script that is asked so often.
func every(period time.Duration, s *script) Check {
	return Check{Name: "warm", Kind: "http", Rules: check.Rules{Period: period, SuccessThreshold: 1}, Checker: s, Spec: "warm"}
}

// many makes pods that wait at a gate, and has them evaluated.
func (w *world) many(prefix string, n int, id Gate) {
	for i := range n {
		name := fmt.Sprintf("%s-%d", prefix, i)
		w.ready(name)
		want := observe.Interest{Subject: id, Waiting: true}
		w.Watch(named(name), want)
		w.Keep(named(name), want)
	}
}
