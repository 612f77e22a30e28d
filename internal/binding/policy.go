// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/limit"
)

// Problem is an annotation that states no policy, and what it should be.
type Problem struct {
	Annotation, Value string
	// Want is what is allowed, for people.
	Want string
}

// String says all of it.
func (p Problem) String() string {
	return fmt.Sprintf("%s: %q is %s", p.Annotation, limit.Cut(p.Value, 100), p.Want) // Want must not be what is cut off later.
}

// Settings are what the owner of a binding wants, whichever kind of object says it. The zero
// value is the defaults.
type Settings struct {
	// Gate says when gates open and close.
	Gate gate.Policy
	// Drain says how pods leave.
	Drain drain.Settings
	// Replace: pods that lack their gate are evicted, one by one.
	Replace bool
	// IgnoreOthers: gates of other controllers do not decide which pods are registered.
	IgnoreOthers bool
	// Hosting: where nodes are targets, only those are that run a pod which is Ready.
	Hosting bool
}

// policies are the annotations that state one. Each check reads it into the gate's policy,
// where it is one of the gate's, and returns what is wanted instead of a value that cannot be used.
var policies = map[string]func(*gate.Policy, string) (want string){
	v1alpha1.ModeAnnotation: func(p *gate.Policy, v string) string {
		return choice(&p.Mode, v, gate.Latch, gate.Track)
	},
	v1alpha1.TrackAfterAnnotation: func(p *gate.Policy, v string) string {
		return duration(&p.TrackAfter, v, gate.MinTrackAfter, "it is "+gate.DefaultTrackAfter.String())
	},
	v1alpha1.TrackFloorAnnotation: func(p *gate.Policy, v string) string { return floor(&p.TrackFloor, v) },
	v1alpha1.TimeoutAnnotation: func(p *gate.Policy, v string) string {
		return duration(&p.Timeout, v, gate.MinTimeout, "there is none")
	},
	v1alpha1.OnTimeoutAnnotation:           func(p *gate.Policy, v string) string { return answer(&p.OnTimeout, v) },
	v1alpha1.OnUnusedAnnotation:            func(p *gate.Policy, v string) string { return answer(&p.OnUnused, v) },
	v1alpha1.OnUnavailableAnnotation:       func(p *gate.Policy, v string) string { return answer(&p.OnUnavailable, v) },
	v1alpha1.OnUnhealthyDrainingAnnotation: func(p *gate.Policy, v string) string { return answer(&p.OnUnhealthyDraining, v) },

	v1alpha1.DrainTimeAnnotation: func(_ *gate.Policy, v string) string { return drainTime(v) },
	v1alpha1.DrainAtAnnotation: func(_ *gate.Policy, v string) string {
		return oneOf(v, string(v1alpha1.DrainAtDeletion), string(v1alpha1.DrainAtTaint))
	},
	v1alpha1.DrainModeAnnotation: func(_ *gate.Policy, v string) string {
		return oneOf(v, v1alpha1.DrainSleep, v1alpha1.DrainAdaptive)
	},
	v1alpha1.DrainIdleAnnotation: func(_ *gate.Policy, v string) string {
		return oneOf(v, v1alpha1.DrainIdleWait, v1alpha1.DrainIdleLeave)
	},
	v1alpha1.ReplaceAnnotation: func(_ *gate.Policy, v string) string { return replace(v) },
	v1alpha1.OtherGatesAnnotation: func(_ *gate.Policy, v string) string {
		return oneOf(v, string(v1alpha1.OtherGatesFollow), string(v1alpha1.OtherGatesIgnore))
	},
	v1alpha1.NodesAnnotation: func(_ *gate.Policy, v string) string {
		return oneOf(v, string(v1alpha1.NodesAll), string(v1alpha1.NodesWithReadyPods))
	},
}

// gatePolicy reports whether an annotation is a policy that TargetBindings have in spec.gate
// only.
func gatePolicy(name string) bool {
	switch name {
	case v1alpha1.DrainTimeAnnotation, v1alpha1.DrainAtAnnotation, v1alpha1.DrainModeAnnotation, v1alpha1.DrainIdleAnnotation, v1alpha1.ReplaceAnnotation, v1alpha1.OtherGatesAnnotation, v1alpha1.NodesAnnotation:
		return false
	}
	return true
}

