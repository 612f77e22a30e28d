// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index/indextest"
)

// indexed lists pods through indexes.
type indexed struct {
	kube
	cache *indextest.Cache
}

// List implements client.Reader.
func (i indexed) List(ctx context.Context, into client.ObjectList, o ...client.ListOption) error {
	if _, pods := into.(*corev1.PodList); !pods {
		return i.kube.List(ctx, into, o...)
	}
	return i.cache.List(ctx, into, o...)
}

// index has pods found as they are now, and as fast as in a cache.
func (w *world) index() {
	w.t.Helper()
	var objects []client.Object
	for _, p := range w.pods {
		objects = append(objects, p.DeepCopy())
	}
	cache, err := indextest.New(w.t.Context(), objects...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.client = indexed{kube{w: w}, cache}
}

// counting counts the lists of pods.
type counting struct {
	indexed
	lists int
}

// List implements client.Reader.
func (c *counting) List(ctx context.Context, into client.ObjectList, o ...client.ListOption) error {
	if _, pods := into.(*corev1.PodList); pods {
		c.lists++
	}
	return c.indexed.List(ctx, into, o...)
}

// TestListsOfPods: a pass lists the pods of the Service, and looks at addresses only for targets that are none of these pods' own.
func TestListsOfPods(t *testing.T) {
	lists := func(w *world) int {
		w.index()
		c := &counting{indexed: w.client.(indexed)}
		w.client = c
		w.reconcile()
		return c.lists
	}

	w := newWorld(t)
	w.serve(upTo(50)...)
	if got := lists(w); got != 1 {
		t.Errorf("all 50 targets are selected pods': want one list, got %d", got)
	}

	w.terminate(w.pods["web-1"])
	w.pods["web-2"].Labels = nil
	delete(w.pods, "web-3")
	if got := lists(w); got != 3 {
		t.Errorf("two of 50 targets are no selected pod's: want three lists, got %d", got)
	}

	w = newWorld(t)
	w.serve(1)
	w.rows[gate.Target{Addr: at(1).Addr, Port: at(1).Port + 1}] = gate.Health{State: gate.Healthy}
	if got := lists(w); got != 2 {
		t.Errorf("there is a second target at a selected pod's address: want two lists, got %d", got)
	}
}

// TestMoreThanAThousandPods: a Service of more pods than one EndpointSlice holds is a group like any other.
func TestMoreThanAThousandPods(t *testing.T) {
	const pods = 1100
	w := newWorld(t)
	for _, n := range upTo(pods) {
		w.pod(n)
	}

	w.index()
	w.reconcile()

	if len(w.calls) != 1 || w.taken() != pods {
		t.Fatalf("want all %d registered with one call, got %d by %d", pods, w.taken(), len(w.calls))
	}

	for target := range w.rows {
		w.rows[target] = gate.Health{State: gate.Healthy}
	}

	w.calls = nil
	for n := 1001; n <= pods; n++ {
		w.terminate(w.pods[name(n)])
	}

	w.index()
	w.reconcile()

	if len(w.calls) != 1 || w.taken() != 1000 {
		t.Errorf("want the last hundred gone with one call, got %d left after %d", w.taken(), len(w.calls))
	}
}

// TestGroupIsDeletedByHand: what the observer finds out without any event the binding tells, and it
// is served again when the group is back.
func TestGroupIsDeletedByHand(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	w.reconcile()
	w.viewErr, w.fail["resolve"] = balancer.ErrNotFound, balancer.ErrNotFound
	if users := w.registry.Users(ref); !slices.Contains(users, web) {
		t.Errorf("the observer wakes %v for the group", users)
	}

	if _, err := w.try(web); err == nil || w.ready("web-tg") != v1alpha1.ReasonTargetGroupNotFound {
		t.Errorf("want it told and tried again, got %s and %v", w.ready("web-tg"), err)
	}

	w.viewErr, w.rows = nil, map[gate.Target]gate.Health{}
	delete(w.fail, "resolve")
	w.clock = w.clock.Add(30 * time.Second)
	w.reconcile()

	if got := w.made(); got != "register 1" || w.ready("web-tg") != v1alpha1.ReasonSynced {
		t.Errorf("the group is back: want the pod registered, got %q and %s", got, w.ready("web-tg"))
	}
}
