// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
)

// catalogue is a registry that notes what is registered, used or not.
type catalogue struct {
	*prometheus.Registry

	mu      sync.Mutex
	metrics map[string]metric
}

// metric is what is documented of one.
type metric struct {
	Type   string
	Labels []string
}

// Register implements prometheus.Registerer.
func (c *catalogue) Register(collector prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 100)
	collector.Describe(descs)
	close(descs)
	c.mu.Lock()
	defer c.mu.Unlock()
	for d := range descs {
		name, labels := describe(d)
		c.metrics[name] = metric{Type: typeOf(collector), Labels: labels}
	}
	return c.Registry.Register(collector)
}

var desc = regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: {([^}]*)}`)

// describe reads a description, which shows itself as text only.
func describe(d *prometheus.Desc) (name string, labels []string) {
	m := desc.FindStringSubmatch(d.String())
	if m == nil {
		panic("cannot read " + d.String())
	}
	if m[2] != "" {
		labels = strings.Split(m[2], ",")
	}
	slices.Sort(labels)
	return m[1], labels
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
		all = append(all, &dto.MetricFamily{Name: &name, Help: new("Documented."), Type: types[m.Type].Enum(), Metric: []*dto.Metric{one}})
	}
	return all
}

var (
	documentedRow   = regexp.MustCompile("(?m)^\\| `(podgate_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\|")
	documentedLabel = regexp.MustCompile("`([a-z_]+)`")
	// labelValues are what follows a label's colon.
	labelValues = regexp.MustCompile(":[^;]*")
)

// documented reads the tables of docs/metrics.md.
func documented(t *testing.T) map[string]metric {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}

	found := map[string]metric{}
	for _, row := range documentedRow.FindAllStringSubmatch(string(text), -1) {
		var labels []string
		for _, l := range documentedLabel.FindAllStringSubmatch(labelValues.ReplaceAllString(row[3], ""), -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		if _, twice := found[row[1]]; twice {
			t.Errorf("docs/metrics.md lists %s twice", row[1])
		}
		found[row[1]] = metric{Type: row[2], Labels: labels}
	}

	return found
}

// TestMetricsAreDocumented: what podgate registers is what docs/metrics.md lists, and
// is named as Prometheus asks for.
func TestMetricsAreDocumented(t *testing.T) {
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

	if diff := cmp.Diff(documented(t), c.metrics.metrics); diff != "" {
		t.Errorf("docs/metrics.md (-) and the code (+) differ:\n%s", diff)
	}

	problems, err := promlint.NewWithMetricFamilies(c.metrics.families()).Lint()
	if err != nil {
		t.Fatal(err)
	}

	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