// others are podgate's annotations on a binding that state no policy.
var others = []string{v1alpha1.PublishedAnnotation, v1alpha1.RecommendedDrainAnnotation, v1alpha1.ManageAnnotation, v1alpha1.NudgeAnnotation, v1alpha1.MadeForAnnotation, v1alpha1.RemoveForeignAnnotation}

// ParseSettings reads a binding's settings from its annotations. Where one cannot be used the
// default stands, and the problem says so; problems are in the order of the names.
func ParseSettings(annotations map[string]string) (Settings, []Problem) {
	s := Settings{
		Drain:        drainSettings(annotations),
		Replace:      annotations[v1alpha1.ReplaceAnnotation] == v1alpha1.ReplaceEnabled,
		IgnoreOthers: annotations[v1alpha1.OtherGatesAnnotation] == string(v1alpha1.OtherGatesIgnore),
		Hosting:      annotations[v1alpha1.NodesAnnotation] == string(v1alpha1.NodesWithReadyPods),
	}

	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		if !strings.HasPrefix(name, v1alpha1.Domain) || slices.Contains(others, name) {
			continue
		}
		value, want := annotations[name], ""
		if read, known := policies[name]; known {
			want = read(&s.Gate, value)
		} else {
			want = "not an annotation that podgate knows on a binding; its policies are " + names()
		}
		if want != "" {
			problems = append(problems, Problem{Annotation: name, Value: value, Want: want})
		}
	}

	if _, timed := annotations[v1alpha1.TimeoutAnnotation]; !timed && s.Gate.OnTimeout == gate.Open {
		problems = append(problems, Problem{Annotation: v1alpha1.OnTimeoutAnnotation, Value: string(s.Gate.OnTimeout), Want: "without effect: there is no " + v1alpha1.TimeoutAnnotation})
	}

	return s, problems
}

// drainSettings reads how pods drain. What cannot be used does not count.
func drainSettings(annotations map[string]string) drain.Settings {
	s := drain.Settings{
		Recommended: annotations[v1alpha1.DrainTimeAnnotation] == v1alpha1.DrainRecommended,
		AtTaint:     annotations[v1alpha1.DrainAtAnnotation] == string(v1alpha1.DrainAtTaint),
		Adaptive:    annotations[v1alpha1.DrainModeAnnotation] == v1alpha1.DrainAdaptive,
		LeaveIdle:   annotations[v1alpha1.DrainIdleAnnotation] == v1alpha1.DrainIdleLeave,
	}
	if d, err := drain.Parse(annotations[v1alpha1.DrainTimeAnnotation]); err == nil {
		s.Time = d
	}
	return s
}

func drainTime(value string) string {
	if _, err := drain.Parse(value); err != nil && value != v1alpha1.DrainRecommended {
		return err.Error() + ", nor " + v1alpha1.DrainRecommended + ", so it is computed"
	}
	return ""
}

func replace(value string) string {
	if value != v1alpha1.ReplaceEnabled {
		return "not " + v1alpha1.ReplaceEnabled + ", so pods without a gate stay"
	}
	return ""
}

func oneOf(value, first, second string) string {
	return choice(&value, value, first, second)
}

func names() string {
	var short []string
	for name := range policies {
		short = append(short, strings.TrimPrefix(name, v1alpha1.Domain))
	}
	slices.Sort(short)
	return strings.Join(short, ", ")
}

// choice reads one of two words, the first of which is the default.
func choice[T ~string](into *T, value string, first, second T) string {
	if v := T(value); v == first || v == second {
		*into = v
		return ""
	}
	return fmt.Sprintf("neither %s nor %s, so it is %s", first, second, first)
}

func answer(into *gate.Answer, value string) string {
	return choice(into, value, gate.Hold, gate.Open)
}

func duration(into *time.Duration, value string, least time.Duration, otherwise string) string {
	d, err := time.ParseDuration(value)
	if err != nil || d < least {
		return fmt.Sprintf("not a duration of at least %s such as 90s or 10m, so %s", least, otherwise)
	}
	*into = d
	return ""
}

func floor(into *gate.Floor, value string) string {
	number, percent := strings.CutSuffix(value, "%")
	n, err := strconv.Atoi(number)
	switch {
	case err == nil && percent && n >= 1 && n <= 100:
		*into = gate.Floor{Percent: n}
	case err == nil && !percent && n >= 1:
		*into = gate.Floor{Gates: n}
	default:
		return fmt.Sprintf("neither a percentage from 1%% to 100%% nor a number of gates from 1 up, so it is %d%%", gate.DefaultFloorPercent)
	}
	return ""
}
