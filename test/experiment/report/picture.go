// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/timeline"
	"github.com/podgate/podgate/internal/timeline/draw"
)

// updated is the time that the seconds of a run count from. Pictures show no other.
var updated = time.Unix(0, 0).UTC()

// after is a time of a run.
func after(seconds float64) time.Time {
	return updated.Add(time.Duration(seconds * float64(time.Second)))
}

// picture draws a run: its moments on top, a lane for each pod, and below, on the same time axis, the answers of each second.
func picture(r Run) *draw.Picture {
	return draw.Draw(lifeOf(r), draw.Options{
		Name: "Lanes of pods and answers per second, run " + r.Name,
		Zero: updated, Lanes: math.MaxInt,
		Moments: []draw.Moment{
			{At: after(0), Name: "update", Class: "update"},
			{At: after(r.DeploymentCompleteSeconds), Name: "Deployment complete", Class: "complete"},
			{At: after(r.RolloutSeconds), Name: "last old pod gone", Class: "gone"},
		},
		Below: func(c *draw.Canvas, y float64) float64 { return answers(c, r, y) },
	})
}

// lifeOf is a run as a timeline: the pods from before the update first, then by their creation.
func lifeOf(r Run) timeline.Timeline {
	t := timeline.Timeline{From: after(math.Floor(r.BeginSeconds)), To: after(math.Ceil(r.EndSeconds))}
	for _, l := range r.Lanes {
		t.Lanes = append(t.Lanes, l.life(r.BeginSeconds))
	}
	slices.SortStableFunc(t.Lanes, func(a, b timeline.Lane) int {
		if a.Old != b.Old {
			return map[bool]int{true: -1, false: 1}[a.Old]
		}
		return a.Stages[timeline.Created].At.Compare(b.Stages[timeline.Created].At)
	})
	return t
}

// life is a lane of a run as one of a timeline. A pod of which nobody saw the creation was there when the run began.
func (l Lane) life(begin float64) timeline.Lane {
	made := timeline.Lane{Pod: l.Pod, Address: l.Address, Revision: l.Version, Old: l.Old, New: !l.Old, Stages: map[timeline.Stage]timeline.Moment{}}
	created := cmp.Or(l.Created, &begin)
	for stage, at := range map[timeline.Stage]*float64{
		timeline.Created: created, timeline.Scheduled: created, timeline.ContainersReady: l.ContainersReady, timeline.Ready: l.Ready,
		timeline.Registered: l.Registered, timeline.Healthy: l.Healthy,
		timeline.Terminating: l.Terminating, timeline.Stopped: l.Stopped, timeline.Gone: l.Gone,
	} {
		made.Stages[stage] = moment(at)
	}

	made.Conditions = []timeline.Track{turned(corev1.ContainersReady, *created, l.ContainersReady), turned(corev1.PodReady, *created, l.Ready)}
	if len(l.Target) > 0 {
		made.Targets = []timeline.Track{{Spans: spans(l.Target)}}
	}
	made.Routed = spans(l.Routed)
	return made
}

func moment(at *float64) timeline.Moment {
	if at == nil {
		return timeline.Moment{Known: timeline.Pending}
	}
	return timeline.Moment{Known: timeline.Exact, At: after(*at)}
}

// turned is a condition that becomes True once, if at all.
func turned(condition corev1.PodConditionType, created float64, at *float64) timeline.Track {
	t := timeline.Track{Type: string(condition), Spans: []timeline.Span{{From: after(created), Known: timeline.Exact}}}
	if at != nil {
		t.Spans[0].To = after(*at)
		t.Spans = append(t.Spans, timeline.Span{From: after(*at), Status: string(corev1.ConditionTrue), Known: timeline.Exact})
	}
	return t
}

func spans(all []Span) []timeline.Span {
	var made []timeline.Span
	for _, s := range all {
		span := timeline.Span{From: after(s.From), Status: targetState(s.State), Reason: s.Reason, Known: timeline.Exact}
		if s.To != nil {
			span.To = after(*s.To)
		}
		made = append(made, span)
	}
	return made
}

func targetState(state string) string {
	switch state {
	case timeline.TargetHealthy, timeline.TargetDraining, timeline.TargetUnhealthy:
		return state
	}
	return timeline.TargetInitial
}
