// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/timeline"
)

// stateWords say what a pod's bar shows.
var stateWords = map[timeline.State]string{
	timeline.IsPending:     "created, has no node yet",
	timeline.IsStarting:    "containers starting",
	timeline.IsWaiting:     "containers ready, pod not Ready",
	timeline.IsReady:       "Ready",
	timeline.IsUnready:     "containers no longer ready",
	timeline.IsTerminating: "terminating, still running",
	timeline.IsStopped:     "containers stopped, object still there",
	timeline.IsUnclear:     "running; whether it was Ready is not known",
}

// StateWord is what tables and counts call a state.
func StateWord(s timeline.State) string {
	switch s {
	case timeline.IsReady:
		return "Ready"
	case timeline.IsUnclear:
		return "not known"
	}
	return string(s)
}

// Latest says which revision of a workload is the latest, and since when; empty where nobody says.
func Latest(w timeline.Workload) string {
	v, known := w.Latest()
	if !known {
		return ""
	}
	name := "Revision " + v.Hash
	if v.Number > 0 {
		name = fmt.Sprintf("Revision %d (%s)", v.Number, v.Hash)
	}

	at := v.Began.At.UTC().Format("2006-01-02 15:04:05 MST")
	since := map[timeline.Knowledge]string{timeline.Exact: "since " + at, timeline.Bounded: "since " + at + " at the latest"}[v.Began.Known]
	switch {
	case v.Again && since == "":
		return name + " is an earlier one, which a rollback uses again; nobody remembers since when."
	case v.Again:
		return name + " is an earlier one, which a rollback uses again " + since + "."
	case since == "":
		return name + " is the latest."
	}
	return name + " is the latest " + since + "."
}

// Explain says what a gate's reason means and what to do about it, as podgate explain does; either may be empty.
func Explain(open bool, reason string) (means, next string) {
	place := v1alpha1.OnClosedGate
	if open {
		place = v1alpha1.OnOpenGate
	}
	if e, known := v1alpha1.Explain(place, reason); known {
		return e.Summary, e.Fix
	}
	if open {
		return "", ""
	}
	return "", traits.All().Advice(reason)
}

// explainMark is Explain for an event.
func explainMark(reason string) (means, next string) {
	for _, place := range []v1alpha1.Place{v1alpha1.OnPodEvent, v1alpha1.OnBindingEvent, v1alpha1.OnClosedGate, v1alpha1.OnReady, v1alpha1.OnTargetsHeld} {
		if e, known := v1alpha1.Explain(place, reason); known {
			return e.Summary, e.Fix
		}
	}
	return "", ""
}

// clock writes a time: of the day, or in seconds since the picture's zero.
func (c *Canvas) clock(t time.Time) string {
	if c.zero.IsZero() {
		return t.UTC().Format(time.TimeOnly)
	}
	return fmt.Sprintf("%.2f s", t.Sub(c.zero).Seconds())
}

func (c *Canvas) tick(t time.Time, step time.Duration) string {
	switch {
	case !c.zero.IsZero():
		return strconv.FormatFloat(t.Sub(c.zero).Seconds(), 'g', -1, 64)
	case step < time.Minute:
		return t.UTC().Format(time.TimeOnly)
	}
	return t.UTC().Format("15:04")
}

// period writes from when to when something was.
func (c *Canvas) period(from, to time.Time, lasts bool) string {
	if lasts {
		return fmt.Sprintf("since %s, for %s", c.clock(from), Lasted(to.Sub(from)))
	}
	return fmt.Sprintf("%s to %s, for %s", c.clock(from), c.clock(to), Lasted(to.Sub(from)))
}

// Lasted writes a duration as people read it.
func Lasted(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// GateName is what a picture calls a gate: without the prefix that all gates of its kind have.
func GateName(conditionType string) string {
	if _, name, found := strings.Cut(conditionType, "/"); found && name != "" {
		return name
	}
	return conditionType
}

// ShortName is a pod's name without that of its ReplicaSet.
func ShortName(pod string) string { return pod[strings.LastIndex(pod, "-")+1:] }

// lines joins those that are not empty.
func lines(all ...string) string {
	var said []string
	for _, s := range all {
		if s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, "\n")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// clip shortens a name for the column of names.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
