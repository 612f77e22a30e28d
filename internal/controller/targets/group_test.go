// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
)

// resolver counts how often groups are asked about, and says of which type they are.
type resolver struct {
	*world
	targetType string
	asked      int
}

func (r *resolver) Resolve(ctx context.Context, ref balancer.Ref, name string) (balancer.Group, error) {
	r.asked++
	g, err := r.world.Resolve(ctx, ref, name)
	g.TargetType = r.targetType
	return g, err
}

// TestSettingsAreAskedForSeldom: a thousand groups must fit into a few calls a minute,
// and a group that cannot be served may become one that can.
func TestSettingsAreAskedForSeldom(t *testing.T) {
	for _, tc := range []struct {
		targetType  string
		atLeast, in int // how often it is asked about in three hours
	}{
		{string(elbv2.TargetTypeIP), 2, 5},
		{string(elbv2.TargetTypeInstance), 30, 46},
	} {
		for _, restarted := range []bool{false, true} {
			w := newWorld(t)
			r := &resolver{world: w, targetType: tc.targetType}
			w.provider = r
			if tc.targetType != "ip" || !restarted {
				w.bindings["web-tg"].Annotations = nil
				w.states.update(web, func(s *state) { s.service.resolved = resolved{} })
				w.reconcile()
			}

			if restarted {
				w.restart()
				w.provider = r
			}

			r.asked = 0
			for range 180 {
				w.clock = w.clock.Add(time.Minute)
				w.reconcile()
			}

			if r.asked < tc.atLeast || r.asked > tc.in {
				t.Errorf("%s targets, restarted %t: asked about %d times in three hours, want %d to %d", tc.targetType, restarted, r.asked, tc.atLeast, tc.in)
			}
		}
	}
}

// TestANewLeaderTakesNoOldSettings: the manifest of a backend's binding holds the group's settings. What was published of
// an earlier one counts while HAProxy does not answer, and no longer.
func TestANewLeaderTakesNoOldSettings(t *testing.T) {
	own := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own", UID: "uid-own", ResourceVersion: "1", Generation: 1, CreationTimestamp: metav1.NewTime(noon)}}
	own.Spec.ServiceRef = v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	own.Spec.HAProxy = &v1alpha1.HAProxy{Backend: "web", Instances: []string{"unix:/run/a.sock"}}
	w := newWorld(t)
	w.own["own"] = own
	start := func() {
		w.restart()
		w.prepare = func(*binding.Binding) error { return nil }
	}

	drains := func() int64 {
		t.Helper()
		if _, err := w.try(external); err != nil {
			t.Fatal(err)
		}
		return w.own["own"].Status.Group.DrainSeconds
	}

	start()
	w.delay = 30 * time.Second

	if got := drains(); got != 30 {
		t.Fatalf("published are %d s", got)
	}

	// While nobody leads the manifest changes.
	w.own["own"].Generation, w.delay = 2, 90*time.Second
	start()
	w.fail["resolve"] = errors.New("no answer")

	if got := drains(); got != 30 {
		t.Errorf("HAProxy does not answer, and %d s are published", got)
	}

	start()
	w.fail = map[string]error{}

	if got := drains(); got != 90 {
		t.Errorf("it answers, and %d s are published, want 90", got)
	}
}
