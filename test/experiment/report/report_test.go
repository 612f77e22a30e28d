// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/timeline/draw"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; run the test with -update and look at the change (-want +got):\n%s", file, diff)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := sampleDemo().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "table.txt", b.Bytes())
}

func TestPage(t *testing.T) {
	var b bytes.Buffer
	if err := sampleDemo().WritePage(&b); err != nil {
		t.Fatal(err)
	}

	// The style and the script are in the golden page of their own package.
	page := strings.NewReplacer(draw.Style, "/* draw.Style */", draw.Script, "// draw.Script").Replace(b.String())
	golden(t, "page.html", []byte(page))
}

// TestPageNamesTheLoadBalancer: by what it is, and nothing by what it is not.
func TestPageNamesTheLoadBalancer(t *testing.T) {
	for _, c := range []struct {
		profile, reason string
		want, never     []string
	}{
		{
			"lattice", "a simulated VPC Lattice",
			[]string{"<h1>A rolling update behind VPC Lattice</h1>", "through a simulated VPC Lattice,", "before VPC Lattice has checked it", "what VPC Lattice's API says", "60 s, which AWS lets nobody change", "are checked 2 s after their registration, and sent requests 1 s after", "VPC Lattice is a simulator"},
			[]string{"a simulated load balancer", "the load balancer"},
		},
		{
			"ingress", "one that podgate made",
			[]string{"<h1>A rolling update behind an Ingress</h1>", "through an Ingress and the simulated load balancer that podgate made for it,", "an Application Load Balancer that podgate made for the Ingress", "the load balancer is a simulator"},
			[]string{"VPC Lattice", "a simulated load balancer"},
		},
		{
			"haproxy", "a real one",
			[]string{"<h1>A rolling update behind a load balancer</h1>", "through a real HAProxy,", "before the load balancer has checked it", "what HAProxy said", "Kubernetes and HAProxy are real"},
			[]string{"simulator", "are checked"},
		},
	} {
		d := sampleDemo()
		d.Parameters.Profile = c.profile
		if c.profile == "lattice" {
			d.Parameters.DeregistrationDelaySeconds, d.Parameters.RegistrationDelaySeconds, d.Parameters.RoutableDelaySeconds = 60, 2, 1
		}

		var b bytes.Buffer
		if err := d.WritePage(&b); err != nil {
			t.Fatal(err)
		}
		for _, words := range c.want {
			if !strings.Contains(b.String(), words) {
				t.Errorf("%s (%s): the page lacks %q", c.profile, c.reason, words)
			}
		}
		for _, words := range c.never {
			if strings.Contains(b.String(), words) {
				t.Errorf("%s (%s): the page has %q", c.profile, c.reason, words)
			}
		}
	}
}

// TestPageTellsOfTheWarmUp: of each run what to look at.
func TestPageTellsOfTheWarmUp(t *testing.T) {
	for name, want := range map[string]string{Unchecked: "for its first 20 s, while it warms up, and others for 15 s more", Checked: "which is bad for 15 s more. Only when it has passed"} {
		r := sampleRun(name, 55, 6)
		r.WarmUpSeconds, r.SettleSeconds = 20, 15
		var b bytes.Buffer
		if err := (Demo{Runs: []Run{r}}).WritePage(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s: the page lacks %q", name, want)
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	var b bytes.Buffer
	if err := sampleDemo().WritePage(&b); err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?i)(src=|href=|@import|url\([^#]|https?:|<script\s|ZgotmplZ)[^>]{0,40}`).FindString(b.String()); found != "" {
		t.Errorf("the page refers to something outside itself, or was escaped into nonsense: %q", found)
	}
}

func TestARunWithoutAnythingCanBeShown(t *testing.T) {
	d := Demo{Runs: []Run{{Name: Gated}}}
	var b bytes.Buffer
	if err := d.WritePage(&b); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
		t.Error("the page of an empty run holds numbers that are none")
	}
}

func TestJSONHasTheAgreedNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "demo.json")
	d := sampleDemo()
	if err := d.WriteJSON(file); err != nil {
		t.Fatal(err)
	}

	again, err := ReadJSON(file)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(d, again); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	var raw struct{ Runs []map[string]any }
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}

	for i, name := range []string{"ungated", "gated", "gated-prestop"} {
		if raw.Runs[i]["name"] != name {
			t.Errorf("run %d is %v, want %s", i, raw.Runs[i]["name"], name)
		}
		for _, key := range []string{"requests", "failed", "statusCodes", "longestOutageSeconds", "deploymentCompleteSeconds", "rolloutSeconds", "gateLatencySeconds"} {
			if _, ok := raw.Runs[i][key]; !ok {
				t.Errorf("run %s has no %s", name, key)
			}
		}
	}
}

