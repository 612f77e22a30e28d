// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/markup"
	"github.com/podgate/podgate/internal/timeline"
	"github.com/podgate/podgate/internal/timeline/draw"
)

// followed is a workload whose page was opened: it is looked at from then on, so that the next picture has what happened
// meanwhile.
type followed struct {
	look  Look
	since map[time.Duration]*latest[timeline.Timeline]
	// asked is when somebody asked for its page last, in nanoseconds.
	asked atomic.Int64
}

// The times that a picture may look back, the first by default.
var spans = []time.Duration{time.Hour, 10 * time.Minute, Longest}

// unasked is how long a workload is followed after its page was closed.
const unasked = time.Hour

// follow follows a workload from now on, unless it does.
func (s *Server) follow(workload types.NamespacedName, kind string) (*followed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := kind + "/" + workload.String()
	f := s.followed[key]
	if f == nil {
		look, err := s.answers.Follow(workload, kind)
		if err != nil {
			return nil, err
		}
		f = &followed{look: look, since: map[time.Duration]*latest[timeline.Timeline]{}}
		for _, span := range spans {
			f.since[span] = &latest[timeline.Timeline]{}
		}
		s.followed[key] = f
		go s.keep(key, f)
	}
	f.asked.Store(s.now().UnixNano())
	return f, nil
}

// keep looks at a workload while nobody else does, until nobody has asked for its page for long.
func (s *Server) keep(key string, f *followed) {
	ctx := s.cluster.running
	for s.wait(ctx, nil) && s.now().Sub(time.Unix(0, f.asked.Load())) < unasked {
		_, _ = s.timeline(ctx, f, spans[0])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.followed, key)
}

func (s *Server) timeline(ctx context.Context, f *followed, span time.Duration) (timeline.Timeline, error) {
	// Bars grow although nothing changes.
	version := s.now().UnixNano()
	return f.since[span].get(s.now, version, func() (timeline.Timeline, error) { return f.look(ctx, s.cluster, span) })
}

// workload is the page of a workload.
func (s *Server) workload(ctx context.Context, v *view, r *http.Request) (string, markup.Markup, error) {
	key := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	f, err := s.follow(key, r.PathValue("kind"))
	if err != nil {
		return "", "", err
	}

	span, err := time.ParseDuration(r.URL.Query().Get("since"))
	if err != nil || !slices.Contains(spans, span) {
		span = spans[0]
	}
	t, err := s.timeline(ctx, f, span)
	if err != nil {
		return "", "", err
	}
	return key.Name + " – podgate", v.timeline(t, span, r.URL.Path), nil
}

// timeline is the content of a workload's page.
func (v *view) timeline(t timeline.Timeline, span time.Duration, path string) markup.Markup {
	title := t.Workload.Kind + " " + t.Workload.Name
	picture := draw.Draw(t, draw.Options{Name: "Timeline of " + title, Asks: true}).HTML()
	return markup.Join(
		v.head("Overview", title),
		v.progress(t),
		draw.Patterns(),
		markup.Element("section", markup.Attr("id", "lanes"), markup.Attr("data-explain", "/explain/"+t.Workload.Namespace+"/"),
			markup.Element("h2", "Pods"),
			markup.Element("p", markup.Class("soft"), "Each pod has a lane: what Kubernetes sees, then what load balancers and gates say. Point at a bar to read its times and reasons, or use Tab and the arrow keys. A click, or Enter, explains the pod and says what to do. ", windows(span, path)),
			lanes(t, picture)),
		markup.Element("details", markup.Class("card"), markup.Attr("id", "key"), markup.Attr("open", ""), markup.Element("summary", "What the bars mean"), draw.Key()),
		markup.Element("details", markup.Class("card"), markup.Attr("id", "table"), markup.Element("summary", "The same as a table"),
			markup.Element("p", markup.Class("soft"), "Times are of the day, in UTC. A question mark stands for what nobody remembers, a dash for what has not happened."), draw.Table(t)),
		v.told(t.Marks),
		v.unknown(t.Unknown),
	)
}

func lanes(t timeline.Timeline, picture markup.Markup) markup.Markup {
	if len(t.Lanes) == 0 {
		return markup.Element("p", "No pod of it is there, and no event tells of one.")
	}
	return picture
}

// windows lead to the same page for other times.
func windows(span time.Duration, path string) markup.Markup {
	all := slices.Sorted(slices.Values(spans))
	links := []any{markup.Class("windows"), "Show the last"}
	for _, s := range all {
		text := strings.TrimSuffix(strings.TrimSuffix(s.String(), "0s"), "0m")
		if s < time.Hour {
			text = fmt.Sprintf("%d min", int(s.Minutes()))
		} else {
			text = strings.TrimSuffix(text, "h") + " h"
		}
		links = append(links, " ")
		if s == span {
			links = append(links, markup.Element("b", text))
			continue
		}
		links = append(links, markup.Element("a", markup.Attr("href", path+"?since="+s.String()), text))
	}
	return markup.Element("span", links...)
}

// progress says how far the rollout is.
func (v *view) progress(t timeline.Timeline) markup.Markup {
	w := t.Workload
	said := "How many pods it wants is not known."
	if w.Counted {
		said = fmt.Sprintf("%d of %d pods are of the latest revision, %d are Ready.", w.Updated, w.Desired, w.ReadyPods)
	}

	var revisions []markup.Markup
	for i, r := range w.Revisions {
		if i == listed {
			break
		}
		text := r.Hash
		if r.Number > 0 {
			text = fmt.Sprintf("revision %d (%s)", r.Number, r.Hash)
		}
		made := any(nil)
		if !r.Created.IsZero() {
			made = markup.Element("span", markup.Class("soft"), ", made ", v.since(r.Created), " ago")
		}
		latest := any(nil)
		if r.Latest {
			latest = markup.Element("b", " latest")
		}
		revisions = append(revisions, markup.Element("li", text, latest, made))
	}

	list := markup.Markup("")
	if len(revisions) > 0 {
		list = markup.Element("ul", markup.Class("objects"), revisions)
	}
	return markup.Element("div", markup.Class("installation"), markup.Attr("id", "progress"), markup.Element("p", said), list)
}

// told are the events of the workload, the latest first.
func (v *view) told(marks []timeline.Mark) markup.Markup {
	if len(marks) == 0 {
		return ""
	}
	var rows [][]any
	for _, m := range slices.Backward(marks) {
		reason := m.Reason
		if m.Count > 1 {
			reason += fmt.Sprintf(" (%d times)", m.Count)
		}
		rows = append(rows, []any{m.At.UTC().Format(time.TimeOnly), m.Object, reason, m.Message})
	}
	return markup.Element("details", markup.Class("card"), markup.Attr("id", "events"),
		markup.Element("summary", counted(len(marks), "event")+" of the workload"), table("Events, the latest first; times in UTC", []string{"Time", "Object", "Reason", "Message"}, rows))
}
