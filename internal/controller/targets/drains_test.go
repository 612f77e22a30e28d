// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/gate"
)

// remove deletes a pod with a grace period, in seconds.
func (w *world) remove(n int, grace int64) {
	pod := w.pods[name(n)]
	end := metav1.NewTime(w.clock.Add(time.Duration(grace) * time.Second))
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &end, &grace
}

// gone tells of a pod that is not in the cluster any more.
func (w *world) gone(n int, unknown bool) {
	w.t.Helper()
	pod := w.pods[name(n)]
	delete(w.pods, pod.Name)
	h := w.podEvents()
	h.Delete(w.t.Context(), event.DeleteEvent{Object: pod, DeleteStateUnknown: unknown}, discard{})
	w.reconcile()
}

// discard is a queue that forgets.
type discard struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// AddAfter implements workqueue.TypedDelayingInterface.
func (discard) AddAfter(reconcile.Request, time.Duration) {}

// after has seconds pass since noon, and the binding looked at.
func (w *world) after(seconds int) {
	w.t.Helper()
	w.clock = noon.Add(time.Duration(seconds) * time.Second)
	w.reconcile()
}

// toldOf returns and clears the events of a reason.
func (w *world) toldOf(reason string) []string {
	var told []string
	for len(w.events.Events) > 0 {
		if e := <-w.events.Events; strings.Contains(e, " "+reason+" ") {
			told = append(told, e)
		}
	}
	return told
}

// undrainedBy is how often pods ended undrained for a cause; for "" how often drained.
func (w *world) undrainedBy(cause record.Cause) float64 {
	if cause == "" {
		return w.counted("podgate_pods_drained_total", "shop", "web-tg")
	}
	return w.counted("podgate_pods_undrained_total", "shop", "web-tg", string(cause))
}

// TestEnds: who ends before the load balancer has let go of it is told, with the cause, and
// nobody else is.
func TestEnds(t *testing.T) {
	owner := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "rs", Controller: new(true)}}
	cases := map[string]struct {
		reason string
		end    func(w *world)
		cause  record.Cause
		// silent: neither drained nor not, since nobody knows or nothing was sent there.
		silent bool
		said   string
	}{
		"Drained": {reason: "It served on for as long as it had to.", end: func(w *world) {
			w.remove(2, 85)
			w.after(0)
			w.after(5)
			w.clock = noon.Add(56 * time.Second)
			w.gone(2, false)
		}},
		"ShortGrace": {reason: "kubectl delete --grace-period=1, or an eviction.", cause: record.CauseGrace,
			said: "Ended 18 s before target group web had let go of it, so requests may be lost: it was deleted with a grace period of 1 s instead of its 85 s.",
			end: func(w *world) {
				w.remove(2, 1)
				w.after(0)
				w.clock = noon.Add(2 * time.Second)
				w.gone(2, false)
			}},
		"AtOnce": {reason: "kubectl delete --grace-period=0 --force: nobody saw it terminating.", cause: record.CauseGrace,
			said: "Ended 55 s before target group web had let go of it, so requests may be lost: it was deleted with a grace period of 0 s instead of its 85 s.",
			end: func(w *world) {
				w.remove(2, 0)
				w.gone(2, false)
			}},
		"Unseen": {reason: "The API server need not tell of the deletion before it is done.", cause: record.CauseGrace, said: "a grace period of 0 s instead of its 85 s", end: func(w *world) {
			w.gone(2, false)
		}},
		"NoHook": {reason: "Nobody asked for a drain.", cause: record.CauseNoHook, said: "the container that serves has no preStop hook. Let podgate add one", end: func(w *world) {
			drain.Keep(w.pods["web-2"], drain.Manifest{Grace: 85, Containers: []drain.Container{{}}})
			w.remove(2, 85)
			w.after(0)
			w.clock = noon.Add(6 * time.Second)
			w.gone(2, false)
		}},
		"NoGrace": {reason: "With it podgate adds no hook.", cause: record.CauseHook, said: "its terminationGracePeriodSeconds is 0, with which Kubernetes runs no preStop hook and podgate adds none. Set it to 1 or more", end: func(w *world) {
			drain.Keep(w.pods["web-2"], drain.Manifest{Containers: []drain.Container{{}}})
			w.remove(2, 0)
			w.gone(2, false)
		}},
		"HooklessSidecar": {reason: "What has another port than the target, or none, need not go on.", cause: record.CauseHook, said: "its preStop hook or its grace period is too short. The hook has to keep it serving for 55 s", end: func(w *world) {
			drain.Keep(w.pods["web-2"], drain.Manifest{Grace: 85, Containers: []drain.Container{{Hook: 5, Ports: []string{"8080"}}, {Name: "logs"}, {Name: "metrics", Ports: []string{"9090"}}}})
			w.remove(2, 85)
			w.after(0)
			w.clock = noon.Add(6 * time.Second)
			w.gone(2, false)
		}},
		"ShortHook": {reason: "A hook of its own.", cause: record.CauseHook, said: "its preStop hook or its grace period is too short", end: func(w *world) {
			w.remove(2, 85)
			w.after(0)
			w.clock = noon.Add(6 * time.Second)
			w.gone(2, false)
		}},
		"Refused": {reason: "The load balancer's API was away all the time.", cause: record.CauseDeregistration, said: "its deregistration was late", end: func(w *world) {
			w.remove(2, 85)
			w.fail["deregister"] = errors.New("EOF")
			_, _ = w.try(web)
			w.clock = noon.Add(56 * time.Second)
			w.fail = map[string]error{}
			w.gone(2, false)
		}},
		"Evicted": {reason: "The kubelet ends it for its node's sake.", cause: record.CauseNoDeletion, said: "without being deleted", end: func(w *world) {
			before := w.pods["web-2"].DeepCopy()
			w.pods["web-2"].Status.Phase = corev1.PodFailed
			h := w.podEvents()
			h.Update(w.t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: w.pods["web-2"]}, discard{})
			w.reconcile()
			w.gone(2, false)
		}},
		"Unserved": {reason: "What fails its checks gets no requests that could be lost.", silent: true, end: func(w *world) {
			w.rows[at(2)] = gate.Health{State: gate.Unhealthy}
			w.remove(2, 1)
			w.after(0)
			w.clock = noon.Add(2 * time.Second)
			w.gone(2, false)
		}},
		"NewLeader": {reason: "When the old one deregistered it the new one does not know.", silent: true, end: func(w *world) {
			w.remove(2, 85)
			w.after(0)
			w.restart()
			w.after(5)
			w.clock = noon.Add(8 * time.Second)
			w.gone(2, false)
		}},
		"NewList": {reason: "When it went nobody knows.", silent: true, end: func(w *world) {
			w.clock = noon.Add(2 * time.Second)
			w.gone(2, true)
		}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.serve(1, 2)
			w.pods["web-2"].OwnerReferences = owner
			drain.Keep(w.pods["web-2"], drain.Manifest{Grace: 85, Containers: []drain.Container{{Hook: 5}}})
			w.reconcile()
			tc.end(w)
			want := 1.0
			if tc.silent {
				want = 0
			}

			if n := w.undrainedBy(tc.cause); n != want {
				t.Errorf("%s\nwant %v counted as %q, got %v", tc.reason, want, tc.cause, n)
			}

			told := w.toldOf(v1alpha1.ReasonKilledUndrained)
			if tc.cause == "" {
				if len(told) != 0 {
					t.Errorf("%s\ntold: %q", tc.reason, told)
				}
				return
			}

			if len(told) != 2 || !strings.Contains(told[0], tc.said) || !strings.Contains(told[1], "Pod web-2: Ended ") {
				t.Errorf("%s\nwant %q told on pod and owner, got %q", tc.reason, tc.said, told)
			}
		})
	}
}

