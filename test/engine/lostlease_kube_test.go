// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/manager"
)

// A leader that loses its lease answers the webhook's calls on until API servers have heard
// of it, and ends then with an error.
func TestLostLeaseServesWebhook(t *testing.T) {
	c := newCluster(t)
	port := freePort(t)
	c.config = func(cfg *manager.Config) {
		cfg.Election.Enabled, cfg.Namespace, cfg.Listen.WebhookPort = true, c.ns, port
		cfg.Election.LeaseDuration, cfg.Election.RenewDeadline, cfg.Election.RetryPeriod = 3*time.Second, 2*time.Second, 500*time.Millisecond
	}
	c.service("web")
	c.binding("web", "web", c.group("web"))

	wire := &cable{}
	end := sync.OnceValue(c.launch(wire.plug(c.cfg)))
	defer func() { _ = end() }()
	c.eventually("a leader", func() bool { return c.holder() != "" })
	c.eventually("a gate", func() bool { return c.injects(port) == nil })

	wire.sever()
	c.never("a call is not answered", 6*time.Second, func() bool {
		err := c.injects(port)
		if err != nil {
			t.Log(err)
		}
		return err != nil
	})
	if err := end(); err == nil || !strings.Contains(err.Error(), "leader election lost") {
		t.Errorf("podgate ended with %v, want the lost lease", err)
	}
}

// A leader that is told to end gives up its lease at once, and answers the webhook's calls, also from what is created now, until
// its callers have closed their connections.
func TestLeavingServesWebhook(t *testing.T) {
	c := newCluster(t)
	port := freePort(t)
	c.config = func(cfg *manager.Config) {
		cfg.Election.Enabled, cfg.Namespace, cfg.Listen.WebhookPort = true, c.ns, port
	}
	c.service("web")
	web := c.group("web")

	end := sync.OnceValue(c.launch(c.cfg))
	defer func() { _ = end() }()
	c.eventually("a leader", func() bool { return c.holder() != "" })
	var kept net.Conn
	c.eventually("a connection", func() bool {
		dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		conn, err := dialer.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		kept = conn
		return err == nil
	})
	defer func() { _ = kept.Close() }()

	ended := make(chan error, 1)
	go func() { ended <- end() }()
	c.eventually("the lease is free", func() bool { return c.holder() == "" })
	c.binding("web", "web", web)
	c.eventually("a gate", func() bool { return c.injects(port) == nil })

	select {
	case err := <-ended:
		t.Fatalf("ended while a caller has a connection: %v", err)
	default:
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// injects asks the webhook for the gate of a pod.
func (c *cluster) injects(port int) error {
	review := fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","namespace":%q,
		"resource":{"version":"v1","resource":"pods"},"object":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app"}]}}}}`, c.ns)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Post(fmt.Sprintf("https://127.0.0.1:%d/mutate-v1-pod", port), "application/json", strings.NewReader(review))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(answer), `"patch"`)) {
		err = fmt.Errorf("%s without the gate %s: %s", resp.Status, binding.GateType("web"), answer)
	}
	return err
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
