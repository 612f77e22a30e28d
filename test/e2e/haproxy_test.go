// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/haproxy"
	"github.com/podgate/podgate/test/load"
)

// Ports of the first HAProxy on the node; the second one's are one higher.
const (
	frontendPort = 8081
	runtimePort  = 9991
)

// proxied is an application behind real HAProxys, which run on the node and not in pods.
type proxied struct {
	*service
	proxies []*haproxy.Process
}

// behind deploys an application behind n HAProxys, of which clients use the first.
func (w *world) behind(a env.App, n int) *proxied {
	w.t.Helper()
	if a.HAProxy == nil {
		a.HAProxy = &env.Backend{}
	}

	a.HAProxy.Name, a.HAProxy.IntervalMilliseconds, a.HAProxy.Rise, a.HAProxy.Fall = "web", 1000, 2, 2
	a.Namespace = "e2e-" + strings.ToLower(strings.TrimPrefix(w.t.Name(), "Test")) + "-" + strconv.FormatInt(time.Now().Unix(), 36)
	p := &proxied{service: &service{world: w, lb: &env.LoadBalancer{URL: fmt.Sprintf("http://%s:%d/", node, frontendPort)}}}
	for i := range n {
		p.proxies = append(p.proxies, w.proxy(i))
		a.HAProxy.Instances = append(a.HAProxy.Instances, fmt.Sprintf("tcp:%s:%d", node, runtimePort+i))
	}

	p.app = a
	w.t.Cleanup(p.remove)
	w.t.Cleanup(p.explainProxies)
	w.must(p.app.ApplyWiring(w.ctx, w.cluster))
	var err error
	p.pods, err = env.WatchPods(w.ctx, w.cluster, p.app.Namespace)
	w.must(err)
	w.t.Cleanup(p.pods.Stop)
	w.must(env.WaitInjected(w.ctx, w.cluster, p.app))
	p.apply()
	p.settled()

	return p
}

// proxy starts a HAProxy with an empty backend, as someone would configure it for podgate.
func (w *world) proxy(i int) *haproxy.Process {
	w.t.Helper()
	p, err := haproxy.New(w.t.TempDir())
	w.must(err)
	w.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			w.t.Error(err)
		}
	})

	w.must(p.Configure(fmt.Sprintf(`    stats socket ipv4@%[1]s:%[2]d level admin
defaults
    mode http
    timeout connect 2s
    timeout queue 10s
    timeout check 5s
    timeout client 60s
    timeout server 60s
frontend in
    bind %[1]s:%[3]d
    default_backend web
backend web
    balance roundrobin
    option httpchk GET /healthz
`, node, runtimePort+i, frontendPort+i)))

	w.must(p.Start())
	return p
}

// settled waits until the Deployment is complete, no replaced pod is left, and every
// HAProxy has a server that is up for each pod and no other server.
func (p *proxied) settled() {
	p.t.Helper()
	p.must(p.cluster.WaitDeployment(p.ctx, p.app.Namespace, p.app.Name))
	p.eventually("the last replaced pod to be gone", func(context.Context) (bool, error) {
		return len(p.alive()) == p.app.Replicas, nil
	})

	p.eventually("every HAProxy to have one server for each pod", func(context.Context) (bool, error) {
		for _, proxy := range p.proxies {
			servers := proxy.Servers("web")
			up := strings.Count(proxy.Say("show stat web 4 -1"), ",UP,")
			if len(servers) != p.app.Replicas || up != p.app.Replicas {
				return false, nil
			}
		}
		return true, nil
	})
}

// rollout updates to the second version and waits until everything has settled.
func (p *proxied) rollout() {
	p.t.Helper()
	p.app.Image = imageV2
	p.apply()
	p.settled()
}

// midway updates to the second version and calls then when some of the pods are new.
func (p *proxied) midway(then func()) {
	p.t.Helper()
	before := len(p.pods.Pods())
	p.app.Image = imageV2
	p.apply()
	p.eventually("the update to be under way", func(context.Context) (bool, error) { return len(p.pods.Pods()) >= before+2, nil })
	then()
	p.settled()
}

func (p *proxied) explainProxies() {
	if !p.t.Failed() {
		return
	}
	for i, proxy := range p.proxies {
		p.t.Logf("HAProxy %d: %s\n%s", i, proxy.Said(), proxy.Say("show stat web 6 -1"))
	}
}

// behindHAProxy is the application with the drain that HAProxy needs: a server that
// leaves gets no new request as soon as podgate has said so.
func behindHAProxy() env.App {
	a := application()
	a.PrestopSeconds, a.GracePeriodSeconds = 8, 20
	return a
}