// TestManyEndsMakeFewEvents: ten thousand pods may end for one cause.
func TestManyEndsMakeFewEvents(t *testing.T) {
	w := newWorld(t)
	const pods = 120
	for n := range pods {
		w.serve(n + 1)
	}

	w.reconcile()
	for n := range pods {
		w.remove(n+1, 0)
		w.gone(n+1, false)
	}

	if n := len(w.toldOf(v1alpha1.ReasonKilledUndrained)); n == 0 || n > record.EventBurst {
		t.Errorf("%d events", n)
	}

	if n := w.undrainedBy(record.CauseGrace); n != pods {
		t.Errorf("want all %d counted, got %v", pods, n)
	}
}

// TestLaw10UndrainedHooksMakeFewEvents: a hook is the template's, so what its first pod's end
// shows is not told of each pod of a rollout; an hour later it is told again.
func TestLaw10UndrainedHooksMakeFewEvents(t *testing.T) {
	w := newWorld(t)
	for n := range 12 {
		w.serve(n + 1)
		w.pods[name(n+1)].OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "rs", Controller: new(true)}}
	}

	w.reconcile()
	end := func(n int) {
		w.remove(n, 30)
		w.reconcile()
		w.clock = w.clock.Add(6 * time.Second)
		w.gone(n, false)
	}

	for n := range 10 {
		end(n + 1)
	}

	if told := w.toldOf(v1alpha1.ReasonKilledUndrained); len(told) != 2 {
		t.Errorf("want the first pod told, and its owner, got %q", told)
	}

	if n := w.undrainedBy(record.CauseHook); n != 10 {
		t.Errorf("want all 10 counted, got %v", n)
	}

	w.clock = w.clock.Add(2 * time.Hour)
	end(11)

	if told := w.toldOf(v1alpha1.ReasonKilledUndrained); len(told) != 2 {
		t.Errorf("two hours later: want it told again, got %q", told)
	}
}

// TestSurplus: how long a pod lives on after its drain is what a shorter one would save.
func TestSurplus(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.reconcile()
	w.remove(2, 600)
	w.after(0)
	w.clock = noon.Add(400 * time.Second)
	w.gone(2, false)

	if n := len(w.series("podgate_drain_lived_on_seconds")); n != 1 {
		t.Fatalf("want one series, got %d", n)
	}

	if n := len(w.series("podgate_drain_seconds")); n != 0 {
		t.Error("its row is there still, and it is measured as gone")
	}

	delete(w.rows, at(2))
	w.reconcile()

	if n := len(w.series("podgate_drain_seconds")); n != 1 {
		t.Error("its row is gone, and nobody measured how long that took")
	}
}

// TestConnectionsCut: what a target still had when its pod ended is counted, and told, where
// the load balancer tells it.
func TestConnectionsCut(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.reconcile()
	w.remove(2, 1)
	w.after(0)
	w.rows[at(2)] = gate.Health{State: gate.Draining, Connections: 3}
	w.after(1)
	w.clock = noon.Add(2 * time.Second)
	w.gone(2, false)

	if n := w.counted("podgate_drain_connections_cut_total", "shop", "web-tg"); n != 3 {
		t.Errorf("want 3 connections counted, got %v", n)
	}

	if told := w.toldOf(v1alpha1.ReasonKilledUndrained); len(told) != 1 || !strings.Contains(told[0], "Connections that it had: 3.") {
		t.Errorf("told: %q", told)
	}
}
