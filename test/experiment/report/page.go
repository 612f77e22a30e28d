// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"os"

	"github.com/podgate/podgate/internal/timeline/draw"
)

//go:embed page.html
var pageSource string

// section is what the page shows of one run.
type section struct {
	Run     Run
	Title   string
	What    string
	Lost    bool
	Failed  string
	Share   string
	Facts   []fact
	Picture template.HTML
}

// fact is a figure with its name.
type fact struct{ Name, Value string }

// row is a line of the table that compares the runs.
type row struct {
	Name  string
	Cells []string
}

type page struct {
	Style    template.CSS
	Script   template.JS
	Patterns template.HTML
	// Real: the load balancer is not simulated.
	Real       bool
	Demo       Demo
	Sections   []section
	Rows       []row
	Parameters []fact
	DataPath   string
}

// WritePage writes the experiment as one HTML page that needs nothing else.
func (d Demo) WritePage(w io.Writer) error {
	t, err := template.New("page").Parse(pageSource)
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
	}

	p := page{Style: template.CSS(draw.Style), Script: template.JS(draw.Script), Patterns: template.HTML(draw.Patterns()), Demo: d, Real: d.Parameters.Real(), Parameters: d.Parameters.facts(), DataPath: seconds1(d.Parameters.RoutingDelaySeconds / d.Parameters.scale())}
	for _, r := range d.Runs {
		s := newSection(r, d.Parameters)
		s.Picture = template.HTML(picture(r).HTML())
		p.Sections = append(p.Sections, s)
	}

	for _, f := range d.figures() {
		line := row{Name: f.name}
		for _, r := range d.Runs {
			line.Cells = append(line.Cells, f.of(r))
		}
		p.Rows = append(p.Rows, line)
	}

	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("render page: %w", err)
	}

	return nil
}

// WritePageFile writes the page to a file.
func (d Demo) WritePageFile(file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	return d.WritePage(f)
}

func newSection(r Run, p Parameters) section {
	s := section{Run: r, Lost: r.Failed > 0, Failed: fmt.Sprint(r.Failed)}
	if r.Requests > 0 {
		s.Share = fmt.Sprintf("%.2f %%", 100*float64(r.Failed)/float64(r.Requests))
	}
	s.Title, s.What = describe(r, p.Name())
	s.Facts = []fact{
		{"longest run of failures", outage(r)},
		{"Deployment complete", seconds1(r.DeploymentCompleteSeconds)},
		{"last old pod gone", seconds1(r.RolloutSeconds)},
		{"overhang, median", medianOverhang(r)},
		{"slowest gate", slowestGate(r)},
	}
	return s
}

// describe says what a run is and what to look at; balancer is what a sentence calls the load balancer.
func describe(r Run, balancer string) (title, what string) {
	switch r.Name {
	case Instance:
		return "Nodes as targets", "The load balancer knows the node and not its pods. A new pod counts as Ready as soon as its containers run, and an old one ends at once " +
			"while kube-proxy still forwards requests to it, and while connections through the node are still open to it."

	case Ungated:
		return "No gates", "A new pod counts as Ready as soon as its containers run, before " + balancer + " has checked it. So the Deployment " +
			"ends old pods one after the other while " + balancer + " still sends them requests (red): nobody is there to answer."

	case Gated:
		return "Readiness gates", "A new pod becomes Ready only when " + balancer + " calls its target healthy (amber until then), so there is always " +
			"somebody to send requests to. But old pods still end at once, while the data path goes on routing to them (red)."

	case GatedPrestop:
		return fmt.Sprintf("Gates and a sleep of %d s", r.PrestopSeconds), fmt.Sprintf("The same gates, and each old pod waits %d s in its preStop hook, with a grace period "+
			"of %d s: it goes on answering (striped) while the data path still sends it requests.", r.PrestopSeconds, r.GracePeriodSeconds)

	case Drain:
		return "Gates and podgate's drain", fmt.Sprintf("The same gates, and no hook in the manifest: podgate computed from the target group that old pods have to go on "+
			"answering (striped) for %d s, and injected that (podgate.dev/drain), with a grace period of %d s.", r.PrestopSeconds, r.GracePeriodSeconds)

	case DrainAdaptive:
		return "Gates and podgate's adaptive drain", fmt.Sprintf("The same, and each old pod asks podgate while it waits: it ends as soon as the data path sends it nothing more and its own "+
			"sockets are quiet (podgate.dev/drain: Adaptive and, at an ALB, drain-idle: Leave on the binding), after %d s at the latest.", r.PrestopSeconds)

	case Unchecked:
		return "Gates of the load balancer alone", fmt.Sprintf("A new pod answers errors for its first %d s, while it warms up%s; its health check passes at once. So it becomes Ready as soon as "+
			"%s calls its target healthy, and its users get errors (red) until it is warm. Old pods drain with podgate's hook, so nothing else fails.", r.WarmUpSeconds, settling(r, ", and others for %d s more, as its metric says"), balancer)

	case Checked:
		return "The same and a ReadinessGate", fmt.Sprintf("A ReadinessGate asks each new pod whether it is warm%s. Only when it has passed is the pod registered with %s, and only when that calls its target "+
			"healthy does it become Ready (amber until then): old pods answer for as long, and nobody asks a pod that is cold.", settling(r, ", and Prometheus for its metric, which is bad for %d s more"), balancer)
	}

	return r.Name, ""
}

// settling is a part of a sentence about a version whose metric is bad after its warm-up; empty about others.
func settling(r Run, words string) string {
	if r.SettleSeconds == 0 {
		return ""
	}
	return fmt.Sprintf(words, r.SettleSeconds)
}

func (p Parameters) facts() []fact {
	h := p.HealthCheck
	facts := []fact{
		{"load", fmt.Sprintf("%g requests/s, half on new and half on kept-alive connections", p.RatePerSecond)},
		{"Deployment", fmt.Sprintf("%d replicas, surge %s, unavailable %s", p.Replicas, p.MaxSurge, p.MaxUnavailable)},
		{"load balancer", p.balancer()},
		{"data path", fmt.Sprintf("goes on routing to a target %g s after the API says draining", p.RoutingDelaySeconds)},
		{"deregistration delay", p.drain()},
		{"health check", fmt.Sprintf("%s every %d s, time-out %d s, healthy after %d, unhealthy after %d", h.Path, h.IntervalSeconds, h.TimeoutSeconds, h.HealthyThreshold, h.UnhealthyThreshold)},
		{"controller", p.Controller},
	}

	if p.RegistrationDelaySeconds > 0 {
		facts = append(facts, fact{"new targets", fmt.Sprintf("are checked %g s after their registration, and sent requests %g s after they are healthy", p.RegistrationDelaySeconds, p.RoutableDelaySeconds)})
	}
	return facts
}

func (p Parameters) drain() string {
	if p.lattice() {
		return fmt.Sprintf("%d s, which AWS lets nobody change", p.DeregistrationDelaySeconds)
	}
	return fmt.Sprintf("%d s", p.DeregistrationDelaySeconds)
}
