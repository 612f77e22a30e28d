// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	"github.com/podgate/podgate/internal/gate"
)

// TestLaw5FailedRemovalIsRepeatedSoon: however often it failed, the removal of a pod that ends is tried again
// within 5 s. What can wait is tried less and less.
func TestLaw5FailedRemovalIsRepeatedSoon(t *testing.T) {
	cases := map[string]struct {
		trouble func(w *world)
		soon    bool
	}{
		"a pod is being deleted": {trouble: func(w *world) {
			w.terminate(w.pods["web-1"])
			w.fail["deregister"] = balancer.ErrThrottled
		}, soon: true},
		"so is one of a deleted binding whose group cannot be read": {trouble: func(w *world) {
			w.terminate(w.pods["web-1"])
			w.bindings["web-tg"].DeletionTimestamp = new(metav1.NewTime(w.clock))
			w.fail["health"] = balancer.ErrThrottled
		}, soon: true},
		"a pod is gone": {trouble: func(w *world) {
			delete(w.pods, "web-1")
			w.fail["deregister"] = errors.New("EOF")
		}, soon: true},
		"a registration fails": {trouble: func(w *world) {
			w.pod(3)
			w.fail["register"] = balancer.ErrThrottled
		}},
		"a registration fails beside a removal that was done": {trouble: func(w *world) {
			w.pod(3)
			w.terminate(w.pods["web-1"])
			w.fail["register"] = balancer.ErrThrottled
		}},
	}

	for what, tc := range cases {
		w := newWorld(t)
		w.serve(1, 2)
		w.reconcile()
		tc.trouble(w)
		l := newRateLimiter(rand.N, w.states)
		var last time.Duration
		seen := map[time.Duration]bool{}
		for range 40 {
			if _, err := w.try(web); err == nil {
				t.Fatalf("%s: no error", what)
			}
			last = l.When(reconcile.Request{NamespacedName: web})
			seen[last] = true
		}

		if tc.soon && (last > 5*time.Second || len(seen) < 30) || !tc.soon && last < 20*time.Second {
			t.Errorf("%s: tried again after %s, one of %d different times", what, last, len(seen))
		}
	}
}

// TestPressingRemovalsKeepTheBudget: bindings that are tried again soon spend no more calls than their account has.
func TestPressingRemovalsKeepTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.serve(1, 2)
		limits := balancer.Limits{DescribeRate: 100, DescribeBurst: 100, ChangeRate: 2, ChangeBurst: 5}
		w.balanceBy(budget.New(w, func(balancer.Ref) balancer.Limits { return limits }, func(balancer.Ref) string { return "account" }))
		due := map[types.NamespacedName]time.Time{}
		for n := range 30 {
			b := w.bind(fmt.Sprint("b", n), 0)
			b.Spec.TargetGroupARN = "arn:" + b.Name
			key := types.NamespacedName{Namespace: "shop", Name: b.Name}
			due[key] = time.Now()
			if _, err := w.try(key); err != nil {
				t.Fatal(err)
			}
		}

		w.calls = nil
		w.terminate(w.pods["web-1"])
		w.fail["deregister"] = errors.New("EOF") // no throttling, which would slow the account by itself
		l := newRateLimiter(rand.N, w.states)
		begun, clock := time.Now(), w.clock
		for time.Since(begun) < 40*time.Second {
			key := earliest(due)
			time.Sleep(time.Until(due[key]))
			w.clock = clock.Add(time.Since(begun))
			if _, err := w.try(key); err == nil {
				t.Fatal("no error")
			}
			due[key] = time.Now().Add(l.When(reconcile.Request{NamespacedName: key}))
			if most := 5 + 2*time.Since(begun).Seconds() + 1; float64(len(w.calls)) > most {
				t.Fatalf("%d calls within %s, want at most %.0f", len(w.calls), time.Since(begun), most)
			}
		}

		if len(w.calls) < 80 {
			t.Errorf("want the budget used, got %d calls", len(w.calls))
		}

		delete(w.fail, "deregister")
		for key := range due {
			w.rows[at(1)] = gate.Health{State: gate.Healthy}
			if _, err := w.try(key); err != nil || w.states.get(key).pressing {
				t.Errorf("%s: it succeeded (%v), and its next failure still counts as pressing: %t", key, err, w.states.get(key).pressing)
			}
		}
	})
}

func earliest(due map[types.NamespacedName]time.Time) types.NamespacedName {
	var first types.NamespacedName
	for key, at := range due {
		if first.Name == "" || at.Before(due[first]) {
			first = key
		}
	}
	return first
}

// TestLaw6ARegistrationWaitsAsLongAsAsked: an API that fails and says when to come again is left alone until then, whatever
// happens to the binding meanwhile. Pods that end are deregistered, and nothing running goes for those that do not come.
func TestLaw6ARegistrationWaitsAsLongAsAsked(t *testing.T) {
	down := &balancer.CallError{Op: "register targets", Subject: "web", Code: "InternalServerException", RetryAfter: 10 * time.Second}
	for what, fails := range map[string]error{"all fails": down, "some fails": &balancer.PartialError{Failed: []gate.Target{at(3)}, Err: down}} {
		w := newWorld(t)
		w.serve(1, 2)
		w.reconcile()
		w.pod(3)
		w.fail["register"] = fails
		step := func(after time.Duration, calls string, again time.Duration) {
			t.Helper()
			w.clock = w.clock.Add(after)
			w.made()
			res := w.reconcile()
			if got := w.made(); got != calls || res.RequeueAfter != again {
				t.Errorf("%s: made %q, and looks again after %s, want %q and %s", what, got, res.RequeueAfter, calls, again)
			}
			if got := w.ready("web-tg"); again <= down.RetryAfter && got != v1alpha1.ReasonLoadBalancerUnavailable {
				t.Errorf("%s: the binding says %q", what, got)
			}
		}

		step(0, "register 3", 10*time.Second)
		step(3*time.Second, "", 7*time.Second)
		w.terminate(w.pods[name(1)])
		step(time.Second, "deregister 1", 6*time.Second)

		w.fail = map[string]error{}
		step(5*time.Second, "", time.Second)
		w.clock = w.clock.Add(time.Second)
		w.reconcile()
		if got := w.made(); got != "register 3" || w.ready("web-tg") != v1alpha1.ReasonSynced {
			t.Errorf("%s: the time is over, and it made %q; the binding says %q", what, got, w.ready("web-tg"))
		}
	}
}

// TestThrottledRegistrationsAreTheBudgets: who throttles is asked again by the queue, and the budget holds the call.
func TestThrottledRegistrationsAreTheBudgets(t *testing.T) {
	w := newWorld(t)
	w.pod(1)
	w.fail["register"] = &balancer.CallError{Kind: balancer.ErrThrottled, RetryAfter: 10 * time.Second}
	for range 2 {
		if _, err := w.try(web); !errors.Is(err, balancer.ErrThrottled) {
			t.Errorf("got %v", err)
		}
	}
	if got := w.made(); got != "register 1, register 1" {
		t.Errorf("made %q", got)
	}
}
