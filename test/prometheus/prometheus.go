// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package prometheus runs a real Prometheus, Debian's, for tests, with an application that it scrapes. It knows nothing of podgate.
package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience bounds what Prometheus does in its own time.
const Patience = time.Minute

// Process is a Prometheus that scrapes an application ten times a second. Its methods are for one goroutine.
type Process struct {
	// Address is HOST:PORT of its API.
	Address string

	folder  string
	app     *application
	command *exec.Cmd
}

// application is what is scraped.
type application struct {
	mu      sync.Mutex
	metrics string
}

func (a *application) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = io.WriteString(w, a.metrics)
}

// Start starts a Prometheus that listens at an address of this machine and ends with the test.
func Start(t *testing.T, host string) *Process {
	t.Helper()
	p := Prepare(t, host)
	p.Run(t)
	return p
}

// Prepare is Start without running it.
func Prepare(t *testing.T, host string) *Process {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Fatal("Prometheus 2.42 or later is needed: run `scripts/install-debian prometheus=prometheus` as root on Debian 12, or install it")
	}

	p := &Process{folder: t.TempDir(), app: &application{}}
	scraped := httptest.NewServer(p.app)
	t.Cleanup(scraped.Close)

	// The labels of the metrics are what they say, as if service discovery had found each pod.
	config := fmt.Sprintf(`
global: {scrape_interval: 100ms, scrape_timeout: 100ms}
scrape_configs:
- job_name: app
  honor_labels: true
  static_configs: [{targets: [%q]}]
`, scraped.Listener.Addr())
	if err := os.WriteFile(filepath.Join(p.folder, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}

	p.Address = freeAddress(t, host)
	t.Cleanup(func() { p.Stop(t) })
	return p
}

// freeAddress is one that nobody listens at. Its port is none that the kernel gives to other connections while
// Prometheus starts (ip_local_port_range), and none of Kubernetes' Services.
func freeAddress(t *testing.T, host string) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(20000+rand.IntN(10000))))
		if err == nil {
			defer func() { _ = listener.Close() }()
			return listener.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Import gives it samples of the past, in OpenMetrics' format. It must not run.
func (p *Process) Import(t *testing.T, samples string) {
	t.Helper()
	file := filepath.Join(p.folder, "samples")
	if err := os.WriteFile(file, []byte(samples), 0o600); err != nil {
		t.Fatal(err)
	}

	out, err := exec.CommandContext(t.Context(), "promtool", "tsdb", "create-blocks-from", "openmetrics", file, p.data()).CombinedOutput()
	if err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
}

// Series is what a query gives.
type Series struct {
	Labels map[string]string
	// Values are the numbers, oldest first, without those that are not a number.
	Values []float64
}

// Query evaluates a query at each step of the time until an end.
func (p *Process) Query(t *testing.T, query string, end time.Time, ago, step time.Duration) []Series {
	t.Helper()
	at := func(moment time.Time) string { return strconv.FormatInt(moment.Unix(), 10) }
	ask := url.Values{"query": {query}, "start": {at(end.Add(-ago))}, "end": {at(end)}, "step": {step.String()}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.Address+"/api/v1/query_range?"+ask.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()

	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != "" {
		t.Fatalf("query %s: %s", query, answer.Error)
	}

	var all []Series
	for _, r := range answer.Data.Result {
		s := Series{Labels: r.Metric}
		for _, v := range r.Values {
			text, _ := v[1].(string)
			if number, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(number) {
				s.Values = append(s.Values, number)
			}
		}
		all = append(all, s)
	}
	return all
}

// Run starts it, or starts it again with the data of before.
func (p *Process) Run(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()

	p.command = exec.Command("prometheus", "--config.file="+filepath.Join(p.folder, "prometheus.yml"),
		"--storage.tsdb.path="+p.data(), "--web.listen-address="+p.Address)
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}

	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if p.ready() {
			return
		}
	}
	t.Fatalf("Prometheus is not ready; it said:\n%s", p.said())
}

func (p *Process) ready() bool {
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + p.Address + "/-/ready")
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK
}

// Stop ends it by its id, and returns when it has ended.
func (p *Process) Stop(t *testing.T) {
	t.Helper()
	if p.command == nil {
		return
	}

	_ = p.command.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(Patience, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()

	var status *exec.ExitError
	if err := p.command.Wait(); err != nil && !errors.As(err, &status) {
		t.Error(err)
	}
	p.command = nil
}

// Expose sets what the application says from now on: the text of its page of metrics.
func (p *Process) Expose(metrics string) {
	p.app.mu.Lock()
	defer p.app.mu.Unlock()
	p.app.metrics = metrics
}

func (p *Process) said() []byte {
	text, _ := os.ReadFile(p.log())
	return text
}

func (p *Process) data() string { return filepath.Join(p.folder, "data") }

func (p *Process) log() string { return filepath.Join(p.folder, "log") }
