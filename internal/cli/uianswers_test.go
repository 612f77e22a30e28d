// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/timeline"
	"github.com/podgate/podgate/internal/ui"
)

// failing is a reader of which some lists fail, by their types.
type failing struct {
	client.Reader
	lists map[string]error
}

func (f failing) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	if err := f.lists[strings.TrimPrefix(fmt.Sprintf("%T", into), "*v1.")]; err != nil {
		return err
	}
	return f.Reader.List(ctx, into, options...)
}

// glance is one look at pods of a Deployment, some seconds after noon.
type glance struct {
	at    time.Duration
	pods  string
	fails map[string]error
}

// follow looks at a Deployment again and again, and returns what the page shows then of the last day.
func follow(t *testing.T, glances []glance) timeline.Timeline {
	t.Helper()
	now := noon.Time
	a := &answers{environment: &environment{Streams: Streams{Now: func() time.Time { return now }}, kinds: gates.All()}}
	look, err := a.Follow(types.NamespacedName{Namespace: "shop", Name: "web"}, "Deployment")
	if err != nil {
		t.Fatal(err)
	}

	var shown timeline.Timeline
	for _, g := range glances {
		now = noon.Add(g.at)
		objects := []client.Object{objects(t, "timeline/rollout.yaml")[0]}
		for name := range strings.FieldsSeq(g.pods) {
			name, ready := strings.CutSuffix(name, "+")
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(noon.Add(-time.Minute)), Labels: map[string]string{"pod-template-hash": "5d4f"},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d4f", Controller: new(true)}},
			}}
			c := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: noon}
			if ready {
				c.Status, c.LastTransitionTime = corev1.ConditionTrue, metav1.NewTime(now)
			}
			pod.Status.Conditions = append(pod.Status.Conditions, c)
			objects = append(objects, pod)
		}

		reader, err := newOffline(t.Context(), gates.All(), objects)
		if err != nil {
			t.Fatal(err)
		}
		var failed error
		if shown, failed = look(t.Context(), failing{reader, g.fails}, 24*time.Hour); (failed != nil) != (g.fails != nil && !apierrors.IsForbidden(g.fails["PodList"])) {
			t.Fatalf("at %s: %v", g.at, failed)
		}
	}
	return shown
}

// TestFollowSeesPodsGo: a page that is open knows when pods went, as exactly as it looked.
func TestFollowSeesPodsGo(t *testing.T) {
	broken := map[string]error{"EventList": errors.New("broken")}
	forbidden := map[string]error{"PodList": apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New(`User "looker" cannot list resource "pods"`))}
	at := func(seconds time.Duration) timeline.Moment {
		return timeline.Moment{Known: timeline.Exact, At: noon.Add(seconds)}
	}
	between := func(after, at time.Duration) timeline.Moment {
		return timeline.Moment{Known: timeline.Bounded, After: noon.Add(after), At: noon.Add(at)}
	}

	const s = time.Second
	for name, c := range map[string]struct {
		glances []glance
		gone    timeline.Moment
		unknown string
	}{
		"it is there":                   {[]glance{{0, "a b", nil}, {2 * s, "a b", nil}}, timeline.Moment{Known: timeline.Pending}, ""},
		"between two looks":             {[]glance{{0, "a b", nil}, {3 * s, "a", nil}}, at(3 * s), ""},
		"while nobody looked":           {[]glance{{0, "a b", nil}, {4 * s, "a", nil}}, between(0, 4*s), ""},
		"and later looks":               {[]glance{{0, "a b", nil}, {4 * s, "a", nil}, {6 * s, "a", nil}, {20 * s, "a", nil}}, between(0, 4*s), ""},
		"after nobody had looked":       {[]glance{{0, "a b", nil}, {9 * s, "a b", nil}, {11 * s, "a", nil}}, at(11 * s), ""},
		"in a look that failed later":   {[]glance{{0, "a b", nil}, {2 * s, "a", broken}, {4 * s, "a", nil}}, at(2 * s), ""},
		"after a look that failed":      {[]glance{{0, "a b", nil}, {9 * s, "a b", broken}, {11 * s, "a", nil}}, at(11 * s), ""},
		"who may not look does not see": {[]glance{{0, "a b", nil}, {2 * s, "", forbidden}}, timeline.Moment{Known: timeline.Pending}, "not allowed to list"},
		"until one may again":           {[]glance{{0, "a b", nil}, {2 * s, "", forbidden}, {5 * s, "a", nil}}, between(0, 5*s), ""},
		"and not for long":              {[]glance{{0, "a b", nil}, {1 * s, "", forbidden}, {2 * s, "a", nil}}, at(2 * s), ""},
		"it is remembered":              {[]glance{{0, "a b", nil}, {2 * s, "a", nil}, {ui.Longest + 2*s, "a", nil}}, at(2 * s), ""},
	} {
		shown := follow(t, c.glances)
		i := slices.IndexFunc(shown.Lanes, func(l timeline.Lane) bool { return l.Pod == "b" })
		if i < 0 || len(shown.Lanes) != 2 || shown.Lanes[i].Stages[timeline.Gone] != c.gone {
			t.Errorf("%s: want that b is gone at %+v, got %+v", name, c.gone, shown.Lanes)
		}
		if got := strings.Join(shown.Unknown, "; "); (c.unknown == "") != (got == "") || !strings.Contains(got, c.unknown) {
			t.Errorf("%s: it is said to be unknown: %q", name, got)
		}
	}

	if shown := follow(t, []glance{{0, "a b", nil}, {2 * s, "a", nil}, {ui.Longest + 3*s, "a", nil}}); len(shown.Lanes) != 1 {
		t.Errorf("what is gone for longer than a picture looks back is not forgotten: %+v", shown.Lanes)
	}
}

