// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

func TestDrain(t *testing.T) {
	services := []corev1.Service{service("web", map[string]string{"app": "web"}, time.Time{})}
	of := func(name string, d time.Duration, options ...func(*elbv2.TargetGroupBinding)) *binding.Binding {
		return bound(name, "web", append([]func(*elbv2.TargetGroupBinding){ip, drains(d)}, options...)...)
	}

	plain := []*binding.Binding{of("a", 20*time.Second)}
	cases := map[string]struct {
		reason   string
		hooks    Hooks
		bindings []*binding.Binding
		want     DrainPlan
	}{
		"Slowest": {
			reason: "The pod ends when its slowest group has let go of it; whole seconds, never fewer.",
			hooks:  Hooks{PreStop: []bool{false}, Grace: new(int64(10))},
			bindings: []*binding.Binding{
				of("a", 20*time.Second), of("b", 24001*time.Millisecond),
				of("deleted", time.Hour, deleting),
				of("instance", time.Hour, typed(elbv2.TargetTypeInstance)),
				of("other", time.Hour, func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Name = "other" }),
			},
			want: DrainPlan{Sleep: []int{0}, Seconds: 25, Grace: 35, Original: new(int64(10))},
		},
		"SomeHaveTheirOwn": {
			reason:   "Only containers without a hook sleep.",
			hooks:    Hooks{PreStop: []bool{true, false, true, false}},
			bindings: plain,
			want:     DrainPlan{Sleep: []int{1, 3}, Seconds: 20, Grace: 50, Original: new(int64(30))},
		},
		"AllHaveTheirOwn": {reason: "Nothing was added, so nothing has to grow.", hooks: Hooks{PreStop: []bool{true}}, bindings: plain},
		"AddedLater": {
			reason:   "The grace period grew already, by the first answer.",
			hooks:    Hooks{PreStop: []bool{true, false}, Grace: new(int64(50)), Original: new(int64(30))},
			bindings: plain,
			want:     DrainPlan{Sleep: []int{1}, Seconds: 20},
		},
		"GrewMeanwhile": {
			reason:   "A grace period that somebody else made longer still is kept.",
			hooks:    Hooks{PreStop: []bool{true, false}, Grace: new(int64(600)), Original: new(int64(30))},
			bindings: plain,
			want:     DrainPlan{Sleep: []int{1}, Seconds: 20},
		},
		"CopiedAnnotation": {
			reason:   "What a copied manifest says of another pod's grace period takes nothing from this one's.",
			hooks:    Hooks{PreStop: []bool{false}, Grace: new(int64(60)), Original: new(int64(30))},
			bindings: plain,
			want:     DrainPlan{Sleep: []int{0}, Seconds: 20, Grace: 80, Original: new(int64(60))},
		},
		"CopiedLongerAnnotation": {
			reason:   "podgate makes no grace period shorter, so a longer one was another pod's.",
			hooks:    Hooks{PreStop: []bool{true, false}, Grace: new(int64(30)), Original: new(int64(86400))},
			bindings: plain,
			want:     DrainPlan{Sleep: []int{1}, Seconds: 20, Grace: 50, Original: new(int64(30))},
		},
		"Reset": {
			reason:   "Another webhook has set the grace period back since.",
			hooks:    Hooks{PreStop: []bool{true, false}, Grace: new(int64(30)), Original: new(int64(30))},
			bindings: plain,
			want:     DrainPlan{Sleep: []int{1}, Seconds: 20, Grace: 50},
		},
		"Endless": {
			reason:   "The longest grace period there is cannot grow.",
			hooks:    Hooks{PreStop: []bool{false}, Grace: new(int64(math.MaxInt64))},
			bindings: plain,
			want:     DrainPlan{Sleep: []int{0}, Seconds: 20},
		},
		"Dropped": {
			reason:   "Another webhook has dropped the hook that the grace period grew by.",
			hooks:    Hooks{PreStop: []bool{false}, Grace: new(int64(50)), Original: new(int64(30))},
			bindings: plain,
			want:     DrainPlan{Sleep: []int{0}, Seconds: 20},
		},
		"KilledAtOnce": {reason: "A pod that wants no grace gets none.", hooks: Hooks{PreStop: []bool{false}, Grace: new(int64(0))}, bindings: plain},
		"Job":          {reason: "A Job's pods end by themselves.", hooks: Hooks{PreStop: []bool{false}, OfJob: true}, bindings: plain},
		"NoBinding":    {reason: "Who is no target has nothing to drain.", hooks: Hooks{PreStop: []bool{false}}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Drain(Pod{Labels: map[string]string{"app": "web"}, Hooks: tc.hooks}, Candidates{Services: services, Bindings: tc.bindings})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nDrain: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestDrainOptedOut: only the label's value disabled keeps the hooks away.
func TestDrainOptedOut(t *testing.T) {
	c := Candidates{
		Services: []corev1.Service{service("web", map[string]string{"app": "web"}, time.Time{})},
		Bindings: []*binding.Binding{bound("web", "web", ip, drains(20*time.Second))},
	}
	for value, want := range map[string]bool{v1alpha1.DrainDisabled: false, "enabled": true, "": true} {
		pod := Pod{Labels: map[string]string{"app": "web", v1alpha1.DrainLabel: value}, Hooks: Hooks{PreStop: []bool{false}}}
		if got := !Drain(pod, c).Empty(); got != want {
			t.Errorf("%s=%s: hooks are added: %t", v1alpha1.DrainLabel, value, got)
		}
	}
}

// TestDrainAdaptive: hooks end early when all of the pod's bindings ask for that.
func TestDrainAdaptive(t *testing.T) {
	early := func(b *elbv2.TargetGroupBinding) {
		b.Annotations[v1alpha1.DrainModeAnnotation] = v1alpha1.DrainAdaptive
	}
	of := func(name string, options ...func(*elbv2.TargetGroupBinding)) *binding.Binding {
		return bound(name, "web", append([]func(*elbv2.TargetGroupBinding){ip, drains(20 * time.Second)}, options...)...)
	}

	for what, tc := range map[string]struct {
		bindings []*binding.Binding
		want     []string
	}{
		"all ask":  {[]*binding.Binding{of("b", early), of("a", early)}, []string{"a", "b"}},
		"one asks": {[]*binding.Binding{of("a", early), of("b")}, nil},
		"none":     {[]*binding.Binding{of("a")}, nil},
	} {
		c := Candidates{Services: []corev1.Service{service("web", map[string]string{"app": "web"}, time.Time{})}, Bindings: tc.bindings}
		got := Drain(Pod{Labels: map[string]string{"app": "web"}, Hooks: Hooks{PreStop: []bool{false}}}, c).Adaptive
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", what, diff)
		}
	}
}
