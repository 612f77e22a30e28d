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
)

// Problem is an annotation that states no policy, and what it should be.
type Problem struct {
	Annotation, Value string
	// Want is what is allowed, for people.
	Want string
}

// String says all of it.
func (p Problem) String() string {
	return fmt.Sprintf("%s: %q is %s", p.Annotation, p.Value, p.Want)
}

// policies are the annotations that state one, and how to read each.
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
	v1alpha1.DrainTimeAnnotation: func(_ *gate.Policy, v string) string {
		// Read where pods are created; here it is only checked.
		if _, err := drain.Parse(v); err != nil && v != drain.Recommended {
			return err.Error() + ", nor " + drain.Recommended + ", so it is computed"
		}
		return ""
	},
	v1alpha1.ReplaceAnnotation: func(_ *gate.Policy, v string) string {
		// Read where pods without a gate are found; here it is only checked.
		if v != v1alpha1.ReplaceEnabled {
			return "not " + v1alpha1.ReplaceEnabled + ", so pods without a gate stay"
		}
		return ""
	},
	v1alpha1.DrainAtAnnotation: func(_ *gate.Policy, v string) string {
		// It is no gate's policy; see Binding.DrainsAhead.
		var at drainAt
		return choice(&at, v, atDeletion, atTaint)
	},
	v1alpha1.DrainModeAnnotation: func(_ *gate.Policy, v string) string {
		// Read where pods are created, too.
		mode := v1alpha1.DrainSleep
		return choice(&mode, v, v1alpha1.DrainSleep, v1alpha1.DrainAdaptive)
	},
	v1alpha1.OnTimeoutAnnotation:           func(p *gate.Policy, v string) string { return answer(&p.OnTimeout, v) },
	v1alpha1.OnUnusedAnnotation:            func(p *gate.Policy, v string) string { return answer(&p.OnUnused, v) },
	v1alpha1.OnUnavailableAnnotation:       func(p *gate.Policy, v string) string { return answer(&p.OnUnavailable, v) },
	v1alpha1.OnUnhealthyDrainingAnnotation: func(p *gate.Policy, v string) string { return answer(&p.OnUnhealthyDraining, v) },
}

// drainAt is when a binding's pods begin to drain.
type drainAt string

const (
	atDeletion drainAt = "Deletion"
	atTaint    drainAt = "Taint"
)

// DrainsAhead tells whether the binding's owner wants pods to drain as soon as their node is
// to be removed, ahead of their deletion.
func (b *Binding) DrainsAhead() bool {
	return drainAt(b.Annotations[v1alpha1.DrainAtAnnotation]) == atTaint
}

// others are podgate's annotations on a binding that state no policy.
var others = []string{v1alpha1.PublishedAnnotation, v1alpha1.RecommendedDrainAnnotation, v1alpha1.ManageAnnotation, v1alpha1.NudgeAnnotation}

// Policy reads a binding's policies from its annotations. Where one cannot be used the
// default stands, and the problem says so; problems are in the order of the names.
func Policy(annotations map[string]string) (gate.Policy, []Problem) {
	var p gate.Policy
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		if !strings.HasPrefix(name, v1alpha1.Domain) || slices.Contains(others, name) {
			continue
		}
		value, want := annotations[name], ""
		if read, known := policies[name]; known {
			want = read(&p, value)
		} else {
			want = "not an annotation that podgate knows on a binding; its policies are " + names()
		}
		if want != "" {
			problems = append(problems, Problem{Annotation: name, Value: value, Want: want})
		}
	}
	if _, timed := annotations[v1alpha1.TimeoutAnnotation]; !timed && p.OnTimeout == gate.Open {
		problems = append(problems, Problem{Annotation: v1alpha1.OnTimeoutAnnotation, Value: string(p.OnTimeout), Want: "without effect: there is no " + v1alpha1.TimeoutAnnotation})
	}
	return p, problems
}

// fieldless are the policies that a TargetBinding has no field for.
var fieldless = []string{v1alpha1.DrainModeAnnotation, v1alpha1.DrainAtAnnotation, v1alpha1.DrainTimeAnnotation, v1alpha1.ReplaceAnnotation}

// ownProblems are those of a TargetBinding's annotations.
func ownProblems(annotations map[string]string) []Problem {
	stated := map[string]string{}
	for _, name := range fieldless {
		if value, ok := annotations[name]; ok {
			stated[name] = value
		}
	}
	_, problems := Policy(stated)
	return problems
}

// States tells whether annotations state a policy, usable or not.
func States(annotations map[string]string) bool {
	for name := range policies {
		if _, ok := annotations[name]; ok {
			return true
		}
	}
	return false
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
