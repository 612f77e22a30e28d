// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/markup"
	"github.com/podgate/podgate/internal/plural"
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

	a := askedOf(r)
	t, err := s.timeline(ctx, f, a.span)
	if err != nil {
		return "", "", err
	}
	return key.Name + " – podgate", v.timeline(t, a), nil
}

// asked is what of a workload's timeline a page shows.
type asked struct {
	path string
	// span is how far it looks back.
	span time.Duration
	// after is how many pods of more interest have their lanes on other pages.
	after int
	// table: the pods are rows of a table, and there is no picture.
	table bool
}

func askedOf(r *http.Request) asked {
	q := r.URL.Query()
	a := asked{path: r.URL.Path, span: spans[0], table: q.Has("table")}
	if span, err := time.ParseDuration(q.Get("since")); err == nil && slices.Contains(spans, span) {
		a.span = span
	}
	if after, err := strconv.Atoi(q.Get("after")); err == nil && after > 0 {
		a.after = after
	}
	return a
}

// link leads to the page that shows it.
func (a asked) link(text any) markup.Markup {
	q := url.Values{}
	if a.span != spans[0] {
		q.Set("since", a.span.String())
	}
	if a.after > 0 {
		q.Set("after", strconv.Itoa(a.after))
	}
	if a.table {
		q.Set("table", "all")
	}
	to := url.URL{Path: a.path, RawQuery: q.Encode()}
	return markup.Element("a", markup.Attr("href", to.RequestURI()), text)
}

// timeline is the content of a workload's page.
func (v *view) timeline(t timeline.Timeline, a asked) markup.Markup {
	pods := drawn(t, a)
	if a.table {
		a.table = false
		pods = markup.Element("section", markup.Attr("id", "table"), markup.Element("h2", "Pods"), markup.Element("p", a.link("← back to the picture")), asTable(t))
	}
	return markup.Join(v.head("Overview", t.Workload.Kind+" "+t.Workload.Name), v.progress(t), pods, v.told(t.Marks), v.unknown(t.Unknown))
}

// drawn are the pods as a picture, with what explains it. Of a crowd the table has a page of its own.
func drawn(t timeline.Timeline, a asked) markup.Markup {
	table := markup.Markup("")
	if !crowded(t) {
		table = markup.Element("details", markup.Class("card"), markup.Attr("id", "table"), markup.Element("summary", "The same as a table"), asTable(t))
	}
	return markup.Join(
		draw.Patterns(),
		markup.Element("section", markup.Attr("id", "lanes"), markup.Attr("data-explain", "/explain/"+t.Workload.Namespace+"/"),
			markup.Element("h2", "Pods"),
			markup.Element("p", markup.Class("soft"), "Each pod has a lane: what Kubernetes sees, then what load balancers and gates say. Point at a bar to read its times and reasons, or use Tab and the arrow keys. A click, or Enter, explains the pod and says what to do. ", a.windows()),
			lanes(t, a)),
		markup.Element("details", markup.Class("card"), markup.Attr("id", "key"), markup.Attr("open", ""), markup.Element("summary", "What the bars mean"), draw.Key()),
		table,
	)
}

// crowded reports whether there are more pods than a picture has lanes.
func crowded(t timeline.Timeline) bool { return len(t.Lanes) > draw.DefaultLanes }

// asTable is the timeline as a table, with what its signs mean.
func asTable(t timeline.Timeline) markup.Markup {
	return markup.Element("p", markup.Class("soft"), "Times are of the day, in UTC. A question mark stands for what nobody remembers, a dash for what has not happened.") + draw.Table(t)
}

// lanes are the picture, with ways to the pods that have no lane on it.
func lanes(t timeline.Timeline, a asked) markup.Markup {
	if len(t.Lanes) == 0 {
		return markup.Element("p", "No pod of it is there, and no event tells of one.")
	}

	// Pods go, and with them the last lanes.
	a.after = min(a.after, (len(t.Lanes)-1)/draw.DefaultLanes*draw.DefaultLanes)
	picture := draw.Draw(t, draw.Options{Name: "Timeline of " + t.Workload.Kind + " " + t.Workload.Name, After: a.after, Asks: true}).HTML()
	if !crowded(t) {
		return picture
	}

	ways := []any{markup.Class("ways"), markup.Attr("id", "ways"), "Other pods:"}
	if a.after > 0 {
		before := a
		before.after = max(0, a.after-draw.DefaultLanes)
		ways = append(ways, " ", before.link(fmt.Sprintf("← the %d before", a.after-before.after)))
	}
	if next := a; a.after+draw.DefaultLanes < len(t.Lanes) {
		next.after += draw.DefaultLanes
		ways = append(ways, " ", next.link(fmt.Sprintf("the next %d →", min(draw.DefaultLanes, len(t.Lanes)-next.after))))
	}
	all := asked{path: a.path, span: a.span, table: true}
	return markup.Element("p", append(ways, " ", all.link(fmt.Sprintf("all %d as a table", len(t.Lanes))))...) + picture
}

// windows lead to the same page for other times.
func (a asked) windows() markup.Markup {
	links := []any{markup.Class("windows"), "Show the last"}
	for _, s := range slices.Sorted(slices.Values(spans)) {
		text := fmt.Sprintf("%d\u00a0min", int(s.Minutes()))
		if s >= time.Hour {
			text = fmt.Sprintf("%d\u00a0h", int(s.Hours()))
		}
		if s == a.span {
			links = append(links, " ", markup.Element("b", text))
			continue
		}
		links = append(links, " ", asked{path: a.path, span: s}.link(text))
	}
	return markup.Element("span", links...)
}

// progress says how far the rollout is.
func (v *view) progress(t timeline.Timeline) markup.Markup {
	w := t.Workload
	said := "How many pods it wants is not known."
	if w.Counted {
		said = w.Progress() + "."
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
			reason += " (" + plural.Count(m.Count, "time") + ")"
		}
		rows = append(rows, []any{m.At.UTC().Format(time.TimeOnly), m.Object, reason, m.Message})
	}
	return markup.Element("details", markup.Class("card"), markup.Attr("id", "events"),
		markup.Element("summary", plural.Count(len(marks), "event")+" of the workload"), table("Events, the latest first; times in UTC", []string{"Time", "Object", "Reason", "Message"}, rows))
}
