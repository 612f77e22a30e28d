// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/timeline"
	"github.com/podgate/podgate/internal/timeline/draw"
)

// strip is how wide a pod's life is in a terminal, and told how many warnings are written there.
const (
	strip = 36
	told  = 10
)

// signs are what a pod's life is made of in a terminal.
var signs = map[timeline.State]struct{ sign, colour string }{
	timeline.IsPending:     {"░", ""},
	timeline.IsStarting:    {"░", ""},
	timeline.IsWaiting:     {"▒", yellow},
	timeline.IsReady:       {"█", green},
	timeline.IsUnready:     {"×", red},
	timeline.IsUnclear:     {"?", ""},
	timeline.IsTerminating: {"▚", ""},
	timeline.IsStopped:     {"·", ""},
}

const signsKey = "LIFE: ░ starting, ▒ waiting at gates, █ Ready, × no longer ready, ▚ terminating, · stopped, ? not known. In times, \"by\" is at the latest, ? is not known, - has not happened."

// writeTimeline is for people.
func writeTimeline(p *paper, t timeline.Timeline) {
	begin, end := t.Busy()
	w := t.Workload
	p.printf("%s %s/%s", p.paint(bold, w.Kind), w.Namespace, w.Name)
	if w.Counted {
		p.printf(": %s", w.Progress())
	} else if w.Kind != podKind {
		p.printf(": how many pods it wants is not known")
	}
	p.printf("\n")
	if latest := draw.Latest(w); latest != "" {
		p.printf("%s\n", latest)
	}

	if len(t.Lanes) == 0 {
		p.printf("no pods, nor events of pods, since %s UTC\n", t.From.UTC().Format(time.DateTime))
		p.gaps(t.Unknown)
		return
	}

	most := listed
	if p.wide {
		most = len(t.Lanes)
	}
	chosen := t.Choose(0, most)
	p.printf("LIFE is from %s to %s UTC\n\n", begin.UTC().Format(time.DateTime), end.UTC().Format(time.TimeOnly))
	p.table([]string{"POD", "REVISION", "LIFE", "NOW", "CREATED", "CONTAINERS READY", "REGISTERED", "READY", "TERMINATING", "GONE"}, p.lives(t, chosen, begin, end))
	if more := len(t.Lanes) - len(chosen); more > 0 {
		p.printf("and %s: -o wide lists %s\n", plural.Count(more, "more pod"), plural.Of(more, "it", "them"))
	}
	p.printf("%s\n", signsKey)

	p.closed(t, chosen)
	p.told(t)
	p.gaps(t.Unknown)
}

// lives are the rows of pods.
func (p *paper) lives(t timeline.Timeline, chosen map[int]bool, begin, end time.Time) [][]string {
	var rows [][]string
	for i := range t.Lanes {
		if !chosen[i] {
			continue
		}
		l := &t.Lanes[i]
		now := "gone"
		if l.Alive() {
			now = draw.StateWord(l.StateAt(t.To))
		}

		row := []string{l.Pod, cmp.Or(strings.TrimSpace(l.Version()+" "+l.Revision), "?"), p.life(l, begin, end), now}
		for _, stage := range []timeline.Stage{timeline.Created, timeline.ContainersReady, timeline.Registered, timeline.Ready, timeline.Terminating, timeline.Gone} {
			row = append(row, when(l, stage, t.From))
		}
		rows = append(rows, row)
	}
	return rows
}

// life draws a pod's states over a time.
func (p *paper) life(l *timeline.Lane, begin, end time.Time) string {
	phases := l.Phases(end)
	var b strings.Builder
	for i := range strip {
		// The middle of the column, so that what is short is not always lost.
		at := begin.Add(end.Sub(begin) * time.Duration(2*i+1) / (2 * strip))
		in := slices.IndexFunc(phases, func(f timeline.Phase) bool { return !at.Before(f.From) && at.Before(f.To) })
		if in < 0 {
			b.WriteString(" ")
			continue
		}
		s := signs[phases[in].State]
		if s.colour == "" {
			b.WriteString(s.sign)
			continue
		}
		b.WriteString(p.paint(s.colour, s.sign))
	}
	return b.String()
}

// when writes the time of a stage: with the day where it was before the timeline begins.
func when(l *timeline.Lane, stage timeline.Stage, from time.Time) string {
	m, there := l.Stages[stage]
	if !there {
		return ""
	}
	if m.Happened() && m.At.Before(from) {
		return m.At.UTC().Format("01-02 15:04")
	}
	return draw.Time(m)
}

// closed lists the closed gates of pods that are there, with what to do.
func (p *paper) closed(t timeline.Timeline, chosen map[int]bool) {
	headed := false
	for i := range t.Lanes {
		l := &t.Lanes[i]
		if !chosen[i] || !l.Alive() || l.Stages[timeline.Terminating].Happened() || l.Told {
			continue
		}
		for _, g := range l.Gates {
			s := g.Last()
			if s.Status == "True" {
				continue
			}
			if !headed {
				p.printf("\n%s\n", p.paint(bold, "CLOSED GATES"))
				headed = true
			}
			p.printf("%s  %s: %s, for %s\n", l.Pod, g.Type, or(s.Reason), p.ago(s.From))
			p.field("message", s.Message)
			if s.Reason != "" {
				p.field("next", adviceOf(false, s.Reason))
			}
		}
	}
}

// told lists warnings, the newest of them, or with -o wide all events.
func (p *paper) told(t timeline.Timeline) {
	all := slices.Clone(t.Marks)
	for i := range t.Lanes {
		all = append(all, t.Lanes[i].Marks...)
	}
	heading := "EVENTS"
	if !p.wide {
		heading = "WARNINGS, the latest"
		all = slices.DeleteFunc(all, func(m timeline.Mark) bool { return !m.Warning })
	}
	slices.SortStableFunc(all, func(a, b timeline.Mark) int { return a.At.Compare(b.At) })
	if !p.wide {
		all = all[max(0, len(all)-told):]
	}
	if len(all) == 0 {
		return
	}

	p.printf("\n%s\n", p.paint(bold, heading))
	var rows [][]string
	for _, m := range all {
		reason := m.Reason
		if m.Count > 1 {
			reason += " (" + plural.Count(m.Count, "time") + ")"
		}
		rows = append(rows, []string{m.At.UTC().Format(time.TimeOnly), m.Object, reason, strings.ReplaceAll(m.Message, "\n", " ")})
	}
	p.table([]string{"TIME", "OBJECT", "REASON", "MESSAGE"}, rows)
}
