// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

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
		stop   drain.Manifest
		want   Shortfall
		said   string
	}{
		"Enough": {reason: "As podgate injects it.", pod: Pod{Labels: labels}, stop: drain.Manifest{Grace: 185, Containers: []drain.Container{{Name: "web", Hook: 155}}}},
		"Hook": {
			reason: "The slowest of the bindings counts.", pod: Pod{Labels: labels}, stop: drain.Manifest{Grace: 185, Containers: []drain.Container{{Name: "web", Hook: 20}}},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web", Hook: 20, Grace: 185}, Hook: 135},
			said: `The preStop hook of container "web" sleeps 20 s, which is 135 s too short: the load balancer may send the pod requests for 155 s after its deletion. In the pod template, have the preStop hook of container "web" sleep 155 s.`,
		},
		"Grace": {
			reason: "So does the grace period, which cuts hooks.", pod: Pod{Labels: labels}, stop: drain.Manifest{Grace: 30, Containers: []drain.Container{{Name: "web", Hook: 155}}},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web", Hook: 155, Grace: 30}, Grace: 125},
			said: `terminationGracePeriodSeconds is 30, which is 125 s too short. In the pod template, set terminationGracePeriodSeconds to at least 155, plus the time that the application needs to stop.`,
		},
		"NoHook": {
			reason: "It was created before anybody asked for hooks.", pod: Pod{Labels: labels}, stop: drain.Manifest{Grace: 185, Containers: []drain.Container{{Name: "web"}}},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web", Grace: 185}, Hook: 155, Renewed: &Shortfall{}},
			said: `Container "web" has no preStop hook, and the load balancer may send the pod requests for 155 s after its deletion. podgate gives new pods a hook that sleeps 155 s, and the grace period for it: restart the pods.`,
		},
		"Stated": {
			reason: "podgate adds nothing to a manifest that is applied again.", pod: Pod{Labels: labels, Stated: Stated{Applied: true, End: true}}, stop: drain.Manifest{Grace: 60, Containers: []drain.Container{{Name: "web"}}},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web", Grace: 60}, Hook: 155, Grace: 95, Stated: true},
			said: `Container "web" has no preStop hook, and the load balancer may send the pod requests for 155 s after its deletion. terminationGracePeriodSeconds is 60, which is 95 s too short. podgate adds no hook, since the manifest is applied to the pod itself: with a longer grace period it could not be applied a second time. In the manifest, give container "web" a preStop hook that sleeps 155 s, and set terminationGracePeriodSeconds to at least 155, plus the time that the application needs to stop.`,
		},
		"Static": {
			reason: "Its kubelet heeds a file.", pod: Pod{Labels: labels, Static: true}, stop: drain.Manifest{Grace: 30, Containers: []drain.Container{{Name: "web"}}},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web", Grace: 30}, Hook: 155, Grace: 125, Static: true},
			said: `Container "web" has no preStop hook, and the load balancer may send the pod requests for 155 s after its deletion. terminationGracePeriodSeconds is 30, which is 125 s too short. podgate adds no hook to a static pod. In the pod template, give container "web" a preStop hook that sleeps 155 s, and set terminationGracePeriodSeconds to at least 155, plus the time that the application needs to stop.`,
		},
		"Graceless": {
			reason: "Nothing promises a hook that would not come.", pod: Pod{Labels: labels, Stated: Stated{Applied: true, End: true}}, stop: drain.Manifest{Containers: []drain.Container{{Name: "web"}}},
			want: Shortfall{Binding: "slow", Need: 155, Stop: drain.Stop{Container: "web"}, Hook: 155, Grace: 155, Stated: true},
			said: `terminationGracePeriodSeconds is 0: Kubernetes then runs no preStop hook, podgate adds none, and requests are lost whenever a pod ends. podgate adds no hook, since the manifest is applied to the pod itself: with a longer grace period it could not be applied a second time. In the manifest, give container "web" a preStop hook that sleeps 155 s, and set terminationGracePeriodSeconds to at least 155, plus the time that the application needs to stop.`,
		},
		"OptedOut": {reason: "Its owner knows.", pod: Pod{Labels: map[string]string{"app": "web", v1alpha1.DrainLabel: v1alpha1.DrainDisabled}}, stop: drain.Manifest{}},
		"Job":      {reason: "A Job's pods end by themselves.", pod: Pod{Labels: labels, Hooks: Hooks{OfJob: true}}, stop: drain.Manifest{}},
		"NoTarget": {reason: "Nobody sends it anything.", pod: Pod{Labels: map[string]string{"app": "other"}}, stop: drain.Manifest{Grace: 30, Containers: []drain.Container{{Hook: 60}}}},
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

// TestAdviceCanBeFollowed: whatever the template of a pod is, one instruction is given, and nothing is short any more
// once it was followed; what cannot be known is called so.
func TestAdviceCanBeFollowed(t *testing.T) {
	web := service("web", map[string]string{"app": "web"}, time.Time{})
	web.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}
	number := service("number", map[string]string{"app": "web"}, time.Time{})
	number.Spec.Ports = []corev1.ServicePort{{Port: 8080}}

	at := func(name string, port int32) *binding.Binding {
		return bound("b", name, drains(55*time.Second), func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromInt32(port) })
	}
	named := Candidates{Services: []corev1.Service{web}, Bindings: []*binding.Binding{at("web", 80)}}
	numbered := Candidates{Services: []corev1.Service{number}, Bindings: []*binding.Binding{at("number", 8080)}}

	serving := func(hook int64) drain.Container {
		return drain.Container{Name: "web", Hook: hook, Ports: []string{"8080", "http"}}
	}
	one := func(grace int64, containers ...drain.Container) drain.Manifest {
		return drain.Manifest{Grace: grace, Containers: containers}
	}

	const restart = "podgate gives new pods a hook that sleeps 55 s, and the grace period for it: restart the pods."
	cases := map[string]struct {
		reason   string
		manifest drain.Manifest
		want     string
	}{
		"Plain":             {reason: "The grace period of the old pod is not the new one's.", manifest: one(30, serving(0)), want: restart},
		"NoGrace":           {reason: "podgate adds no hook to a pod that is killed at once.", manifest: one(0, serving(0)), want: "Set it to 1 or more in the pod template, or leave it out: podgate then adds a hook to new pods."},
		"NoGraceOwnHook":    {reason: "It has a hook, so that podgate adds nothing.", manifest: one(0, serving(60)), want: "In the pod template, set terminationGracePeriodSeconds to at least 60, plus the time that the application needs to stop."},
		"NoGraceShortHook":  {reason: "Both are to be set.", manifest: one(0, serving(5)), want: `In the pod template, have the preStop hook of container "web" sleep 55 s, and set terminationGracePeriodSeconds to at least 55, plus the time that the application needs to stop.`},
		"ShortHook":         {reason: "podgate leaves it as it is.", manifest: one(85, serving(5)), want: `In the pod template, have the preStop hook of container "web" sleep 55 s.`},
		"SleepsNoTime":      {reason: "A hook that does not wait is one.", manifest: one(85, drain.Container{Name: "web", AtOnce: true, Ports: []string{"8080", "http"}}), want: `In the pod template, have the preStop hook of container "web" sleep 55 s.`},
		"OutgrownByBinding": {reason: "podgate's own hook is nowhere in the template.", manifest: drain.Manifest{Grace: 45, Added: 15, Containers: []drain.Container{serving(15)}}, want: restart},
		"Sidecar":           {reason: "What nothing is sent to may end.", manifest: one(90, serving(60), drain.Container{Name: "logs"})},
		"Exporter":          {reason: "Nor is another port the target's.", manifest: one(90, serving(60), drain.Container{Name: "metrics", Ports: []string{"9090"}})},
		"SidecarOnly":       {reason: "A sidecar's hook keeps nobody serving.", manifest: one(85, serving(0), drain.Container{Name: "logs", Hook: 60}), want: restart},
		"Proxy":             {reason: "All traffic passes it, whichever ports it declares.", manifest: one(90, serving(60), drain.Container{Name: "istio-proxy", Ports: []string{"15090"}}), want: restart},
		"GraceForSidecar":   {reason: "podgate extends it with the sidecar's hook.", manifest: one(30, serving(55), drain.Container{Name: "logs"}), want: restart},
		"Script":            {reason: "How long it takes, and what it stops first, nobody can read.", manifest: one(85, serving(drain.Unread))},
		"ScriptNoGrace":     {reason: "That it is cut is known.", manifest: one(30, serving(drain.Unread)), want: "In the pod template, set terminationGracePeriodSeconds to at least 55, plus the time that the application needs to stop."},
		"Undeclared":        {reason: "Either may serve.", manifest: one(90, drain.Container{Name: "web", Hook: 60}, drain.Container{Name: "logs"}), want: "Declare the port at the container that serves (ports.containerPort)."},
		"UndeclaredAlone":   {reason: "Nobody else can serve.", manifest: one(30, drain.Container{Name: "web"}), want: restart},
	}

	for name, tc := range cases {
		for _, c := range []Candidates{named, numbered} {
			t.Run(name, func(t *testing.T) {
				s := Short(Pod{Labels: map[string]string{"app": "web"}}, tc.manifest, c)
				fix := ""
				if !s.Empty() {
					fix = s.Fix()
				}
				if fix != tc.want {
					t.Errorf("%s\ngot  %q\nwant %q\nof %s", tc.reason, fix, tc.want, s.Problem())
				}
			})
		}
	}
}
