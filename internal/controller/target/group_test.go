// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/provider"
)

// resolver counts how often groups are asked about, and says of which type they are.
type resolver struct {
	*world
	targetType string
	asked      int
}

func (r *resolver) Resolve(ctx context.Context, ref provider.Ref, name string) (provider.Group, error) {
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
				w.resolved = map[types.NamespacedName]resolved{}
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
