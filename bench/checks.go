// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
)

const (
	checkGates   = 20
	checkWaiting = 1000
	checkOpen    = 10000
	// checkPeriod is how often a waiting pod is asked by default.
	checkPeriod = 5 * time.Second
	// checkRest is how long no question may come once all gates are open.
	checkRest = 15 * time.Second
)

// checks measures from a pod that would pass its check to the condition, and that open gates cost no question.
func checks(ctx context.Context, w *world) ([]Measure, error) {
	pods, err := w.serveChecked()
	if err != nil {
		return nil, err
	}

	if err := w.addChecked(ctx, pods); err != nil {
		return nil, err
	}

	if err := w.start(); err != nil {
		return nil, err
	}

	err = w.eventually(ctx, "all pods that wait fail their check", 2*time.Minute, func(context.Context) (bool, error) {
		return w.watch.all(pods.waiting, func(s seen) bool { return s.reason == v1alpha1.ReasonCheckFailed })
	})
	if err != nil {
		return nil, err
	}

	// Each pod's questions are to have found their pace, whatever the start was like.
	if err := pause(ctx, 2*checkPeriod); err != nil {
		return nil, err
	}

	began, used, asked := time.Now(), w.cpu(), pods.questions()
	if err := w.passAtRandom(ctx, pods); err != nil {
		return nil, err
	}

	// What never opens is a result, not a failure of the bench.
	_ = w.eventually(ctx, "all gates are open", time.Minute, func(context.Context) (bool, error) { return w.watch.all(pods.waiting, isOpen) })
	busy, asked := percent(w.cpu()-used, time.Since(began)), pods.questions()-asked

	if err := pause(ctx, time.Second); err != nil { // questions that are under way
		return nil, err
	}
	rest := pods.questions()
	if err := pause(ctx, checkRest); err != nil {
		return nil, err
	}
	rest = pods.questions() - rest

	flips, err := w.flipsOf(pods.open)
	if err != nil {
		return nil, err
	}
	memory, err := w.controller.memory()
	if err != nil {
		return nil, err
	}
	measures, err := w.checkOpenings(pods)
	return append(measures,
		bounded("questions about open gates", float64(pods.asked(pods.open)), "", 0),
		bounded("questions once all are open", float64(rest), "", 0),
		bounded("open gates that closed", float64(flips), "", 0),
		info("questions while pods opened", float64(asked), ""),
		info("processor", busy, "% of a core"), info("resident memory", memory.rss, "MiB"),
	), err
}

// checkOpenings gives how long it took from a pod that would pass to its condition.
func (w *world) checkOpenings(pods *checked) ([]Measure, error) {
	var whole, own []time.Duration
	closed, early := 0, 0
	for _, p := range pods.waiting {
		s, err := w.watch.pod(p.name)
		if err != nil {
			return nil, err
		}

		a := pods.answers(p)
		switch {
		case s.openAt.IsZero():
			closed++
		case a.passed.IsZero() || s.openAt.Before(a.passed):
			early++
		default:
			whole, own = append(whole, s.openAt.Sub(a.passes)), append(own, s.openAt.Sub(a.passed))
		}
	}

	return []Measure{
		info("median from passing to condition", percentile(whole, 50), "s"),
		bounded("p99 from passing to condition", percentile(whole, 99), "s", (checkPeriod + 500*time.Millisecond).Seconds()),
		info("longest", percentile(whole, 100), "s"),
		info("p99 from the answer to condition", percentile(own, 99), "s"),
		bounded("gates that stayed closed", float64(closed), "", 0),
		bounded("gates that opened before their pod passed", float64(early), "", 0),
	}, nil
}

// checked are pods with gates of checks. They all have an address of this machine, where one
// server answers for all of them: a request's path is the name of its pod.
type checked struct {
	waiting, open []*pod
	port          int

	mu   sync.Mutex
	said map[string]answers
}

