// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

func TestPolicy(t *testing.T) {
	cases := map[string]struct {
		reason      string
		annotations map[string]string
		want        gate.Policy
		problems    []string
	}{
		"None": {reason: "Most bindings state nothing; other people's annotations and podgate's own are no policy.",
			annotations: map[string]string{"example.com/mode": "x", "podgate.dev/target-group": "{}", "podgate.dev/manage": "true", "notpodgate.dev/mode": "x"}},
		"All": {reason: "Everything that can be said.",
			annotations: map[string]string{
				"podgate.dev/mode": "Track", "podgate.dev/track-after": "1m", "podgate.dev/track-floor": "75%", "podgate.dev/timeout": "10m", "podgate.dev/on-timeout": "Open",
				"podgate.dev/on-unused": "Open", "podgate.dev/on-unavailable": "Open", "podgate.dev/on-unhealthy-draining": "Open",
			},
			want: gate.Policy{
				Mode: gate.Track, TrackAfter: time.Minute, TrackFloor: gate.Floor{Percent: 75}, Timeout: 10 * time.Minute, OnTimeout: gate.Open,
				OnUnused: gate.Open, OnUnavailable: gate.Open, OnUnhealthyDraining: gate.Open,
			}},
		"Defaults": {reason: "What is said as it is anyway is no mistake.",
			annotations: map[string]string{"podgate.dev/mode": "Latch", "podgate.dev/on-timeout": "Hold", "podgate.dev/track-floor": "3"},
			want:        gate.Policy{Mode: gate.Latch, OnTimeout: gate.Hold, TrackFloor: gate.Floor{Gates: 3}}},
		"Bad": {reason: "Each mistake is told, and the others' values count.",
			annotations: map[string]string{"podgate.dev/mode": "track", "podgate.dev/timeout": "10", "podgate.dev/on-timeout": "", "podgate.dev/on-unused": "Open", "podgate.dev/track-after": "1s", "podgate.dev/track-floor": "0%"},
			want:        gate.Policy{OnUnused: gate.Open},
			problems: []string{
				`podgate.dev/mode: "track" is neither Latch nor Track, so it is Latch`,
				`podgate.dev/on-timeout: "" is neither Hold nor Open, so it is Hold`,
				`podgate.dev/timeout: "10" is not a duration of at least 1s such as 90s or 10m, so there is none`,
				`podgate.dev/track-after: "1s" is not a duration of at least 5s such as 90s or 10m, so it is 30s`,
				`podgate.dev/track-floor: "0%" is neither a percentage from 1% to 100% nor a number of gates from 1 up, so it is 50%`,
			}},
		"Typo": {reason: "A name that nobody knows is told, not passed over.",
			annotations: map[string]string{"podgate.dev/timout": "10m"},
			problems: []string{
				`podgate.dev/timout: "10m" is not an annotation that podgate knows on a binding; its policies are drain, drain-at, drain-idle, drain-time, mode, nodes, on-timeout, on-unavailable, on-unhealthy-draining, on-unused, other-gates, replace-ungated, timeout, track-after, track-floor`,
			}},
		"OpenWithoutTimeout": {reason: "It would be thought that the gate opens some time.",
			annotations: map[string]string{"podgate.dev/on-timeout": "Open"}, want: gate.Policy{OnTimeout: gate.Open},
			problems: []string{`podgate.dev/on-timeout: "Open" is without effect: there is no podgate.dev/timeout`}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			settings, problems := ParseSettings(tc.annotations)
			if got := settings.Gate; got != tc.want {
				t.Errorf("%s\nwant %+v, got %+v", tc.reason, tc.want, got)
			}
			var said []string
			for _, p := range problems {
				said = append(said, p.String())
			}
			if diff := cmp.Diff(tc.problems, said); diff != "" {
				t.Errorf("%s\nproblems: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestFloorValues(t *testing.T) {
	for value, good := range map[string]bool{"1": true, "1%": true, "0%": false, "100%": true, "50%": true, "0": false, "101%": false, "-1": false, "half": false, "1.5": false, "%": false, "": false} {
		if _, problems := ParseSettings(map[string]string{"podgate.dev/track-floor": value}); (len(problems) == 0) != good {
			t.Errorf("%q: want it accepted: %t, got %v", value, good, problems)
		}
	}
}

// TestShortestDurations: what is shorter than the shortest states nothing.
func TestShortestDurations(t *testing.T) {
	for _, tc := range []struct {
		annotation, value string
		good              bool
	}{
		{v1alpha1.TrackAfterAnnotation, "5s", true}, {v1alpha1.TrackAfterAnnotation, "4999ms", false},
		{v1alpha1.TimeoutAnnotation, "1s", true}, {v1alpha1.TimeoutAnnotation, "999ms", false},
	} {
		if _, problems := ParseSettings(map[string]string{tc.annotation: tc.value}); (len(problems) == 0) != tc.good {
			t.Errorf("%s: %q: want it accepted: %t, got %v", tc.annotation, tc.value, tc.good, problems)
		}
	}
}

// TestEveryAnnotationIsKnown: an annotation of podgate's own that package binding does not
// know would be told to its users as a mistake. What is not for bindings is listed here.
func TestEveryAnnotationIsKnown(t *testing.T) {
	elsewhere := []string{
		v1alpha1.InjectLabel, v1alpha1.DrainLabel, v1alpha1.GraceAnnotation, v1alpha1.LeftOutAnnotation, v1alpha1.Finalizer, v1alpha1.ProvenAnnotation, v1alpha1.OverrideAnnotation, v1alpha1.ApprovalsAnnotation, v1alpha1.AggregateLabel, "podgate.dev/rotate", v1alpha1.RecordOfAnnotation, v1alpha1.IngressController, v1alpha1.IngressFinalizer, v1alpha1.StacksAnnotation,
		v1alpha1.GatewayFinalizer, v1alpha1.GatewayNamespaceLabel, v1alpha1.GatewayNameLabel, v1alpha1.GatewayStackTag, v1alpha1.GatewayResourceTag, "podgate.dev/created-by", "podgate.dev/certificate-arn",
		"podgate.dev/selector-anchor", "podgate.dev/service", "podgate.dev/target-group-arn", "podgate.dev/label", "podgate.dev/gate", "podgate.dev/address", "podgate.dev/pressing", "podgate.dev/node", "podgate.dev/port",
		"podgate.dev/owner", "podgate.dev/retired",
	}

	names := regexp.MustCompile(`"(podgate\.dev/[a-z0-9-]+)"`)
	for _, top := range []string{"api", "internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", "..", top), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range names.FindAllStringSubmatch(string(source), -1) {
				_, problems := ParseSettings(map[string]string{m[1]: ""})
				if len(problems) > 0 && strings.Contains(problems[0].Want, "not an annotation") && !slices.Contains(elsewhere, m[1]) {
					t.Errorf("%s has %s: if it may be on a binding, package binding has to know it; if not, list it in this test", path, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDrainTimeOfATargetBinding: the annotation counts there, too, and one that cannot be used
// is told.
func TestDrainTimeOfATargetBinding(t *testing.T) {
	b := OfOwn(&v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.DrainTimeAnnotation: "20s", v1alpha1.ModeAnnotation: "Track"}}})
	if s, problems := b.Settings(); len(problems) != 0 || s.Gate != (gate.Policy{}) || s.Drain.Time != 20*time.Second || !b.StatesPolicy() {
		t.Errorf("want a stated policy without problems, and no mode but the field's, got %+v, %v", s, problems)
	}
	b.Annotations[v1alpha1.DrainTimeAnnotation], b.Annotations[v1alpha1.DrainIdleAnnotation] = "soon", "Leave"
	if s, problems := b.Settings(); len(problems) != 1 || !s.Drain.LeaveIdle {
		t.Errorf("want one problem, and idle connections left, got %v, %+v", problems, s)
	}
	b.Annotations[v1alpha1.DrainIdleAnnotation] = "leave"
	if s, problems := b.Settings(); len(problems) != 2 || s.Drain.LeaveIdle {
		t.Errorf("want two problems, and idle connections waited for, got %v, %+v", problems, s)
	}
}

// TestFieldsOfATargetBinding: they say the same as the annotations of a TargetGroupBinding,
// and win over annotations of their own object.
func TestFieldsOfATargetBinding(t *testing.T) {
	same := map[string]string{
		v1alpha1.ModeAnnotation: "Track", v1alpha1.TrackAfterAnnotation: "40s", v1alpha1.TrackFloorAnnotation: "3",
		v1alpha1.TimeoutAnnotation: "90s", v1alpha1.OnTimeoutAnnotation: "Open", v1alpha1.OnUnusedAnnotation: "Open",
		v1alpha1.DrainTimeAnnotation: "45s", v1alpha1.DrainAtAnnotation: "Taint", v1alpha1.DrainModeAnnotation: "Adaptive", v1alpha1.ReplaceAnnotation: "enabled",
		v1alpha1.OtherGatesAnnotation: "Ignore", v1alpha1.NodesAnnotation: "WithReadyPods",
	}

	want, _ := ParseSettings(same)
	b := &v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{
		Gate:           &v1alpha1.GatePolicy{Mode: "Track", TrackAfterSeconds: 40, TrackFloor: "3", TimeoutSeconds: 90, OnTimeout: "Open", OnUnused: "Open"},
		Drain:          &v1alpha1.DrainPolicy{Seconds: 45, At: v1alpha1.DrainAtTaint, Mode: v1alpha1.DrainAdaptive},
		ReplaceUngated: v1alpha1.ReplaceUngatedEnabled, OtherGates: v1alpha1.OtherGatesIgnore, Nodes: v1alpha1.NodesWithReadyPods,
	}}

	got, problems := SettingsOf(b)
	if diff := cmp.Diff(want, got); diff != "" || len(problems) != 0 {
		t.Errorf("-annotations, +fields:\n%s\nproblems: %v", diff, problems)
	}

	b.Annotations = same
	b.Spec = v1alpha1.TargetBindingSpec{
		Drain:          &v1alpha1.DrainPolicy{TimeFrom: v1alpha1.DrainTimeComputed, At: v1alpha1.DrainAtDeletion, Mode: v1alpha1.DrainSleep},
		ReplaceUngated: v1alpha1.ReplaceUngatedDisabled, OtherGates: v1alpha1.OtherGatesFollow, Nodes: v1alpha1.NodesAll,
	}
	if got, problems := SettingsOf(b); got != (Settings{}) || len(problems) != 0 {
		t.Errorf("the fields do not win: %+v, %v", got, problems)
	}

	b.Spec.Drain.TimeFrom = v1alpha1.DrainTimeRecommended
	if got, _ := SettingsOf(b); !got.Drain.Recommended || got.Drain.Time != 0 {
		t.Errorf("the recommended time is not followed: %+v", got)
	}
}

// TestMisspeltAnnotation: it is reported alike on both kinds.
func TestMisspeltAnnotation(t *testing.T) {
	misspelt := map[string]string{"podgate.dev/drain-tme": "45s"}
	_, want := ParseSettings(misspelt)
	_, got := OfOwn(&v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Annotations: misspelt}}).Settings()
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 1 {
		t.Errorf("-TargetGroupBinding, +TargetBinding:\n%s", diff)
	}
}
