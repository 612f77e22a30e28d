// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

// catalogue is a registry that notes what is registered, used or not.
type catalogue struct {
	*prometheus.Registry

	mu      sync.Mutex
	metrics map[string]metric
}

// metric is what is documented of one.
type metric struct {
	Type, Help string
	Labels     []string
}

// Register implements prometheus.Registerer.
func (c *catalogue) Register(collector prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 100)
	collector.Describe(descs)
	close(descs)
	c.mu.Lock()
	defer c.mu.Unlock()
	for d := range descs {
		name, help, labels := describe(d)
		c.metrics[name] = metric{Type: typeOf(collector), Help: help, Labels: labels}
	}
	return c.Registry.Register(collector)
}

var desc = regexp.MustCompile(`fqName: "([^"]*)", help: ("(?:[^"\\]|\\.)*").*variableLabels: {([^}]*)}`)

// describe reads a description, which shows itself as text only.
func describe(d *prometheus.Desc) (name, help string, labels []string) {
	m := desc.FindStringSubmatch(d.String())
	if m == nil {
		panic("cannot read " + d.String())
	}
	help, err := strconv.Unquote(m[2])
	if err != nil {
		panic(err)
	}
	if m[3] != "" {
		labels = strings.Split(m[3], ",")
	}
	slices.Sort(labels)
	return m[1], help, labels
}

// typeOf is a collector's type; a function's is told by what it gives.
func typeOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.GaugeVec:
		return "gauge"
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.HistogramVec:
		return "histogram"
	}

	metrics := make(chan prometheus.Metric, 100)
	c.Collect(metrics)
	close(metrics)

	for m := range metrics {
		var out dto.Metric
		if err := m.Write(&out); err != nil {
			panic(err)
		}
		switch {
		case out.Gauge != nil:
			return "gauge"
		case out.Counter != nil:
			return "counter"
		case out.Histogram != nil:
			return "histogram"
		}
	}

	return fmt.Sprintf("%T, which the test does not know", c)
}

// families are the metrics as if each had one series.
func (c *catalogue) families() []*dto.MetricFamily {
	types := map[string]dto.MetricType{"gauge": dto.MetricType_GAUGE, "counter": dto.MetricType_COUNTER, "histogram": dto.MetricType_HISTOGRAM}
	var all []*dto.MetricFamily
	for name, m := range c.metrics {
		one := &dto.Metric{Gauge: &dto.Gauge{}, Counter: &dto.Counter{}, Histogram: &dto.Histogram{}}
		for _, l := range m.Labels {
			one.Label = append(one.Label, &dto.LabelPair{Name: &l, Value: new(string)})
		}
		all = append(all, &dto.MetricFamily{Name: &name, Help: &m.Help, Type: types[m.Type].Enum(), Metric: []*dto.Metric{one}})
	}
	return all
}

// value matches what a help has of values of labels, such as "(ok, denied)" and "Check.NotApproved", and flags.
var value = regexp.MustCompile(`\([A-Za-z_]+(?:, [A-Za-z_]+)+\)|\b[A-Z]\w+\.[A-Z]\w+|--[a-z-]+`)

// page is docs/metrics.md: a row for each metric.
func (c *catalogue) page() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\nMade of the program by `go test ./test/engine -run TestMetricsPage -update`. [monitoring.md](monitoring.md) says how to scrape them, and on which replica they count.\n\n" +
		"| metric | type | labels | meaning |\n|---|---|---|---|\n")

	code := func(words []string) string {
		if len(words) == 0 {
			return ""
		}
		return "`" + strings.Join(words, "`, `") + "`"
	}

	for _, name := range slices.Sorted(maps.Keys(c.metrics)) {
		m := c.metrics[name]
		help := value.ReplaceAllStringFunc(m.Help, func(s string) string {
			if list, ok := strings.CutPrefix(s, "("); ok {
				return "(" + code(strings.Split(strings.TrimSuffix(list, ")"), ", ")) + ")"
			}
			return code([]string{s})
		})
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, m.Type, code(m.Labels), help)
	}

	return b.String()
}

// TestMetricsPage: docs/metrics.md is what podgate registers, which is named as Prometheus asks for.
func TestMetricsPage(t *testing.T) {
	c := newCluster(t)
	c.elect()
	elected := c.config
	c.config = func(cfg *manager.Config) {
		elected(cfg)
		cfg.Ingress.Enabled, cfg.Ingress.Gateways, cfg.Ingress.ClusterName, cfg.Ingress.VPC = true, true, "test", ingressVPC
	}
	c.metrics = &catalogue{Registry: prometheus.NewRegistry(), metrics: map[string]metric{}}
	end := c.launch(c.cfg)
	c.eventually("a leader", func() bool { return c.holder() != "" })

	if err := end(); err != nil {
		t.Errorf("podgate: %v", err)
	}

	kubetest.Golden(t, *update, "metrics.md", c.metrics.page())

	problems, err := promlint.NewWithMetricFamilies(c.metrics.families()).Lint()
	if err != nil {
		t.Fatal(err)
	}

	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