// TestFollowSeesConditionsChange: so it does with conditions.
func TestFollowSeesConditionsChange(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		glances []glance
		known   timeline.Knowledge
	}{
		"between two looks":   {[]glance{{0, "a", nil}, {3 * s, "a+", nil}}, timeline.Exact},
		"while nobody looked": {[]glance{{0, "a", nil}, {4 * s, "a+", nil}}, timeline.Bounded},
	} {
		spans := follow(t, c.glances).Lanes[0].Condition("Ready").Spans
		if n := len(spans); n < 2 || spans[n-1].Status != "True" || spans[n-2].Known != c.known {
			t.Errorf("%s: want that the reason before is known %q, got %+v", name, c.known, spans)
		}
	}
}

// leases has a lease that is renewed when it was read some times.
type leases struct {
	client.Reader
	renewedAfter int
	read         *int
}

func (l leases) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	*l.read++
	into.SetResourceVersion("1")
	if *l.read >= l.renewedAfter {
		into.SetResourceVersion("renewed")
	}
	return nil
}

// TestRenewals: a page that is open knows whether a lease is renewed that looks old, and watches it once only.
func TestRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r renewals
		read := 0
		lease := func(uid, version string) *coordinationv1.Lease {
			return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), ResourceVersion: version}}
		}
		never, soon := leases{nil, 1 << 20, &read}, leases{nil, 3, &read}

		for i, step := range []struct {
			wait   time.Duration
			of     *coordinationv1.Lease
			from   client.Reader
			renews bool
			took   time.Duration
		}{
			{0, lease("dead", "1"), never, false, renewal},
			{0, lease("dead", "1"), never, false, 0},
			{time.Hour, lease("dead", "1"), soon, false, 0},
			{0, lease("dead", "2"), never, true, 0},
			{silent - time.Second, lease("dead", "2"), never, true, 0},
			{time.Second, lease("dead", "2"), never, false, 0},
			{0, lease("alive", "1"), soon, true, renewal / 8},
			{0, lease("alive", "1"), never, true, 0},
		} {
			time.Sleep(step.wait)
			begun := time.Now()
			if got := r.renews(t.Context(), step.from, step.of); got != step.renews {
				t.Errorf("step %d: it is renewed: %t", i, got)
			}
			if took := time.Since(begun); took != step.took {
				t.Errorf("step %d: it took %s, want %s", i, took, step.took)
			}
		}
	})
}
