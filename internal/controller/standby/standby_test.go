// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package standby

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// world is a cluster with bindings of the Services a and b, and a leader.
type world struct {
	*Standby
	t *testing.T

	mu     sync.Mutex
	lease  coordinationv1.Lease
	away   error // what reading the lease fails with
	pods   []corev1.Pod
	calls  []string // bindings asked about
	urgent func(ctx context.Context, binding string) (int, error)

	elected chan struct{}
	done    chan error
}

// run runs a standby in a bubble, beside a leader that renews its lease every second
// while alive.
func run(t *testing.T, test func(w *world, leader context.CancelFunc)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, elected: make(chan struct{}), done: make(chan error, 1)}
		w.urgent = func(context.Context, string) (int, error) { return 0, nil }
		urgent := func(ctx context.Context, key types.NamespacedName) (int, error) {
			w.mu.Lock()
			w.calls = append(w.calls, key.Name)
			urgent := w.urgent
			w.mu.Unlock()
			return urgent(ctx, key.Name)
		}

		s, err := New(Lease{Reader: leases{w: w}, RetryPeriod: time.Second, Elected: w.elected}, cached{w: w}, urgent, Options{})
		if err != nil {
			t.Fatal(err)
		}

		w.Standby = s
		alive, kill := context.WithCancel(t.Context())
		defer kill()
		w.hold("leader")
		go w.lead(alive)
		ctx, stop := context.WithCancel(t.Context())
		go func() { w.done <- s.Start(ctx) }()
		w.wait(10 * time.Second)
		test(w, kill)
		stop()

		if err := <-w.done; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
}

func (w *world) lead(ctx context.Context) {
	for ctx.Err() == nil {
		w.hold("leader")
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// hold renews the lease for a holder.
func (w *world) hold(holder string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := metav1.NewMicroTime(time.Now().Add(-time.Hour)) // another machine's clock
	w.lease.Spec.HolderIdentity, w.lease.Spec.RenewTime = &holder, &now
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// act says what becomes of the calls for a binding.
func (w *world) act(urgent func(ctx context.Context, binding string) (int, error)) {
	w.set(func() { w.urgent = urgent })
}

// terminate adds a terminating pod of a Service.
func (w *world) terminate(service string) {
	now := metav1.Now()
	w.set(func() {
		w.pods = append(w.pods, corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: service, Labels: map[string]string{"app": service}, DeletionTimestamp: &now},
			Status:     corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}},
		})
	})
}

// wait lets time pass; the odd bit keeps clear of the ticks of others.
func (w *world) wait(d time.Duration) {
	time.Sleep(d + time.Millisecond)
	synctest.Wait()
}

// asked gives and clears the bindings that were asked about, sorted, each once.
func (w *world) asked() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.calls = nil }()
	slices.Sort(w.calls)
	return fmt.Sprint(slices.Compact(w.calls))
}

func (w *world) isActing() bool { return testutil.ToFloat64(w.metrics.acting) == 1 }

type leases struct {
	client.Reader
	w *world
}

// Get implements client.Reader.
func (l leases) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.w.lease.DeepCopyInto(into.(*coordinationv1.Lease))
	return l.w.away
}

type cached struct {
	client.Reader
	w *world
}

// List implements client.Reader.
func (c cached) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()

	switch l := into.(type) {
	case *corev1.PodList:
		l.Items = slices.Clone(c.w.pods)
	case *corev1.ServiceList:
		for _, name := range []string{"a", "b"} {
			l.Items = append(l.Items, corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": name}}})
		}
	case *elbv2.TargetGroupBindingList:
		for _, name := range []string{"a", "b"} {
			b := elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
			b.Spec.ServiceRef.Name = name
			l.Items = append(l.Items, b)
		}
	}

	return nil
}

