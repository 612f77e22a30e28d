// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/manager"
)

// cable is a way to the API server that can be cut.
type cable struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// plug makes a configuration that goes through the cable.
func (c *cable) plug(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.cut {
			return nil, errors.New("the cable is cut")
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			c.conns = append(c.conns, conn)
		}
		return conn, err
	}

	return cfg
}

func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
}

// elect has podgate elect a leader, under times that leave a silent one the lead for
// as long as the test runs.
func (c *cluster) elect() {
	c.Helper()
	c.config = func(cfg *manager.Config) {
		cfg.Election.Enabled, cfg.Namespace = true, c.ns
		cfg.Election.LeaseDuration, cfg.Election.RenewDeadline, cfg.Election.RetryPeriod = 5*time.Minute, 4*time.Minute, 500*time.Millisecond
	}
}

// holder is who holds the lease; empty when nobody does.
func (c *cluster) holder() string {
	c.Helper()
	var lease coordinationv1.Lease
	err := c.kube.Get(c.Context(), types.NamespacedName{Namespace: c.ns, Name: manager.LeaseName}, &lease)
	if apierrors.IsNotFound(err) {
		return ""
	}

	if err != nil {
		c.Fatal(err)
	}

	if lease.Spec.HolderIdentity == nil {
		return ""
	}

	return *lease.Spec.HolderIdentity
}

// deregistered reports whether a call took the address out of a group.
func (c *cluster) deregistered(address string) bool {
	for _, call := range c.calls("DeregisterTargets") {
		for _, t := range call.Targets {
			if t.ID == address {
				return true
			}
		}
	}
	return false
}

// A pod that is deleted while the leader is silent is deregistered by a standby, long
// before the lease of the leader runs out; the last that serves is not.
func TestLaw5SilentLeader(t *testing.T) {
	c := newCluster(t)
	c.elect()
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	wire := &cable{}
	leader := c.launch(wire.plug(c.cfg))
	defer func() { _ = leader() }()
	c.eventually("a leader", func() bool { return c.holder() != "" })
	first := c.holder()
	standby := c.launch(c.cfg)
	defer func() { _ = standby() }()
	one, two := c.pod("web-1", "web", "10.0.0.1"), c.pod("web-2", "web", "10.0.0.2")
	c.eventually("both registered", func() bool { return len(c.rows(arn)) == 2 })
	c.served(one, two)

	wire.sever()

	if err := c.kube.Delete(t.Context(), one); err != nil {
		t.Fatal(err)
	}

	c.eventually("a standby deregistered the pod", func() bool { return c.deregistered("10.0.0.1") })
	if now := c.holder(); now != first {
		t.Fatalf("the lease went from %s to %s: that was no standby", first, now)
	}

	if err := c.kube.Delete(t.Context(), two, client.GracePeriodSeconds(3600)); err != nil {
		t.Fatal(err)
	}

	c.never("the last one that serves is deregistered by a standby", 2*time.Second, func() bool { return c.deregistered("10.0.0.2") })
	if n := len(c.calls("DeregisterTargets")); n != 1 {
		t.Errorf("one target was deregistered by %d calls", n)
	}
}

// served plays the kubelet of pods that are Ready.
func (c *cluster) served(pods ...client.Object) {
	c.Helper()
	for _, pod := range pods {
		body := []byte(`{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`)
		if err := c.kube.Status().Patch(c.Context(), pod.DeepCopyObject().(client.Object), client.RawPatch(types.StrategicMergePatchType, body)); err != nil {
			c.Fatal(err)
		}
	}
}

// A leader that ends in order hands over without waiting for its lease to run out, and
// what it leaves open is done meanwhile.
func TestHandOver(t *testing.T) {
	c := newCluster(t)
	c.elect()
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	leader := c.launch(c.cfg)
	c.eventually("a leader", func() bool { return c.holder() != "" })
	first := c.holder()
	standby := c.launch(c.cfg)
	defer func() { _ = standby() }()
	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("registered", func() bool { return len(c.rows(arn)) == 1 })
	began := time.Now()

	if err := leader(); err != nil {
		t.Errorf("the leader's end: %v", err)
	}

	t.Logf("the leader took %s to end", time.Since(began))
	c.eventually("another leads", func() bool { h := c.holder(); return h != "" && h != first })
	t.Logf("another led after %s", time.Since(began))
	c.pod("web-2", "web", "10.0.0.2", "web")
	c.eventually("the next leader registers", func() bool { return len(c.rows(arn)) == 2 })
}

// A new leader begins with the groups for which a pod waits, however many there are
// and however slowly it may ask about them.
func TestWaitingGroupsFirst(t *testing.T) {
	c := newCluster(t)
	arns := map[string]string{}
	for _, name := range names(30) {
		arns[name] = c.group(name)
		c.script(arns[name], "healthy")
		c.service(name)
		c.binding(name, name, arns[name])
	}

	c.pod("waits", "g17", "10.0.0.1", "g17")
	c.config = func(cfg *manager.Config) { cfg.AWS.DescribeRate, cfg.Workers = 50, 1 }
	c.start()
	c.eventually("all are asked about", func() bool { return len(c.calls("DescribeTargetGroupAttributes")) == len(arns) })

	for i, call := range c.calls("DescribeTargetGroupAttributes") {
		if call.TargetGroupARN == arns["g17"] && i > 0 {
			t.Errorf("the waiting pod's group was asked about as number %d of %d", i+1, len(arns))
		}
	}
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "g" + string(rune('0'+i/10)) + string(rune('0'+i%10))
	}
	return all
}
