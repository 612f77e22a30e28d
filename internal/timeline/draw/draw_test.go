// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/timeline"
)

var update = flag.Bool("update", false, "write the golden files")

func page(t *testing.T, of timeline.Timeline) string {
	t.Helper()
	var b bytes.Buffer
	if err := Page(&b, of); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPage: the picture of a rollout that does not come to its end.
func TestPage(t *testing.T) {
	const file = "testdata/page.html"
	got := page(t, rollout())
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run the test with -update and look at the page (-want +got):\n%s", file, diff)
	}
}

// TestPageTellsWhatIsKnown: what a reader needs stands in the picture, and what nobody knows is marked.
func TestPageTellsWhatIsKnown(t *testing.T) {
	got := page(t, rollout())
	for _, want := range []string{
		"Next: compare the group&#39;s health-check path and matcher with what the pod answers",
		`class="gate failing"`, `class="pod terminating old"`, `class="mark warning"`,
		"nobody remembers for how long it drained",
		"only events tell of this pod",
		"4 pods: 2 Ready, 1 waiting, 1 gone",
		"Pod web-7c9b-old00 stopped 12 s before target group web finished draining",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	if found := regexp.MustCompile(`(?i)(src=|href=|@import|url\([^#]|https?:|ZgotmplZ)[^>]{0,40}`).FindString(page(t, rollout())); found != "" {
		t.Errorf("the page refers to something outside itself, or was escaped into nonsense: %q", found)
	}
}

// TestPictureIsWellFormed: it is set into pages by scripts, too.
func TestPictureIsWellFormed(t *testing.T) {
	for name, of := range map[string]timeline.Timeline{"rollout": rollout(), "crowd": crowded(200), "nothing": {From: at(0), To: at(0)}} {
		html := Draw(of, Options{Name: name}).HTML()
		if strings.Contains(string(html), "NaN") || strings.Contains(string(html), "Inf") {
			t.Errorf("%s: numbers that are none", name)
		}
		var err error
		d := xml.NewDecoder(strings.NewReader("<x>" + string(html) + "</x>"))
		for err == nil {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRollback: the picture marks when a rollback began, as far as somebody remembers.
func TestRollback(t *testing.T) {
	for name, c := range map[string]struct {
		began       timeline.Moment
		label, text string
		lines       int
	}{
		"known":   {timeline.Moment{Known: timeline.Exact, At: at(10)}, "rolled back, 10:00:10", "uses again since 2026-12-01 10:00:10 UTC.", 2},
		"bounded": {timeline.Moment{Known: timeline.Bounded, After: at(-20), At: at(10)}, "rolled back, by 10:00:10", "uses again since 2026-12-01 10:00:10 UTC at the latest.", 3},
		"unknown": {timeline.Moment{}, "", "uses again; nobody remembers since when.", 0},
		"before":  {timeline.Moment{Known: timeline.Exact, At: at(-1000)}, "", "uses again since 2026-12-01 09:43:20 UTC.", 0},
	} {
		of := rollout()
		of.Workload.Revisions[0].Again, of.Workload.Revisions[0].Began = true, c.began
		p := Draw(of, Options{})
		label := ""
		for _, text := range p.Texts {
			if text.Class == "moment-label" {
				label += text.Text
			}
		}
		if label != c.label || len(p.Front) != c.lines {
			t.Errorf("%s: the moments are %q with %d lines, want %q with %d", name, label, len(p.Front), c.label, c.lines)
		}
		if html := page(t, of); !strings.Contains(html, "Revision 2 (5d4f) is an earlier one, which a rollback "+c.text) {
			t.Errorf("%s: the page does not say %q", name, c.text)
		}
	}
}

// TestCrowd: of many pods the counts are drawn, and lanes of those that wait.
func TestCrowd(t *testing.T) {
	p := Draw(crowded(200), Options{Lanes: 10})
	var lanes, areas int
	for _, r := range p.Rows {
		if strings.HasPrefix(r.Label, "Pod ") {
			lanes++
		} else {
			areas++
		}
	}
	if lanes != 10 || areas != 2 || !strings.HasPrefix(p.Rest, "10 of 400 pods") {
		t.Errorf("%d lanes, %d areas, %q", lanes, areas, p.Rest)
	}

	html := p.HTML()
	for _, pod := range []string{"web-5d4f-n0005", "web-5d4f-n0102"} {
		if !strings.Contains(string(html), "Pod "+pod) {
			t.Errorf("%s waits, and has no lane", pod)
		}
	}
}

// TestEachPodHasALane: those of a crowd have theirs on one of several pictures.
func TestEachPodHasALane(t *testing.T) {
	seen := map[string]bool{}
	for after := 0; after < 400; after += 150 {
		p := Draw(crowded(200), Options{Lanes: 150, After: after, Asks: true})
		for _, r := range p.Rows {
			if r.Pod != "" && seen[r.Pod] {
				t.Errorf("%s has two lanes", r.Pod)
			}
			seen[r.Pod] = r.Pod != ""
		}
		if after == 300 && !strings.HasPrefix(p.Rest, "Pods 301 to 400 of 400 have a lane here") {
			t.Errorf("it says %q", p.Rest)
		}
	}
	if delete(seen, ""); len(seen) != 400 {
		t.Errorf("%d pods have a lane", len(seen))
	}
}