// TestHAProxyRollout is a rolling update behind a pair of HAProxys, then a scaling in
// both directions: no request is lost.
func TestHAProxyRollout(t *testing.T) {
	p := start(t, options{}).behind(behindHAProxy(), 2)
	sum := p.underLoad(func() {
		p.rollout()
		for _, n := range []int{8, 3} {
			p.app.Replicas = n
			p.apply()
			p.settled()
		}
	})
	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}
}

// TestHAProxyTwinDies ends one of two HAProxys in the middle of an update and brings it
// back, without servers, before the end: clients of the other one lose nothing, and it
// gets all servers again.
func TestHAProxyTwinDies(t *testing.T) {
	p := start(t, options{}).behind(behindHAProxy(), 2)
	p.underLoad(func() {
		p.midway(func() {
			p.must(p.proxies[1].Stop())
			p.must(p.cluster.WaitDeployment(p.ctx, p.app.Namespace, p.app.Name))
			p.must(p.proxies[1].Start())
		})
	})
}

// reloadOutage is for how long a backend may be without servers after a reload: HAProxy
// forgets servers that were added at runtime, podgate reads a backend every two seconds,
// and a read, a registration and the way there take their time.
const reloadOutage = 4 * time.Second

// TestHAProxyReload reloads HAProxy in the middle of an update. HAProxy forgets its
// servers then, so requests are lost until podgate has put them back, and none after.
func TestHAProxyReload(t *testing.T) {
	p := start(t, options{}).behind(behindHAProxy(), 1)
	sum := p.loaded(rate, func(*load.Generator) {
		p.midway(func() { p.must(p.proxies[0].Reload()) })
	})
	p.assertSound(sum)
	if sum.LongestOutage > reloadOutage {
		t.Errorf("longest outage %s, want at most %s", sum.LongestOutage, reloadOutage)
	}
	if most := int(reloadOutage.Seconds() * rate); sum.Failed > most {
		t.Errorf("%d of %d requests failed, want at most %d: the reload's own", sum.Failed, sum.Requests, most)
	}
}

// TestHAProxyRestart ends HAProxy in the middle of an update and starts it again:
// requests are lost while it is away, and until podgate has put its servers back.
func TestHAProxyRestart(t *testing.T) {
	const away = 3 * time.Second
	p := start(t, options{}).behind(behindHAProxy(), 1)
	sum := p.loaded(rate, func(*load.Generator) {
		p.midway(func() {
			p.must(p.proxies[0].Stop())
			time.Sleep(away) // this is the fault itself
			p.must(p.proxies[0].Start())
		})
	})
	if sum.LongestOutage > away+2*reloadOutage {
		t.Errorf("longest outage %s, want at most %s", sum.LongestOutage, away+2*reloadOutage)
	}

	last := sum.Seconds[len(sum.Seconds)-1]
	if len(last.Failed) > 0 {
		t.Errorf("requests still fail at the end: %v", last.Failed)
	}
}

// TestHAProxyTwinHangs stops one of two HAProxys in the middle of an update without
// ending it. What it serves nobody knows, so no gate opens and the update waits; clients
// of the other one lose nothing, and the update goes on when it answers again.
func TestHAProxyTwinHangs(t *testing.T) {
	const hang = 10 * time.Second
	p := start(t, options{}).behind(behindHAProxy(), 2)
	p.underLoad(func() {
		p.midway(func() {
			pid, err := strconv.Atoi(p.proxies[1].PID())
			p.must(err)
			p.must(syscall.Kill(pid, syscall.SIGSTOP))
			defer func() { p.must(syscall.Kill(pid, syscall.SIGCONT)) }()
			time.Sleep(hang) // this is the fault itself
			d, err := p.deployment(p.ctx)
			p.must(err)
			if env.Complete(d) {
				t.Error("the update was completed although an instance was silent")
			}
		})
	})
}

// TestHAProxyMaintenance puts a server into maintenance by hand: nobody takes it out
// again, the next update is not held up, and with its pod the server goes.
func TestHAProxyMaintenance(t *testing.T) {
	p := start(t, options{}).behind(behindHAProxy(), 1)
	held := p.proxies[0].Servers("web")[0]
	p.underLoad(func() {
		p.proxies[0].Say("set server web/" + held + " state maint")
		p.rollout()
	})
	if slices.Contains(p.proxies[0].Servers("web"), held) {
		t.Errorf("server %s is left behind", held)
	}
}
