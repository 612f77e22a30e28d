// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// probe is a sort of subject that is not a target group: it holds no targets of its own and
// says of those that it is asked about whether they answer.
type probe struct{ namespace, name string }

// String implements Subject.
func (p probe) String() string { return p.namespace + "/" + p.name }

// probes reads probes, and leaves what else is observed to another reader.
type probes struct {
	others Reader

	mu      sync.Mutex
	answers map[gate.Target]bool
	// paths are the settings with which probes were read, asked how many targets each read was about.
	paths []any
	asked []int
}

// Read implements Reader.
func (p *probes) Read(ctx context.Context, req Request) (Snapshot, error) {
	if _, is := req.Subject.(probe); !is {
		return p.others.Read(ctx, req)
	}

	snap := Snapshot{Started: time.Now(), Targets: map[gate.Target]gate.Health{}}
	wanted := req.Wanted()

	p.mu.Lock()
	defer p.mu.Unlock()
	p.paths, p.asked = append(p.paths, req.Settings), append(p.asked, len(wanted))
	for _, t := range wanted {
		state := gate.Unhealthy
		if p.answers[t] {
			state = gate.Healthy
		}
		snap.Targets[t] = gate.Health{State: state}
	}

	return snap, nil
}

// TestASubjectThatIsNotATargetGroup is read beside target groups, told which targets its pods have, followed, and
// wakes its pods and its users. Nothing but its reader knows what it is.
func TestASubjectThatIsNotATargetGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		p := &probes{others: w.reader, answers: map[gate.Target]bool{}}
		w.reader = p
		ready := probe{"shop", "ready"}
		var mu sync.Mutex
		woken := 0
		w.wakeUsers = func(of Subject) {
			if of == Subject(ready) {
				mu.Lock()
				defer mu.Unlock()
				woken++
			}
		}

		w.Track(ready, user, Description{Audit: time.Hour, Settings: "/healthz"})
		w.want(podA, Interest{Subject: ready, Target: atA, Waiting: true})
		w.want(podB, Interest{Subject: ready, Target: atB, Waiting: true})
		w.watch(group1, podA, atA, false)
		time.Sleep(3 * time.Second)

		// Without a lag the first answer already is about the pod that has the address.
		see := func(pod types.NamespacedName, at gate.Target, waiting, follow bool) Sighting {
			return w.want(pod, Interest{Subject: ready, Target: at, Waiting: waiting, Follow: follow})
		}
		if s := see(podA, atA, true, false); !s.Present || s.Health.State != gate.Unhealthy || !s.SeenOtherwise || s.FailingSince.IsZero() {
			t.Errorf("before it answers: seen as %+v", s)
		}
		if _, unsure := w.Unsure(ready, podA, atA); unsure {
			t.Error("nobody is sure of an answer that is not behind")
		}

		w.woken(podA)
		w.woken(podB)
		p.mu.Lock()
		p.answers[atA] = true
		p.mu.Unlock()
		time.Sleep(FastInterval)

		if a, b := w.woken(podA), w.woken(podB); a != 1 || b != 0 {
			t.Errorf("A answers: A was woken %d times and B %d times, want once and never", a, b)
		}
		if s := see(podA, atA, false, true); s.Health.State != gate.Healthy {
			t.Errorf("it answers, and is seen as %s", s.Health.State)
		}
		mu.Lock()
		if woken != 2 {
			t.Errorf("the users were woken %d times, want for the first answer and for the one that differs", woken)
		}
		mu.Unlock()

		// Open gates that follow health have it read, too, and less often.
		see(podB, atB, false, false)
		w.forget(podB)
		synctest.Wait()
		p.mu.Lock()
		before := len(p.asked)
		p.mu.Unlock()
		time.Sleep(time.Minute)
		p.mu.Lock()
		if n := len(p.asked) - before; n < 5 || n > 7 {
			t.Errorf("followed: %d reads in a minute, want one in ten seconds", n)
		}
		if last := p.asked[len(p.asked)-1]; last != 1 {
			t.Errorf("asked about %d targets, want that of the pod that is left", last)
		}
		for _, path := range p.paths {
			if path != "/healthz" {
				t.Errorf("read with settings %v", path)
			}
		}
		p.mu.Unlock()

		if view := w.View(group1); view.Snapshot.Targets == nil {
			t.Error("the target group beside it was not read")
		}
	})
}

// TestDescription: what the latest user says of a subject counts from then on, also where its next read was far off, and
// until that user tracks it no longer.
func TestDescription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.Track(group1, user, described)
		w.during(10*time.Second, group1)

		other := types.NamespacedName{Namespace: "shop", Name: "other"}
		w.Track(group1, other, Description{Audit: 2 * time.Second})
		if n := len(w.during(time.Minute, group1)); n < 29 || n > 31 {
			t.Errorf("%d audits in a minute, want one in two seconds", n)
		}

		w.want(podA, Interest{Subject: group1, Target: atA})
		if at, _ := w.Unsure(group1, podA, atA); !at.Equal(time.Now()) {
			t.Errorf("an answer counts from %s on, want at once", at)
		}

		w.Untrack(group1, other)
		if at, _ := w.Unsure(group1, podA, atA); !at.Equal(time.Now().Add(described.Lag)) {
			t.Errorf("an answer counts from %s on, want what the user says that is left", at)
		}
		if n := len(w.during(time.Minute, group1)); n > 15 {
			t.Errorf("%d reads in a minute for a user that is gone", n)
		}

		w.want(podB, Interest{Subject: group2, Target: atB, Waiting: true})
		if at, _ := w.Unsure(group2, podB, atB); !at.Equal(time.Now().Add(gate.Lag)) {
			t.Errorf("of a subject that nobody tracks an answer counts from %s on, want the most careful lag", at)
		}
	})
}
