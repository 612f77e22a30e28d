// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
)

func TestShort(t *testing.T) {
	candidates := Candidates{
		Services: []corev1.Service{service("web", map[string]string{"app": "web"}, time.Time{})},
		Bindings: []*binding.Binding{
			bound("fast", "web", drains(55*time.Second)),
			bound("slow", "web", drains(155*time.Second)),
			bound("nodes", "web", drains(time.Hour), typed(elbv2.TargetTypeInstance)),
			bound("leaving", "web", drains(time.Hour), deleting),
		},
	}

	labels := map[string]string{"app": "web"}
	cases := map[string]struct {
		reason string
		pod    Pod
		stop   drain.Stop
		want   Shortfall
		said   string
	}{
		"Enough": {reason: "As podgate injects it.", pod: Pod{Labels: labels}, stop: drain.Stop{Container: "web", Hook: 155, Grace: 185}},
		"Hook": {
			reason: "The slowest of the bindings counts.", pod: Pod{Labels: labels}, stop: drain.Stop{Container: "web", Hook: 20, Grace: 185},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web", Hook: 20, Grace: 185}, Hook: 135},
			said: `The preStop hook of container "web" sleeps 20 s, which is 135 s too short: the load balancer may send the pod requests for 155 s after its deletion. Make it sleep 155, or leave it out of the manifest, so that podgate adds one.`,
		},
		"Grace": {
			reason: "So does the grace period, which cuts hooks.", pod: Pod{Labels: labels}, stop: drain.Stop{Container: "web", Hook: 155, Grace: 30},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web", Hook: 155, Grace: 30}, Grace: 125},
			said: `terminationGracePeriodSeconds is 30, which is 125 s too short: make it at least 155, plus the time that the application needs to stop.`,
		},
		"NoHook": {
			reason: "It was created before anybody asked for hooks.", pod: Pod{Labels: labels}, stop: drain.Stop{Container: "web", Grace: 185},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web", Grace: 185}, Hook: 155},
			said: `Container "web" has no preStop hook, and the load balancer may send the pod requests for 155 s after its deletion: restart the pod, and podgate adds a hook that sleeps as long.`,
		},
		"OptedOut": {reason: "Its owner knows.", pod: Pod{Labels: map[string]string{"app": "web", v1alpha1.DrainLabel: v1alpha1.DrainDisabled}}, stop: drain.Stop{}},
		"Job":      {reason: "A Job's pods end by themselves.", pod: Pod{Labels: labels, Hooks: Hooks{OfJob: true}}, stop: drain.Stop{}},
		"NoTarget": {reason: "Nobody sends it anything.", pod: Pod{Labels: map[string]string{"app": "other"}}, stop: drain.Stop{Hook: 60, Grace: 30}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Short(tc.pod, tc.stop, candidates)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if got.String() != tc.said {
				t.Errorf("%s\nwant said: %s\ngot: %s", tc.reason, tc.said, got)
			}
		})
	}
}
