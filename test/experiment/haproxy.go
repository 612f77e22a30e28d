// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/haproxy"
)

// profileHAProxy is a real HAProxy instead of the simulator.
const profileHAProxy = "haproxy"

const (
	proxyBackend      = "web"
	proxyFrontendPort = 8081
	proxyRuntimePort  = 9991
	// proxyLook is how often its servers are looked at.
	proxyLook = 50 * time.Millisecond
)

// proxy is a real HAProxy, and what was seen of its servers.
type proxy struct {
	process *haproxy.Process
	options options
	stop    context.CancelFunc
	stopped chan struct{}

	mu     sync.Mutex
	seen   []awssim.Transition
	now    map[awssim.Target]serverNow
	looked time.Time
}

// serverNow is a server's state, and whether it is sent requests.
type serverNow struct {
	state    string
	routable bool
}

// startProxy runs a HAProxy with an empty backend; it does not end with ctx, remove ends it.
func startProxy(ctx context.Context, o options) (_ *proxy, err error) {
	folder, err := os.MkdirTemp("", "haproxy")
	if err != nil {
		return nil, err
	}

	process, err := haproxy.New(folder)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}

	p := &proxy{process: process, options: o, stopped: make(chan struct{}), now: map[awssim.Target]serverNow{}}
	err = process.Configure(fmt.Sprintf(`    stats socket ipv4@%[1]s:%[2]d level admin
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout check %[5]ds
frontend in
    bind %[1]s:%[3]d
    default_backend %[4]s
backend %[4]s
    balance roundrobin
    option httpchk GET %[6]s
`, o.dataAddress, proxyRuntimePort, proxyFrontendPort, proxyBackend, o.healthCheck.Timeout, o.healthCheck.Path))
	if err == nil {
		err = process.Start()
	}

	if err != nil {
		return nil, errors.Join(err, process.Close(), os.RemoveAll(folder))
	}

	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	go p.watch(watching)

	return p, nil
}

func (p *proxy) url() string {
	return fmt.Sprintf("http://%s:%d/", p.options.dataAddress, proxyFrontendPort)
}

func (p *proxy) host() string { return "" }

func (p *proxy) ready(context.Context) error { return nil }

func (p *proxy) bind(a *env.App) {
	check := p.options.healthCheck
	a.HAProxy = &env.Backend{
		Name: proxyBackend, Instances: []string{fmt.Sprintf("tcp:%s:%d", p.options.dataAddress, proxyRuntimePort)},
		IntervalMilliseconds: int(check.Interval) * 1000, Rise: int(check.Healthy), Fall: int(check.Unhealthy),
	}
}

func (p *proxy) transitions(context.Context) ([]awssim.Transition, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]awssim.Transition(nil), p.seen...), nil
}

func (p *proxy) remove(context.Context) error {
	p.stop()
	<-p.stopped
	return errors.Join(p.process.Close(), os.RemoveAll(p.process.Folder))
}

// watch looks at the servers until ctx ends.
func (p *proxy) watch(ctx context.Context) {
	defer close(p.stopped)
	tick := time.NewTicker(proxyLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.look(time.Now(), p.process.Say("show servers state "+proxyBackend))
		}
	}
}

// look notes what has changed since the last look. A server became healthy at some time
// between the two, and the earlier one is noted: else a gate that opened in between would
// count as early, and a late gate as quicker than it was.
func (p *proxy) look(at time.Time, answer string) {
	next, ok := servers(answer)
	if !ok {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	last := p.looked
	p.looked = at

	for t := range p.now {
		if _, there := next[t]; !there {
			next[t] = serverNow{state: absent}
		}
	}

	for t, now := range next {
		before, known := p.now[t]
		if !known {
			before = serverNow{state: absent}
		}

		if now.state != before.state {
			changed := at
			if known && now.state == healthy {
				changed = last
			}
			p.seen = append(p.seen, awssim.Transition{Time: changed, Target: t, Clock: awssim.ClockAPI, From: before.state, To: now.state})
		}

		if now.routable != before.routable {
			p.seen = append(p.seen, awssim.Transition{Time: at, Target: t, Clock: awssim.ClockRouting, From: routing(before), To: routing(now)})
		}

		p.now[t] = now
		if now.state == absent {
			delete(p.now, t)
		}
	}
}

func routing(s serverNow) string {
	if s.routable {
		return routable
	}
	return absent
}

// servers reads an answer to "show servers state", whose columns are those of HAProxy's
// management guide; false when it is none.
func servers(answer string) (map[awssim.Target]serverNow, bool) {
	lines := strings.Split(answer, "\n")
	if lines[0] != "1" {
		return nil, false
	}

	all := map[awssim.Target]serverNow{}
	for _, line := range lines[min(2, len(lines)):] {
		words := strings.Fields(line)
		if len(words) < 19 {
			continue
		}

		port, err := strconv.Atoi(words[18])
		if err != nil {
			continue
		}

		up, weight, forced := words[5] == "2", words[7] != "0", words[6] != "0"
		s := serverNow{state: initial}
		switch {
		case !weight:
			s.state = "draining"
		case up && !forced:
			s = serverNow{state: healthy, routable: true}
		}

		all[awssim.Target{ID: words[4], Port: port}] = s
	}

	return all, true
}
