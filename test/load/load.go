// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package load sends HTTP requests at a steady rate and tells what became of each.
//
// The loop is open: the schedule fixes when a request starts, so slow answers do not
// slow the load down, and latency counts from the schedule. Half of the requests open
// a connection of their own, half use kept-alive connections. Nothing is ever tried
// again: attempts are counted at the socket, apart from the requests, and the two
// numbers must be equal. Like any sound client it looks whether a kept-alive
// connection was closed while it was idle, and then opens another; once bytes were
// written, whatever happens is the request's result.
//
// It refuses to use net/http's Transport, which repeats requests by itself, and to
// follow redirects.
package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what to send. The zero value of every field but URL has a default.
type Config struct {
	// URL of the requests: http, with a host and a path.
	URL string
	// Host is the name that requests ask for, where it is not the address of URL.
	Host string
	// Rate is the number of requests per second (200).
	Rate float64
	// Burst is how many requests are sent at once (1). The rate is the same.
	Burst int
	// Timeout bounds a request from its start, connecting included (15s). Rate x Timeout
	// bounds the number of requests in flight.
	Timeout time.Duration
	// Connections is the number of kept-alive connections that are held open (16).
	Connections int
	// IdleTimeout is how long an idle connection is trusted (30s, less than the 60s after
	// which an Application Load Balancer closes one).
	IdleTimeout time.Duration
	// MaxRequests bounds the load in count (1,000,000).
	MaxRequests int
	// MaxDuration bounds the load in time (1h).
	MaxDuration time.Duration
}

func (c Config) withDefaults() Config {
	if c.Rate == 0 {
		c.Rate = 200
	}

	if c.Burst == 0 {
		c.Burst = 1
	}

	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}

	if c.Connections == 0 {
		c.Connections = 16
	}

	if c.IdleTimeout == 0 {
		c.IdleTimeout = 30 * time.Second
	}

	if c.MaxRequests == 0 {
		c.MaxRequests = 1_000_000
	}

	if c.MaxDuration == 0 {
		c.MaxDuration = time.Hour
	}

	return c
}

// Generator sends one load. It is used once.
type Generator struct {
	config  Config
	sockets *sockets
	pool    *pool
	// head is the request without its Connection header and its end.
	head string

	sent, answered, failed atomic.Int64

	mu       sync.Mutex
	requests []Request
	late     time.Duration
}

// New checks the configuration.
func New(c Config) (*Generator, error) {
	c = c.withDefaults()
	if c.Rate < 0 || c.Burst < 0 || c.Timeout < 0 || c.Connections < 0 || c.IdleTimeout < 0 || c.MaxRequests < 0 || c.MaxDuration < 0 {
		return nil, errors.New("load: a rate, time or number is negative")
	}

	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if u.Scheme != "http" || u.Hostname() == "" {
		return nil, fmt.Errorf("load: URL %q: want http://HOST[:PORT]/PATH", c.URL)
	}

	port := u.Port()
	if port == "" {
		port = "80"
	}

	s := newSockets(u.Hostname(), port)
	return &Generator{
		config:  c,
		sockets: s,
		pool:    newPool(s, c.Connections, c.IdleTimeout),
		head:    fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: podgate-load\r\n", u.RequestURI(), cmp.Or(c.Host, u.Host)),
	}, nil
}

// Progress is what happened so far.
type Progress struct {
	// Sent counts started requests, Answered those that ended well, Failed the others that ended.
	Sent, Answered, Failed int64
}

// Progress may be called while Run runs.
func (g *Generator) Progress() Progress {
	return Progress{Sent: g.sent.Load(), Answered: g.answered.Load(), Failed: g.failed.Load()}
}

// Run sends requests until ctx ends or a bound is reached, waits for those in flight
// (for the time-out at most) and returns all of them. The end of ctx is not an error
// and cuts no request off.
func (g *Generator) Run(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(ctx, g.config.MaxDuration)
	defer cancel()
	start := time.Now()
	interval := time.Duration(float64(time.Second) / g.config.Rate)
	timer := time.NewTimer(0)
	defer timer.Stop()

	var flying sync.WaitGroup
	for i := range g.config.MaxRequests {
		scheduled := time.Duration(i-i%g.config.Burst) * interval
		timer.Reset(time.Until(start.Add(scheduled)))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		g.sent.Add(1)
		flying.Go(func() { g.one(start, scheduled, i%2 == 1) })
	}

	flying.Wait()
	g.pool.close()
	return newResult(start, g.requests, g.sockets.attempts.Load(), g.late)
}

// one sends a single request and records it.
func (g *Generator) one(start time.Time, scheduled time.Duration, keepAlive bool) {
	begun := time.Now()
	r := Request{Scheduled: scheduled, KeepAlive: keepAlive}
	send := g.sendNew
	if keepAlive {
		send = g.sendKept
	}

	a := send(begun.Add(g.config.Timeout), &r)
	r.Outcome, r.Version = a.outcome(), a.version()
	r.Latency = time.Since(start) - scheduled

	if r.Failed() {
		g.failed.Add(1)
	}

	if !r.Failed() {
		g.answered.Add(1)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = append(g.requests, r)
	g.late = max(g.late, begun.Sub(start)-scheduled)
}

// sendNew uses a connection of the request's own.
func (g *Generator) sendNew(deadline time.Time, _ *Request) answer {
	c, err := g.sockets.dial(deadline)
	if err != nil {
		return answer{err: err, dialing: true}
	}
	k := newConnection(c)
	defer k.close()
	return k.exchange(g.head+"Connection: close\r\n\r\n", deadline)
}

// sendKept uses an idle connection that still stands, or opens one and keeps it.
func (g *Generator) sendKept(deadline time.Time, r *Request) answer {
	message := g.head + "\r\n"
	for {
		k, reused, err := g.pool.take(deadline)
		if err != nil {
			return answer{err: err, dialing: true}
		}
		a := k.exchange(message, deadline)
		if errors.Is(a.err, errUnused) {
			g.pool.drop(k)
			continue
		}
		r.Reused = reused
		g.pool.put(k)
		return a
	}
}

// answer is how an exchange ended: a status and a body, or an error.
type answer struct {
	status int
	body   []byte
	err    error
	// dialing tells that no connection came about.
	dialing bool
	// last tells that the connection cannot be used again.
	last bool
}

// version is the first line of a good answer.
func (a answer) version() string {
	if a.err != nil || a.status < 200 || a.status > 299 {
		return ""
	}
	line, _, _ := strings.Cut(string(a.body), "\n")
	line = strings.TrimSpace(line)
	return line[:min(len(line), 64)]
}
