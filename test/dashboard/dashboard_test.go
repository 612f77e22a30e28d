// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository's.
var root = filepath.Join("..", "..")

func read(t *testing.T) Dashboard {
	t.Helper()
	d, err := Read(filepath.Join(root, File))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("there are no panels")
	}
	return d
}

// page is one of the documentation.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestForm: Grafana can show it, at any Prometheus, and its place in Grafana stays when it changes.
func TestForm(t *testing.T) {
	d := read(t)
	if len(d.UID) < 8 || d.Title == "" || d.Refresh == "" || d.Time["from"] == "" || d.SchemaVersion < 39 {
		t.Errorf("uid %q, title %q, refresh %q, time %v, schema %d", d.UID, d.Title, d.Refresh, d.Time, d.SchemaVersion)
	}

	variables := []string{"__interval", "__rate_interval"} // Grafana's own
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Type != "datasource" && v.Datasource.UID != "${datasource}" {
			t.Errorf("variable %s is of the source %q", v.Name, v.Datasource.UID)
		}
	}

	used := regexp.MustCompile(`\$\{?(\w+)`)
	seen := map[int]bool{}
	for _, p := range d.Panels {
		if seen[p.ID] || p.ID == 0 {
			t.Errorf("%s has the number %d of another", p.Title, p.ID)
		}
		seen[p.ID] = true
		if p.Type == "row" {
			continue
		}

		if p.Datasource != (Datasource{"prometheus", "${datasource}"}) || p.Fields.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%s: source %v, unit %q, %d queries", p.Title, p.Datasource, p.Fields.Defaults.Unit, len(p.Targets))
		}
		if !slices.Contains([]string{"stat", "timeseries", "bargauge"}, p.Type) {
			t.Errorf("%s is a %s", p.Title, p.Type)
		}
		for i, q := range p.Targets {
			if q.RefID != string(rune('A'+i)) || q.Legend == "" || q.Instant == q.Range {
				t.Errorf("%s: query %q, legend %q, instant %t, range %t", p.Title, q.RefID, q.Legend, q.Instant, q.Range)
			}
			for _, m := range used.FindAllStringSubmatch(q.Expr, -1) {
				if !slices.Contains(variables, m[1]) {
					t.Errorf("%s asks for the variable %s", p.Title, m[1])
				}
			}
		}
	}
}

// TestPlaces: panels lie side by side, within the grid.
func TestPlaces(t *testing.T) {
	d := read(t)
	for i, p := range d.Panels {
		a := p.Place
		if a.W < 1 || a.H < 1 || a.X < 0 || a.X+a.W > 24 {
			t.Errorf("%s is at %+v", p.Title, a)
		}
		for _, other := range d.Panels[:i] {
			b := other.Place
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies on %s", p.Title, other.Title)
			}
		}
	}
}

// TestRed: each panel can become red, and says what to do then. Its links lead to a heading.
func TestRed(t *testing.T) {
	link := regexp.MustCompile(`\(https://github\.com/podgate/podgate/blob/main/docs/([^)#]*)(?:#([^)]*))?\)`)
	for _, p := range read(t).Panels {
		if p.Type == "row" {
			continue
		}

		colours, err := json.Marshal(p.Fields)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(colours), `"red"`) {
			t.Errorf("%s is never red", p.Title)
		}
		if what, todo, found := strings.Cut(p.Description, "\n\nRed: "); !found || what == "" || len(todo) < 40 {
			t.Errorf("%s does not say what it shows, or what to do: %q", p.Title, p.Description)
		}
		for _, m := range link.FindAllStringSubmatch(p.Description, -1) {
			if !slices.Contains(headings(page(t, m[1])), m[2]) {
				t.Errorf("%s leads to docs/%s#%s, which is not there", p.Title, m[1], m[2])
			}
		}
		if strings.Count(p.Description, "](") != len(link.FindAllString(p.Description, -1)) {
			t.Errorf("%s has a link to another place than the documentation", p.Title)
		}
	}
}

// headings are those of a page as links name them; the first is the page itself.
func headings(page string) []string {
	all := []string{""}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		all = append(all, strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// TestOverridesMatch: what is shown in another way is a legend of the panel, or a word that the documentation has.
func TestOverridesMatch(t *testing.T) {
	words := page(t, "reasons.md") + page(t, "metrics.md") + page(t, "providers/haproxy.md")
	for _, p := range read(t).Panels {
		var legends []string
		for _, q := range p.Targets {
			legends = append(legends, q.Legend)
		}
		for _, o := range p.Fields.Overrides {
			for _, m := range regexp.MustCompile(`[A-Za-z][A-Za-z0-9. ]+`).FindAllString(names(t, o), -1) {
				if !slices.Contains(legends, m) && !strings.Contains(words, "`"+m+"`") {
					t.Errorf("%s: nothing is called %q", p.Title, m)
				}
			}
		}
	}
}

// names are the series of an override, or a pattern of them.
func names(t *testing.T, o Override) string {
	t.Helper()
	if o.Matcher.ID != "byNames" {
		var one string
		if err := json.Unmarshal(o.Matcher.Options, &one); err != nil {
			t.Fatal(err)
		}
		return one
	}

	var several struct{ Names []string }
	if err := json.Unmarshal(o.Matcher.Options, &several); err != nil {
		t.Fatal(err)
	}
	return strings.Join(several.Names, "\n")
}
