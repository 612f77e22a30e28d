// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/experiment/report"
)

const (
	prometheusPort = "9090"
	// prometheusPatience bounds its start, and its end.
	prometheusPatience = 30 * time.Second
)

// scrapes has a Prometheus scrape, once a second, the pods that a file lists: Debian's knows no Kubernetes.
const scrapes = `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: pods
  file_sd_configs: [{files: [%q]}]
`

// scraped is one pod in that file.
type scraped struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// scrape has Prometheus scrape the run's pods, as they come and go, until ctx ends.
func (r *rollout) scrape(ctx context.Context) error {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	var last []byte
	for {
		now, err := json.Marshal(scrapedPods(r.app.Namespace, r.pods.Pods()))
		if err == nil && !bytes.Equal(now, last) {
			// Prometheus reads it whenever it changes, so it is never half a file.
			err = errors.Join(os.WriteFile(r.scraped+".new", now, 0o600), os.Rename(r.scraped+".new", r.scraped))
			last = now
		}
		if err != nil {
			return fmt.Errorf("list pods for Prometheus: %w", err)
		}

		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// scrapedPods are those with an address, as service discovery would label them.
func scrapedPods(namespace string, pods []env.PodHistory) []scraped {
	all := []scraped{}
	for _, p := range pods {
		if p.Address != "" && p.Gone.IsZero() {
			all = append(all, scraped{[]string{net.JoinHostPort(p.Address, "8080")}, map[string]string{"namespace": namespace, "pod": p.Name}})
		}
	}
	return all
}

// checksOf is the spec of the ReadinessGate: pods are warm, and their metric says that requests do not fail.
func checksOf(settle int) string {
	metric := ""
	if settle > 0 {
		metric = `, {name: errors, periodSeconds: 2, prometheus: {server: main, query: app_failing, windowSeconds: 5, expression: "value == 0.0"}}`
	}
	return "{selector: {matchLabels: {app.kubernetes.io/name: web}}, checks: [{name: warm, http: {port: http, path: /warm}}" + metric + "]}"
}

// controllerArgs are what the controller is told about Prometheus, if a check asks it.
func (o *options) controllerArgs() []string {
	if !o.measured() {
		return nil
	}
	return []string{
		"--prometheus=main=http://" + net.JoinHostPort(o.dataAddress, prometheusPort),
		"--allow-checks=podgate.dev/inject=enabled => prometheus:main",
	}
}

// measured reports whether a Prometheus is needed.
func (o *options) measured() bool {
	for _, r := range o.runs {
		if r == report.Checked && o.settle > 0 {
			return true
		}
	}
	return false
}

// startPrometheus runs a real one until stop is called. It scrapes the pods that the file pods lists.
func startPrometheus(ctx context.Context, o options) (pods string, stop func() error, err error) {
	folder, err := os.MkdirTemp("", "prometheus")
	if err != nil {
		return "", nil, err
	}

	config := filepath.Join(folder, "prometheus.yml")
	pods = filepath.Join(folder, "pods.json")
	err = os.WriteFile(config, fmt.Appendf(nil, scrapes, pods), 0o600)

	address := net.JoinHostPort(o.dataAddress, prometheusPort)
	command := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for the experiment, which ends it
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("start Prometheus: %w", err), os.RemoveAll(folder))
	}

	stop = func() error {
		_ = command.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(prometheusPatience, func() { _ = command.Process.Kill() })
		defer kill.Stop()
		_ = command.Wait() // that it was told to end is no error
		return os.RemoveAll(folder)
	}

	if err := waitPrometheus(ctx, "http://"+address+"/-/ready"); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return pods, stop, nil
}

func waitPrometheus(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, prometheusPatience, fmt.Errorf("no answer within %s", prometheusPatience))
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("wait for Prometheus: %w", err)
		}

		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}

		select {
		case <-time.After(lookInterval):
		case <-ctx.Done():
			return fmt.Errorf("wait for Prometheus: %w", context.Cause(ctx))
		}
	}
}