func TestVerdictOfAdaptive(t *testing.T) {
	run := func(name string, took float64) Run {
		old := Lane{Pod: "web-1", Old: true, Terminating: at(10), Gone: at(10 + took)}
		return Run{Name: name, Requests: 1, Attempts: 1, Lanes: []Lane{old, {Pod: "web-2"}}}
	}

	for want, runs := range map[string][]Run{
		"":                                   {run(Gated, 1), run(GatedPrestop, 41), run(Drain, 56), run(DrainAdaptive, 37)},
		"no earlier than with drain (36.0":   {run(GatedPrestop, 41), run(Drain, 36), run(DrainAdaptive, 37)},
		"no earlier than with gated-prestop": {run(DrainAdaptive, 41), run(GatedPrestop, 41)},
	} {
		got := strings.Join(Verdict(runs), "\n")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	cases := []struct {
		reason string
		run    Run
		want   string
	}{
		{"without gates requests must fail, or nothing was shown", Run{Name: Ungated, Requests: 100, Attempts: 100}, "has shown nothing"},
		{"without gates failures are expected", Run{Name: Ungated, Requests: 100, Attempts: 100, Failed: 3}, ""},
		{"gates alone may lose requests", Run{Name: Gated, Requests: 100, Attempts: 100, Failed: 3}, ""},
		{"gates alone may lose none", Run{Name: Gated, Requests: 100, Attempts: 100}, ""},
		{"gates and preStop must lose none", Run{Name: GatedPrestop, Requests: 100, Attempts: 100, Failed: 1, StatusCodes: map[string]int{"200": 99, "502": 1}}, "1 of 100 requests failed (502: 1)"},
		{"gates and preStop that lost none", Run{Name: GatedPrestop, Requests: 100, Attempts: 100}, ""},
		{"a retry anywhere makes the figures worthless", Run{Name: Gated, Requests: 100, Attempts: 101}, "101 attempts"},
		{"a gate that opens early is no gate", Run{Name: Gated, Requests: 1, Attempts: 1, Lanes: []Lane{{Pod: "web-1", GateOpen: at(1), Healthy: at(2)}}}, "web-1 opened before"},
		{"a gate that opens without a healthy target is no gate", Run{Name: Gated, Requests: 1, Attempts: 1, Lanes: []Lane{{Pod: "web-1", GateOpen: at(1)}}}, "web-1 opened before"},
		{"a gate that opens after its target is healthy", Run{Name: Gated, Requests: 1, Attempts: 1, Lanes: []Lane{{Pod: "web-1", GateOpen: at(2), Healthy: at(1)}}}, ""},
		{"an adaptive drain must lose none", Run{Name: DrainAdaptive, Requests: 100, Attempts: 100, Failed: 1, StatusCodes: map[string]int{"200": 99, "502": 1}}, "1 of 100 requests failed (502: 1)"},
		{"without a check a cold pod must answer errors, or nothing was shown", Run{Name: Unchecked, Requests: 100, Attempts: 100}, "has shown nothing"},
		{"without a check errors are expected", Run{Name: Unchecked, Requests: 100, Attempts: 100, Failed: 3}, ""},
		{"with a check none may fail", Run{Name: Checked, Requests: 100, Attempts: 100, Failed: 1, StatusCodes: map[string]int{"200": 99, "503": 1}}, "1 of 100 requests failed (503: 1)"},
		{"a cold pod may not be registered", Run{Name: Checked, Requests: 1, Attempts: 1, WarmUpSeconds: 20, Lanes: []Lane{{Pod: "web-1", Created: at(5), Registered: at(24.9)}}}, "web-1 was registered 19.9 s after"},
		{"nor may one that has not settled", Run{Name: Checked, Requests: 1, Attempts: 1, WarmUpSeconds: 20, SettleSeconds: 15, Lanes: []Lane{{Pod: "web-1", Created: at(5), Registered: at(39.9)}}}, "cannot have been warm before 35 s"},
		{"a warm pod may", Run{Name: Checked, Requests: 1, Attempts: 1, WarmUpSeconds: 20, Lanes: []Lane{{Pod: "web-1", Created: at(5), Registered: at(25)}, {Pod: "web-2", Created: at(5)}}}, ""},
		{"an old pod was warm", Run{Name: Checked, Requests: 1, Attempts: 1, WarmUpSeconds: 20, Lanes: []Lane{{Pod: "web-1", Old: true, Created: at(-5), Registered: at(-4)}}}, ""},
		{"a load that never ran proves nothing", Run{Name: GatedPrestop}, "no request was sent"},
	}

	for _, c := range cases {
		got := strings.Join(Verdict([]Run{c.run}), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.reason, got, c.want)
		}
	}
}
