// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/podgate/podgate/internal/manager"
)

// A replica that starts while the API server is away is alive and not ready, and
// begins its work when the API server is back.
func TestStartsWhileTheAPIServerIsAway(t *testing.T) {
	c := newCluster(t)
	probes := freeAddress(t)
	c.config = func(cfg *manager.Config) { cfg.Listen.Health = probes }
	arn := c.group("web")
	c.service("web")
	c.binding("web", "web", arn)
	c.pod("web-1", "web", "10.0.0.1")
	wire := &cable{cut: true}
	end := c.launch(wire.plug(c.cfg))
	c.eventually("alive and not ready", func() bool {
		return probe(t, probes, "/healthz") == http.StatusOK && probe(t, probes, "/readyz") == http.StatusServiceUnavailable
	})

	wire.mend()
	c.eventually("the pod is registered", func() bool { return len(c.rows(arn)) == 1 })

	if err := end(); err != nil {
		t.Errorf("podgate: %v", err)
	}
}

// One that is ended meanwhile ends in order.
func TestEndsWhileTheAPIServerIsAway(t *testing.T) {
	c := newCluster(t)
	probes := freeAddress(t)
	c.config = func(cfg *manager.Config) { cfg.Listen.Health = probes }
	wire := &cable{cut: true}
	end := c.launch(wire.plug(c.cfg))
	c.eventually("alive", func() bool { return probe(t, probes, "/healthz") == http.StatusOK })
	if err := end(); err != nil {
		t.Errorf("podgate: %v", err)
	}
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// probe asks as a kubelet does; 0 means no answer.
func probe(t *testing.T, address, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
