// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	corev1 "k8s.io/api/core/v1"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/test/alerts"
	"github.com/podgate/podgate/test/dashboard"
	realprometheus "github.com/podgate/podgate/test/prometheus"
)

// TestDashboard: each query of the dashboard gives data in a real Prometheus with the series of a podgate that has opened
// gates, drained pods and asked checks. The labels that it and the alert rules ask for are those of such series.
func TestDashboard(t *testing.T) {
	s := newSite(t)
	s.rollOut()

	end := time.Now().Truncate(recordedEvery)
	p := realprometheus.Prepare(t, "127.0.0.1")
	p.Import(t, recorded(t, s.scrape(), end))
	p.Run(t)

	d, err := dashboard.Read(filepath.Join(kubetest.Root(), dashboard.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, panel := range d.Panels {
		for _, q := range panel.Targets {
			t.Run(panel.Title+"/"+q.Legend, func(t *testing.T) {
				expr := strings.NewReplacer("$namespace", s.ns, "$__interval", recordedEvery.String(), "$__rate_interval", "2m").Replace(q.Expr)
				// What stands in for no data is not data.
				givesData(t, p, strings.TrimSuffix(expr, " or vector(0)"), end)
				hasLabels(t, p, expr+q.Legend, end)
			})
		}
	}

	for _, v := range d.Templating.List {
		if m := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(v.Definition); m != nil {
			givesData(t, p, fmt.Sprintf(`%s{%s!=""}`, m[1], m[2]), end)
		} else if v.Type == "query" {
			t.Errorf("variable %s asks %q", v.Name, v.Definition)
		}
	}

	rules, err := alerts.ReadRules(filepath.Join(kubetest.Root(), alerts.RulesFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.Alert, func(t *testing.T) { hasLabels(t, p, r.Expr, end) })
	}
}

// rollOut has podgate do what the dashboard shows: gates open and wait, pods drain in time and not, checks answer, a pod lacks its gate.
func (s *site) rollOut() {
	s.Helper()
	checks := s.withServers()
	asks := s.config
	s.elect()
	elected := s.config
	s.config = func(cfg *manager.Config) { asks(cfg); elected(cfg) }
	s.metrics = &catalogue{Registry: prometheus.NewRegistry(), metrics: map[string]metric{}}

	s.service("late")
	s.pod("late-1", "late", "10.0.0.9")
	s.binding("late", "late", s.group("late"))
	s.bind("web", nil)
	s.start()

	s.warm(nil)
	checks.says("10.0.0.7", http.StatusOK)
	s.carrier("warm-1", "10.0.0.7", warmGate)
	s.carrier("warm-2", "10.0.0.8", warmGate)

	var pods []*corev1.Pod
	for _, n := range []string{"1", "2", "3"} {
		s.serve("127.0.0.2" + n).healthy.Store(true)
		pods = append(pods, s.pod("web-"+n, "web", "127.0.0.2"+n, ownGate))
	}
	for _, p := range pods {
		s.opens(p.Name)
	}

	s.remove(pods[1])
	if err := s.kube.Delete(s.Context(), pods[2]); err != nil {
		s.Fatal(err)
	}
	s.eventually("one has drained", func() bool { return s.counts("podgate_drain_seconds") })
	s.remove(pods[2])
	for _, metric := range []string{
		"podgate_pods_drained_total", "podgate_pods_undrained_total", "podgate_gates_waiting", "podgate_pods_ungated",
		"podgate_webhook_certificate_expiry_timestamp_seconds", "leader_election_master_status",
	} {
		s.eventually(metric+" has a series", func() bool { return s.counts(metric) })
	}
	s.eventually("a check let a pod through", func() bool { return s.condition("warm-1", warmGate).Status == corev1.ConditionTrue })
}

// counts reports whether a metric has a series.
func (s *site) counts(name string) bool {
	s.Helper()
	for series := range s.scrape() {
		if metric, _, _ := strings.Cut(series, "{"); alerts.Metric(metric) == name {
			return true
		}
	}
	return false
}

// scrape reads podgate's page of metrics.
func (s *site) scrape() alerts.Scrape {
	s.Helper()
	w := httptest.NewRecorder()
	page := promhttp.HandlerFor(prometheus.Gatherers{s.metrics, ctrlmetrics.Registry}, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
	page.ServeHTTP(w, httptest.NewRequestWithContext(s.Context(), http.MethodGet, "/metrics", nil))

	scraped := alerts.Scrape{}
	err := scraped.Read(w.Body, "podgate-1", func(metric string) bool {
		return strings.HasPrefix(metric, "podgate_") || metric == "leader_election_master_status"
	})
	if err != nil || w.Code != http.StatusOK {
		s.Fatalf("scrape: %d, %v", w.Code, err)
	}
	return scraped
}

// The recording is as long as the longest time that a panel looks back.
const (
	recordedEvery = 30 * time.Second
	recordedFor   = time.Hour + 10*time.Minute
)

// counter is a series that only grows.
var counter = regexp.MustCompile(`^\w+_(total|bucket|count|sum)\{`)

// recorded makes a history of a scrape, in OpenMetrics' format: counters are 0 until ten minutes before the end and then what
// was scraped, all else has always been so.
func recorded(t *testing.T, scraped alerts.Scrape, end time.Time) string {
	t.Helper()
	var text strings.Builder
	for _, series := range slices.Sorted(maps.Keys(scraped)) {
		for ago := recordedFor; ago >= 0; ago -= recordedEvery {
			value := scraped[series]
			if counter.MatchString(series) && ago > 10*time.Minute {
				value = "0"
			}
			fmt.Fprintf(&text, "%s %s %d\n", series, value, end.Add(-ago).Unix())
		}
	}
	return text.String() + "# EOF\n"
}

// givesData: the query gives at least one number within the last hour.
func givesData(t *testing.T, p *realprometheus.Process, query string, end time.Time) {
	t.Helper()
	for _, s := range p.Query(t, query, end, time.Hour, recordedEvery) {
		if len(s.Values) > 0 {
			return
		}
	}
	t.Errorf("no data: %s", query)
}

var (
	askedMetric  = regexp.MustCompile(`\b(?:podgate|leader_election)_[a-z_]+`)
	askedMatcher = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`)
	askedBy      = regexp.MustCompile(`\bby \(([^)]*)\)`)
	askedLegend  = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
)

// hasLabels: the metrics of a query, with its legend, have the labels that it selects and groups by.
func hasLabels(t *testing.T, p *realprometheus.Process, query string, end time.Time) {
	t.Helper()
	var labels []string
	for _, m := range append(askedMatcher.FindAllStringSubmatch(query, -1), askedLegend.FindAllStringSubmatch(query, -1)...) {
		labels = append(labels, m[1])
	}
	for _, m := range askedBy.FindAllStringSubmatch(query, -1) {
		labels = append(labels, strings.Split(m[1], ", ")...)
	}

	metrics := askedMetric.FindAllString(query, -1)
	if len(metrics) == 0 {
		t.Errorf("it asks for none of podgate's metrics: %s", query)
	}
	for _, metric := range metrics {
		for _, label := range labels {
			givesData(t, p, fmt.Sprintf(`%s{%s!=""}`, metric, label), end)
		}
	}
}
