// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podgate/podgate/internal/controller/backoff"
	"github.com/podgate/podgate/internal/provision/elb"
)

// TestLaw6AnEventWakesAFailingGroup: a group that fails is looked at ever more seldom, but at once when one of its objects changes.
// When the cause has gone the next look finds that out, and a later failure is looked at again soon.
func TestLaw6AnEventWakesAFailingGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := edge()
		w := newServiceWorld(t, svc)
		closed := true
		w.fails = func(elb.Step) error {
			if closed {
				return errors.New("AWS is closed")
			}
			return nil
		}

		var mu sync.Mutex // held while a group is looked at
		var looks []time.Duration
		begun := time.Now()
		o := w.options.withDefaults(w.Client).controller()
		o.Logger, o.SkipNameValidation = logr.Discard(), new(true)
		o.Reconciler = reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			looks = append(looks, time.Since(begun))
			return w.Reconcile(ctx, req)
		})
		c, err := controller.NewTypedUnmanaged("groups", o)
		if err != nil {
			t.Fatal(err)
		}
		changes := make(chan event.GenericEvent)
		if err := c.Watch(source.Channel(changes, handler.EnqueueRequestsFromMapFunc(balanced))); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Start(ctx) }()

		// last is how long ago the group was looked at last.
		last := func() time.Duration {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return time.Since(begun) - looks[len(looks)-1]
		}
		change := func() {
			changes <- event.GenericEvent{Object: svc}
			synctest.Wait()
		}

		change()
		time.Sleep(10 * backoff.Most)
		for last() < backoff.Most/2 {
			time.Sleep(time.Second)
		}
		mu.Lock()
		if n := len(looks); looks[n-1]-looks[n-2] != backoff.Most {
			t.Errorf("it was looked at after %s", looks)
		}
		mu.Unlock()
		if change(); last() != 0 {
			t.Errorf("a change woke it after %s", last())
		}
		if time.Sleep(backoff.Most - time.Second); last() < backoff.Most-time.Second {
			t.Errorf("it was looked at again %s ago", last())
		}

		// Nothing tells that AWS is open again.
		mu.Lock()
		closed = false
		mu.Unlock()
		if time.Sleep(2 * time.Second); last() != time.Second || w.service(svc).Status.LoadBalancer.Ingress == nil {
			t.Errorf("it was looked at %s ago, and the status is %+v", last(), w.service(svc).Status)
		}
		mu.Lock()
		closed, w.seen = true, elb.Observed{}
		mu.Unlock()
		change()
		if time.Sleep(time.Second); last() != 0 {
			t.Errorf("after a new failure it was looked at %s ago", last())
		}

		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