// answers are what a pod was asked and answered.
type answers struct {
	asked int
	// passes is since when the pod would pass, and passed is when it said so first.
	passes, passed time.Time
}

// serveChecked starts the server, in which no pod passes.
func (w *world) serveChecked() (*checked, error) {
	addr, err := ownAddress()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		return nil, fmt.Errorf("serve checks: %w", err)
	}

	pods := &checked{port: l.Addr().(*net.TCPAddr).Port, said: map[string]answers{}}
	server := &http.Server{Handler: pods, ReadHeaderTimeout: 10 * time.Second}
	w.closers = append(w.closers, server.Close)
	go func() { _ = server.Serve(l) }()

	some := func(prefix string, n int) []*pod {
		made := make([]*pod, n)
		for i := range made {
			made[i] = &pod{name: fmt.Sprintf("%s-%d", prefix, i), ip: addr.String(), gate: v1alpha1.CheckPrefix + checkGate(i%checkGates)}
		}
		return made
	}
	pods.waiting, pods.open = some("waiting", checkWaiting), some("open", checkOpen)
	return pods, nil
}

func checkGate(i int) string { return "checks-" + strconv.Itoa(i) }

// ownAddress finds an address of this machine at which podgate asks pods: loopback is none.
func ownAddress() (netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			return p.Addr(), nil
		}
	}
	return netip.Addr{}, errors.New("this machine has no address but loopback, where podgate asks no pods")
}

// ServeHTTP implements http.Handler.
func (c *checked) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	name := r.URL.Path[1:]
	c.mu.Lock()
	a := c.said[name]
	a.asked++
	passes := !a.passes.IsZero()
	if passes && a.passed.IsZero() {
		a.passed = time.Now()
	}
	c.said[name] = a
	c.mu.Unlock()

	if !passes {
		out.WriteHeader(http.StatusServiceUnavailable)
	}
}

// pass has a pod pass from now on.
func (c *checked) pass(p *pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.said[p.name]
	a.passes = time.Now()
	c.said[p.name] = a
}

func (c *checked) answers(p *pod) answers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said[p.name]
}

// asked counts the questions about pods.
func (c *checked) asked(pods []*pod) int {
	n := 0
	for _, p := range pods {
		n += c.answers(p).asked
	}
	return n
}

// questions counts all of them.
func (c *checked) questions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, a := range c.said {
		n += a.asked
	}
	return n
}

// addChecked makes the gates and the pods: some that are open since a while, as an earlier controller leaves them, and some that wait.
func (w *world) addChecked(ctx context.Context, pods *checked) error {
	err := each(ctx, checkGates, func(ctx context.Context, i int) error {
		g := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: apps, Name: checkGate(i)}}
		port := intstr.FromInt(pods.port)
		g.Spec.Checks = []v1alpha1.Check{{Name: "warm", HTTP: &v1alpha1.HTTPCheck{Port: &port, Path: "/$(pod.name)"}}}
		return w.kube.Create(ctx, g)
	})
	if err != nil {
		return fmt.Errorf("make ReadinessGates: %w", err)
	}

	err = w.createPods(ctx, pods.open, func(p *pod) map[string]any { return conditions(10*time.Minute, containersReady, podReady, p.gate) })
	if err != nil {
		return err
	}
	return w.createPods(ctx, pods.waiting, func(*pod) map[string]any { return conditions(0, containersReady) })
}

// passAtRandom has each pod that waits pass from a random moment of flipWindow on.
func (w *world) passAtRandom(ctx context.Context, pods *checked) error {
	start := time.Now()
	var g errgroup.Group
	for _, p := range pods.waiting {
		at := time.Duration(w.random.Float64() * float64(flipWindow))
		g.Go(func() error {
			if err := pause(ctx, time.Until(start.Add(at))); err != nil {
				return err
			}
			pods.pass(p)
			return nil
		})
	}
	return g.Wait()
}