// TestLaw5DeletionWaitsForNoElection: a standby acts when the leader missed two
// renewals, and not while it renews, whatever the leader's clock says.
func TestLaw5DeletionWaitsForNoElection(t *testing.T) {
	run(t, func(w *world, kill context.CancelFunc) {
		w.terminate("a")
		w.wait(time.Minute)

		if got := w.asked(); got != "[]" {
			t.Fatalf("a standby acts beside a live leader: %s", got)
		}

		kill()
		w.wait(time.Second)

		if got := w.asked(); got != "[]" {
			t.Errorf("one renewal was missed, and already %s", got)
		}

		w.wait(2500 * time.Millisecond)
		if got := w.asked(); got != "[a]" || !w.isActing() {
			t.Errorf("the leader is silent: want the binding of the terminating pod, got %s (acting: %t)", got, w.isActing())
		}

		w.terminate("b")
		w.wait(500 * time.Millisecond)

		if got := w.asked(); got != "[a b]" {
			t.Errorf("a pod deleted meanwhile: want its binding at once, got %s", got)
		}

		w.hold("next")
		w.wait(time.Second)
		w.asked()

		if w.wait(time.Second); w.asked() != "[]" || w.isActing() {
			t.Errorf("a new leader is there, and the standby acts on")
		}
	})
}

// TestReleasedLease: a leader that ended in order left nobody to wait for.
func TestReleasedLease(t *testing.T) {
	run(t, func(w *world, kill context.CancelFunc) {
		w.terminate("a")
		kill()
		w.hold("")
		w.wait(500 * time.Millisecond)
		if got := w.asked(); got != "[a]" {
			t.Errorf("nobody holds the lease: want the binding of the terminating pod, got %s", got)
		}
	})
}

// TestLeaseOutOfReach: what this replica could not read is not the leader's silence.
func TestLeaseOutOfReach(t *testing.T) {
	run(t, func(w *world, kill context.CancelFunc) {
		w.terminate("a")
		kill()
		w.set(func() { w.away = errors.New("no route to the API server") })
		w.wait(time.Minute)
		w.set(func() { w.away = nil })
		w.wait(2 * time.Second)

		if got := w.asked(); got != "[]" {
			t.Errorf("the leader had no time to renew since the API server is back, and already %s", got)
		}

		w.wait(time.Second)
		if got := w.asked(); got != "[a]" {
			t.Errorf("the leader is silent: want the binding of the terminating pod, got %s", got)
		}
	})
}

// TestElected: a replica that leads stands in for nobody, and what it began as a
// standby is over before.
func TestElected(t *testing.T) {
	run(t, func(w *world, kill context.CancelFunc) {
		w.terminate("a")
		var canceled atomic.Bool
		w.act(func(ctx context.Context, _ string) (int, error) {
			<-ctx.Done()
			canceled.Store(true)
			return 0, ctx.Err()
		})

		kill()
		w.wait(4 * time.Second)
		close(w.elected)

		if err := <-w.done; err != nil {
			t.Error(err)
		}

		if !canceled.Load() || w.isActing() {
			t.Errorf("led while a call of the standby was under way: canceled %t, acting %t", canceled.Load(), w.isActing())
		}

		if n := testutil.ToFloat64(w.metrics.failures); n != 0 {
			t.Errorf("a call that was given up counts as failed: %v", n)
		}

		w.done <- nil
	})
}

// TestBindingsDoNotWait: a binding whose calls hang holds up no other and is asked
// once; one whose calls fail is asked less and less.
func TestBindingsDoNotWait(t *testing.T) {
	run(t, func(w *world, kill context.CancelFunc) {
		w.terminate("a")
		w.terminate("b")
		var mended atomic.Bool
		w.act(func(ctx context.Context, binding string) (int, error) {
			if binding == "a" {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			if !mended.Load() {
				return 0, errors.New("refused")
			}
			return 2, nil
		})

		kill()
		w.wait(time.Minute)
		w.set(func() {
			count := map[string]int{}
			for _, binding := range w.calls {
				count[binding]++
			}
			if count["a"] != 1 {
				t.Errorf("a was asked %d times while its first call hung", count["a"])
			}
			if n := count["b"]; n < 12 || n > 18 {
				t.Errorf("b was asked %d times within a minute in which it failed: want about 15, in steps that grow to 5 s", n)
			}
		})

		mended.Store(true)
		w.wait(time.Minute)

		if n := testutil.ToFloat64(w.metrics.deregistered); n < 2 {
			t.Errorf("want what was deregistered counted, got %v targets", n)
		}
	})
}
