// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/gates/gatestest"
	"github.com/podgate/podgate/internal/index/indextest"
	"github.com/podgate/podgate/internal/observe/checks"
)

const warmGate = "checks.podgate.dev/warm"

// warm is a ReadinessGate of one check.
func warm() *v1alpha1.ReadinessGate {
	g := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "warm", UID: "uid-of-warm"}}
	g.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	g.Spec.Checks = []v1alpha1.Check{{Name: "warm", TCP: &v1alpha1.TCPCheck{Port: new(intstr.FromInt32(8080))}}}
	return g
}

// checked is a scene of a pod that waits at the gate of a ReadinessGate.
func checked() gatestest.Scene {
	s := scene(gates.OfChecks{}, warmGate)()
	s.Objects, s.Groups = append(s.Objects, warm()), nil
	return s
}

// TestChecks holds the kind of which every ReadinessGate has one to the suite.
func TestChecks(t *testing.T) { gatestest.Run(t, checked) }

// TestChecksSource: what the gate of a ReadinessGate waits for.
func TestChecksSource(t *testing.T) {
	owner := types.NamespacedName{Namespace: "shop", Name: warmGate}
	unclaimed := gates.Source{Owner: owner, Checks: true, Claim: gate.Unclaimed}
	claimed := gates.Source{Owner: owner, Checks: true, Claim: gate.Claimed, Subject: checks.Gate{Namespace: "shop", Name: "warm", UID: "uid-of-warm"}}
	tracking := claimed
	tracking.Policy = gate.Policy{Mode: gate.Track, TrackAfter: 20 * time.Second, TrackFloor: gate.Floor{Percent: 30}, Timeout: time.Minute, OnTimeout: gate.Open}

	for name, tc := range map[string]struct {
		reason string
		change func(*v1alpha1.ReadinessGate, *corev1.Pod)
		want   gates.Source
	}{
		"Claimed":     {reason: "The pod waits for its checks.", change: func(*v1alpha1.ReadinessGate, *corev1.Pod) {}, want: claimed},
		"OtherLabels": {reason: "The selector is for new pods.", change: func(_ *v1alpha1.ReadinessGate, pod *corev1.Pod) { pod.Labels = nil }, want: claimed},
		"NoSelector":  {reason: "A gate in the pod's template needs no selector.", change: func(g *v1alpha1.ReadinessGate, _ *corev1.Pod) { g.Spec.Selector = nil }, want: claimed},
		"OtherName":   {reason: "It is another object's gate.", change: func(g *v1alpha1.ReadinessGate, _ *corev1.Pod) { g.Name = "warmer" }, want: unclaimed},
		"Elsewhere":   {reason: "It is of another namespace.", change: func(g *v1alpha1.ReadinessGate, _ *corev1.Pod) { g.Namespace = "pay" }, want: unclaimed},
		"DryRun": {
			reason: "A dry run holds nobody back.", change: func(g *v1alpha1.ReadinessGate, _ *corev1.Pod) { g.Spec.DryRun = true },
			want: gates.Source{Owner: owner, Checks: true, Claim: gate.DryRun},
		},
		"Policy": {
			reason: "The fields are the policy.",
			change: func(g *v1alpha1.ReadinessGate, _ *corev1.Pod) {
				g.Spec.Gate = v1alpha1.CheckPolicy{Mode: "Track", TrackAfterSeconds: 20, TrackFloor: "30%", TimeoutSeconds: 60, OnTimeout: "Open"}
			},
			want: tracking,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, g := checked(), warm()
			tc.change(g, s.Pod)
			cache, err := indextest.New(t.Context(), g, s.Pod)
			if err != nil {
				t.Fatal(err)
			}

			got, ours, err := gates.All().Sources(t.Context(), gates.Cluster{Reader: cache}, s.Pod, warmGate)
			if diff := cmp.Diff([]gates.Source{tc.want}, got, cmp.Comparer(func(a, b gate.Target) bool { return a == b })); diff != "" || !ours || err != nil {
				t.Errorf("%s\nours %t, %v (-want +got):\n%s", tc.reason, ours, err, diff)
			}
		})
	}
}

// TestCheckOwner: a ReadinessGate feeds its own gate, and that of no binding.
func TestCheckOwner(t *testing.T) {
	owner := gates.CheckOwner(types.NamespacedName{Namespace: "shop", Name: "warm"})
	if fed := (gates.OfChecks{}).FedBy(owner); !cmp.Equal(fed, []string{warmGate}) {
		t.Errorf("feeds %q", fed)
	}
	if fed := (gates.OfChecks{}).FedBy(types.NamespacedName{Namespace: "shop", Name: "warm"}); fed != nil {
		t.Errorf("a TargetGroupBinding of its name feeds %q", fed)
	}
	if origin := gates.All().Origin(warmGate); origin != `ReadinessGate "warm"` {
		t.Errorf("its origin is %s", origin)
	}
}

// TestLaw2AGoneReadinessGateIsMissed: the gate of one that is not there, or is being deleted, is not left to anybody else, and
// is released in the end.
func TestLaw2AGoneReadinessGateIsMissed(t *testing.T) {
	deleted := warm()
	deleted.DeletionTimestamp = new(metav1.NewTime(noon))
	for what, objects := range map[string][]client.Object{"gone": nil, "deleted": {deleted}} {
		s := checked()
		cache, err := indextest.New(t.Context(), append(objects, s.Pod)...)
		if err != nil {
			t.Fatal(err)
		}
		got, ours, err := gates.All().Sources(t.Context(), gates.Cluster{Reader: cache}, s.Pod, warmGate)
		if err != nil || !ours || len(got) != 1 || got[0].Claim != gate.Unclaimed {
			t.Errorf("%s: ours %t, %+v, %v", what, ours, got, err)
		}
	}
}

// TestSee: what expressions look at is kept of pods that have such a gate, and of no others.
func TestSee(t *testing.T) {
	for gate, want := range map[string]bool{warmGate: true, "targets.podgate.dev/web": false, legacyGate: false, "application-networking.k8s.aws/pod-readiness-gate": false, "example.com/reviewed": false} {
		if got := gates.All().See(waiting([]string{gate})); got != want {
			t.Errorf("%s: %t", gate, got)
		}
	}
}
